"""Where a PostHog may be pulled into, and one pull at a time: for the command and for the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from queries.local.keys import load_keys
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.locks import only_one
from workspace.paths import Workspace
from workspace.text import plain


class WrongPlace(LoopdeskError):
    """This workspace takes no events of that PostHog."""


class PullRuns(LoopdeskError):
    """Another process pulls the same project."""


def refuse_wrong_places(config: Config) -> None:
    """Raises `WrongPlace`."""
    workspace = config.workspace
    if workspace.demo_marker.exists():
        raise WrongPlace(
            f"{workspace.root} holds a simulated weekend",
            "Real rounds are never mixed with simulated ones",
            "Name another folder with --workspace DIR",
        )
    own_keys = workspace.root / "keys.json"
    if own_keys.exists() and load_keys(workspace.root).personal == config.posthog_personal_key.strip():
        raise WrongPlace(
            "The configured PostHog is this workspace's own `loopdesk serve`",
            "Its events are in this store already",
            "Set POSTHOG_HOST and POSTHOG_PERSONAL_API_KEY to the PostHog to pull from",
        )


@contextmanager
def one_at_a_time(workspace: Workspace, source: str) -> Iterator[None]:
    """`source` is `cursor.source_key`'s. Raises `PullRuns`."""
    name = hashlib.sha256(source.encode()).hexdigest()[:12]
    busy = PullRuns(
        f"Another process pulls {plain(source, 120)} into this workspace", do="Let it finish, or stop it and try again"
    )
    with only_one(workspace.root / f"sync-{name}.lock", busy):
        yield
