"""The boards beyond the six: each a few questions of the catalog and a pure function from their rows to a sheet."""
