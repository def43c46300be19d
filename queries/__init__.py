"""Everything that asks PostHog: the questions, the two backends, and rows made into view models."""
