"""Keeping the sums of hours (`hours`, `dim_hours`) and of rounds (`rounds`) in step with the events they are of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from queries.local.ingest import Row
from queries.local.schema import (
    DAY,
    FILL_DIM_HOURS,
    FILL_HOURS,
    FILL_ROUNDS,
    HOT_PROPERTIES,
    HOUR,
    HOUR_COLUMNS,
    HOUR_EVENTS,
    HOUR_KEYS,
    HOUR_MEASURES,
    ROUND_COLUMNS,
    ROUND_EVENTS,
    ROUND_KEYS,
    column,
)

_KEYS = tuple(HOT_PROPERTIES.index(name) for name in HOUR_KEYS)
_MEASURES = tuple(HOT_PROPERTIES.index(name) for name in HOUR_MEASURES)
_EVENTS = frozenset(HOUR_EVENTS)
_ROUND = HOT_PROPERTIES.index("round_id")
_ROUND_KEYS = tuple(HOT_PROPERTIES.index(name) for name in ROUND_KEYS)
_ROUND_EVENTS = frozenset(ROUND_EVENTS)
_FIND_ROUND = f"SELECT {', '.join(ROUND_COLUMNS)} FROM rounds WHERE {column('round_id')} = ?"
_SET_ROUND = f"UPDATE rounds SET {', '.join(f'{name} = ?' for name in ROUND_COLUMNS)} WHERE {column('round_id')} = ?"
_NEW_ROUND = (
    f"INSERT INTO rounds ({column('round_id')}, {', '.join(ROUND_COLUMNS)}) "
    f"VALUES ({', '.join('?' * (1 + len(ROUND_COLUMNS)))})"
)
_WHERE = "event = ? AND timestamp = ?" + "".join(f" AND {column(name)} IS ?" for name in HOUR_KEYS)

# A cell: how many events, their first and last time; then of each measure how many, sum, least and greatest.
Cell = tuple
Cells = dict[tuple, Cell]


@dataclass(frozen=True, slots=True)
class _Statements:
    """Of one table. `own` is the number of its keys beside those of every hour."""

    own: int
    find: str
    set: str
    new: str


def _statements(table: str, own: Sequence[str]) -> _Statements:
    columns = HOUR_COLUMNS[table]
    keys = ["id", "event", "timestamp", *map(column, HOUR_KEYS), *own]
    by = "".join(f" AND {name} = ?" for name in own)
    return _Statements(
        own=len(own),
        find=f"SELECT {', '.join(['id', *own, *columns])} FROM {table} WHERE {_WHERE}",
        set=f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} "
        f"WHERE event = ? AND timestamp = ? AND id = ?{by}",
        new=f"INSERT INTO {table} ({', '.join([*keys, *columns])}) "
        f"VALUES ({', '.join('?' * (len(keys) + len(columns)))})",
    )


_HOURS = _statements("hours", ())
_DIM_HOURS = _statements("dim_hours", ("dim",))


def add(connection: sqlite3.Connection, rows: Iterable[tuple[int, Row]]) -> None:
    """Count events, given with their numbers, that have just been stored."""
    of_events: Cells = {}
    of_dims: dict[tuple, Cells] = {}
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
        if row.dims:
            cells = of_dims.setdefault(key, {})
            for dim, value in row.dims:
                _count(cells, (dim,), (1, at, at, 1, value, value, value))
    for key, cell in of_events.items():
        _store(connection, _HOURS, key, {(): cell}, numbers[key])
    for key, cells in of_dims.items():
        _store(connection, _DIM_HOURS, key, cells, numbers[key])


def add_rounds(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Count the rounds of events that have just been stored."""
    found: dict[str, list] = {}
    for row in rows:
        if row.event not in _ROUND_EVENTS or row.hot[_ROUND] is None:
            continue
        keys = [row.hot[place] for place in _ROUND_KEYS]
        one = [row.timestamp, row.timestamp, 0, *keys, *(int(row.event == name) for name in ROUND_EVENTS)]
        round_id = str(row.hot[_ROUND])
        found[round_id] = _one_round(found[round_id], one) if round_id in found else one
    for round_id, one in found.items():
        kept = connection.execute(_FIND_ROUND, (round_id,)).fetchone()
        if kept:
            connection.execute(_SET_ROUND, (*_one_round(kept, one), round_id))
        else:
            connection.execute(_NEW_ROUND, (round_id, *one))


def _one_round(a: Sequence, b: Sequence) -> list:
    first, last = min(a[0], b[0]), max(a[1], b[1])
    keys = len(_ROUND_KEYS) + 3
    is_odd = a[2] or b[2] or list(a[3:keys]) != list(b[3:keys]) or last - first > DAY
    counts = [one + other for one, other in zip(a[keys:], b[keys:], strict=True)]
    return [first, last, int(is_odd), *a[3:keys], *counts]


def touched(connection: sqlite3.Connection, ids: str) -> list[tuple[str, int]]:
    """Event and hour of the events whose numbers `ids` has, a JSON array."""
    text = (
        f"SELECT DISTINCT event, timestamp / {HOUR} * {HOUR} FROM events WHERE id IN (SELECT value FROM json_each(?))"
    )
    return [row for row in connection.execute(text, (ids,)) if row[0] in _EVENTS]


def rounds_of(connection: sqlite3.Connection, ids: str) -> list[str]:
    round_id = column("round_id")
    text = f"SELECT DISTINCT {round_id} FROM events WHERE id IN (SELECT value FROM json_each(?))"
    return [row[0] for row in connection.execute(text, (ids,)) if row[0] is not None]


def count_again(connection: sqlite3.Connection, hours: Iterable[tuple[str, int]], rounds: Iterable[str]) -> None:
    """Sum up these hours of an event and these rounds anew, after events were taken out of them."""
    for round_id in rounds:
        by = f"{column('round_id')} = ?"
        connection.execute(f"DELETE FROM rounds WHERE {by}", (round_id,))
        connection.execute(FILL_ROUNDS.format(where=f"AND {by}"), (round_id,))
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


def _store(connection: sqlite3.Connection, sql: _Statements, key: tuple, cells: Cells, number: int) -> None:
    kept = {row[1 : 1 + sql.own]: (row[0], row[1 + sql.own :]) for row in connection.execute(sql.find, key)}
    for own, cell in cells.items():
        id, before = kept.get(own, (0, None))
        if before:
            connection.execute(sql.set, (*_together(before, cell), *key[:2], id, *own))
        else:
            connection.execute(sql.new, (number, *key, *own, *cell))
