"""The six boards inside PostHog: what they ask there, and bringing them there."""
