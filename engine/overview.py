"""The engine at a glance, for screens: what happened since somebody last looked, and its sources with their records."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from engine.about import AboutSource, read_about
from engine.instants import read, stored
from engine.learning import SOURCE, Record, records
from engine.model import ENGINE
from engine.source_state import SourceState, source_states


@dataclass(frozen=True, slots=True)
class Digest:
    """What happened since an instant, as ids of reports, the newest first, and counts of signals.

    `new` were opened, `changed` moved by the engine's doing, `measured` have a fresh outcome. `blocked` signals were
    stopped, `held` ones wait for a judgement that could not be had.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    blocked: int = 0
    held: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.changed or self.measured or self.blocked or self.held)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source, what it said so far, and what became of that. `weight` multiplies its signals' weights: by its record,
    or by hand."""

    source: str
    title: str
    is_on: bool
    configured_weight: float | None
    where: str
    signals: int
    newest: datetime | None
    record: Record
    state: SourceState | None

    @property
    def weight(self) -> float:
        return self.state.weight if self.state else 1.0

    @property
    def why(self) -> str:
        if self.state is not None and self.state.weight_by_hand is not None:
            return f"Its weight was set by hand to {self.state.weight_by_hand:g}. {self.record.why}"
        return self.record.why


def digest(connection: sqlite3.Connection, since: datetime) -> Digest:
    at = stored(since)
    new = _ids(
        connection, "SELECT id FROM reports WHERE created_at > ? AND status != 'deleted' ORDER BY created_at DESC", at
    )
    changed = _ids(
        connection,
        "SELECT subject FROM transitions JOIN reports ON reports.id = subject WHERE noun = 'report' AND at > ?1 "
        f"AND actor = '{ENGINE}' AND created_at <= ?1 AND status != 'deleted' GROUP BY subject ORDER BY max(seq) DESC",
        at,
    )
    measured = _ids(
        connection,
        "SELECT report_id FROM proposals WHERE changed_at > ? AND verdict != '' ORDER BY changed_at DESC",
        at,
    )
    blocked, held = connection.execute(
        "SELECT coalesce(sum(safety = 'blocked' AND max(arrived_at, occurred_at) > ?), 0), "
        "coalesce(sum(safety = 'held'), 0) FROM signals WHERE safety IN ('blocked', 'held')",
        (at,),
    ).fetchone()
    return Digest(new, changed, measured, blocked, held)


def sources(connection: sqlite3.Connection) -> tuple[SourceRow, ...]:
    """The configured ones in their order, then whoever else sent signals."""
    about = read_about(connection)
    counted = {
        source: (count, read(newest))
        for source, count, newest in connection.execute(
            f"SELECT {SOURCE}, count(*), max(occurred_at) FROM signals "
            "WHERE NOT (source_product = 'loopdesk' AND source_type = 'command') GROUP BY 1 ORDER BY 1"
        )
    }
    found, states = records(connection), source_states(connection)
    known = {one.source: one for one in (about.sources if about else ())}
    others = [AboutSource(source, source, True, 0.0, "handed in") for source in counted if source not in known]
    return tuple(
        _row(one, counted.get(one.source, (0, None)), found.get(one.source, Record()), states.get(one.source))
        for one in (*known.values(), *others)
    )


def _row(
    about: AboutSource, counted: tuple[int, datetime | None], record: Record, state: SourceState | None
) -> SourceRow:
    is_on = about.is_on if state is None or state.is_on is None else state.is_on
    weight = None if about.where == "handed in" else about.weight
    return SourceRow(about.source, about.title, is_on, weight, about.where, *counted, record, state)


def _ids(connection: sqlite3.Connection, query: str, at: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id for (id,) in connection.execute(query, (at,))))
