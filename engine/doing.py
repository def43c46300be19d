"""Who does the works: this process, or workers where a Postgres is configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.at_home import AtHome
from engine.blobs import FolderBlobs
from engine.budget import Books
from engine.executor import Handler
from engine.main import Stage
from engine.proposals import FIX
from engine.reconcile import RESEARCH
from engine.store import Store
from workspace.config import Config

AWAY_AT_ONCE = 8
"""Jobs of a kind that are put into the workers' queue; each waits on a connection of its own."""
RESERVES_USD: Mapping[str, float] = {RESEARCH: 1.0, FIX: 2.0}
"""The most that a job may cost on a worker; less where less is left of the night or the report."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an engine is made of, for it."""

    handlers: Mapping[str, Handler]
    stages: Sequence[Stage] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None


def done_by(
    config: Config,
    at_home: Mapping[str, AtHome],
    store: Store,
    books: Books,
    blobs: FolderBlobs,
    clock: Callable[[], datetime],
    may_ask: Callable[[], bool],
) -> Done:
    """Raises `LoopdeskError` where another engine works for this workspace through the same Postgres."""
    if not config.database_url:
        return Done(at_home)
    from engine.workers import check_installed

    check_installed()
    from engine.workers.away import Away, Recalling
    from engine.workers.exchange import opened

    exchange = opened(config.database_url, store, books, blobs, clock)
    # Research asks for events: where they are in a store of this machine, a worker would look at nothing.
    kinds = [kind for kind in at_home if kind != RESEARCH or config.asks_posthog]
    away = {kind: Away(at_home[kind], exchange, RESERVES_USD[kind], may_ask) for kind in kinds}
    limits = dict.fromkeys(away, AWAY_AT_ONCE)
    return Done({**at_home, **away}, (Recalling(exchange),), limits, exchange.lock.release)
