"""What the engine shares with its workers: the queue, the blobs, and who may speak for the workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ulid import ULID

from engine.blobs import FolderBlobs
from engine.budget import Books
from engine.effects import SetMeta
from engine.in_thread import in_thread
from engine.main import warn
from engine.store import Store
from engine.workers import blobs
from engine.workers.blobs import PostgresBlobs
from engine.workers.postgres import EngineLock, Gone, Times
from engine.workers.queue import Queue, Seen

_NAME = "workspace_id"


@dataclass(frozen=True, slots=True)
class Exchange:
    queue: Queue
    lock: EngineLock
    store: Store
    books: Books
    home: FolderBlobs
    away: PostgresBlobs
    clock: Callable[[], datetime]
    times: Times = field(default_factory=Times)

    async def send(self, document: object) -> None:
        """The blobs that it names go along."""
        keys = list(blobs.keys_in(document))
        await in_thread(lambda: blobs.send(keys, self.home, self.away), "send blobs")

    async def take_in(self, job_id: str, seen: Seen) -> None:
        """All that came back beside the result: blobs into our folder, what was spent into the books, the snapshot.
        Done twice it is done once."""
        keys = list(blobs.keys_in([seen.outcome, seen.snapshot]))
        await in_thread(lambda: blobs.fetch(keys, self.away, self.home), "fetch blobs")
        with self.store.transaction("book"):
            self.books.settle(job_id, seen.ledger)
            if seen.snapshot is not None:
                self.store.save_snapshot(job_id, seen.snapshot, self.clock())
        await self.queue.settled(job_id)


def opened(
    url: str,
    store: Store,
    books: Books,
    home: FolderBlobs,
    clock: Callable[[], datetime],
    times: Times | None = None,
) -> Exchange:
    """Blocks. Without Postgres the engine runs all the same, and holds what workers would do. Raises `LoopdeskError`
    where another engine works for this workspace."""
    times = times or Times()
    workspace = _workspace_id(store, clock())
    lock = EngineLock(url, workspace)
    try:
        lock.hold()
    except Gone as gone:
        warn(str(gone))
    return Exchange(Queue(url, workspace, times), lock, store, books, home, PostgresBlobs(url), clock, times)


def _workspace_id(store: Store, now: datetime) -> str:
    """The same in every copy of the workspace."""
    found = store.connection.execute("SELECT value FROM meta WHERE key = ?", (_NAME,)).fetchone()
    if found:
        return str(json.loads(found[0]))
    id = str(ULID())
    with store.transaction("reconcile"):
        store.write([SetMeta(_NAME, id)], now)
    return id
