"""Connections to the workers' Postgres: what goes wrong with one is said in a sentence, and never with its password."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import psycopg

from engine.in_thread import in_thread
from engine.judge import Unavailable
from engine.workers import schema
from workspace.errors import LoopdeskError
from workspace.text import plain

# A machine that vanished is noticed by the kernel, in milliseconds and seconds.
LINE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
# Of a machine that vanished, Postgres would keep the lock for two hours.
_NOTICED_SOON = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_TRIES, _LOOKS_EVERY_S = 5, 0.1


class Gone(Unavailable):
    """Postgres does not answer. It may again."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds. A job whose worker gave no sign of life for `stalled_s` goes to another; a worker that cannot reach
    Postgres for `lost_s` ends its jobs well before that. The same on the engine and on all workers."""

    stalled_s: float = 60.0
    patience_s: float = 600.0
    """How long the engine waits for a Postgres that is gone before it says that the job is held."""
    look_s: float = 1.0
    """How often a worker looks whether its job is wanted."""
    poll_s: float = 3.0
    """Between two looks for work, or for an outcome that nobody announced."""

    @property
    def lost_s(self) -> float:
        return self.stalled_s / 2

    @property
    def beat_s(self) -> float:
        return self.stalled_s / 6


@contextmanager
def explained() -> Iterator[None]:
    """`psycopg`'s errors as `Gone` or `LoopdeskError`."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Gone(
            f"The workers' Postgres does not answer: {_first_line(error)}",
            "What is on workers goes on, and what is not waits",
            "See that it runs, and that LOOPDESK_DATABASE_URL names it",
        ) from None
    except psycopg.Error as error:
        raise LoopdeskError(
            f"The workers' Postgres refused: {_first_line(error)}", do="`loopdesk doctor` looks at it"
        ) from None


def _first_line(error: psycopg.Error) -> str:
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return plain(said, 200)


def check_url(url: str) -> None:
    """Raises `LoopdeskError` for what is no address of a Postgres, without repeating it."""
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise LoopdeskError(
            "database_url cannot be read as the address of a Postgres",
            do="Write postgresql://user:password@host:5432/name, with % signs as %25",
        ) from None


def connect(url: str) -> psycopg.Connection:
    """Blocks. Raises `Gone`, `LoopdeskError`. Commits by itself outside of transactions."""
    check_url(url)
    with explained():
        return psycopg.connect(url, autocommit=True, **LINE)  # type: ignore[arg-type]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Also what is done with it is explained."""
    check_url(url)
    with explained():
        async with await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            **LINE,  # type: ignore[arg-type]
        ) as connection:
            yield connection


def prepare(url: str) -> None:
    """Make the tables that are not there. Blocks. Raises `Gone`, `LoopdeskError`."""
    with explained(), connect(url) as connection:
        schema.ensure(connection)


class EngineLock:
    """Held by the one engine of a workspace, wherever copies of it are: an advisory lock of a connection of its own,
    which ends with the process."""

    def __init__(self, url: str, workspace: str) -> None:
        self._url, self._workspace = url, workspace
        self._connection: psycopg.Connection | None = None
        self._one_thread = threading.Lock()

    def hold(self) -> None:
        """Take it, or see that it is still held. Blocks. Raises `LoopdeskError` where another engine holds it."""
        with self._one_thread:
            if self._connection is None or not self._is_alive(self._connection):
                self._take()

    def _take(self) -> None:
        self.release()
        prepare(self._url)
        connection = connect(self._url)
        with explained():
            connection.execute(_NOTICED_SOON)
        if not any(self._is_taken(connection, attempt) for attempt in range(_TRIES)):
            connection.close()
            raise LoopdeskError(
                "Another engine works for this workspace through the same Postgres",
                "A copy of the workspace may be in use on another machine",
                "End that one, or give this one another database; of a machine that crashed, wait a minute",
            )
        self._connection = connection

    async def held(self) -> None:
        await in_thread(self.hold, "engine lock")

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_taken(self, connection: psycopg.Connection, attempt: int) -> bool:
        if attempt:
            time.sleep(_LOOKS_EVERY_S)  # of an engine that has just ended, Postgres hears in a moment
        with explained():
            row = connection.execute(_TRY, (f"loopdesk:{self._workspace}",)).fetchone()
        return row is not None and row[0]

    @staticmethod
    def _is_alive(connection: psycopg.Connection) -> bool:
        try:
            connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True
