"""`desk.db`: the last answers and where the desk was left, so that the first paint asks nobody."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from queries.backend import QueryResult
from queries.boards import Answer, answered
from queries.views.filters import Filters
from queries.views.timeline import Annotation
from queries.views.window import Span, Window
from workspace import databases
from workspace.errors import LoopdeskError

_FIRST = """
CREATE TABLE answers (board TEXT, kind TEXT, filters TEXT, document TEXT NOT NULL, PRIMARY KEY (board, kind, filters));
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# What one PostHog answered is never shown as another's answer.
_SECOND = """
DROP TABLE answers;
CREATE TABLE answers (
  source TEXT, board TEXT, kind TEXT, filters TEXT, document TEXT NOT NULL, PRIMARY KEY (source, board, kind, filters)
);
"""
# What the desk did. `desk` tells the desks apart that share the file: each knows its own lines already.
_THIRD = """
CREATE TABLE journal (id INTEGER PRIMARY KEY, at TEXT NOT NULL, desk TEXT NOT NULL, place TEXT NOT NULL,
  said TEXT NOT NULL);
"""
MIGRATIONS = (_FIRST, _SECOND, _THIRD)
JOURNAL_MOST = 1000  # lines kept
_ANNOTATED = "annotations"  # kept beside the boards' answers, for the same source
_BUSY_MS = 500  # a cache never makes the desk wait for another desk


class AnswerCache:
    """Never fails: what cannot be read counts as absent, what cannot be written is asked again next time.

    `source` is who answers: the embedded store, or a project of a PostHog."""

    def __init__(self, path: Path, *, source: str = "embedded", read_only: bool = False) -> None:
        self._source = source
        # Workers write while the desk reads, and closing under a running statement takes the process down.
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None
        try:
            self._connection = databases.open_database(path, MIGRATIONS, read_only=read_only)
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        except (LoopdeskError, sqlite3.Error):
            self._connection = None

    def load(self, board: str, kind: str, filters: Filters) -> Answer | None:
        """The board's last answer, with a view made anew from its rows."""
        row = self._first(
            "SELECT document FROM answers WHERE source = ? AND board = ? AND kind = ? AND filters = ?",
            self._source,
            board,
            kind,
            _key(filters),
        )
        if row is None:
            return None
        try:
            document = json.loads(row[0])
            results = tuple(_result(found) for found in document["results"])
            return answered(board, _window(document["window"]), filters, results, document["hogql"])
        except (ValueError, KeyError, TypeError, IndexError, LoopdeskError):
            return None  # written by another version, or for a board that its owner has changed since

    def save(self, answer: Answer, kind: str) -> None:
        document = {
            "window": asdict(answer.window),
            "results": [asdict(result) for result in answer.results],
            "hogql": answer.hogql,
        }
        text = json.dumps(document, default=datetime.isoformat, ensure_ascii=False)
        key = (self._source, answer.board, kind, _key(answer.filters))
        self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", *key, text)

    def annotations(self) -> tuple[Annotation, ...]:
        """What is marked on the time lines, as it was last known."""
        row = self._first(
            "SELECT document FROM answers WHERE source = ? AND board = ? AND kind = '' AND filters = ''",
            self._source,
            _ANNOTATED,
        )
        try:
            rows = json.loads(row[0]) if row else []
            return tuple(
                Annotation(id, content, datetime.fromisoformat(at), is_commit) for id, content, at, is_commit in rows
            )
        except (ValueError, TypeError):
            return ()  # written by another version

    def save_annotations(self, found: tuple[Annotation, ...]) -> None:
        rows = [(one.id, one.content, one.at.isoformat(), one.is_commit) for one in found]
        text = json.dumps(rows, ensure_ascii=False)
        self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, '', '', ?)", self._source, _ANNOTATED, text)

    def kept(self, name: str) -> object:
        """What was kept by this name of the same source; None where nothing was."""
        row = self._first(
            "SELECT document FROM answers WHERE source = ? AND board = ? AND kind = '' AND filters = ''",
            self._source,
            name,
        )
        try:
            return json.loads(row[0]) if row else None
        except ValueError:
            return None

    def keep(self, name: str, document: object) -> None:
        """`document` is JSON. Names are those of no board."""
        text = json.dumps(document, ensure_ascii=False)
        self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, '', '', ?)", self._source, name, text)

    def count(self) -> int:
        """How many answers are remembered."""
        row = self._first("SELECT count(*) FROM answers")
        return row[0] if row else 0

    def forget(self) -> None:
        """Forget every answer, and give its room back to the disk; where the desk was left is kept."""
        self._write("DELETE FROM answers")
        self._write("VACUUM")

    def state(self, name: str, default: object) -> object:
        """A remembered value; `default` where there is none."""
        row = self._first("SELECT value FROM state WHERE name = ?", name)
        try:
            return json.loads(row[0]) if row else default
        except ValueError:
            return default

    def states(self) -> dict[str, object]:
        """Every remembered value, in one question."""
        try:
            return {name: json.loads(value) for name, value in self._all("SELECT name, value FROM state")}
        except ValueError:
            return {}

    def set_state(self, name: str, value: object) -> None:
        self._write("INSERT OR REPLACE INTO state VALUES (?, ?)", name, json.dumps(value))

    def note(self, at: datetime, desk: str, place: str, said: str) -> None:
        """Write a line of the journal, and forget what is older than the newest `JOURNAL_MOST`."""
        self._write(
            "INSERT INTO journal (at, desk, place, said) VALUES (?, ?, ?, ?)", at.isoformat(), desk, place, said
        )
        self._write("DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?", JOURNAL_MOST)

    def notes(self, without: str = "") -> list[tuple[datetime, str, str]]:
        """(at, place, said) of the lines that were not written by the desk `without`, the newest first."""
        sql = "SELECT at, place, said FROM journal WHERE desk != ? ORDER BY id DESC LIMIT ?"
        try:
            rows = self._all(sql, without, JOURNAL_MOST)
            return [(datetime.fromisoformat(at), place, said) for at, place, said in rows]
        except ValueError:
            return []

    def close(self) -> None:
        """What is asked or written afterwards counts as absent: a worker may still be about to."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _first(self, sql: str, *values: object) -> tuple | None:
        return next(iter(self._all(sql, *values)), None)

    def _all(self, sql: str, *values: object) -> list[tuple]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall() if self._connection else []
            except sqlite3.Error:
                return []

    def _write(self, sql: str, *values: object) -> None:
        with self._lock:
            try:
                if self._connection:
                    self._connection.execute(sql, values)
            except sqlite3.Error:
                pass


def _key(filters: Filters) -> str:
    return json.dumps([filters.project, filters.client])


def _result(found: dict) -> QueryResult:
    return QueryResult(
        **{
            **found,
            "columns": tuple(found["columns"]),
            "types": tuple(found["types"]),
            "rows": tuple(tuple(row) for row in found["rows"]),
            "asked_at": datetime.fromisoformat(found["asked_at"]),
        }
    )


def _window(found: dict) -> Window:
    return Window(**{**found, "span": _span(found["span"]), "before": _span(found["before"])})


def _span(found: dict) -> Span:
    return Span(datetime.fromisoformat(found["since"]), datetime.fromisoformat(found["until"]))
