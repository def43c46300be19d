"""The desk, and the command line beside it."""
