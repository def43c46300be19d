"""What the engine of a workspace is made of, by its configuration."""

from __future__ import annotations

from engine.listening import Listening
from engine.main import Build, Parts
from engine.store import Store
from workspace.config import Config


def parts(config: Config) -> Build:
    """Raises `LoopdeskError` for a configuration that makes no sense, before anything is opened."""
    listening = Listening(config)

    def build(store: Store) -> Parts:
        return Parts(stages=(listening,))

    return build
