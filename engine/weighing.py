"""A report's sums over its signals, and what moves them: its signals, its sources' records, a human's hand.

Within a transaction of the caller's, like all that writes into `inbox.db`.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from engine.instants import read, stored
from engine.learning import SOURCE, Record, records
from engine.promotion import weight_of
from engine.reading import MAY_BE_READ
from engine.source_state import set_learned_weight, set_weight_by_hand, source_state


def weigh(connection: sqlite3.Connection, report_id: str) -> None:
    """How many of its signals weigh anything, and what those weigh that a pass may read and no completed one has."""
    found = connection.execute(
        "SELECT weight * coalesce(weight_by_hand, learned_weight, 1.0), occurred_at, "
        f"read_in_run IS NULL AND {MAY_BE_READ} FROM report_signals "
        f"JOIN signals ON signals.id = signal_id LEFT JOIN source_state ON source = {SOURCE} "
        "WHERE report_id = ? AND left_at IS NULL AND weight > 0",
        (report_id,),
    ).fetchall()
    weight, newest = weight_of([(weight, read(at)) for weight, at, counts in found if counts])
    connection.execute(
        "UPDATE reports SET signals = ?, weight = ?, weighed_at = ? WHERE id = ?",
        (len(found), weight, stored(newest) if newest else 0, report_id),
    )


def weigh_of(connection: sqlite3.Connection, signal_id: str) -> None:
    """The report that this signal is in, if it is in one."""
    place = connection.execute(
        "SELECT report_id FROM report_signals WHERE signal_id = ? AND left_at IS NULL", (signal_id,)
    ).fetchone()
    if place:
        weigh(connection, place[0])


def by_hand(connection: sqlite3.Connection, source: str, weight: float | None, now: datetime) -> None:
    set_weight_by_hand(connection, source, weight, now)
    _weigh_again(connection, source)


def learn(connection: sqlite3.Connection, report_id: str, now: datetime) -> None:
    """What was decided about a report counts for the sources of its signals."""
    sources = connection.execute(
        f"SELECT DISTINCT {SOURCE} FROM signals JOIN report_signals ON signal_id = signals.id "
        "WHERE report_id = ? AND weight > 0",
        (report_id,),
    ).fetchall()
    found = records(connection, [source for (source,) in sources])
    for (source,) in sources:
        before = source_state(connection, source)
        weight = found.get(source, Record()).weight
        if weight != (before.learned_weight if before else 1.0):
            set_learned_weight(connection, source, weight, now)
            _weigh_again(connection, source)


def _weigh_again(connection: sqlite3.Connection, source: str) -> None:
    """Reports that may still start a pass follow the new weight."""
    gathering = connection.execute(
        "SELECT DISTINCT reports.id FROM reports JOIN report_signals ON report_id = reports.id AND left_at IS NULL "
        f"JOIN signals ON signals.id = signal_id WHERE status IN ('potential', 'ready') AND {SOURCE} = ?",
        (source,),
    ).fetchall()
    for (report_id,) in gathering:
        weigh(connection, report_id)
