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
from typing import TYPE_CHECKING

from engine import budget, judges, listed, overview, process, reading, verbs
from engine.about import About, read_about
from engine.budget import Spending
from engine.crash_points import crash_point
from engine.instants import stored
from engine.judges import Mode
from engine.listed import InboxReport, ReportDetail, StoredSignal
from engine.model import Command, Job, Note, Proposal, Signal
from engine.overview import Digest, HitRate, SourceRow
from engine.process import Running
from engine.rows import check_signal, insert, row, signal_text
from engine.schema import MIGRATIONS
from workspace import databases
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.text import plain

if TYPE_CHECKING:
    from engine.diff import Diff

_INSERTED = ("commands", "signals_in")
_READS = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_TRANSACTION,
)


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
            return listed.reports(connection) if connection else ()

    def report(self, id: str) -> ReportDetail | None:
        """By its id, or by as much of its beginning as is enough."""
        with self._reading() as connection:
            return listed.detail(connection, id) if connection else None

    def proposal(self, id: str) -> Proposal | None:
        with self._reading() as connection:
            return reading.proposal(connection, id) if connection else None

    def change(self, proposal: Proposal) -> Diff | None:
        """What a proposal would change, as the guard read it; None before anything was built. Raises `LoopdeskError`
        where it is not kept any more."""
        from engine import changes
        from engine.blobs import FolderBlobs

        key = proposal.change.get("diff")
        return changes.read(FolderBlobs(self.workspace.blobs).get(str(key))) if key else None

    def signals(self, most: int = 1000) -> tuple[StoredSignal, ...]:
        """What the engine knows, the newest first."""
        with self._reading() as connection:
            if connection is None:
                return ()
            newest = "WHERE signals.id IN (SELECT id FROM signals ORDER BY occurred_at DESC, id DESC LIMIT ?)"
            return tuple(listed.signals(connection, newest, (most,)))[::-1]

    def blocked(self) -> tuple[StoredSignal, ...]:
        """Signals that the safety filter holds back, the newest first."""
        with self._reading() as connection:
            if connection is None:
                return ()
            return tuple(listed.signals(connection, "WHERE safety IN ('blocked', 'held')", ()))[::-1]

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

    def hit_rate(self) -> HitRate:
        """How many merged fixes did what they were made for, and what one cost."""
        with self._reading() as connection:
            return overview.hit_rate(connection) if connection else HitRate()

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

    def offer(self, config: Config) -> str:
        """What could be left to the engine by now, in a sentence; mostly empty."""
        with self._reading() as connection:
            return overview.offer(connection, config.repositories) if connection else ""

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
