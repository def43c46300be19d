"""From the door's `signals_in` into `signals`: a revision of a condition renews its signal instead of adding one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine import weighing
from engine.instants import read, stored
from engine.model import Signal
from engine.recurrence import is_before_fix
from engine.rows import SIGNAL_COLUMNS, signal_from_text, signal_row

_ADD = f"INSERT INTO signals(id, {SIGNAL_COLUMNS}, arrived_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# What was said of the old text, and its vector, say nothing of the new one.
_RENEW = (
    f"UPDATE signals SET ({SIGNAL_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?), revisions = revisions + 1, "
    "safety = iif(?, 'waiting', safety), embedding = iif(?, NULL, embedding), embedded_by = iif(?, '', embedded_by) "
    "WHERE id = ?"
)


@dataclass(frozen=True, slots=True)
class Ingested:
    """`known` came before in the same or a newer form. `reports` are those whose signals came again."""

    new: int = 0
    revised: int = 0
    known: int = 0
    refused: int = 0
    reports: Sequence[str] = ()

    @property
    def total(self) -> int:
        return self.new + self.revised + self.known + self.refused


def take(connection: sqlite3.Connection, now: datetime, most: int) -> Ingested:
    """Within a transaction of the caller's. What is no signal stays in `signals_in`, marked with why."""
    waiting = connection.execute(
        "SELECT seq, signal FROM signals_in WHERE refused = '' ORDER BY seq LIMIT ?", (most,)
    ).fetchall()
    refused: list[tuple[str, int]] = []
    signals: list[tuple[str, tuple]] = []
    for seq, text in waiting:
        try:
            signals.append(_read(text, now))
        except ValueError as error:
            refused.append((str(error), seq))
    known = _known(connection, [id for id, _ in signals])
    fresh: dict[str, tuple] = {}
    again: dict[str, tuple] = {}
    old = 0
    for id, row in signals:
        before = fresh.get(id) or again.get(id) or known.get(id)
        if before is None:
            fresh[id] = row
        elif row[5] > before[5] or (row[5] == before[5] and _text(row) != _text(before)):
            (fresh if id in fresh else again)[id] = row
        else:
            old += 1
    connection.executemany(_ADD, [(id, *row, stored(now)) for id, row in fresh.items()])
    reports: dict[str, None] = {}
    for id, row in again.items():
        is_other = _text(row) != _text(known[id])
        is_told = row[5] > known[id][5] and _is_before_fix(connection, id, row)  # by what stood there until now
        connection.execute(_RENEW, (*row, is_other, is_other, is_other, id))
        if row[5] > known[id][5] and not is_told:
            reports |= dict.fromkeys(_come_again(connection, id, now))
        elif is_other:
            weighing.weigh_of(connection, id)  # it waits for the safety filter, and so weighs nothing
    connection.executemany("UPDATE signals_in SET refused = ? WHERE seq = ?", refused)
    if waiting:
        connection.execute("DELETE FROM signals_in WHERE seq <= ? AND refused = ''", (waiting[-1][0],))
    revised = len(signals) - len(fresh) - old
    return Ingested(len(fresh), revised, old, len(refused), tuple(reports))


def add(connection: sqlite3.Connection, signal: Signal, recurs_from: str, now: datetime) -> None:
    """A new one of the engine's own, within a transaction of the caller's: it waits for the safety filter as any other
    does."""
    connection.execute(_ADD, (signal.id, *signal_row(signal), stored(now)))
    connection.execute("UPDATE signals SET recurs_from = ? WHERE id = ?", (recurs_from, signal.id))


def _read(text: str, now: datetime) -> tuple[str, tuple]:
    signal: Signal = signal_from_text(text)
    # A clock that is ahead elsewhere must not make everything else look old.
    row = signal_row(signal)
    return signal.id, (*row[:5], min(row[5], stored(now)), row[6])


def _text(row: tuple) -> tuple:
    return row[3], row[6]


def _known(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, tuple]:
    found = connection.execute(
        f"SELECT id, {SIGNAL_COLUMNS} FROM signals WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),)
    )
    return {row[0]: row[1:] for row in found}


def _is_before_fix(connection: sqlite3.Connection, id: str, row: tuple) -> bool:
    place = connection.execute(
        "SELECT report_id FROM report_signals JOIN reports ON reports.id = report_id "
        "WHERE signal_id = ? AND left_at IS NULL AND status = 'resolved'",
        (id,),
    ).fetchone()
    return place is not None and is_before_fix(connection, place[0], read(row[5]), json.loads(row[6]))


def _come_again(connection: sqlite3.Connection, id: str, now: datetime) -> list[str]:
    """A condition that is there again weighs again; where its report was resolved, it waits for a fresh one."""
    place = connection.execute(
        "SELECT report_id, status FROM report_signals JOIN reports ON reports.id = report_id "
        "WHERE signal_id = ? AND left_at IS NULL",
        (id,),
    ).fetchone()
    if place is None:
        return []
    report_id, status = place
    if status == "resolved":
        connection.execute(
            "UPDATE report_signals SET left_at = ? WHERE signal_id = ? AND left_at IS NULL", (stored(now), id)
        )
        connection.execute("UPDATE signals SET is_placed = 0, recurs_from = ? WHERE id = ?", (report_id, id))
    else:
        connection.execute(
            "UPDATE report_signals SET read_in_run = NULL WHERE report_id = ? AND signal_id = ?", (report_id, id)
        )
    return [report_id]
