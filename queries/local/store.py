"""`events.db`: the events of the loops, written by any process, read by all."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from queries.local import hours, prices
from queries.local.ingest import MAX_EVENT_BYTES, EventRejected, Row, to_row
from queries.local.persons import Persons
from queries.local.prices import Prices
from queries.local.schema import HOT_PROPERTIES, HOUR, HOUR_EVENTS, MIGRATIONS, column
from queries.local.texts import storable
from queries.local.times import clock_skew, microseconds
from workspace import databases
from workspace.errors import LoopdeskError

_BODY = "INSERT INTO bodies(id, uuid, event, arrived_at, properties) VALUES (?, ?, ?, ?, ?)"
_PAYLOAD = "INSERT INTO ai_payloads(id, created_at, payload) VALUES (?, ?, ?)"
# Rows of one transaction. Other writers wait for a lock at most `databases.BUSY_MS`: a transaction is over well before.
CHUNK = 2_000
_FORGOTTEN_AT_ONCE = 500
_PROBE_WAITS_S = 1
_ROOM = 20 * 1024 * 1024  # bytes: one batch of the largest
_LOG_PAGES = 4000


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many events were new, how many were already there, and why others were refused (one clause each).

    `refused` has for each of those its place in what was given and PostHog's word for the reason.
    """

    stored: int
    duplicates: int
    rejected: tuple[str, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()


class Store:
    """One connection to `events.db`. Not for two threads at once; give each its own.

    `prices` is the table that model calls are priced with, the packaged one by default; without `keep_prompts` what was
    said in them is not stored at all.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, prices: Prices | None = None, keep_prompts: bool = True
    ) -> None:
        self.connection = connection
        self.path = path
        self._prices, self._keep_prompts = prices, keep_prompts
        self._persons = Persons(connection)
        self._inode = path.stat().st_ino

    @classmethod
    def open(
        cls, path: Path, *, read_only: bool = False, prices: Prices | None = None, keep_prompts: bool = True
    ) -> Store:
        """Create or migrate when writable. Raises `LoopdeskError`."""
        connection = databases.open_database(path, MIGRATIONS, read_only=read_only)
        # A page that many batches change is copied into the file once for all of them: 16 MB of log instead of 4.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return cls(connection, path, prices=prices, keep_prompts=keep_prompts)

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
                self._refuse_newer_schema()
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                self._persons.forget()
                # A full disk may have rolled back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise databases.explained(error, self.path) from error

    def _refuse_newer_schema(self) -> None:
        # A newer loopdesk may have migrated the file while this one had it open, and keep what this one does not know.
        if self.connection.execute("PRAGMA user_version").fetchone()[0] > len(MIGRATIONS):
            raise LoopdeskError(
                f"{self.path.name} was brought up to date by a newer loopdesk while this one had it open",
                "What this one stored would be missing there",
                "Start this one again",
            )

    def ingest(
        self,
        events: Sequence[Mapping[str, object]],
        *,
        sent_at: object = None,
        now: datetime | None = None,
        arrived: Mapping[str, datetime] | None = None,
        limit: int = MAX_EVENT_BYTES,
    ) -> Ingested:
        """Store wire events (PostHog's `/batch/` form), each at most `limit` bytes. An event that cannot be stored is
        refused alone; the others are stored. Events that were pulled from a PostHog come with `arrived`, by uuid when
        each first came there; to them nothing is added.

        Many events take several transactions, so that other writers get their turn: where the file cannot be written
        halfway (`LoopdeskError`), the first are stored, and giving all of them again stores the rest.
        """
        now = now or datetime.now(UTC)
        skew = clock_skew(sent_at, now)
        table = self._prices or prices.packaged()
        rows: dict[str, Row] = {}
        rejected: list[str] = []
        refused: list[tuple[int, str]] = []
        duplicates = stored = 0
        for place, event in enumerate(events):
            try:
                row = to_row(
                    event,
                    now=now,
                    skew=skew,
                    limit=limit,
                    prices=table,
                    keep_prompts=self._keep_prompts,
                    is_complete=arrived is not None,
                )
            except EventRejected as error:
                rejected.append(str(error))
                refused.append((place, error.code))
                continue
            duplicates += row.uuid in rows
            rows.setdefault(row.uuid, row)
        every = list(rows.values())
        for start in range(0, len(every), CHUNK):
            new = self._store_new(every[start : start + CHUNK], now, arrived or {})
            stored += new
            duplicates += min(CHUNK, len(every) - start) - new
        return Ingested(stored, duplicates, tuple(rejected), tuple(refused))

    def _store_new(self, rows: Sequence[Row], now: datetime, arrived: Mapping[str, datetime]) -> int:
        with self.transaction():
            known = {row[0] for row in self._select_uuids("uuid", [row.uuid for row in rows])}
            new = [row for row in rows if row.uuid not in known] if known else rows
            self._insert(new, microseconds(now), arrived)
            self._persons.record(((row.distinct_id, row.person) for row in new), microseconds(now))
        return len(new)

    def add_prompts(self, heavy: Mapping[str, Mapping[str, object]]) -> int:
        """Give stored events, by uuid, the heavy properties that they came without; returns how many had none yet."""
        if not self._keep_prompts:
            return 0
        with self.transaction():
            rows = [
                (id, created_at, storable(json.dumps(heavy[uuid], ensure_ascii=False, separators=(",", ":"))))
                for id, uuid, created_at in self._select_uuids("id, uuid, arrived_at", list(heavy))
            ]
            before = self.connection.total_changes
            self.connection.executemany(_PAYLOAD.replace("INSERT", "INSERT OR IGNORE"), rows)
        return self.connection.total_changes - before

    def delete(self, uuids: Sequence[str]) -> int:
        """Remove events by uuid; returns how many there were. Scans `events` once: meant for rare corrections."""
        with self.transaction():
            ids = json.dumps([row[0] for row in self._select_uuids("id", uuids)])
            summed, rounds = hours.touched(self.connection, ids), hours.rounds_of(self.connection, ids)
            for table in ("events", "dims", "ai_payloads", "bodies"):
                self.connection.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (ids,))
            hours.count_again(self.connection, summed, rounds)
        return len(json.loads(ids))

    def forget_events(self, before: datetime, most: int = 2000) -> int:
        """Remove the oldest events that happened before, at most so many, in one short transaction; returns how many.

        What came from a log stays noted as imported, so that importing it again does not bring it back.
        """
        with self.transaction():
            found = self.connection.execute(
                f"SELECT event, timestamp, id, {column('round_id')} FROM events WHERE timestamp < ? "
                "ORDER BY timestamp LIMIT ?",
                (microseconds(before), most),
            ).fetchall()
            ids = json.dumps([id for _, _, id, _ in found])
            summed = {(event, at // HOUR * HOUR) for event, at, _, _ in found if event in HOUR_EVENTS}
            rounds = {round_id for *_, round_id in found if round_id is not None}
            keys = [row[:3] for row in found]
            self.connection.executemany("DELETE FROM events WHERE event = ? AND timestamp = ? AND id = ?", keys)
            for table in ("dims", "ai_payloads", "bodies"):
                self.connection.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (ids,))
            hours.count_again(self.connection, summed, rounds)
        return len(found)

    def forget_payloads(self, before: datetime) -> int:
        """Remove the prompts and completions that arrived before `before`; returns of how many events. The events stay.

        In short transactions. The space is used again by later events; `vacuum` gives it back to the disk.
        """
        limit, removed, last = microseconds(before), 0, -1
        while True:
            ids = self.connection.execute(
                "SELECT id FROM ai_payloads WHERE id > ? AND created_at < ? ORDER BY id LIMIT ?",
                (last, limit, _FORGOTTEN_AT_ONCE),
            ).fetchall()
            if not ids:
                return removed
            with self.transaction():
                removed += self.connection.execute(
                    "DELETE FROM ai_payloads WHERE id > ? AND id <= ? AND created_at < ?", (last, ids[-1][0], limit)
                ).rowcount
            last = ids[-1][0]

    def vacuum(self) -> int:
        """Give unused space back to the disk; returns how many bytes. Writers wait until it is done.

        Raises `LoopdeskError` where the disk has no room for the copies that SQLite makes meanwhile.
        """
        pages, unused, page_size = (
            self.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        needed = 2 * (pages - unused) * page_size  # once as a copy, once in the WAL
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise LoopdeskError(
                f"Compacting {self.path.name} needs {needed / 1e6:,.0f} MB of free space, "
                f"and the disk has {free / 1e6:,.0f} MB",
                "Nothing was changed",
                "Free some space first",
            )
        try:
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise databases.explained(error, self.path) from error
        return pages * page_size - self.path.stat().st_size

    def check_in_place(self) -> None:
        """Raises `LoopdeskError` where the file was moved or replaced: what is written now would be lost."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise LoopdeskError(
                f"{self.path.name} was moved or replaced while it was open",
                "Events would go to the old file",
                "Start again",
            )

    def check_writable(self) -> None:
        """A real but empty write through a fresh connection. Raises `LoopdeskError`: full disk, damage, no rights."""
        self.check_in_place()
        # The empty write alone may find room in the WAL that a batch would not.
        if shutil.disk_usage(self.path.parent).free < _ROOM:
            raise LoopdeskError(f"The disk with {self.path} is full", "Events would not be stored", "Free some space")
        try:
            probe = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_PROBE_WAITS_S
            )
            try:
                probe.execute("BEGIN IMMEDIATE")
                probe.execute("SELECT max(id) FROM bodies").fetchone()
                version = probe.execute("PRAGMA user_version").fetchone()[0]
                probe.execute(f"PRAGMA user_version = {version}")
                probe.execute("COMMIT")
            finally:
                probe.close()
        except sqlite3.Error as error:
            # A busy file is being written at this moment: it can be.
            if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise databases.explained(error, self.path) from error

    def _select_uuids(self, what: str, uuids: Sequence[str]) -> list[tuple]:
        # One bound JSON text instead of a statement per batch size: the prepared statement is reused.
        return self.connection.execute(
            f"SELECT {what} FROM bodies WHERE uuid IN (SELECT value FROM json_each(?))", (json.dumps(list(uuids)),)
        ).fetchall()

    def _insert(self, rows: Sequence[Row], now: int, arrived: Mapping[str, datetime]) -> None:
        execute = self.connection.execute
        many = self.connection.executemany
        first = execute("SELECT coalesce(max(id), 0) + 1 FROM bodies").fetchone()[0]
        numbered = list(enumerate(rows, first))
        came = {id: microseconds(arrived[row.uuid]) if row.uuid in arrived else now for id, row in numbered}
        many(_BODY, ((id, row.uuid, row.event, came[id], row.properties) for id, row in numbered))
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
            _PAYLOAD,
            ((id, came[id], row.payload) for id, row in numbered if row.payload is not None),
        )


@lru_cache(maxsize=100)
def _insert_event(places: tuple[int, ...]) -> str:
    """With only the hot properties that are there: an event has a dozen of sixty, and each one bound takes its time."""
    columns = "".join(f", {column(HOT_PROPERTIES[place])}" for place in places)
    marks = ", ?" * len(places)
    return f"INSERT INTO events(event, timestamp, id, distinct_id{columns}) VALUES (?, ?, ?, ?{marks})"
