"""DuckDB and ClickHouse (chdb) with the same data as typed columns. Each is loaded only where it is installed."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.peer_sql import COLUMNS, QUESTIONS
from queries.local.schema import HOT_PROPERTIES, NUMBER_PROPERTIES, column
from queries.views.window import Span
from workspace.paths import Workspace


class Peer(Protocol):
    name: str

    def ask(self, question: str, span: Span) -> Sequence[tuple]:
        """The rows of one question, as Python values."""
        ...

    def close(self) -> None: ...


def installed(workspace: Workspace) -> tuple[list[Peer], list[str]]:
    """The peers that are here, with the workspace's events loaded, and the names of those that are not."""
    makers: dict[str, Callable[[Workspace], Peer]] = {"duckdb": DuckDB, "chdb": ClickHouse}
    missing = [name for name in makers if importlib.util.find_spec(name) is None]
    return [make(workspace) for name, make in makers.items() if name not in missing], missing


class DuckDB:
    """A database file of its own, all threads that DuckDB takes by itself."""

    def __init__(self, workspace: Workspace) -> None:
        import duckdb

        path = workspace.root / "peer.duckdb"
        if not path.exists():
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)
            with duckdb.connect(str(part)) as filling:
                for name, columns in _TABLES.items():
                    filling.execute(f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
                    filling.execute(f"COPY {name} FROM '{_table(workspace, name)}' (HEADER, NULLSTR '\\N')")
            part.replace(path)
        self._connection = duckdb.connect(str(path), read_only=True)
        ((threads,),) = self._connection.execute("SELECT current_setting('threads')").fetchall()
        self.name = f"DuckDB {duckdb.__version__}, {threads} threads"

    def ask(self, question: str, span: Span) -> Sequence[tuple]:
        return self._connection.execute(_text(question, span)).fetchall()

    def close(self) -> None:
        self._connection.close()


class ClickHouse:
    """MergeTree tables in a folder of their own, ordered as ours are: by event, then time."""

    def __init__(self, workspace: Workspace) -> None:
        import chdb
        from chdb.session import Session

        folder = workspace.root / "peer.chdb"
        is_full = (folder / "complete").exists()
        if not is_full:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        self._session = Session(str(folder / "store"))
        if not is_full:
            for name, columns in _TABLES.items():
                made = ", ".join(f"{c} {_clickhouse_type(c, t)}" for c, t in columns.items())
                order = "event, timestamp" if name == "events" else "event_id"
                self._session.query(f"CREATE TABLE {name} ({made}) ENGINE = MergeTree ORDER BY ({order})")
                source = f"file('{_table(workspace, name)}', CSVWithNames)"
                self._session.query(f"INSERT INTO {name} SELECT * FROM {source}")
            (folder / "complete").touch()
        self.name = f"chdb {chdb.__version__}"

    def ask(self, question: str, span: Span) -> Sequence[tuple]:
        found = json.loads(str(self._session.query(_text(question, span), "JSONCompact")))
        return [tuple(row) for row in found["data"]]

    def close(self) -> None:
        self._session.close()


_TABLES = {"events": COLUMNS, "dims": {"event_id": "BIGINT", "dim": "VARCHAR", "value": "DOUBLE"}}
_ALWAYS = frozenset({"id", "event", "timestamp", "event_id", "dim", "value"})


def _clickhouse_type(name: str, type: str) -> str:
    known = {"BIGINT": "Int64", "VARCHAR": "String", "TIMESTAMP": "DateTime64(6, 'UTC')", "DOUBLE": "Float64"}[type]
    return known if name in _ALWAYS else f"Nullable({known})"


def _text(question: str, span: Span) -> str:
    return QUESTIONS[question].format(since=_moment(span.since), until=_moment(span.until))


def _moment(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def _table(workspace: Workspace, name: str) -> Path:
    """One of our tables as CSV, which both peers read fast; written once."""
    path = workspace.root / f"{name}.csv"
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_TABLES[name])
            writer.writerows(_rows(workspace, name))
        part.replace(path)
    return path


def _rows(workspace: Workspace, name: str) -> Iterator[Sequence[object]]:
    columns = ", ".join(_printed(name) for name in COLUMNS) if name == "events" else "id, dim, value"
    connection = sqlite3.connect(f"{workspace.events_db.as_uri()}?mode=ro", uri=True)
    for row in connection.execute(f"SELECT {columns} FROM {name} ORDER BY id"):
        yield ["\\N" if value is None else value for value in row]
    connection.close()


def _printed(name: str) -> str:
    if name == "timestamp":
        return "strftime('%Y-%m-%d %H:%M:%S', timestamp / 1000000, 'unixepoch') || printf('.%06d', timestamp % 1000000)"
    if name in NUMBER_PROPERTIES:
        return f"CASE WHEN typeof({column(name)}) <> 'text' THEN {column(name)} END"
    return column(name) if name in HOT_PROPERTIES else name
