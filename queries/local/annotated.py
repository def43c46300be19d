"""The annotations of the embedded store, read without its REST, which would load a server for it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from queries.local.schema import MIGRATIONS
from queries.views.timeline import Annotation, annotation_of, newest_first
from workspace import databases

KIND = "annotation"


class StoredAnnotations:
    """One read-only connection, opened on its first use; threads take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._last: int | None = None

    def newest(self, most: int) -> tuple[Annotation, ...]:
        """Of those that were made last, the newest moment first; none while there is no store. Raises
        `LoopdeskError`."""
        with self._reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute(
                "SELECT document FROM objects WHERE kind = ? ORDER BY id DESC LIMIT ?", (KIND, most)
            ).fetchall()
        return newest_first(one for (document,) in rows if (one := annotation_of(json.loads(document))))

    def has_news(self) -> bool:
        """Whether any was made since the last call; the first one only remembers. Costs next to nothing while nobody
        writes. Raises `LoopdeskError`."""
        with self._reading() as connection:
            if connection is None:
                return False
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return False
            self._version = version
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM objects WHERE kind = ?", (KIND,)).fetchone()
        before, self._last = self._last, last
        return before is not None and last != before

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        with self._lock:
            if self._connection is None and self._path.exists():
                self._connection = databases.open_database(self._path, MIGRATIONS, read_only=True)
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise databases.explained(error, self._path) from error
