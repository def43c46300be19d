"""What the engine of a workspace is made of, by its configuration."""

from __future__ import annotations

from engine.issues import Issues
from engine.listening import Listening
from engine.main import Build, Parts, Stage
from engine.pulling import Pulling
from engine.sources.github_issues import NAME, configured
from engine.store import Store
from workspace.config import Config


def parts(config: Config) -> Build:
    """Raises `LoopdeskError` for a configuration that makes no sense, before anything is opened."""
    repositories = configured(config.signal_sources.get(NAME, {}), config.github_token)
    pulling: list[Stage] = [Pulling(config)] if config.asks_posthog else []
    sources: list[Stage] = [*pulling, Listening(config), Issues(repositories)]

    def build(store: Store) -> Parts:
        return Parts(stages=sources)

    return build
