"""What the engine of a workspace is made of, by its configuration."""

from __future__ import annotations

from engine.announcing import Announcing
from engine.issues import Issues
from engine.listening import Listening
from engine.main import Build, Parts, Stage
from engine.notifying import Notifying
from engine.pulling import Pulling
from engine.sources.github_issues import NAME, configured
from engine.store import Store
from workspace.config import Config


def parts(config: Config) -> Build:
    """Raises `LoopdeskError` for a configuration that makes no sense, before anything is opened."""
    repositories = configured(config.signal_sources.get(NAME, {}), config.github_token)
    pulling: list[Stage] = [Pulling(config)] if config.asks_posthog else []
    sources: list[Stage] = [*pulling, Listening(config), Issues(repositories)]
    # Last in a turn: what the others found out is told.
    outward: list[Stage] = [Notifying(config), Announcing(config)]

    def build(store: Store) -> Parts:
        return Parts(stages=[*sources, *outward])

    return build
