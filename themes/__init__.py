"""Colours as data, and their loader."""
