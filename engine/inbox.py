"""The door of desk and command line: what the engine knows, as it stands, and a human's commands on their way to it.

Nothing heavy is loaded. Of `inbox.db` this writes new rows of `commands` and `signals_in` and the undoing of a command
that nobody has claimed; SQLite itself refuses anything else on this connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine import budget, judges, overview, process, reading, verbs
from engine.about import About, read_about
from engine.budget import Spending
from engine.crash_points import crash_point
from engine.groups import group
from engine.instants import read, stored
from engine.judges import Mode
from engine.model import Artefact, Command, Job, Note, Proposal, Report, Signal, Transition
from engine.overview import Digest, SourceRow
from engine.process import Running
from engine.promotion import promotion
from engine.rows import check_signal, insert, row, signal_text
from engine.schema import MIGRATIONS
from engine.states import SHOWN
from workspace import databases
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.text import plain

_INSERTED = ("commands", "signals_in")
_READS = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_TRANSACTION,
)


@dataclass(frozen=True, slots=True)
class InboxReport:
    """A report as a list shows it. `proposal` is its latest; `waiting` are commands on it that can still be undone."""

    report: Report
    proposal: Proposal | None
    group: str
    waiting: tuple[Command, ...] = ()
    projects: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    """Whose signals it has."""
    newest: datetime | None = None
    """When the last of its signals happened."""

    @property
    def title(self) -> str:
        return plain(self.report.title, 200) or "(no title yet)"

    @property
    def status(self) -> str:
        return SHOWN[self.report.status]

    @property
    def why(self) -> str:
        """A sentence: what holds it, what it asks, or what it lacks; empty where it lacks nothing."""
        report = self.report
        said = report.hold or report.note or (report.question if report.status in ("pending_input", "failed") else "")
        return plain(said or (promotion(report).why if report.status == "potential" else ""), 400)


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """A signal and why it is where it is. `quote` is the fragment that the safety filter stopped at."""

    id: str
    signal: Signal
    reason: str = ""
    safety: str = ""
    threat: str = ""
    quote: str = ""
    why: str = ""
    """What the safety filter said, or why it could not say anything."""


@dataclass(frozen=True, slots=True)
class ReportDetail:
    """Everything about one report. `signals` are oldest first; `log` has its own transitions and its jobs'."""

    listed: InboxReport
    signals: tuple[StoredSignal, ...]
    artefacts: tuple[Artefact, ...]
    jobs: tuple[Job, ...]
    log: tuple[Transition, ...]
    commands: tuple[Command, ...]
    cost_usd: float = 0.0
    """What models were paid for it, with what is reserved for requests on their way."""


@dataclass(frozen=True, slots=True)
class Undone:
    """Exactly one: `is_undone`, it never happens; or `inverse`, the command that takes it back."""

    is_undone: bool
    inverse: Command | None = None


