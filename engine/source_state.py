"""How far a source has come, what it weighs by its own record or by hand, and whether it was switched."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.instants import read, stored


@dataclass(frozen=True, slots=True)
class SourceState:
    """`source` is `product/type`, with `:owner/name` behind it where one of several repositories has a cursor.

    `cursor` is the source's own text. Its signals' weights are multiplied by `learned_weight`, or by `weight_by_hand`
    where a human set one. `is_on` None is "as configured".
    """

    source: str
    changed_at: datetime
    cursor: str = ""
    learned_weight: float = 1.0
    weight_by_hand: float | None = None
    is_on: bool | None = None

    @property
    def weight(self) -> float:
        return self.learned_weight if self.weight_by_hand is None else self.weight_by_hand


_SELECT = "SELECT source, changed_at, cursor, learned_weight, weight_by_hand, is_on FROM source_state"


def source_state(connection: sqlite3.Connection, source: str) -> SourceState | None:
    row = connection.execute(f"{_SELECT} WHERE source = ?", (source,)).fetchone()
    return _state(row) if row else None


def source_states(connection: sqlite3.Connection) -> Mapping[str, SourceState]:
    return {row[0]: _state(row) for row in connection.execute(_SELECT)}


def save_source_state(connection: sqlite3.Connection, state: SourceState) -> None:
    """Within a transaction of the caller's: together with the signals that the cursor speaks of."""
    connection.execute(
        "INSERT INTO source_state(source, changed_at, cursor, learned_weight, weight_by_hand, is_on) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET changed_at = excluded.changed_at, "
        "cursor = excluded.cursor, learned_weight = excluded.learned_weight, "
        "weight_by_hand = excluded.weight_by_hand, is_on = excluded.is_on",
        (
            state.source,
            stored(state.changed_at),
            state.cursor,
            state.learned_weight,
            state.weight_by_hand,
            state.is_on,
        ),
    )


def switch_source(connection: sqlite3.Connection, source: str, is_on: bool | None, now: datetime) -> None:
    """Within a transaction of the caller's."""
    _set(connection, source, "is_on", is_on, now)


def set_weight_by_hand(connection: sqlite3.Connection, source: str, weight: float | None, now: datetime) -> None:
    """Within a transaction of the caller's."""
    _set(connection, source, "weight_by_hand", weight, now)


def set_learned_weight(connection: sqlite3.Connection, source: str, weight: float, now: datetime) -> None:
    """Within a transaction of the caller's."""
    _set(connection, source, "learned_weight", weight, now)


def _set(connection: sqlite3.Connection, source: str, column: str, value: float | bool | None, now: datetime) -> None:
    connection.execute(
        f"INSERT INTO source_state(source, {column}, changed_at) VALUES (?, ?, ?) "
        f"ON CONFLICT DO UPDATE SET {column} = excluded.{column}, changed_at = excluded.changed_at",
        (source, value, stored(now)),
    )


def _state(row: tuple) -> SourceState:
    source, changed_at, cursor, learned, by_hand, is_on = row
    return SourceState(source, read(changed_at), cursor, learned, by_hand, None if is_on is None else bool(is_on))
