"""`inbox.db`, written by the engine alone: what was decided becomes rows, each decision in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from engine import intake, reading, states, weighing
from engine.commands import Scene
from engine.crash_points import crash_point
from engine.decision import Decision
from engine.effects import (
    AddArtefact,
    AddDecision,
    Effect,
    Log,
    PlaceSignal,
    RaiseSignal,
    ReadSignals,
    ReleaseSignal,
    Remember,
    SaveJob,
    SaveProposal,
    SaveReport,
    SetMeta,
    SwitchSource,
    WeighSource,
    Withdraw,
)
from engine.instants import read, stored
from engine.intake import Ingested
from engine.model import Artefact, Command, Job, Note, Proposal, Report, Signal, Transition
from engine.promotion import TOO_LITTLE
from engine.reconcile import State
from engine.rows import SIGNAL_COLUMNS, insert, row, signal_of, signal_row, spelled, storable, upsert
from engine.schema import MIGRATIONS
from engine.source_state import switch_source
from engine.states import IllegalTransition, Noun
from workspace import databases
from workspace.errors import LoopdeskError

_SAVE_REPORT = upsert(Report, "reports", "id", keeps=("signals", "weight", "weighed_at"))
_SAVE_PROPOSAL = upsert(Proposal, "proposals", "id")
_SAVE_JOB = upsert(Job, "jobs", "id, attempt", "id")
_SAVE_NOTE = upsert(Note, "memory", "key")
_ADD_SIGNAL = (
    f"INSERT INTO signals(id, {SIGNAL_COLUMNS}, arrived_at, safety, is_placed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# A signal that returns keeps what a pass has read of it.
_PLACE = (
    "INSERT INTO report_signals(report_id, signal_id, reason, placed_at, came_from) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET left_at = NULL, reason = excluded.reason, placed_at = excluded.placed_at"
)
# Thousands may gather, and this is asked in every turn.
_CAN_MOVE = (
    "WHERE status IN ('candidate', 'in_progress') OR (status IN ('potential', 'ready') AND "
    "(weight >= ? OR snoozed_until IS NOT NULL OR wakes_at_signals IS NOT NULL))"
)
_PROPOSALS_TO_LOOK_AT = (
    "WHERE is_closed_there = 0 AND (state IN ('queued', 'building', 'open', 'red', 'green', 'waiting_for_you') "
    "OR (state IN ('closed', 'superseded', 'failed') AND branch != ''))"
)
# Of a proposal also what was cancelled or applied: the same may be wanted once more, and is another attempt then.
_JOBS_TO_LOOK_AT = (
    "WHERE state IN ('intended', 'queued', 'running', 'returned') OR ((state = 'failed' AND EXISTS (SELECT 1 FROM "
    "reports WHERE reports.id = report_id AND status IN ('candidate', 'in_progress')) OR EXISTS (SELECT 1 FROM "
    f"proposals {_PROPOSALS_TO_LOOK_AT} AND proposals.id = proposal_id)) AND NOT EXISTS "
    "(SELECT 1 FROM jobs AS later WHERE later.id = jobs.id AND later.attempt > jobs.attempt))"
)


Decide = Callable[[Scene, Command, datetime], Decision]
"""`engine.commands.decide`: raises `LoopdeskError` where it refuses."""


class NewerInbox(LoopdeskError):
    """The file is of a newer schema than this process knows: it must not write any more."""


class Store:
    """One connection to `inbox.db`, for the one thread of the engine."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection, self.path = connection, path

    @classmethod
    def open(cls, path: Path) -> Store:
        """Create or migrate. Raises `LoopdeskError`."""
        connection = databases.open_database(path, MIGRATIONS)
        # A decision that was told to a human as taken outlives a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        return cls(connection, path)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self, name: str) -> Iterator[None]:
        """All or nothing; one within another joins it. `name` is the crash points'. SQLite's errors are explained."""
        if self.connection.in_transaction:
            yield
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                if self.connection.execute("PRAGMA user_version").fetchone()[0] > len(MIGRATIONS):
                    raise NewerInbox(
                        f"{self.path.name} was brought up to date by a newer loopdesk", do="Start the engine again"
                    )
                yield
                crash_point(f"before_{name}")
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk may have rolled back already
                    self.connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise databases.explained(error, self.path) from error
        crash_point(f"after_{name}")

    def data_version(self) -> int:
        """Another number once any other connection has written."""
        return self.connection.execute("PRAGMA data_version").fetchone()[0]

    # What is asked

    def state(self, now: datetime, owner: str) -> State:
        """What `reconcile` decides from: every report that can move by itself, every job that is not over."""
        waiting = reading.commands(
            self.connection, "WHERE claimed_at IS NULL AND undone_at IS NULL ORDER BY apply_after, seq"
        )
        found = reading.select(self.connection, Report, "reports", _CAN_MOVE, (TOO_LITTLE,))
        proposals = reading.select(self.connection, Proposal, "proposals", f"{_PROPOSALS_TO_LOOK_AT} ORDER BY id")
        return State(
            now=now,
            owner=owner,
            reports={report.id: report for report in found},
            proposals={proposal.id: proposal for proposal in proposals},
            jobs=reading.select(self.connection, Job, "jobs", _JOBS_TO_LOOK_AT),
            due=tuple(command.id for command in waiting if command.apply_after <= now),
            next_command=min((one.apply_after for one in waiting if one.apply_after > now), default=None),
        )

    def jobs(self, state: str) -> list[Job]:
        return reading.select(self.connection, Job, "jobs", "WHERE state = ? ORDER BY not_before, id", (state,))

    def revisions(self, report_id: str) -> dict[str, int]:
        """The report's signals of now that a pass may read, and how often each was revised."""
        return dict(
            self.connection.execute(
                "SELECT id, revisions FROM report_signals JOIN signals ON id = signal_id "
                f"WHERE report_id = ? AND left_at IS NULL AND weight > 0 AND {reading.MAY_BE_READ}",
                (report_id,),
            ).fetchall()
        )

    def has_waiting(self) -> bool:
        """Whether the door holds anything that an engine should take."""
        return bool(
            self.connection.execute(
                "SELECT EXISTS (SELECT 1 FROM commands WHERE claimed_at IS NULL AND undone_at IS NULL) "
                "OR EXISTS (SELECT 1 FROM signals_in WHERE refused = '')"
            ).fetchone()[0]
        )

    def scene(self, command: Command) -> Scene:
        """What a command may look at."""
        connection, arguments = self.connection, command.arguments
        other_id = arguments.get("into") or arguments.get("report") or ""
        report = reading.report(connection, command.report_id)
        joined = connection.execute(
            "SELECT signal_id FROM report_signals WHERE report_id = ? AND came_from = ? AND left_at IS NULL",
            (command.report_id, str(other_id)),
        )
        blocked = connection.execute(
            "SELECT max(json_extract(content, '$.run')) FROM artefacts WHERE report_id = ? AND kind = 'safety_blocked'",
            (command.report_id,),
        ).fetchone()
        safety = connection.execute(
            "SELECT safety FROM signals WHERE id = ?", (str(arguments.get("signal", "")),)
        ).fetchone()
        return Scene(
            report=report,
            other=reading.report(connection, str(other_id)),
            proposal=reading.latest_proposal(connection, command.report_id),
            jobs=reading.jobs_of(connection, command.report_id, live=True),
            signals=reading.titles_of(connection, command.report_id),
            joined=[id for (id,) in joined],
            safety=safety[0] if safety else "",
            blocked_run=blocked[0] or 0,
            undoes=reading.command(connection, str(arguments.get("undoes", ""))),
            ran_us=reading.ran_us(connection),
        )

    def unplaced(self, most: int = 100) -> list[tuple[str, Signal, str]]:
        """Signals that may be read and are in no report yet, in (occurred at, id) order: id, signal, and the resolved
        report that it was in before."""
        found = self.connection.execute(
            f"SELECT id, recurs_from, {SIGNAL_COLUMNS} FROM signals WHERE is_placed = 0 "
            f"AND {reading.MAY_BE_READ} ORDER BY occurred_at, id LIMIT ?",
            (most,),
        )
        return [(id, signal_of(rest), recurs_from) for id, recurs_from, *rest in found]

    # What is written

    def ingest(self, now: datetime, most: int = 500) -> Ingested:
        """Take signals in from the door, in one transaction. None waiting: nothing is written."""
        if not self.connection.execute("SELECT 1 FROM signals_in WHERE refused = '' LIMIT 1").fetchone():
            return Ingested()
        with self.transaction("ingest"):
            taken = intake.take(self.connection, now, most)
            for report_id in taken.reports:
                weighing.weigh(self.connection, report_id)
        return taken

    def apply(self, command_id: str, decide: Decide, now: datetime) -> Command | None:
        """Claim a command and write all that it does, or its refusal, in one transaction. None where it was undone."""
        with self.transaction("apply_command"):
            # The mirror image of the door's undo: exactly one of the two finds the row as it wants it.
            claimed = self.connection.execute(
                "UPDATE commands SET claimed_at = ? WHERE id = ? AND claimed_at IS NULL AND undone_at IS NULL",
                (stored(now), command_id),
            )
            command = reading.command(self.connection, command_id)
            if claimed.rowcount != 1 or command is None:
                return None
            outcome, said = self._carry_out(decide, command, now)
            self.connection.execute(
                f"UPDATE commands SET {outcome} = ?, said = ? WHERE id = ?", (stored(now), said, command_id)
            )
        return reading.command(self.connection, command_id)

    def _carry_out(self, decide: Decide, command: Command, now: datetime) -> tuple[str, str]:
        """The column of what came of it, and a sentence. A command that cannot be applied never stops the others."""
        self.connection.execute("SAVEPOINT decision")
        try:
            decision = decide(self.scene(command), command, now)
            self.write(decision.effects, now)
            if command.report_id:
                weighing.learn(self.connection, command.report_id, now)
            outcome, said = "applied_at", decision.said
        except LoopdeskError as error:
            outcome, said = "refused_at", str(error)
        except (sqlite3.IntegrityError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            said = f"It could not be applied ({type(error).__name__}). This is a fault of loopdesk: please report it."
            outcome = "refused_at"
        if outcome == "refused_at":
            self.connection.execute("ROLLBACK TO decision")
        self.connection.execute("RELEASE decision")
        return outcome, said

    def add_run_time(self, microseconds: int) -> None:
        with self.transaction("ran"):
            self.connection.execute(
                "INSERT INTO meta VALUES ('ran_us', ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (microseconds,),
            )

    def heartbeat(self, owner: str, now: datetime) -> None:
        """Say that this owner's running jobs are still with it."""
        with self.transaction("heartbeat"):
            self.connection.execute(
                "UPDATE jobs SET heartbeat = ? WHERE owner = ? AND state = 'running'", (stored(now), owner)
            )

    def snapshot(self, job_id: str) -> Mapping[str, object] | None:
        """What an attempt at a job left last, whichever it was."""
        found = self.connection.execute("SELECT content FROM snapshots WHERE job_id = ?", (job_id,)).fetchone()
        return json.loads(found[0]) if found else None

    def save_snapshot(self, job_id: str, content: Mapping[str, object], now: datetime) -> None:
        with self.transaction("snapshot"):
            self.connection.execute(
                "INSERT INTO snapshots VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET content = excluded.content, at = excluded.at",
                (job_id, spelled(dict(content)), stored(now)),
            )

    def unjudged(self, now: datetime, most: int = 100) -> list[tuple[str, Signal]]:
        """Signals that the safety filter has to read, in (occurred at, id) order; a held one once its time has come."""
        found = self.connection.execute(
            f"SELECT id, {SIGNAL_COLUMNS} FROM signals WHERE safety IN ('waiting', 'held') "
            "AND (safety = 'waiting' OR judge_again_at <= ?) ORDER BY occurred_at, id LIMIT ?",
            (stored(now), most),
        )
        return [(id, signal_of(rest)) for id, *rest in found]

    def next_judgement(self) -> datetime | None:
        """When the first held signal is to be judged again."""
        found = self.connection.execute(
            # Both, as the index has it.
            "SELECT min(judge_again_at) FROM signals WHERE safety IN ('waiting', 'held') AND safety = 'held'"
        ).fetchone()[0]
        return None if found is None else read(found)

    def judged(
        self,
        signal_id: str,
        safety: str,
        *,
        threat: str = "",
        quote: str = "",
        why: str = "",
        by: str = "",
        again_at: datetime | None = None,
    ) -> None:
        """What the safety filter found: `passed`, `blocked` or `held`. A signal that was released by hand stays so."""
        with self.transaction("place"):
            self.connection.execute(
                "UPDATE signals SET safety = ?, threat = ?, quote = ?, safety_why = ?, judged_by = ?, "
                "judge_again_at = ? WHERE id = ? AND safety IN ('waiting', 'held')",
                (
                    safety,
                    threat,
                    storable(quote),
                    storable(why),
                    by,
                    stored(again_at) if again_at else None,
                    signal_id,
                ),
            )
            weighing.weigh_of(self.connection, signal_id)

    def hold_unjudged(self, why: str, now: datetime, *, again_at: datetime) -> int:
        """Hold all that the safety filter would have to read now; how many."""
        with self.transaction("place"):
            return self.connection.execute(
                "UPDATE signals SET safety = 'held', threat = '', quote = '', safety_why = ?, judged_by = '', "
                "judge_again_at = ? WHERE safety = 'waiting' OR (safety = 'held' AND judge_again_at <= ?)",
                (storable(why), stored(again_at), stored(now)),
            ).rowcount

    def embedded(self, signal_id: str, vector: bytes, embedder: str) -> None:
        """Within a transaction of the caller's."""
        assert self.connection.in_transaction
        self.connection.execute(
            "UPDATE signals SET embedding = ?, embedded_by = ? WHERE id = ?", (vector, embedder, signal_id)
        )

    def write(self, effects: Iterable[Effect], now: datetime) -> None:
        """Within a transaction of the caller's. Raises `IllegalTransition` where the store is not in the state that was
        decided from."""
        assert self.connection.in_transaction
        logged: dict[str, str] = {}
        touched: dict[str, None] = {}
        for effect in effects:
            match effect:
                case Log(line):
                    self._log(line)
                    logged[line.subject] = line.after
                case SaveReport(report):
                    self._refuse_unlogged("report", report.id, report.status, "potential", logged)
                    self.connection.execute(_SAVE_REPORT, row(report))
                    touched[report.id] = None
                case SaveProposal(proposal):
                    self._refuse_unlogged("proposal", proposal.id, proposal.state, "queued", logged)
                    self.connection.execute(_SAVE_PROPOSAL, row(proposal))
                case SaveJob(job):
                    self._save_job(job, logged)
                case PlaceSignal(signal_id, report_id, reason, came_from):
                    touched |= dict.fromkeys(self._place(signal_id, report_id, reason, came_from, now))
                case AddDecision(signal, report_id):
                    self._add_decision(signal, report_id, now)
                case RaiseSignal(signal, recurs_from):
                    intake.add(self.connection, signal, recurs_from, now)
                case ReadSignals(report_id, run, revisions):
                    self._read(report_id, run, revisions)
                    touched[report_id] = None
                case AddArtefact(artefact):
                    self.connection.execute(insert(Artefact, "artefacts"), row(artefact))
                case ReleaseSignal(signal_id, command_id):
                    self.connection.execute(
                        "UPDATE signals SET safety = 'released', released_by = ? WHERE id = ?", (command_id, signal_id)
                    )
                    weighing.weigh_of(self.connection, signal_id)
                case Remember(note):
                    self.connection.execute(_SAVE_NOTE, row(note))
                case WeighSource(source, weight):
                    weighing.by_hand(self.connection, source, weight, now)
                case SwitchSource(source, is_on):
                    switch_source(self.connection, source, is_on, now)
                case SetMeta(key, value):
                    self.connection.execute(
                        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                        (key, spelled(value)),
                    )
                case Withdraw(key):
                    self.connection.execute(
                        "UPDATE memory SET withdrawn_at = ? WHERE key = ? AND withdrawn_at IS NULL", (stored(now), key)
                    )
        for report_id in touched:
            weighing.weigh(self.connection, report_id)

    def _log(self, line: Transition) -> None:
        found = self._stored_state(line.noun, line.subject)
        if found != line.before:
            raise IllegalTransition(line.noun, line.subject, found or "not there", line.after)
        states.check(line.noun, line.subject, line.before, line.after)
        self.connection.execute(insert(Transition, "transitions"), row(line))

    def _stored_state(self, noun: Noun, subject: str) -> str | None:
        values: tuple[str, ...] = (subject,)
        if noun == "job":
            id, _, attempt = subject.partition("/")
            query, values = "SELECT state FROM jobs WHERE id = ? AND attempt = CAST(? AS INTEGER)", (id, attempt)
        elif noun == "proposal":
            query = "SELECT state FROM proposals WHERE id = ?"
        else:
            query = "SELECT status FROM reports WHERE id = ?"
        found = self.connection.execute(query, values).fetchone()
        return found[0] if found else None

    def _refuse_unlogged(self, noun: Noun, subject: str, state: str, first: str, logged: dict[str, str]) -> None:
        before = self._stored_state(noun, subject)
        if state != (logged.get(subject) or before or first):
            raise IllegalTransition(noun, subject, before or first, state)

    def _save_job(self, job: Job, logged: dict[str, str]) -> None:
        attempts = self.connection.execute("SELECT coalesce(max(attempt), 0) FROM jobs WHERE id = ?", (job.id,))
        if not 1 <= job.attempt <= attempts.fetchone()[0] + 1:
            raise LoopdeskError(f"Attempt {job.attempt} of {job.key} does not follow the one before")
        self._refuse_unlogged("job", f"{job.id}/{job.attempt}", job.state, "intended", logged)
        self.connection.execute(_SAVE_JOB, (*row(job), job.id))

    def _place(self, signal_id: str, report_id: str, reason: str, came_from: str, now: datetime) -> Sequence[str]:
        before = self.connection.execute(
            "UPDATE report_signals SET left_at = ? WHERE signal_id = ? AND left_at IS NULL RETURNING report_id",
            (stored(now), signal_id),
        ).fetchall()
        self.connection.execute(_PLACE, (report_id, signal_id, reason, stored(now), came_from))
        self.connection.execute("UPDATE signals SET is_placed = 1, recurs_from = '' WHERE id = ?", (signal_id,))
        return [*(id for (id,) in before), report_id]

    def _add_decision(self, signal: Signal, report_id: str, now: datetime) -> None:
        self.connection.execute(_ADD_SIGNAL, (signal.id, *signal_row(signal), stored(now), "passed", 1))
        if report_id:
            reason = "decided by hand" if signal.source_type == "command" else "what came of its fix"
            self.connection.execute(_PLACE, (report_id, signal.id, reason, stored(now), ""))

    def _read(self, report_id: str, run: int, revisions: Mapping[str, int]) -> None:
        self.connection.executemany(
            "UPDATE report_signals SET read_in_run = ? WHERE report_id = ? AND signal_id = ? "
            "AND EXISTS (SELECT 1 FROM signals WHERE id = signal_id AND revisions = ?)",
            [(run, report_id, id, revision) for id, revision in revisions.items()],
        )
