"""Taking turns at PostHog: all processes of one user stay within the limits of one personal key, the desk first.

`limits.db` in the user's state folder holds who is asking now, who waits, and when questions were asked in the last
hour. Accounts are named by a hash of host and key; the key is stored nowhere. Where the file cannot be written, one
warning is given and the process keeps count by itself.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from queries.backend import QueryCancelled
from queries.remote_errors import NoTurn, duration
from queries.turns import Limits, Priority, Usage, Wait, decide
from workspace import databases
from workspace.errors import LoopdeskError
from workspace.paths import state_folder

T = TypeVar("T")

_HOUR_S = 3600.0
_LONGEST_LEASE_S = 1800.0
_LONGEST_BLOCK_S = 2 * _HOUR_S
_WAITER_S = 3.0  # a waiter that has not looked for this long is gone
_STEP_S = 0.05
_OLDER_TEAM = 120  # questions an hour that PostHog grants teams from before the newer limits
_OLDER_TEAM_FOR_S = 24 * _HOUR_S

_SCHEMA = """
CREATE TABLE spent (id INTEGER PRIMARY KEY, account TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX spent_at ON spent(account, at);
CREATE TABLE leases (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL, expires_at REAL NOT NULL
);
CREATE TABLE waiting (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, priority INTEGER NOT NULL,
  pid INTEGER NOT NULL, born TEXT NOT NULL, expires_at REAL NOT NULL
);
CREATE TABLE accounts (
  account TEXT PRIMARY KEY, blocked_until REAL NOT NULL DEFAULT 0, older_until REAL NOT NULL DEFAULT 0
) WITHOUT ROWID
"""


def account(host: str, key: str) -> str:
    """The name that (host, key) has in `limits.db`; the key cannot be read from it."""
    return hashlib.sha256(f"{host}\0{key}".encode()).hexdigest()[:20]


class Limiter:
    """Threads share one. `warn` is told once, in a sentence, where other processes cannot be taken into account."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        limits: Limits | None = None,
        warn: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._warn, self._clock, self._monotonic = warn, clock, monotonic
        self._pause = pause or self._pause_until_freed
        self._lock = threading.Lock()
        self._freed = threading.Condition()
        self._opened: sqlite3.Connection | None = None
        self._closed = False

    @contextmanager
    def slot(
        self,
        account: str,
        priority: Priority = Priority.DESK,
        *,
        within_s: float = 60.0,
        lease_s: float = 120.0,
        cancelled: Callable[[], bool] = lambda: False,
        told: Callable[[Wait], None] = lambda _: None,
    ) -> Iterator[None]:
        """One question's turn. `told` hears, at most once a second, why and how long this waits.

        Raises `NoTurn` where the wait would be longer than `within_s`, `QueryCancelled` when `cancelled` says so.
        """
        lease = self._enter(account, priority, within_s, min(lease_s, _LONGEST_LEASE_S), cancelled, told)
        try:
            yield
        finally:
            self._write(lambda db: db.execute("DELETE FROM leases WHERE id = ?", (lease,)))
            with self._freed:
                self._freed.notify_all()

    def throttled(self, account: str, seconds: float) -> None:
        """PostHog answered 429 with a number of seconds: no process asks before they are over."""
        now = self._clock()
        until = now + min(max(seconds, 0.0), _LONGEST_BLOCK_S)

        def note(db: sqlite3.Connection) -> None:
            asked = db.execute(
                "SELECT count(*) FROM spent WHERE account = ? AND at > ?", (account, now - _HOUR_S)
            ).fetchone()[0]
            # Over a minute to wait is the limit of the hour; so few questions in it are an older team's.
            older = now + _OLDER_TEAM_FOR_S if seconds > 60 and asked <= _OLDER_TEAM else 0.0
            db.execute("INSERT OR IGNORE INTO accounts(account) VALUES (?)", (account,))
            db.execute(
                "UPDATE accounts SET blocked_until = max(blocked_until, ?), older_until = max(older_until, ?) "
                "WHERE account = ?",
                (until, older, account),
            )

        self._write(note)

    def close(self) -> None:
        """A slot that is still held is given back all the same."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _enter(
        self,
        account: str,
        priority: Priority,
        within_s: float,
        lease_s: float,
        cancelled: Callable[[], bool],
        told: Callable[[Wait], None],
    ) -> int:
        started = self._monotonic()
        last_told, place = started - 1, 0
        try:
            while True:
                if cancelled():
                    raise QueryCancelled
                lease, place, wait = self._write(partial(self._try, account, priority, lease_s, place))
                if wait is None:
                    return lease
                now = self._monotonic()
                left = within_s - (now - started)
                if left <= 0 or (wait.seconds or 0) > left:
                    raise _given_up(wait)
                if now - last_told >= 1 and ((wait.seconds or 0) >= 1 or now - started >= 1):
                    last_told = now
                    told(wait)
                self._pause(min(wait.seconds or _STEP_S, left, _WAITER_S / 4 if wait.seconds else _STEP_S))
        finally:
            if place:
                self._write(lambda db: db.execute("DELETE FROM waiting WHERE id = ?", (place,)))

    def _try(
        self, account: str, priority: Priority, lease_s: float, place: int, db: sqlite3.Connection
    ) -> tuple[int, int, Wait | None]:
        """A lease, or a place among the waiting and what for."""
        now = self._clock()
        self._tidy(db, now)
        wait = decide(self._usage(db, account, priority, now), self._limits, priority, now)
        pid, born = os.getpid(), _born(os.getpid())
        if wait is None:
            db.execute("INSERT INTO spent(account, at) VALUES (?, ?)", (account, now))
            row = (account, pid, born, now + lease_s)
            # A number that comes again would let a lease that ran out take another's with it when it is given back.
            cursor = db.execute(
                "INSERT INTO leases(id, account, pid, born, expires_at) VALUES (random(), ?, ?, ?, ?)", row
            )
            return cursor.lastrowid or 0, place, None
        if place:
            renewed = db.execute("UPDATE waiting SET expires_at = ? WHERE id = ?", (now + _WAITER_S, place))
            if renewed.rowcount:
                return 0, place, wait
        cursor = db.execute(
            "INSERT INTO waiting(id, account, priority, pid, born, expires_at) VALUES (random(), ?, ?, ?, ?, ?)",
            (account, int(priority), pid, born, now + _WAITER_S),
        )
        return 0, cursor.lastrowid or 0, wait

    def _usage(self, db: sqlite3.Connection, account: str, priority: Priority, now: float) -> Usage:
        asked = db.execute("SELECT at FROM spent WHERE account = ? AND at > ? ORDER BY at", (account, now - _HOUR_S))
        running = db.execute("SELECT count(*) FROM leases WHERE account = ?", (account,)).fetchone()[0]
        ahead = db.execute("SELECT count(*) FROM waiting WHERE account = ? AND priority < ?", (account, int(priority)))
        known = db.execute("SELECT blocked_until, older_until FROM accounts WHERE account = ?", (account,)).fetchone()
        blocked_until, older_until = known or (0.0, 0.0)
        return Usage(
            asked=tuple(at for (at,) in asked.fetchall()),
            running=running,
            ahead=ahead.fetchone()[0],
            blocked_until=blocked_until,
            hour_limit=_OLDER_TEAM if older_until > now else None,
        )

    def _tidy(self, db: sqlite3.Connection, now: float) -> None:
        """Forget what is over, whose process is gone, and what a clock that was set back left in the future."""
        db.execute("DELETE FROM spent WHERE at <= ?", (now - _HOUR_S,))
        db.execute("UPDATE spent SET at = ? WHERE at > ?", (now, now + 1))
        for table, longest in (("leases", _LONGEST_LEASE_S), ("waiting", _WAITER_S)):
            db.execute(f"UPDATE {table} SET expires_at = ? WHERE expires_at > ?", (now + longest, now + longest + 1))
            gone = [
                (row,)
                for row, pid, born, expires_at in db.execute(f"SELECT id, pid, born, expires_at FROM {table}")
                if expires_at <= now or not _lives(pid, born)
            ]
            db.executemany(f"DELETE FROM {table} WHERE id = ?", gone)
        limit = now + _LONGEST_BLOCK_S
        db.execute("UPDATE accounts SET blocked_until = ? WHERE blocked_until > ?", (now + 60, limit + 1))
        db.execute("UPDATE accounts SET older_until = 0 WHERE older_until > ?", (now + _OLDER_TEAM_FOR_S + 1,))

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                return _in_transaction(self._database(), work)
            except sqlite3.Error as error:
                self._count_alone(str(error))
                return _in_transaction(self._database(), work)
            finally:
                if self._closed:
                    self._let_go()

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                folder = self._folder or state_folder()
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._opened = _open(folder / "limits.db")
            except (LoopdeskError, OSError) as error:
                self._count_alone(str(error))
        assert self._opened is not None
        return self._opened

    def _count_alone(self, reason: str) -> None:
        self._let_go()
        self._opened = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for statement in _SCHEMA.split(";"):
            self._opened.execute(statement)
        self._warn(
            f"PostHog's limits cannot be shared with other processes: {reason.rstrip('.')}. "
            "This process keeps to them by itself."
        )

    def _pause_until_freed(self, seconds: float) -> None:
        with self._freed:
            self._freed.wait(seconds)


def _open(path: Path) -> sqlite3.Connection:
    try:
        return databases.open_database(path, (_SCHEMA,))
    except LoopdeskError:
        if path.exists():
            raise
        # It was damaged and has been moved aside: what it held is at most an hour's count.
        return databases.open_database(path, (_SCHEMA,))


def _in_transaction(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        found = work(db)
        db.execute("COMMIT")
        return found
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _given_up(wait: Wait) -> NoTurn:
    when = f"; the next turn is in {duration(wait.seconds)}" if wait.seconds else ""
    return NoTurn(
        f"PostHog was not asked: {wait.why}{when}",
        "All that use this key share its limits",
        "Wait, or read what is synced",
        seconds=wait.seconds,
    )


def _lives(pid: int, born: str) -> bool:
    if os.name == "nt":
        return True  # os.kill would end the process there: leases run out by themselves
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return _born(pid) == born or not born


def _born(pid: int) -> str:
    """When the process started, as the kernel says it, so that a number used again is not taken for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
