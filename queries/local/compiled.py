"""Finding the SQLite text of a HogQL text without parsing it again.

The catalog's come with the package (`compiled.json`), other texts are kept in `events.db` by hash. So PostHog's
parser, which takes tens of milliseconds a text, is never on the way to the first paint.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from queries.local.hogql.compiler import Compiled, compile_query, fingerprint

PACKAGED = Path(__file__).with_name("compiled.json")
_BUSY_MS = 200  # keeping a compiled text is a convenience; it never waits long for a writer


def find(text: str, types: Mapping[str, str], database: Path) -> Compiled:
    """Raises `HogQLError` where the text is not HogQL that this store answers."""
    key = fingerprint(text, types)
    document = packaged().get(key)
    if document is not None:
        return Compiled.from_json(document)
    kept = _kept(database, key)
    if kept is not None:
        return Compiled.from_json(json.loads(kept))
    found = compile_query(text, types)
    _keep(database, key, json.dumps(found.to_json(), ensure_ascii=False))
    return found


@cache
def packaged() -> Mapping[str, dict]:
    """The package's own compiled texts by fingerprint; read once per process, never written."""
    try:
        return json.loads(PACKAGED.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _kept(database: Path, key: str) -> str | None:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        row = connection.execute("SELECT document FROM compiled WHERE hash = ?", (key,)).fetchone()
        return row[0] if row else None
    except sqlite3.Error:
        return None
    finally:
        connection.close()


def _keep(database: Path, key: str, document: str) -> None:
    connection = sqlite3.connect(database, timeout=_BUSY_MS / 1000)
    try:
        with connection:
            connection.execute("INSERT OR REPLACE INTO compiled VALUES (?, ?)", (key, document))
    except sqlite3.Error:
        pass  # read-only or busy: it will be compiled again
    finally:
        connection.close()
