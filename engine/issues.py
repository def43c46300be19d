"""The stage that reads the owner's issues on GitHub: one signal an issue, each change of it a revision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from engine.in_thread import LOOK_AGAIN, PATIENCE_S, Flight
from engine.instants import stored
from engine.main import Worked, warn
from engine.rows import signal_text
from engine.source_state import SourceState, save_source_state, source_state
from engine.sources.github_issues import GitHubIssues, Issue
from engine.sources.records import Fetched, signals
from engine.store import Store
from workspace.errors import LoopdeskError

EVERY = timedelta(minutes=10)
"""Where nothing changed GitHub answers 304, which costs nothing of the hourly limit."""
SOURCE = "github/issue"


class Issues:
    """A repository that cannot be read is told once, holds up no other, and is asked again."""

    def __init__(
        self,
        sources: Sequence[GitHubIssues],
        *,
        tell: Callable[[str], None] = warn,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._sources, self._tell = sources, tell
        self._flight: Flight[Fetched[Issue]] = Flight("issues", patience_s)
        self._left: list[GitHubIssues] = []
        """Of this time, those that were not read yet."""
        self._read_at: datetime | None = None
        self._told: set[str] = set()

    async def __call__(self, store: Store, now: datetime) -> Worked:
        if not self._sources:
            return Worked()
        if not self._left:
            if self._read_at is not None and abs(now - self._read_at) < EVERY:
                return Worked(next_due=self._read_at + EVERY)
            switched = source_state(store.connection, SOURCE)
            self._left = [] if switched is not None and switched.is_on is False else list(self._sources)
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
        source: GitHubIssues,
        before: SourceState,
        landed: asyncio.Task[Fetched[Issue]],
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


def _state(source: GitHubIssues, store: Store, now: datetime) -> SourceState:
    name = f"{SOURCE}:{source.repository}"
    return source_state(store.connection, name) or SourceState(name, now)
