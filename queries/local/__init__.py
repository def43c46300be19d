"""The embedded PostHog: one SQLite file that loops, desk and engine use at the same time."""
