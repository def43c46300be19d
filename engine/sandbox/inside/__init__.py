"""The fixed scripts that run within a jail. They need Python's standard library alone, and nothing of ours."""
