"""`events.db`: the events of the loops, written by any process, read by all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from queries.local import hours
from queries.local.ingest import EventRejected, Row, clock_skew, microseconds, to_row
from queries.local.schema import HOT_PROPERTIES, MIGRATIONS, column
from workspace import databases

_BODY = "INSERT INTO bodies(id, uuid, event, created_at, properties) VALUES (?, ?, ?, ?, ?)"
_LOG_PAGES = 4000


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many events were new, how many were already there, and why others were refused (one clause each)."""

    stored: int
    duplicates: int
    rejected: tuple[str, ...] = ()


class Store:
    """One connection to `events.db`. Not for two threads at once; give each its own."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Store:
        """Create or migrate when writable. Raises `LoopdeskError`."""
        connection = databases.open_database(path, MIGRATIONS, read_only=read_only)
        # A page that many batches change is copied into the file once for all of them: 16 MB of log instead of 4.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return cls(connection, path)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a transaction within one joins it. SQLite's errors become sentences."""
        if self.connection.in_transaction:
            yield
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise databases.explained(error, self.path) from error

    def ingest(
        self, events: Sequence[Mapping[str, object]], *, sent_at: object = None, now: datetime | None = None
    ) -> Ingested:
        """Store wire events (PostHog's `/batch/` form) in one transaction. An event that cannot be stored is refused
        alone; the others are stored. Raises `LoopdeskError` when the file cannot be written."""
        now = now or datetime.now(UTC)
        skew = clock_skew(sent_at, now)
        rows: dict[str, Row] = {}
        rejected: list[str] = []
        duplicates = 0
        for event in events:
            try:
                row = to_row(event, now=now, skew=skew)
            except EventRejected as error:
                rejected.append(str(error))
                continue
            duplicates += row.uuid in rows
            rows.setdefault(row.uuid, row)
        with self.transaction():
            known = self._known(rows)
            new = [row for row in rows.values() if row.uuid not in known]
            self._insert(new, microseconds(now))
        return Ingested(len(new), duplicates + len(known), tuple(rejected))

    def delete(self, uuids: Sequence[str]) -> int:
        """Remove events by uuid; returns how many there were. Scans `events` once: meant for rare corrections."""
        with self.transaction():
            ids = json.dumps([row[0] for row in self._select_uuids("id", uuids)])
            summed, rounds = hours.touched(self.connection, ids), hours.rounds_of(self.connection, ids)
            for table in ("events", "dims", "ai_payloads", "bodies"):
                self.connection.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (ids,))
            hours.count_again(self.connection, summed, rounds)
        return len(json.loads(ids))

    def _known(self, rows: Mapping[str, Row]) -> set[str]:
        return {row[0] for row in self._select_uuids("uuid", list(rows))}

    def _select_uuids(self, what: str, uuids: Sequence[str]) -> list[tuple]:
        # One bound JSON text instead of a statement per batch size: the prepared statement is reused.
        return self.connection.execute(
            f"SELECT {what} FROM bodies WHERE uuid IN (SELECT value FROM json_each(?))", (json.dumps(list(uuids)),)
        ).fetchall()

    def _insert(self, rows: Sequence[Row], created_at: int) -> None:
        execute = self.connection.execute
        many = self.connection.executemany
        first = execute("SELECT coalesce(max(id), 0) + 1 FROM bodies").fetchone()[0]
        numbered = list(enumerate(rows, first))
        many(_BODY, ((id, row.uuid, row.event, created_at, row.properties) for id, row in numbered))
        # Clustered tables fill faster in their own order.
        in_order = sorted(numbered, key=lambda pair: (pair[1].event, pair[1].timestamp, pair[0]))
        for id, row in in_order:
            places = tuple([place for place, value in enumerate(row.hot) if value is not None])
            present = [row.hot[place] for place in places]
            execute(_insert_event(places), (row.event, row.timestamp, id, row.distinct_id, *present))
        many("INSERT INTO dims VALUES (?, ?, ?)", ((id, dim, value) for id, row in numbered for dim, value in row.dims))
        hours.add(self.connection, numbered)
        hours.add_rounds(self.connection, rows)
        many(
            "INSERT INTO ai_payloads VALUES (?, ?, ?)",
            ((id, created_at, row.payload) for id, row in numbered if row.payload is not None),
        )


@lru_cache(maxsize=100)
def _insert_event(places: tuple[int, ...]) -> str:
    """With only the hot properties that are there: an event has a dozen of sixty, and each one bound takes its time."""
    columns = "".join(f", {column(HOT_PROPERTIES[place])}" for place in places)
    marks = ", ?" * len(places)
    return f"INSERT INTO events(event, timestamp, id, distinct_id{columns}) VALUES (?, ?, ?, ?{marks})"
