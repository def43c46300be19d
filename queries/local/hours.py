"""Keeping the sums of each hour (`hours`, `dim_hours`) in step with the events they are of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from queries.local.ingest import Row
from queries.local.schema import (
    FILL_DIM_HOURS,
    FILL_HOURS,
    HOT_PROPERTIES,
    HOUR,
    HOUR_COLUMNS,
    HOUR_EVENTS,
    HOUR_KEYS,
    HOUR_MEASURES,
    column,
)

_KEYS = tuple(HOT_PROPERTIES.index(name) for name in HOUR_KEYS)
_MEASURES = tuple(HOT_PROPERTIES.index(name) for name in HOUR_MEASURES)
_EVENTS = frozenset(HOUR_EVENTS)
_WHERE = "event = ? AND timestamp = ?" + "".join(f" AND {column(name)} IS ?" for name in HOUR_KEYS)

# A cell: how many events, their first and last time; then of each measure how many, sum, least and greatest.
Cell = tuple
Cells = dict[tuple, Cell]


def add(connection: sqlite3.Connection, rows: Iterable[tuple[int, Row]]) -> None:
    """Count events, given with their numbers, that have just been stored."""
    of_events: Cells = {}
    of_dims: Cells = {}
    numbers: dict[tuple, int] = {}
    for id, row in rows:
        if row.event not in _EVENTS:
            continue
        at = row.timestamp
        key = (row.event, at - at % HOUR, *(row.hot[place] for place in _KEYS))
        numbers.setdefault(key, id)
        values = [row.hot[place] for place in _MEASURES]
        if not any(isinstance(value, str) for value in values):
            _count(of_events, key, (1, at, at, *(part for value in values for part in _alone(value))))
        for dim, value in row.dims:
            _count(of_dims, (*key, dim), (1, at, at, *_alone(value)))
    for key, cell in of_events.items():
        _store(connection, "hours", _WHERE, key, cell, numbers[key])
    for key, cell in of_dims.items():
        _store(connection, "dim_hours", f"{_WHERE} AND dim = ?", key, cell, numbers[key[:-1]])


def touched(connection: sqlite3.Connection, ids: str) -> list[tuple[str, int]]:
    """Event and hour of the events whose numbers `ids` has, a JSON array."""
    text = (
        f"SELECT DISTINCT event, timestamp / {HOUR} * {HOUR} FROM events WHERE id IN (SELECT value FROM json_each(?))"
    )
    return [row for row in connection.execute(text, (ids,)) if row[0] in _EVENTS]


def count_again(connection: sqlite3.Connection, hours: Iterable[tuple[str, int]]) -> None:
    """Sum up these events and hours anew, after events were taken out of them."""
    for event, hour in hours:
        for table, fill in (("hours", FILL_HOURS), ("dim_hours", FILL_DIM_HOURS)):
            connection.execute(f"DELETE FROM {table} WHERE event = ? AND timestamp = ?", (event, hour))
            where = "AND events.event = ? AND events.timestamp >= ? AND events.timestamp < ?"
            connection.execute(fill.format(where=where), (event, hour, hour + HOUR))


def _alone(value: object) -> Cell:
    if value is None:
        return (0, None, None, None)
    number = float(value)  # type: ignore[arg-type]
    return (1, number, number, number)


def _count(cells: Cells, key: tuple, cell: Cell) -> None:
    kept = cells.get(key)
    cells[key] = _together(kept, cell) if kept else cell


def _together(a: Cell, b: Cell) -> Cell:
    found = [a[0] + b[0], min(a[1], b[1]), max(a[2], b[2])]
    for place in range(3, len(a), 4):
        one, other = a[place : place + 4], b[place : place + 4]
        if not one[0] or not other[0]:
            found += one if one[0] else other
        else:
            found += [one[0] + other[0], one[1] + other[1], min(one[2], other[2]), max(one[3], other[3])]
    return tuple(found)


def _store(connection: sqlite3.Connection, table: str, where: str, key: tuple, cell: Cell, number: int) -> None:
    columns = HOUR_COLUMNS[table]
    kept = connection.execute(f"SELECT id, {', '.join(columns)} FROM {table} WHERE {where}", key).fetchone()
    if kept:
        sets = ", ".join(f"{name} = ?" for name in columns)
        found = (*_together(kept[1:], cell), *key[:2], kept[0], *key[len(HOUR_KEYS) + 2 :])
        by = "event = ? AND timestamp = ? AND id = ?" + (" AND dim = ?" if table == "dim_hours" else "")
        connection.execute(f"UPDATE {table} SET {sets} WHERE {by}", found)
    else:
        marks = ", ".join("?" * (1 + len(key) + len(cell)))
        keys = ", ".join(map(column, HOUR_KEYS)) + (", dim" if table == "dim_hours" else "")
        connection.execute(
            f"INSERT INTO {table} (id, event, timestamp, {keys}, {', '.join(columns)}) VALUES ({marks})",
            (number, *key, *cell),
        )
