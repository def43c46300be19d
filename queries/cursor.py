"""How far a PostHog project has been pulled into the store: one row of `cursors`, shared by `sync` and the engine."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Behind an event: everything up to (`at`, `uuid`) is done. An empty `uuid` is before every event at `at`."""

    at: datetime
    uuid: str = ""

    def __lt__(self, other: Place) -> bool:
        return (self.at, self.uuid) < (other.at, other.uuid)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Events from `since` up to `reached` are in the store, except those that came to PostHog late, after `asked_at`:
    when the last complete pull began, or the first one where none was completed."""

    since: datetime
    reached: Place
    asked_at: datetime


def source_key(host: str, project_id: str) -> str:
    """The row's name. `host` is the private one, without a slash at its end; `project_id` the project's number."""
    return f"{host}/api/projects/{project_id}"


def read_cursor(connection: sqlite3.Connection, source: str) -> Cursor | None:
    """None where nothing was pulled yet, or where the row is not one that this version understands."""
    row = connection.execute("SELECT document FROM cursors WHERE source = ?", (source,)).fetchone()
    try:
        document = json.loads(row[0]) if row else {}
        if document.get("version") != _VERSION:
            return None
        return Cursor(
            since=_time(document["since"]),
            reached=Place(_time(document["reached"]), str(document["uuid"])),
            asked_at=_time(document["asked_at"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def write_cursor(connection: sqlite3.Connection, source: str, cursor: Cursor) -> None:
    """Within the transaction that stores the events it speaks of."""
    document = {
        "version": _VERSION,
        "since": _text(cursor.since),
        "reached": _text(cursor.reached.at),
        "uuid": cursor.reached.uuid,
        "asked_at": _text(cursor.asked_at),
    }
    connection.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (source, json.dumps(document)))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
