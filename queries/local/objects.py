"""What PostHog's REST keeps, in the table `objects`: one JSON document for each flag, annotation and experiment.

Several processes may write: a change is read, decided and written inside one `BEGIN IMMEDIATE`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from queries.local.schema import MIGRATIONS
from workspace import databases


class KeyTaken(Exception):
    """Another object of the kind has that key."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """`events.db`, opened for each use: a request's thread never shares a connection with another's."""

    path: Path

    @contextmanager
    def reading(self) -> Iterator[Objects]:
        """One snapshot. Raises `LoopdeskError`."""
        with self._open(read_only=True) as connection:
            connection.execute("BEGIN")
            yield Objects(connection)

    @contextmanager
    def writing(self) -> Iterator[Objects]:
        """All or nothing, one writer at a time. Raises `LoopdeskError`."""
        with self._open(read_only=False) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield Objects(connection)
            connection.execute("COMMIT")

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[sqlite3.Connection]:
        connection = databases.open_database(self.path, MIGRATIONS, read_only=read_only)
        try:
            yield connection
        except sqlite3.Error as error:
            raise databases.explained(error, self.path) from error
        finally:
            # An open transaction is rolled back with it.
            connection.close()


class Objects:
    """The objects as one transaction sees them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def all(self, kind: str) -> list[dict]:
        """Every document of the kind, oldest first, deleted ones too: whoever asks knows which it wants."""
        rows = self.connection.execute("SELECT document FROM objects WHERE kind = ? ORDER BY id", (kind,))
        return [json.loads(row[0]) for row in rows]

    def get(self, kind: str, id: int) -> dict | None:
        return self._one("SELECT document FROM objects WHERE kind = ? AND id = ?", (kind, id))

    def find(self, kind: str, key: str) -> dict | None:
        return self._one("SELECT document FROM objects WHERE kind = ? AND key = ?", (kind, key))

    def insert(self, kind: str, document: Mapping, key: str | None = None) -> dict:
        """Stores `document` under the next id of its kind and returns it with that `id`. Raises `KeyTaken`."""
        # Nothing is ever removed from the table, so no id comes twice.
        id = self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM objects WHERE kind = ?", (kind,)).fetchone()[
            0
        ]
        whole = {"id": id, **document}
        self._write("INSERT INTO objects(kind, id, key, document) VALUES (?, ?, ?, ?)", (kind, id, key, _text(whole)))
        return whole

    def update(self, kind: str, document: Mapping, key: str | None = None) -> None:
        """Replaces the document with the same `id`. Without a `key` the old one is free again. Raises `KeyTaken`."""
        self._write(
            "UPDATE objects SET key = ?, document = ? WHERE kind = ? AND id = ?",
            (key, _text(document), kind, document["id"]),
        )

    def _one(self, statement: str, values: tuple) -> dict | None:
        row = self.connection.execute(statement, values).fetchone()
        return json.loads(row[0]) if row else None

    def _write(self, statement: str, values: tuple) -> None:
        try:
            self.connection.execute(statement, values)
        except sqlite3.IntegrityError as error:
            raise KeyTaken from error


def _text(document: Mapping) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
