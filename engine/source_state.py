"""How far a source has come, what it weighs by its own record, and what it notes for itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.instants import read, stored
from engine.rows import spelled


@dataclass(frozen=True, slots=True)
class SourceState:
    """`cursor` is the source's own text; `record` is JSON: what became of its signals; `weight` multiplies theirs."""

    source: str
    changed_at: datetime
    cursor: str = ""
    record: Mapping[str, object] = field(default_factory=dict)
    weight: float = 1.0


def source_state(connection: sqlite3.Connection, source: str) -> SourceState | None:
    row = connection.execute(
        "SELECT changed_at, cursor, record, weight FROM source_state WHERE source = ?", (source,)
    ).fetchone()
    return SourceState(source, read(row[0]), row[1], json.loads(row[2]), row[3]) if row else None


def save_source_state(connection: sqlite3.Connection, state: SourceState) -> None:
    """Within a transaction of the caller's: together with the signals that the cursor speaks of."""
    connection.execute(
        "INSERT INTO source_state(source, changed_at, cursor, record, weight) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO "
        "UPDATE SET changed_at = excluded.changed_at, cursor = excluded.cursor, record = excluded.record, "
        "weight = excluded.weight",
        (state.source, stored(state.changed_at), state.cursor, spelled(dict(state.record)), state.weight),
    )