class Inbox:
    """One connection, for one thread. A workspace without `inbox.db` is an empty inbox until something is submitted."""

    def __init__(self, workspace: Workspace, *, read_only: bool = False) -> None:
        self.workspace, self.read_only = workspace, read_only
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # What is known

    def reports(self) -> tuple[InboxReport, ...]:
        """All but those that joined another, in no order of meaning."""
        with self._reading() as connection:
            if connection is None:
                return ()
            found = reading.select(connection, Report, "reports", "WHERE status != 'deleted' ORDER BY id")
            proposals = reading.latest_proposals(connection)
            waiting = self._waiting(connection)
            about = _about_signals(connection)
        return tuple(_listed(report, proposals.get(report.id), waiting, about) for report in found)

    def report(self, id: str) -> ReportDetail | None:
        """By its id, or by as much of its beginning as is enough."""
        with self._reading() as connection:
            if connection is None:
                return None
            found = reading.select(
                connection, Report, "reports", "WHERE id >= ? AND id < ? LIMIT 2", (id.upper(), id.upper() + "\x7f")
            )
            if len(found) != 1:
                return None
            (report,) = found
            jobs = reading.jobs_of(connection, report.id)
            artefacts = reading.select(
                connection, Artefact, "artefacts", "WHERE report_id = ? ORDER BY seq", (report.id,)
            )
            return ReportDetail(
                listed=_listed(
                    report,
                    reading.latest_proposal(connection, report.id),
                    self._waiting(connection),
                    _about_signals(connection, report.id),
                ),
                signals=tuple(_signals(connection, "WHERE report_id = ? AND left_at IS NULL", (report.id,))),
                artefacts=tuple(artefacts),
                jobs=tuple(jobs),
                log=tuple(reading.log_of(connection, report.id)),
                commands=tuple(reading.commands(connection, "WHERE report_id = ? ORDER BY seq", (report.id,))),
                cost_usd=connection.execute(
                    "SELECT coalesce(sum(cost_usd), 0.0) FROM spend WHERE report_id = ?", (report.id,)
                ).fetchone()[0],
            )

    def signals(self, most: int = 1000) -> tuple[StoredSignal, ...]:
        """What the engine knows, the newest first."""
        with self._reading() as connection:
            return tuple(_signals(connection, "", ()))[::-1][:most] if connection else ()

    def blocked(self) -> tuple[StoredSignal, ...]:
        """Signals that the safety filter holds back, the newest first."""
        with self._reading() as connection:
            if connection is None:
                return ()
            return tuple(_signals(connection, "WHERE safety IN ('blocked', 'held')", ()))[::-1]

    def commands(self, most: int = 100) -> tuple[Command, ...]:
        """The newest first, with what came of each."""
        with self._reading() as connection:
            return tuple(reading.commands(connection, "ORDER BY seq DESC LIMIT ?", (most,))) if connection else ()

    def jobs(self) -> tuple[Job, ...]:
        """Those that are not over, and the newest of the others."""
        with self._reading() as connection:
            rest = "ORDER BY state IN ('applied', 'failed', 'cancelled'), changed_at DESC LIMIT 200"
            return tuple(reading.select(connection, Job, "jobs", rest)) if connection else ()

    def notes(self) -> tuple[Note, ...]:
        """What was learned, the newest first."""
        with self._reading() as connection:
            return tuple(reading.notes(connection)) if connection else ()

    def counts(self) -> Mapping[str, int]:
        """Reports by status, and what waits: `signals_in`, `commands`, `jobs`."""
        with self._reading() as connection:
            if connection is None:
                return {"signals_in": 0, "commands": 0, "jobs": 0}
            found = dict(connection.execute("SELECT status, count(*) FROM reports GROUP BY status").fetchall())
            for name, query in _WAITING.items():
                found[name] = connection.execute(query).fetchone()[0]
            return found

    def digest(self, since: datetime) -> Digest:
        """What happened since then."""
        with self._reading() as connection:
            return overview.digest(connection, since) if connection else Digest()

    def sources(self) -> tuple[SourceRow, ...]:
        """Every source with what it said and what became of it; none before an engine ran."""
        with self._reading() as connection:
            return overview.sources(connection) if connection else ()

    def about(self) -> About | None:
        """What the engine that ran last said of itself."""
        with self._reading() as connection:
            return read_about(connection) if connection else None

    def mode(self, config: Config, now: datetime) -> Mode:
        """Who would judge with this configuration, and what a model would change. Raises `LoopdeskError`."""
        with self._reading() as connection:
            return judges.mode(config, connection, now)

    def spending(self, config: Config, now: datetime) -> Spending:
        """What models have cost, against the budgets. Raises `LoopdeskError` for budgets that make no sense."""
        with self._reading() as connection:
            return budget.spending(connection, config, now)

    def running(self) -> Running | None:
        """The engine that runs now."""
        return process.find(self.workspace)

    def titles(self, ids: Collection[str]) -> Mapping[str, str]:
        """Of those reports that there are, by id."""
        with self._reading() as connection:
            if connection is None or not ids:
                return {}
            asked = f"SELECT id, title FROM reports WHERE id IN ({', '.join('?' * len(ids))})"
            return {id: plain(title, 200) for id, title in connection.execute(asked, tuple(ids))}

    def data_version(self) -> int:
        """Another number once anybody else has written; 0 where there is nothing yet."""
        with self._reading() as connection:
            return connection.execute("PRAGMA data_version").fetchone()[0] if connection else 0

    # What is told to the engine

    def command(
        self,
        verb: str,
        report_id: str,
        arguments: Mapping[str, object],
        *,
        now: datetime,
        seen_version: int | None = None,
        seen_sha: str = "",
        actor: str = "desk",
        grace: timedelta = verbs.GRACE,
    ) -> Command:
        """A command that was not submitted yet. Raises `verbs.BadCommand`."""
        from ulid import ULID

        verbs.check(verb, report_id, arguments)
        id = str(ULID.from_datetime(now))
        return Command(id, verb, report_id, now, now + grace, dict(arguments), seen_version, seen_sha, actor)

    def submit(self, command: Command) -> Command:
        """Once this returns the command will be applied exactly once, or refused with a reason, or was undone; whatever
        becomes of this process. Raises `LoopdeskError`."""
        verbs.check(command.verb, command.report_id, command.arguments)
        with self._writing("submit") as connection:
            return self._insert(connection, command)

    def undo(self, command_id: str, now: datetime) -> Undone:
        """Undo it where the engine has not claimed it yet, else submit its inverse. Raises `LoopdeskError` where
        neither is possible."""
        with self._writing("undo") as connection:
            undone = connection.execute(
                "UPDATE commands SET undone_at = ? WHERE id = ? AND claimed_at IS NULL AND undone_at IS NULL",
                (stored(now), command_id),
            )
            if undone.rowcount == 1:
                return Undone(True)
            command = reading.command(connection, command_id)
            if command is None:
                raise LoopdeskError("There is no such command in this workspace")
            if command.undone_at is not None:
                raise LoopdeskError("That command was undone already")
            if command.applied_at is None:
                raise LoopdeskError("That command was refused, so there is nothing to undo")
            inverse = verbs.inverse(command)
            if inverse is None:
                raise LoopdeskError(f"What {command.verb} did cannot be taken back")
            verb, report_id, arguments = inverse
            made = self.command(verb, report_id, arguments, now=now, actor=command.actor, grace=timedelta())
            return Undone(False, self._insert(connection, made))

    def add_signal(self, signal: Signal, now: datetime) -> str:
        """Hand a signal to the engine; returns its id. Raises `LoopdeskError` for what is no signal."""
        return self.add_signals([signal], now)[0]

    def add_signals(self, signals: list[Signal], now: datetime) -> list[str]:
        """All of them, or none."""
        try:
            for signal in signals:
                check_signal(signal)
            texts = [signal_text(signal) for signal in signals]
        except (ValueError, TypeError) as error:
            raise LoopdeskError(f"The signal was not taken: {plain(error, 200)}") from error
        with self._writing("add_signal") as connection:
            connection.executemany(
                "INSERT INTO signals_in(signal, added_at) VALUES (?, ?)", [(text, stored(now)) for text in texts]
            )
        return [signal.id for signal in signals]

    def start_engine(self) -> bool:
        """Have what was submitted applied: start a detached engine where none runs. Whether one was started."""
        return process.start_detached(self.workspace)

    def connected(self) -> AbstractContextManager[None]:
        """While this is held, an engine that a desk started stays."""
        return process.connected(self.workspace)

    def _insert(self, connection: sqlite3.Connection, command: Command) -> Command:
        ran_us = reading.ran_us(connection)
        fresh = {"undone_at": None, "claimed_at": None, "applied_at": None, "refused_at": None, "said": ""}
        made = replace(command, ran_us=ran_us, **fresh)  # type: ignore[arg-type]
        connection.execute(insert(Command, "commands"), row(made))
        return made

    def _waiting(self, connection: sqlite3.Connection) -> dict[str, list[Command]]:
        found: dict[str, list[Command]] = {}
        for command in reading.commands(connection, "WHERE claimed_at IS NULL AND undone_at IS NULL ORDER BY seq"):
            found.setdefault(command.report_id, []).append(command)
        return found

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        path = self.workspace.inbox_db
        try:
            if self._connection is None and path.exists():
                self._connection = self._open()
            yield self._connection
        except sqlite3.Error as error:
            raise databases.explained(error, path) from error

    @contextmanager
    def _writing(self, name: str) -> Iterator[sqlite3.Connection]:
        if self.read_only:
            raise LoopdeskError("The inbox was opened read-only, so nothing can be decided here")
        self.workspace.create()
        try:
            connection = self._connection = self._connection or self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                crash_point(f"before_{name}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise databases.explained(error, self.workspace.inbox_db) from error
        crash_point(f"after_{name}")

    def _open(self) -> sqlite3.Connection:
        connection = databases.open_database(self.workspace.inbox_db, MIGRATIONS, read_only=self.read_only)
        if not self.read_only:
            # A decision that was told as taken outlives a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.set_authorizer(_door)
        return connection


_WAITING = {
    "signals_in": "SELECT count(*) FROM signals_in WHERE refused = ''",
    "commands": "SELECT count(*) FROM commands WHERE claimed_at IS NULL AND undone_at IS NULL",
    "jobs": "SELECT count(*) FROM jobs WHERE state IN ('intended', 'queued', 'running', 'returned')",
}


def _door(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    may = (
        action in _READS
        or (action == sqlite3.SQLITE_INSERT and first in _INSERTED)
        or (action == sqlite3.SQLITE_UPDATE and (first, second) == ("commands", "undone_at"))
        or (action == sqlite3.SQLITE_PRAGMA and first == "data_version")
    )
    return sqlite3.SQLITE_OK if may else sqlite3.SQLITE_DENY


_AboutSignals = tuple[set[str], set[str], datetime]
"""Projects, clients, and when the newest signal happened."""


def _about_signals(connection: sqlite3.Connection, report_id: str = "") -> dict[str, _AboutSignals]:
    """By report: of all, or of one."""
    found: dict[str, _AboutSignals] = {}
    rows = connection.execute(
        "SELECT report_id, json_extract(extra, '$.project'), json_extract(extra, '$.client'), max(occurred_at) "
        "FROM report_signals JOIN signals ON signals.id = signal_id "
        # What was decided about a report is kept among its signals, and is none of what it saw.
        "WHERE left_at IS NULL AND NOT (source_product = 'loopdesk' AND source_type = 'command') "
        f"{'AND report_id = ?' if report_id else ''} GROUP BY 1, 2, 3",
        (report_id,) if report_id else (),
    )
    for id, project, client, newest in rows:
        at = read(newest)
        projects, clients, before = found.get(id, (set(), set(), at))
        projects.update([project] if isinstance(project, str) else ())
        clients.update([client] if isinstance(client, str) else ())
        found[id] = projects, clients, max(before, at)
    return found


def _listed(
    report: Report,
    proposal: Proposal | None,
    waiting: Mapping[str, list[Command]],
    about: Mapping[str, _AboutSignals],
) -> InboxReport:
    projects, clients, newest = about.get(report.id, ((), (), None))
    return InboxReport(
        report,
        proposal,
        group(report, proposal),
        tuple(waiting.get(report.id, ())),
        tuple(sorted(projects)),
        tuple(sorted(clients)),
        newest,
    )


def _signals(connection: sqlite3.Connection, where: str, values: tuple) -> Iterator[StoredSignal]:
    found = connection.execute(
        "SELECT signals.id, coalesce(reason, ''), safety, threat, quote, safety_why, source_product, source_type, "
        "source_id, content, weight, occurred_at, extra FROM signals "
        "LEFT JOIN report_signals ON signals.id = signal_id "
        f"AND left_at IS NULL {where} ORDER BY occurred_at, signals.id",
        values,
    )
    for id, reason, safety, threat, quote, why, *rest in found:
        yield StoredSignal(id, reading.signal_of(rest), reason, safety, threat, quote, why)
