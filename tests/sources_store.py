"""Weekends of the simulator in an embedded store, as the sources read them: without the events that none of them asks
for, and with no prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from engine.sources.registry import NAMES, load
from queries.catalog import catalog
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.simulator import simulate

MORNING = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
_HEAVY = ("$ai_input", "$ai_output_choices")


@cache
def read_events() -> frozenset[str]:
    """The names of all events that a source's question reads."""
    return frozenset().union(*(catalog.load(question).events for name in NAMES for question in load(name).asks))


def stored(folder: Path, batches: Iterable[list[dict]], now: datetime = MORNING) -> LocalBackend:
    folder.mkdir(parents=True, exist_ok=True)
    store = Store.open(folder / "events.db")
    store.connection.execute("PRAGMA synchronous = OFF")
    with store.transaction():
        for batch in batches:
            store.ingest([_light(event) for event in batch if event["event"] in read_events()], now=now)
    store.close()
    return LocalBackend(folder / "events.db", "UTC", now=lambda: now)


def _light(event: Mapping) -> dict:
    told = {name: value for name, value in event["properties"].items() if name not in _HEAVY}
    return {**event, "properties": told}


def weekend(folder: Path, seed: int, *, quiet: bool = False, nights: int = 4) -> LocalBackend:
    return stored(folder, simulate(seed, until=MORNING, nights=nights, quiet=quiet))
