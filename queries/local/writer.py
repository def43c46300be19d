"""The server's one way into the store: writes take turns on one connection, reads do not wait for them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from queries.local.ingest import MAX_EVENT_BYTES
from queries.local.store import Ingested, Store


def utc_now() -> datetime:
    return datetime.now(UTC)


class Writer:
    """`warn` is told, in a sentence, of events that were dropped."""

    def __init__(self, store: Store, warn: Callable[[str], None], clock: Callable[[], datetime] = utc_now) -> None:
        self._store, self._warn, self._clock = store, warn, clock
        self._turn = threading.Lock()

    def take(self, events: Sequence[dict], *, sent_at: object = None, limit: int = MAX_EVENT_BYTES) -> Ingested:
        """Store what can be stored. Raises `LoopdeskError` where the file cannot be written: send all of it again."""
        with self._turn:
            self._store.check_in_place()
            done = self._store.ingest(events, sent_at=sent_at, now=self._clock(), limit=limit)
        for reason, count in Counter(done.rejected).items():
            # PostHog answers 200 here too, and shows an ingestion warning elsewhere.
            self._warn(f"{count} events were dropped: {reason}." if count > 1 else f"An event was dropped: {reason}.")
        return done

    def check(self) -> None:
        """Raises `LoopdeskError` where nothing could be stored now."""
        with self._turn:
            self._store.check_writable()
