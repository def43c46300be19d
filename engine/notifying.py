"""The stage that tells you what deserves it, each subject at most once.

What is to be told is written first; then a way claims it, sends, and writes what came of it. An engine that dies
between claim and outcome does not know whether it arrived, and never sends it again: a notice that is missed stands in
the inbox, one that comes twice wakes somebody up for nothing. Only where a way is sure that nothing arrived is it tried
again, a few times. Whatever a way has to tell at one time goes as one message.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine import notices, notify, reading
from engine.crash_points import crash_point
from engine.in_thread import in_thread
from engine.instants import read, stored
from engine.main import Worked, warn
from engine.model import ENGINE, Report
from engine.notices import Facts, Held, Message, Names, Notice
from engine.notify import MayHaveArrived, NotSent, Way
from engine.rows import SIGNAL_COLUMNS, signal_of
from engine.store import Store
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_TRIES = 5
BACK_OFF = timedelta(minutes=1)
LONGEST = timedelta(seconds=60)
"""After which a way is left alone with what it was given."""
PATIENCE_S = 0.25
_LOOK_AGAIN = timedelta(seconds=1)
_MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Flight:
    """What a way is sending. Its result is the error, None where it arrived."""

    rows: Sequence[int]
    task: asyncio.Task[LoopdeskError | None]


class Notifying:
    """A way that is slow is looked after in later turns; the engine waits for none of them."""

    def __init__(
        self,
        config: Config,
        ways: Sequence[Way] | None = None,
        *,
        tell: Callable[[str], None] = warn,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Raises `LoopdeskError` for a `[notify]` that makes no sense."""
        self._config, self._settings = config, notify.settings(config)
        self._ways = {way.key: way for way in (notify.ways(config) if ways is None else ways)}
        self._tell, self._patience_s = tell, patience_s
        self._flights: dict[str, _Flight] = {}
        self._told: set[str] = set()

    async def __call__(self, store: Store, now: datetime) -> Worked:
        if not self._ways:
            return Worked()
        done = self._settle(store, now)
        done += self._begin(store, now)
        if self._flights:
            await asyncio.wait([flight.task for flight in self._flights.values()], timeout=self._patience_s)
            done += self._settle(store, now)
        return Worked(done, self._next_due(store, now), bool(self._flights))

    def _begin(self, store: Store, now: datetime) -> int:
        """Write what is new, and have every way that is free send all it has to. Returns how many rows changed."""
        new = self._new(store.connection, now)
        due = [] if self._quiet_until(now) else self._due(store.connection, now)
        if not new and not due:
            return 0
        with store.transaction("notify"):
            store.connection.executemany(
                "INSERT INTO notifications(subject, way, kind, title, body, intended_at, not_before) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (one.subject, way, one.kind, one.title, one.body, stored(now), stored(now))
                    for one in new
                    for way in self._ways
                ],
            )
            # With those that have just been written.
            due = [] if self._quiet_until(now) else self._due(store.connection, now)
            store.connection.executemany(
                "UPDATE notifications SET claimed_at = ?, tries = tries + 1 WHERE seq = ?",
                [(stored(now), row) for row, _, _ in due],
            )
        for key in dict.fromkeys(way for _, way, _ in due):
            mine = [(row, one) for row, way, one in due if way == key]
            message = notices.message([one for _, one in mine])
            task = asyncio.create_task(_sent(self._ways[key], message), name=f"notify by {key}")
            self._flights[key] = _Flight([row for row, _ in mine], task)
        return len(new) + len(due)

    def _settle(self, store: Store, now: datetime) -> int:
        """Write what came of what was sent."""
        landed = {key: flight for key, flight in self._flights.items() if flight.task.done()}
        if not landed:
            return 0
        with store.transaction("notified"):
            for flight in landed.values():
                for row in flight.rows:
                    _outcome(store.connection, row, flight.task.result(), now)
        for key, flight in landed.items():
            del self._flights[key]
            if (error := flight.task.result()) is not None:
                self._tell_once(f"{self._ways[key].name} could not be told: {error}")
        return sum(len(flight.rows) for flight in landed.values())

    def _new(self, connection: sqlite3.Connection, now: datetime) -> list[Notice]:
        found = notices.news(_facts(connection, now), now, self._config.zone, self._config.night_starts_hour)
        known = "SELECT 1 FROM notifications WHERE subject = ? LIMIT 1"
        new = {
            subject: about for subject, about in found.items() if not connection.execute(known, (subject,)).fetchone()
        }
        if not new:
            return []
        names, details = _names(connection), self._settings.details
        return [notices.notice(subject, about, names, details=details) for subject, about in new.items()]

    def _due(self, connection: sqlite3.Connection, now: datetime) -> list[tuple[int, str, Notice]]:
        """Row, way and notice of what can be sent now, in the order in which it was written."""
        found = connection.execute(
            "SELECT seq, way, subject, kind, title, body FROM notifications "
            "WHERE claimed_at IS NULL AND not_before <= ? ORDER BY seq",
            (stored(now),),
        )
        free = [(row, way, Notice(*rest)) for row, way, *rest in found if way in self._ways.keys() - self._flights]
        return free[:_MOST_AT_ONCE]

    def _quiet_until(self, now: datetime) -> datetime | None:
        quiet = self._settings.quiet
        return quiet.until(now, self._config.zone) if quiet else None

    def _next_due(self, store: Store, now: datetime) -> datetime | None:
        if self._flights:
            return now + _LOOK_AGAIN
        marks = ", ".join("?" * len(self._ways))
        first = store.connection.execute(
            f"SELECT min(not_before) FROM notifications WHERE claimed_at IS NULL AND way IN ({marks})", [*self._ways]
        ).fetchone()[0]
        if first is None:
            return None
        return max(read(first), self._quiet_until(now) or now)

    def _tell_once(self, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            self._tell(said)


async def _sent(way: Way, message: Message) -> LoopdeskError | None:
    crash_point("before_send_notice")
    error: LoopdeskError | None = None
    try:
        await asyncio.wait_for(in_thread(lambda: way.send(message), f"notify by {way.key}"), LONGEST.total_seconds())
    except (NotSent, MayHaveArrived) as found:
        error = found
    except TimeoutError:
        error = MayHaveArrived(f"It did not end within {LONGEST.total_seconds():g} s")
    except Exception as found:
        # Nobody knows how far it came.
        error = MayHaveArrived(f"It failed ({type(found).__name__})")
    crash_point("after_send_notice")
    return error


def _outcome(connection: sqlite3.Connection, row: int, error: LoopdeskError | None, now: datetime) -> None:
    if error is None:
        connection.execute("UPDATE notifications SET sent_at = ?, error = '' WHERE seq = ?", (stored(now), row))
        return
    tries = connection.execute("SELECT tries FROM notifications WHERE seq = ?", (row,)).fetchone()[0]
    again = isinstance(error, NotSent) and tries < MOST_TRIES
    connection.execute(
        "UPDATE notifications SET error = ?, not_before = ?, claimed_at = CASE WHEN ? THEN NULL ELSE claimed_at END "
        "WHERE seq = ?",
        (plain(error, 500), stored(now + BACK_OFF * 2 ** (tries - 1)), again, row),
    )


def _facts(connection: sqlite3.Connection, now: datetime) -> Facts:
    since = stored(now - notices.NEWS)
    sources = list(notices.TOLD)
    marks = ", ".join("?" * len(sources))
    signals = connection.execute(
        f"SELECT {SIGNAL_COLUMNS} FROM signals WHERE occurred_at >= ? AND safety != 'blocked' "
        f"AND source_product || '/' || source_type IN ({marks}) ORDER BY occurred_at, id",
        (since, *sources),
    )
    # Since when, and by the engine's doing: what you put there yourself is no news.
    waits_since = "SELECT max(at) FROM transitions WHERE noun = 'report' AND subject = ? AND after = ? AND actor = ?"
    waiting = "WHERE status IN ('ready', 'pending_input') AND changed_at >= ? AND priority IN ('P0', 'P1') ORDER BY id"
    reports = []
    for report in reading.select(connection, Report, "reports", waiting, (since,)):
        at = connection.execute(waits_since, (report.id, report.status, ENGINE)).fetchone()[0]
        if at is not None:
            reports.append((report, read(at)))
    held = connection.execute(
        "SELECT held_at, report_id FROM budget_holds WHERE held_at >= ? ORDER BY held_at", (since,)
    )
    return Facts([signal_of(row) for row in signals], reports, [Held(read(at), id) for at, id in held])


def _names(connection: sqlite3.Connection) -> Names:
    clients, projects = (
        [
            str(name)
            for (name,) in connection.execute(
                "SELECT DISTINCT json_extract(extra, ?) FROM signals WHERE json_extract(extra, ?) != ''", (path, path)
            )
        ]
        for path in ("$.client", "$.project")
    )
    return Names(clients, projects)
