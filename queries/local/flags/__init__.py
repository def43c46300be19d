"""Feature flags as PostHog's server evaluates them: definitions in, a value with its reason out. Pure throughout."""
