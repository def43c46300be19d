"""The desk in a browser: a page with a terminal in it, a gate before it, and a desk behind it."""
