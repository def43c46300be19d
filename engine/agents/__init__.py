"""Agents: the real agent CLI in a jail, what it is given and what it answers."""
