"""HogQL -> SQLite: PostHog's own grammar, printed by explicit tables with PostHog's semantics."""
