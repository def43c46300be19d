"""What the attempts at a job leave for the next one, in `inbox.db`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.instants import stored
from engine.rows import spelled
from engine.store import Store
from workspace.errors import LoopdeskError

MOST_SNAPSHOT = 256 * 1024


def checked(snapshot: Mapping[str, object]) -> str:
    """As it is stored. Raises `LoopdeskError`."""
    try:
        text = spelled(dict(snapshot))
    except (TypeError, ValueError) as error:
        raise LoopdeskError(f"A snapshot is not JSON: {error}") from error
    if len(text) > MOST_SNAPSHOT:
        raise LoopdeskError(f"A snapshot has {len(text):,} bytes; at most {MOST_SNAPSHOT:,} are kept")
    return text


def latest(connection: sqlite3.Connection, job_id: str) -> Mapping[str, object] | None:
    row = connection.execute("SELECT content FROM snapshots WHERE job_id = ?", (job_id,)).fetchone()
    return json.loads(row[0]) if row else None


def keep(connection: sqlite3.Connection, job_id: str, snapshot: Mapping[str, object], now: datetime) -> None:
    """Within a transaction of the caller's."""
    assert connection.in_transaction
    connection.execute(
        "INSERT INTO snapshots VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET content = excluded.content, at = excluded.at",
        (job_id, checked(snapshot), stored(now)),
    )


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """`engine.work.Progress` of a job that is done at home. For the engine's thread."""

    store: Store
    job_id: str
    clock: Callable[[], datetime]

    async def latest(self) -> Mapping[str, object] | None:
        return latest(self.store.connection, self.job_id)

    async def save(self, snapshot: Mapping[str, object]) -> None:
        with self.store.transaction("snapshot"):
            keep(self.store.connection, self.job_id, snapshot, self.clock())
