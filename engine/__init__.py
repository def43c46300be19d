"""The loop that improves the loops: signals become reports, reports become decisions. No Textual, no Rich."""
