"""The engine at a glance, for screens: what happened since somebody last looked, and its sources with their records."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.about import AboutSource, read_about
from engine.instants import read, stored
from engine.learning import SOURCE, Record, records
from engine.model import ENGINE
from engine.reading import OWN_WORD
from engine.source_state import SourceState, source_states
from queries.views.words import money
from workspace.text import plain


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


OFFERS_AFTER = 3
"""Merged fixes that a human started, before the desk offers to start them by itself."""


@dataclass(frozen=True, slots=True)
class HitRate:
    """How many merged fixes did what they were made for. `cost_usd` is what models were paid for all reports that ever
    had a proposal, also for those that came to nothing: as a kept round's cost contains that of the reverted ones."""

    merged: int = 0
    verified: int = 0
    regressed: int = 0
    inconclusive: int = 0
    cost_usd: float = 0.0

    @property
    def too_early(self) -> int:
        return self.merged - self.verified - self.regressed - self.inconclusive

    @property
    def per_merged_usd(self) -> float | None:
        return self.cost_usd / self.merged if self.merged else None

    @property
    def per_verified_usd(self) -> float | None:
        return self.cost_usd / self.verified if self.verified else None

    @property
    def said(self) -> str:
        """`Of 14 merged fixes 9 verified, 2 regressed, 3 too early; a merged fix cost $1.20, a verified one $1.87.`
        Empty where nothing was merged."""
        if not self.merged:
            return ""
        counts = (
            (self.verified, "verified"),
            (self.regressed, "regressed"),
            (self.inconclusive, "inconclusive"),
            (self.too_early, "too early"),
        )
        fixes = "1 merged fix" if self.merged == 1 else f"{self.merged:,} merged fixes"
        said = f"Of {fixes} {', '.join(f'{number:,} {word}' for number, word in counts if number)}"
        if not self.cost_usd:
            return f"{said}; no model was paid for them."
        verified = f", a verified one {money(self.per_verified_usd)}" if self.verified else ""
        return f"{said}; a merged fix cost {money(self.per_merged_usd)}{verified}."


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


_OWN = {"loopdesk/outcome": "Fixes that did not help"}


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


def hit_rate(connection: sqlite3.Connection) -> HitRate:
    """Of all that was ever merged, but for what only took a fix back."""
    counted = dict(
        connection.execute(
            "SELECT verdict, count(*) FROM proposals WHERE state = 'merged' AND reverts = '' GROUP BY verdict"
        ).fetchall()
    )
    (cost,) = connection.execute(
        "SELECT total(cost_usd) FROM spend WHERE report_id IN (SELECT report_id FROM proposals)"
    ).fetchone()
    named = {name: counted.get(name, 0) for name in ("verified", "regressed", "inconclusive")}
    return HitRate(sum(counted.values()), **named, cost_usd=cost)


def offer(connection: sqlite3.Connection, repositories: Mapping[str, object]) -> str:
    """What could be left to the engine, once enough fixes that a human started were merged; empty where nothing. The
    table is `[repositories]`."""
    query = (
        "SELECT repository, count(*) FROM proposals WHERE state = 'merged' AND reverts = '' AND EXISTS (SELECT 1 FROM "
        "artefacts WHERE artefacts.report_id = proposals.report_id AND kind = 'start_approved' AND actor != 'engine' "
        "AND json_extract(content, '$.command') = proposals.id) GROUP BY repository HAVING count(*) >= ? ORDER BY 1"
    )
    for name, merged in connection.execute(query, (OFFERS_AFTER,)):
        table = repositories.get(name)
        if isinstance(table, Mapping) and not table.get("autostart"):
            shown = plain(name, 40)
            return (
                f'{merged} fixes of {shown} that you started were merged: with autostart = "P1" under '
                f"[repositories.{shown}] those of that priority start by themselves."
            )
    return ""


def sources(connection: sqlite3.Connection) -> tuple[SourceRow, ...]:
    """The configured ones in their order, then whoever else sent signals."""
    about = read_about(connection)
    counted = {
        source: (count, read(newest))
        for source, count, newest in connection.execute(
            f"SELECT {SOURCE}, count(*), max(occurred_at) FROM signals WHERE NOT {OWN_WORD} GROUP BY 1 ORDER BY 1"
        )
    }
    found, states = records(connection), source_states(connection)
    known = {one.source: one for one in (about.sources if about else ())}
    others = [
        AboutSource(source, _OWN.get(source, source), True, 0.0, "handed in")
        for source in counted
        if source not in known
    ]
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
