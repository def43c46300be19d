"""The stage that fetches what somebody else keeps, as issues: one signal a record, each change of it a revision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from engine.in_thread import LOOK_AGAIN, PATIENCE_S, Flight
from engine.instants import stored
from engine.main import Worked, warn
from engine.rows import signal_text
from engine.source_state import SourceState, save_source_state, source_state
from engine.sources.records import Fetched, RecordSource, signals
from engine.store import Store
from workspace.errors import LoopdeskError

EVERY = timedelta(minutes=10)


class Fetching:
    """A source that cannot be read is told once, holds up no other, and is asked again."""

    def __init__(
        self,
        sources: Sequence[RecordSource[Any]],
        *,
        tell: Callable[[str], None] = warn,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._sources, self._tell = sources, tell
        self._flight: Flight[Fetched[Any]] = Flight("fetching", patience_s)
        self._left: list[RecordSource[Any]] = []
        """Of this time, those that were not read yet."""
        self._read_at: datetime | None = None
        self._told: set[str] = set()

    async def __call__(self, store: Store, now: datetime) -> Worked:
        if not self._sources:
            return Worked()
        if not self._left:
            if self._read_at is not None and abs(now - self._read_at) < EVERY:
                return Worked(next_due=self._read_at + EVERY)
            self._left = [source for source in self._sources if _is_on(source, store)]
        done = 0
        while self._left:
            source = self._left[0]
            before = _state(source, store, now)
            landed = await self._flight.landed(partial(source.fetch, before.cursor or None, now))
            if landed is None:
                return Worked(done, now + LOOK_AGAIN, True)
            del self._left[0]
            done += self._taken(source, before, landed, store, now)
        self._read_at = now
        return Worked(done, now + EVERY)

    def _taken(
        self,
        source: RecordSource[Any],
        before: SourceState,
        landed: asyncio.Task[Fetched[Any]],
        store: Store,
        now: datetime,
    ) -> int:
        try:
            fetched = landed.result()
        except LoopdeskError as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                self._tell(str(error))
            return 0
        found = signals(source, fetched.records, is_first=not before.cursor)
        if fetched.cursor == before.cursor and not found:
            return 0
        # The cursor and what it speaks of are one commit: a crash before it only fetches again.
        with store.transaction("ingest"):
            store.connection.executemany(
                "INSERT INTO signals_in(signal, added_at) VALUES (?, ?)",
                [(signal_text(signal), stored(now)) for signal in found],
            )
            save_source_state(store.connection, replace(before, cursor=fetched.cursor, changed_at=now))
        return len(found)


def _state(source: RecordSource[Any], store: Store, now: datetime) -> SourceState:
    return source_state(store.connection, source.key) or SourceState(source.key, now)


def _is_on(source: RecordSource[Any], store: Store) -> bool:
    """A human switches all of a kind, `product/type`, at once."""
    switched = source_state(store.connection, source.key.partition(":")[0])
    return switched is None or switched.is_on is not False
