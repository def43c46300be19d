"""The engine's side of the queue: a job is put there once, by its id; its outcome is read, or it is recalled.

A row is the job's, whichever attempt the engine is at: an attempt that asks the same adopts what is under way, and one
that asks something else takes its place, going on from its last snapshot. Procrastinate brings a job to a worker and
says which workers are alive; whose word counts is decided here, by the row's `claim`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import procrastinate
import psycopg
from psycopg import sql
from ulid import ULID

from engine.budget import Entry
from engine.model import Job
from engine.rows import spelled
from engine.workers.postgres import Times, connected

QUEUE, TASK = "loopdesk", "loopdesk.work"
STOPPED = '{"stopped":true}'
_ALIVE = "(SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s))"
_PUT = """
INSERT INTO loopdesk_jobs(job_id, workspace, attempt, kind, asked, brief, reserved_usd, ticket, snapshot)
VALUES (%(job)s, %(workspace)s, %(attempt)s, %(kind)s, %(asked)s, %(brief)s, %(reserved)s, %(ticket)s, %(snapshot)s)
ON CONFLICT (job_id) DO UPDATE SET workspace = excluded.workspace, attempt = excluded.attempt, asked = excluded.asked,
  brief = excluded.brief, reserved_usd = excluded.reserved_usd, ticket = excluded.ticket, state = 'waiting', claim = '',
  worker = '', outcome = NULL, snapshot = coalesce(loopdesk_jobs.snapshot, excluded.snapshot)
"""
_RECALL = f"""
UPDATE loopdesk_jobs SET outcome = CASE state WHEN 'waiting' THEN '{STOPPED}' ELSE outcome END,
  state = CASE state WHEN 'waiting' THEN 'ended' WHEN 'running' THEN 'unwanted' ELSE state END
