"""Where proposals live: GitHub, or a git repository on this machine."""
