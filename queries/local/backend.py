"""Answers HogQL from `events.db`, in process: compiled once, run read-only under an authorizer and a time limit."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from queries.backend import QueryResult, QueryTimedOut
from queries.local import compiled
from queries.local.hogql import runtime
from queries.local.hogql.compiler import Compiled
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.scalars.complaints import Complaints
from queries.local.schema import MIGRATIONS
from workspace import databases
from workspace.errors import LoopdeskError

DEFAULT_ROWS = 100  # PostHog answers 100 rows without LIMIT
TIME_LIMIT_S = 10.0  # PostHog's limit for a personal key
_UNZONED = re.compile(r"\b(DateTime(?:64)?)\b(\((\d*)\))?(?!\()")
MAX_ANSWER_BYTES = 64_000_000
# What a query may read; "" is a sub-select.
_READABLE = frozenset(
    {"events", "bodies", "dims", "hours", "dim_hours", "rounds", "ai_payloads", "persons", "json_each", ""}
)
# SQLite's names for what is wrong with the query rather than with the file.
_ABOUT_THE_QUERY = frozenset({"SQLITE_ERROR", "SQLITE_TOOBIG", "SQLITE_NOMEM", "SQLITE_AUTH", "SQLITE_MISMATCH"})
_IN_WORDS = {
    "integer overflow": "An integer became larger than 64 bits can hold",
    "string or blob too big": f"A value became larger than {runtime.MAX_CELL_BYTES:,} bytes",
    "not authorized": "The query reads what may not be read",
}
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


@dataclass(frozen=True, slots=True)
class _Lane:
    """One connection, and what its functions complained about."""

    connection: sqlite3.Connection
    complaints: Complaints


class LocalBackend:
    """The embedded PostHog's query side. Threads share it; each query borrows a connection of its own."""

    name = "embedded"

    def __init__(
        self,
        path: Path,
        timezone: str = "UTC",
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self.path = path
        self.timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._now = now
        self._time_limit_s = time_limit_s
        self._idle: list[_Lane] = []
        self._lock = threading.Lock()

    def query(
        self, text: str, values: Mapping[str, object] | None = None, types: Mapping[str, str] | None = None
    ) -> QueryResult:
        started = time.perf_counter()
        now = self._now()
        plan, bound = self._planned(text, values or {}, types or {}, now)
        with self._borrowed() as lane:
            rows = self._run(lane, plan.sql, bound)
        limit = DEFAULT_ROWS if plan.limit is None else plan.limit
        decode = [runtime.decoder(type, self._zone) for type in plan.types]
        shown = rows[:limit]
        return QueryResult(
            columns=plan.columns,
            types=tuple(_zoned(type, self.timezone) for type in plan.types),
            rows=tuple(tuple(cell(value) for cell, value in zip(decode, row, strict=True)) for row in shown),
            timezone=self.timezone,
            backend=self.name,
            asked_at=now,
            elapsed_ms=(time.perf_counter() - started) * 1000,
            has_more=len(rows) > limit,
            limit=limit,
        )

    def columns(
        self, text: str, values: Mapping[str, object], types: Mapping[str, str], *, rows: int
    ) -> Iterator[tuple[Sequence, ...]]:
        """The answer as `query` would give it but without its LIMIT, in columns of at most `rows` cells at a time. The
        time limit is for each of the parts: between them the asker works."""
        plan, bound = self._planned(text, values, types, self._now())
        unlimited = plan.sql.removesuffix(f" LIMIT {plan.limit}")
        with self._own() as lane:
            cursor = lane.connection.cursor()
            cursor.arraysize = rows
            part = self._limited(lane, lambda: cursor.execute(unlimited, bound).fetchmany())
            while part:
                found = zip(zip(*part, strict=True), plan.types, strict=True)
                yield tuple(runtime.decoded(cells, kind, self._zone) for cells, kind in found)
                del part, found  # the next part takes their place in memory
                part = self._limited(lane, cursor.fetchmany)

    def data_version(self) -> int:
        """Changes whenever another process has committed to `events.db` since this backend last looked."""
        with self._borrowed() as lane:
            return lane.connection.execute("SELECT coalesce(max(id), 0) FROM bodies").fetchone()[0]

    def events_since(self, version: int) -> frozenset[str]:
        """The names of events that arrived after `data_version` was `version`."""
        with self._borrowed() as lane:
            return frozenset(
                row[0] for row in lane.connection.execute("SELECT DISTINCT event FROM bodies WHERE id > ?", (version,))
            )

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for lane in idle:
            lane.connection.close()

    def _planned(
        self, text: str, values: Mapping[str, object], types: Mapping[str, str], now: datetime
    ) -> tuple[Compiled, dict[str, object]]:
        """The SQLite text, and what is bound to it."""
        types = {name: types.get(name) or infer_type(value) for name, value in values.items()}
        plan = compiled.find(text, types, self.path)
        bound = {f"p_{name}": runtime.bind(values[name], types[name]) for name in plan.placeholders}
        return plan, bound | runtime.clock_values(now, self.timezone) | {"row_limit": DEFAULT_ROWS + 1}

    def _run(self, lane: _Lane, sql: str, bound: Mapping[str, object]) -> list[tuple]:
        return self._limited(lane, lambda: _fetched(lane.connection.execute(sql, bound)))

    def _limited(self, lane: _Lane, fetch: Callable[[], list[tuple]]) -> list[tuple]:
        deadline = time.monotonic() + self._time_limit_s
        lane.connection.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
        try:
            return fetch()
        except sqlite3.Error as error:
            if time.monotonic() > deadline:
                raise QueryTimedOut(
                    f"The query did not finish within {self._time_limit_s:g} s",
                    do="Ask for a shorter time range or fewer columns",
                ) from error
            raise self._explained(error, lane.complaints.take()) from error
        except MemoryError as error:
            raise HogQLError("The query needs more memory than there is") from error
        finally:
            lane.connection.set_progress_handler(None, 0)

    def _explained(self, error: sqlite3.Error, complaint: str) -> LoopdeskError:
        if complaint:
            return HogQLError(complaint)
        name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        if name in _ABOUT_THE_QUERY:
            said = str(error)
            return HogQLError(_IN_WORDS.get(said) or f"The embedded store cannot run this query ({said})")
        return databases.explained(error, self.path)

    @contextmanager
    def _borrowed(self) -> Iterator[_Lane]:
        with self._lock:
            lane = self._idle.pop() if self._idle else None
        if lane is None:
            lane = self._connect()
        try:
            yield lane
        except BaseException:
            lane.connection.close()
            raise
        with self._lock:
            self._idle.append(lane)

    @contextmanager
    def _own(self) -> Iterator[_Lane]:
        """A connection for one long answer, which reads each page but once or twice: no use in keeping many."""
        lane = self._connect(cache_kb=2048)
        try:
            yield lane
        finally:
            lane.connection.close()

    def _connect(self, cache_kb: int = 16384) -> _Lane:
        connection = databases.open_database(self.path, MIGRATIONS, read_only=True)
        connection.execute(f"PRAGMA cache_size = -{cache_kb}")
        complaints = runtime.register(connection)
        # SQLite declares a table-valued function on its first use, which the authorizer would take for a write.
        connection.execute("SELECT 1 FROM json_each('[]')").fetchall()
        connection.set_authorizer(_authorize)
        return _Lane(connection, complaints)


def _fetched(cursor: sqlite3.Cursor) -> list[tuple]:
    """Raises `HogQLError` as soon as the rows are more than a process should hold."""
    rows, size = [], 0
    for row in cursor:
        size += 64
        for cell in row:
            if cell.__class__ is str:
                size += len(cell)
        if size > MAX_ANSWER_BYTES:
            raise HogQLError(
                f"The answer is larger than {MAX_ANSWER_BYTES:,} bytes", do="Ask for fewer rows or shorter columns"
            )
        rows.append(row)
    return rows


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _view: str | None) -> int:
    """The second wall behind the compiler: whatever it printed, only reading our tables is possible."""
    if action == sqlite3.SQLITE_READ and first not in _READABLE:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _zoned(type: str, timezone: str) -> str:
    """`DateTime64(6)` in the project's zone is `DateTime64(6, 'Europe/Berlin')`; a type that names a zone keeps it."""
    return _UNZONED.sub(lambda found: f"{found[1]}({found[3] + ', ' if found[3] else ''}'{timezone}')", type)


def infer_type(value: object) -> str:
    """The ClickHouse type of a placeholder's value."""
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int64"
    if isinstance(value, float):
        return "Float64"
    if isinstance(value, datetime):
        return "DateTime"
    if isinstance(value, list | tuple):
        return "Array(String)"
    return "String"


def document(result: QueryResult) -> dict:
    """A result as one JSON document with stable keys, in PostHog's words."""
    return {
        "columns": list(result.columns),
        "types": [list(pair) for pair in zip(result.columns, result.types, strict=True)],
        "results": [list(row) for row in result.rows],
        "hasMore": result.has_more,
        "limit": result.limit,
        "timezone": result.timezone,
    }
