"""Benchmarks. Each prints a table and measures a peer or a floor in the same run; `python -m bench` runs all."""
