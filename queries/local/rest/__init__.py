"""PostHog's private REST API, as far as the desk and the SDKs use it: flags, experiments, annotations, the project."""
