"""The stage that looks what became of merged fixes: measured once they have run long enough, and judged once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine import measuring, metrics, outcomes, reading
from engine.instants import stored
from engine.main import Worked, warn
from engine.measuring import Measurement, Nights, Running
from engine.metrics import Metric
from engine.model import Proposal, Report, Signal
from engine.outcomes import HISTORY_NIGHTS, Seen, Verdict
from engine.rows import SIGNAL_COLUMNS, signal_of
from engine.store import Store
from queries.backend import Backend
from queries.morning import open_local
from workspace.config import Config
from workspace.errors import LoopdeskError

EVERY = timedelta(hours=1)
"""How soon after the last look, once there may be enough to see."""
_WAITING = "WHERE state = 'merged' AND verdict = '' AND reverts = '' ORDER BY merged_at, id"


@dataclass(frozen=True, slots=True)
class _Fix:
    """A merged proposal that may be judged. `taken_back` is what reverted it."""

    proposal: Proposal
    report: Report
    merged_at: datetime
    metric: Metric | None
    trouble_at: datetime
    taken_back: Proposal | None = None


@dataclass(frozen=True, slots=True)
class _Measured:
    running: Running
    history: Measurement
    after: Measurement


class Soaking:
    """`is_current` is whether the store has all that the loops have sent by now: what was not pulled yet is no lack of
    rounds. Raises `LoopdeskError` for `[outcomes]` that make no sense."""

    def __init__(
        self, config: Config, *, is_current: Callable[[], bool] = lambda: True, tell: Callable[[str], None] = warn
    ) -> None:
        self._config, self._limits = config, outcomes.settings(config)
        self._nights = Nights(config.zone, config.night_starts_hour)
        self._is_current, self._tell = is_current, tell
        self._looked: dict[str, datetime] = {}
        self._told: set[str] = set()

    async def __call__(self, store: Store, now: datetime) -> Worked:
        waiting = reading.select(store.connection, Proposal, "proposals", _WAITING)
        if not waiting:
            return Worked()
        if not self._is_current():
            return Worked(next_due=now + EVERY)
        due = [self._fix(store.connection, one) for one in waiting if self._due_at(store.connection, one, now) <= now]
        measured = await asyncio.to_thread(self._measured, [one for one in due if one.metric], now) if due else {}
        done = 0
        for fix in due:
            self._looked[fix.proposal.id] = now
            found = self._verdict(store.connection, fix, measured.get(fix.proposal.id), now)
            done += found is not None and self._write(store, fix.proposal.id, found, now)
        return Worked(done, min(self._due_at(store.connection, one, now) for one in waiting))

    def _due_at(self, connection: sqlite3.Connection, proposal: Proposal, now: datetime) -> datetime:
        """Not before its nights can be over; a fix that was taken back is not waited for."""
        looked = self._looked.get(proposal.id)
        if looked is not None and looked <= now < looked + EVERY:  # a clock may be set back
            return looked + EVERY
        if _taken_back(connection, proposal) is not None:
            return now
        return _merged_at(proposal) + timedelta(days=self._limits.nights - 1)

    def _fix(self, connection: sqlite3.Connection, proposal: Proposal) -> _Fix:
        report = reading.report(connection, proposal.report_id)
        assert report is not None  # the row refers to it
        signals = _signals(connection, report.id)
        try:
            metric = metrics.check(report.metric) if report.metric else metrics.for_signals(signals)
        except LoopdeskError:  # of another version's table
            metric = metrics.for_signals(signals)
        trouble_at = min([report.created_at, *(one.occurred_at for one in signals if one.weight > 0)])
        return _Fix(proposal, report, _merged_at(proposal), metric, trouble_at, _taken_back(connection, proposal))

    def _measured(self, fixes: Sequence[_Fix], now: datetime) -> Mapping[str, _Measured]:
        """Blocks. What cannot be measured now is left out, and asked for again."""
        found: dict[str, _Measured] = {}
        backend = open_local(self._config, lambda: now)
        if backend is None:
            return {fix.proposal.id: _nothing(fix, now) for fix in fixes}
        with closing(backend):
            for fix in fixes:
                try:
                    found[fix.proposal.id] = self._measure(backend, fix, now)
                except LoopdeskError as error:
                    self._tell_once(f"A merged fix could not be measured: {error}")
        return found

    def _measure(self, backend: Backend, fix: _Fix, now: datetime) -> _Measured:
        assert fix.metric is not None
        nights, metric = self._nights, fix.metric
        since, sha = self._before(fix.merged_at), fix.proposal.merge_sha
        running = measuring.running(backend, metric, since, fix.merged_at, now, nights, sha)
        began = running.since or fix.merged_at
        history = measuring.measure(backend, metric, self._before(began), began, nights)
        if running.since is None:
            return _Measured(running, history, Measurement(metric))
        until = min(running.until, self._gives_up_at(fix))
        after = measuring.measure(backend, metric, running.since, until, nights, without=running.old)
        return _Measured(running, history, after)

    def _before(self, moment: datetime) -> datetime:
        return self._nights.start(self._nights.of(moment) - timedelta(days=HISTORY_NIGHTS))

    def _gives_up_at(self, fix: _Fix) -> datetime:
        return fix.merged_at + timedelta(days=self._limits.give_up_days)

    def _verdict(
        self, connection: sqlite3.Connection, fix: _Fix, measured: _Measured | None, now: datetime
    ) -> Verdict | None:
        if fix.taken_back is not None:
            return outcomes.taken_back(fix.taken_back)
        if fix.metric is None:
            if now < fix.merged_at + timedelta(days=self._limits.nights):
                return None
            return outcomes.unmeasured(_came_again(connection, fix.report.id, fix.merged_at), self._limits.nights)
        if measured is None:
            return None
        seen = Seen(
            metric=fix.metric,
            history=measured.history,
            after=measured.after,
            trouble_since=self._nights.of(fix.trouble_at),
            rounds=measured.running.rounds,
            is_given_up=now >= self._gives_up_at(fix),
            came_again=_came_again(connection, fix.report.id, measured.running.since),
        )
        return outcomes.verdict(seen, self._limits)

    def _write(self, store: Store, proposal_id: str, found: Verdict, now: datetime) -> bool:
        """From what is stored now: others wrote while it was measured."""
        with store.transaction("outcome"):
            proposal = reading.proposal(store.connection, proposal_id)
            report = reading.report(store.connection, proposal.report_id) if proposal else None
            if proposal is None or report is None or proposal.verdict:
                return False
            store.write(outcomes.effects(proposal, report, found, now), now)
        return True

    def _tell_once(self, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            self._tell(said)


def _merged_at(proposal: Proposal) -> datetime:
    return proposal.merged_at or proposal.changed_at


def _nothing(fix: _Fix, now: datetime) -> _Measured:
    assert fix.metric is not None
    return _Measured(Running(frozenset(), None, now, 0), Measurement(fix.metric), Measurement(fix.metric))


def _taken_back(connection: sqlite3.Connection, proposal: Proposal) -> Proposal | None:
    rest = "WHERE report_id = ? AND state = 'merged' AND reverts = ?"
    return next(iter(reading.select(connection, Proposal, "proposals", rest, (proposal.report_id, proposal.id))), None)


def _signals(connection: sqlite3.Connection, report_id: str) -> list[Signal]:
    """Also those that have left it since for a report of their own, because they came again."""
    found = connection.execute(
        f"SELECT {SIGNAL_COLUMNS} FROM report_signals JOIN signals ON signals.id = signal_id WHERE report_id = ?",
        (report_id,),
    )
    return [signal_of(row) for row in found]


def _came_again(connection: sqlite3.Connection, report_id: str, since: datetime | None) -> str:
    """The report as which the problem came again, by something that was observed while the fix ran. One that was
    declined is none."""
    if since is None:
        return ""
    found = connection.execute(
        "SELECT reports.id FROM reports WHERE recurrence_of = ? AND status NOT IN ('suppressed', 'deleted') "
        "AND EXISTS (SELECT 1 FROM report_signals JOIN signals ON signals.id = signal_id WHERE report_id = reports.id "
        "AND left_at IS NULL AND weight > 0 AND occurred_at >= ?) ORDER BY created_at LIMIT 1",
        (report_id, stored(since)),
    ).fetchone()
    return found[0] if found else ""
