"""Records out of `inbox.db`: what the store and the door both ask. Stdlib `sqlite3`, nothing written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from engine.model import Command, Job, Note, Proposal, Report, Transition
from engine.rows import SIGNAL_COLUMNS, T, columns, record, signal_of

_BLOB = re.compile(r"\b[0-9a-f]{64}\b")
# A signal that was revised waits for the safety filter again, wherever it is placed already.
MAY_BE_READ = "safety IN ('passed', 'released')"
OWN_WORD = "(source_product = 'loopdesk' AND weight = 0 AND source_type IN ('command', 'outcome'))"
"""What was decided about a report, and what came of its fix, is kept with its signals, and is none of what it saw."""
_IN_A_REPORT = (
    f"report_signals JOIN signals ON signals.id = signal_id WHERE report_id = ? AND left_at IS NULL AND NOT {OWN_WORD}"
)


def select(connection: sqlite3.Connection, kind: type[T], table: str, rest: str, values: Sequence[Any] = ()) -> list[T]:
    """Records of `kind` from `table`; `rest` is our own SQL behind the table's name."""
    found = connection.execute(f"SELECT {columns(kind)} FROM {table} {rest}", values)
    return [record(kind, row) for row in found]


def report(connection: sqlite3.Connection, id: str) -> Report | None:
    return next(iter(select(connection, Report, "reports", "WHERE id = ?", (id,))), None)


def proposal(connection: sqlite3.Connection, id: str) -> Proposal | None:
    return next(iter(select(connection, Proposal, "proposals", "WHERE id = ?", (id,))), None)


def subject(connection: sqlite3.Connection, job: Job) -> Report | Proposal | None:
    """What a job works on."""
    return proposal(connection, job.proposal_id) if job.proposal_id else report(connection, job.report_id)


def blobs_in_use(connection: sqlite3.Connection) -> frozenset[str]:
    """Of open proposals, and of what running jobs have saved."""
    texts = connection.execute(
        "SELECT change || ' ' || session FROM proposals WHERE state NOT IN ('merged', 'closed', 'superseded') "
        "UNION ALL SELECT content FROM snapshots WHERE job_id IN "
        "(SELECT id FROM jobs WHERE state IN ('intended', 'queued', 'running', 'returned'))"
    )
    return frozenset(key for (text,) in texts for key in _BLOB.findall(text))


def latest_proposal(connection: sqlite3.Connection, report_id: str) -> Proposal | None:
    # In the order in which they were written: a clock that was set back makes no closed one the latest.
    rest = "WHERE report_id = ? ORDER BY rowid DESC LIMIT 1"
    return next(iter(select(connection, Proposal, "proposals", rest, (report_id,))), None)


def latest_proposals(connection: sqlite3.Connection) -> dict[str, Proposal]:
    """By report."""
    return {one.report_id: one for one in select(connection, Proposal, "proposals", "ORDER BY rowid")}


def jobs_of(connection: sqlite3.Connection, report_id: str, *, live: bool = False) -> list[Job]:
    states = "AND state IN ('intended', 'queued', 'running', 'returned')" if live else ""
    return select(connection, Job, "jobs", f"WHERE report_id = ? {states} ORDER BY created_at, attempt", (report_id,))


def job(connection: sqlite3.Connection, id: str, attempt: int) -> Job | None:
    return next(iter(select(connection, Job, "jobs", "WHERE id = ? AND attempt = ?", (id, attempt))), None)


def command(connection: sqlite3.Connection, id: str) -> Command | None:
    return next(iter(select(connection, Command, "commands", "WHERE id = ?", (id,))), None)


def commands(connection: sqlite3.Connection, rest: str, values: Sequence[Any] = ()) -> list[Command]:
    return select(connection, Command, "commands", rest, values)


def log_of(connection: sqlite3.Connection, report_id: str) -> list[Transition]:
    """What became of the report, its jobs and its proposals, in order."""
    rest = (
        "WHERE subject = ?1 OR subject IN (SELECT id || '/' || attempt FROM jobs WHERE report_id = ?1) "
        "OR subject IN (SELECT id FROM proposals WHERE report_id = ?1) ORDER BY seq"
    )
    return select(connection, Transition, "transitions", rest, (report_id,))


def notes(connection: sqlite3.Connection) -> list[Note]:
    return select(connection, Note, "memory", "ORDER BY written_at DESC, key")


def titles_of(connection: sqlite3.Connection, report_id: str) -> dict[str, str]:
    """All of the report's signals of now, by id, oldest first: what a human joins and splits."""
    found = connection.execute(
        f"SELECT signals.id, {SIGNAL_COLUMNS} FROM {_IN_A_REPORT} ORDER BY occurred_at, signals.id", (report_id,)
    )
    return {row[0]: signal_of(row[1:]).title for row in found}


def ran_us(connection: sqlite3.Connection) -> int:
    """How long engines have run in this workspace, in microseconds."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'ran_us'").fetchone()
    return row[0] if row else 0
