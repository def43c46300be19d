"""Rows of answers -> what a screen shows. Pure: no clock, no I/O; every view says itself in a sentence."""
