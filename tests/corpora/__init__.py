"""Labelled texts that the engine's safety, grouping and judging are scored on. See README.md beside this file."""
