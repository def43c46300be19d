"""The floor every other package stands on: where files are, what is configured, how text is made safe to show."""