WHERE job_id = %s
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it stands. `alive` counts workers of whatever job; `outcome` is None while there is none."""

    state: str
    alive: int
    outcome: Mapping[str, object] | None = None
    snapshot: Mapping[str, object] | None = None
    ledger: Sequence[Entry] = ()

    @property
    def is_over(self) -> bool:
        return self.outcome is not None


class Queue:
    """Methods raise `Gone` and `LoopdeskError`. `known` are the ids of the jobs that have a row, once `load` was
    called; others are no concern of this engine."""

    def __init__(self, url: str, workspace: str, times: Times) -> None:
        self._url, self._workspace, self._times = url, workspace, times
        # Opens nothing by itself: what it defers goes through the connection that it is given.
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        self.known: set[str] = set()

    async def load(self) -> None:
        async with connected(self._url) as connection:
            found = await connection.execute(
                "SELECT job_id FROM loopdesk_jobs WHERE workspace = %s", (self._workspace,)
            )
            self.known |= {id for (id,) in await found.fetchall()}

    async def adopt(self, job: Job, *, takes_result: bool) -> bool:
        """Whether what is under way for it is what this attempt asks, or there is a result that nobody has taken
        (`takes_result`): then it is this attempt's."""
        async with connected(self._url) as connection, connection.transaction():
            return await self._adopted(connection, job, takes_result)

    async def put(
        self,
        job: Job,
        brief: Mapping[str, object],
        snapshot: Mapping[str, object] | None,
        reserved_usd: float,
        *,
        takes_result: bool = True,
    ) -> None:
        """Adopt it, or have it begun; in one transaction with its place in the queue."""
        self.known.add(job.id)  # at once: whether a lost answer was a yes, nobody knows
        async with connected(self._url) as connection, connection.transaction():
            if not await self._adopted(connection, job, takes_result):
                ticket = str(ULID())
                values = {
                    "job": job.id,
                    "workspace": self._workspace,
                    "attempt": job.attempt,
                    "kind": job.kind,
                    "asked": spelled(dict(asked_by(job))),
                    "brief": spelled(dict(brief)),
                    "reserved": reserved_usd,
                    "ticket": ticket,
                    "snapshot": None if snapshot is None else spelled(dict(snapshot)),
                }
                await connection.execute(_PUT, values)
                await self._defer(connection, job, ticket)

    async def _adopted(self, connection: psycopg.AsyncConnection, job: Job, takes_result: bool) -> bool:
        done = await connection.execute(
            "UPDATE loopdesk_jobs SET attempt = %s WHERE job_id = %s AND asked = %s "
            "AND (state IN ('waiting', 'running') OR (%s AND outcome LIKE %s))",
            (job.attempt, job.id, spelled(dict(asked_by(job))), takes_result, '{"result":%'),
        )
        return done.rowcount == 1

    async def _defer(self, connection: psycopg.AsyncConnection, job: Job, ticket: str) -> None:
        task = self._app.configure_task(
            TASK,
            queue=QUEUE,
            # One worker at a time for a job, and one place in the queue for an attempt.
            lock=job.id,
            queueing_lock=f"{job.id}/{job.attempt}",
            connection=connection,
        )
        await task.defer_async(job=job.id, ticket=ticket)

    @asynccontextmanager
    async def line(self, job_id: str) -> AsyncIterator[Line]:
        async with connected(self._url) as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel(job_id))))
            yield Line(connection, job_id, self._times)

    async def ledger(self, job_id: str) -> Sequence[Entry] | None:
        """What was spent on it so far; None where it is not there."""
        async with connected(self._url) as connection:
            line = Line(connection, job_id, self._times)
            return None if await line.look() is None else await line.ledger()

    async def look(self, job_id: str) -> Seen | None:
        async with connected(self._url) as connection:
            return await Line(connection, job_id, self._times).look()

    async def recall(self, job_id: str) -> Seen | None:
        """Nobody wants it any more: what waits is over, who works on it will see it and end. None where it is not
        there."""
        async with connected(self._url) as connection:
            await connection.execute(_RECALL, (job_id,))
            return await Line(connection, job_id, self._times).look()

    async def settled(self, job_id: str) -> None:
        """What it cost is in the engine's books."""
        async with connected(self._url) as connection:
            await connection.execute("DELETE FROM loopdesk_spend WHERE job_id = %s", (job_id,))

    async def forget(self, job_id: str) -> None:
        async with connected(self._url) as connection:
            await connection.execute("DELETE FROM loopdesk_jobs WHERE job_id = %s", (job_id,))
        self.known.discard(job_id)


class Line:
    """One connection that hears of a job."""

    def __init__(self, connection: psycopg.AsyncConnection, job_id: str, times: Times) -> None:
        self._connection, self._job_id, self._times = connection, job_id, times

    async def look(self) -> Seen | None:
        found = await self._connection.execute(
            f"SELECT state, {_ALIVE}, outcome, snapshot FROM loopdesk_jobs WHERE job_id = %s",
            (self._times.stalled_s, self._job_id),
        )
        row = await found.fetchone()
        if row is None:
            return None
        state, alive, outcome, snapshot = row
        if outcome is None:
            return Seen(state, alive)
        return Seen(state, alive, json.loads(outcome), json.loads(snapshot) if snapshot else None, await self.ledger())

    async def wait(self, seconds: float) -> None:
        """Until something is said about the job, or that long."""
        async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    async def ledger(self) -> Sequence[Entry]:
        found = await self._connection.execute(
            "SELECT id, role, model, usd, input_tokens, output_tokens, at, is_booked FROM loopdesk_spend "
            "WHERE job_id = %s ORDER BY id",
            (self._job_id,),
        )
        return [Entry(*row) for row in await found.fetchall()]


def channel(job_id: str) -> str:
    return f"loopdesk_{job_id}"


def asked_by(job: Job) -> Mapping[str, object]:
    """What makes two attempts the same work. Research is of its signals' revisions; a change is not made of them."""
    return {name: value for name, value in job.brief.items() if not (job.proposal_id and name == "signals")}


def retry_at(outcome: Mapping[str, object]) -> datetime | None:
    text = outcome.get("retry_at")
    return datetime.fromisoformat(text) if isinstance(text, str) else None
