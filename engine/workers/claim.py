"""A worker's hold on a job: whatever it writes counts only as long as its claim stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg_pool import AsyncConnectionPool
from ulid import ULID

from engine.executor import MOST_RESULT
from engine.rows import spelled
from engine.workers.postgres import explained
from engine.workers.queue import STOPPED, channel
from workspace.errors import LoopdeskError

# A deferral that another one has replaced is no one's any more; of one that was recalled while nobody worked on it, the
# end is written down.
_CLAIM: LiteralString = """
UPDATE loopdesk_jobs SET state = 'running', claim = %(claim)s, worker = %(worker)s
WHERE job_id = %(job)s AND ticket = %(ticket)s AND state IN ('waiting', 'running')
RETURNING kind, attempt, brief, snapshot, reserved_usd
"""
_END_RECALLED: LiteralString = """
UPDATE loopdesk_jobs SET state = 'ended', outcome = %(stopped)s
WHERE job_id = %(job)s AND ticket = %(ticket)s AND state = 'unwanted'
"""
_LET_GO: LiteralString = """
UPDATE loopdesk_jobs SET outcome = CASE state WHEN 'unwanted' THEN %s END, claim = '', worker = '',
  state = CASE state WHEN 'unwanted' THEN 'ended' ELSE 'waiting' END
WHERE job_id = %s AND claim = %s AND state IN ('running', 'unwanted') RETURNING state
"""


class Lost(Exception):
    """The claim does not stand any more; why, in a clause."""


@dataclass(slots=True)
class Claim:
    """`engine.work.Progress` of a job on a worker. Methods raise `Gone`, and `Lost` where another's word counts now."""

    pool: AsyncConnectionPool
    id: str
    job_id: str
    kind: str
    attempt: int
    brief: Mapping[str, object]
    snapshot: Mapping[str, object] | None
    reserved_usd: float

    @classmethod
    async def take(cls, pool: AsyncConnectionPool, job_id: str, ticket: str, worker: str) -> Claim | None:
        """None where nobody wants it done any more."""
        claim = str(ULID())
        names = {"claim": claim, "worker": worker, "job": job_id, "ticket": ticket, "stopped": STOPPED}
        with explained():
            async with pool.connection() as connection:
                row = await (await connection.execute(_CLAIM, names)).fetchone()
                if row is None:
                    await connection.execute(_END_RECALLED, names)
                    return None
        kind, attempt, brief, snapshot, usd = row
        return cls(
            pool, claim, job_id, kind, attempt, json.loads(brief), json.loads(snapshot) if snapshot else None, usd
        )

    async def latest(self) -> Mapping[str, object] | None:
        return self.snapshot

    async def save(self, snapshot: Mapping[str, object]) -> None:
        text = spelled(dict(snapshot))
        if len(text) > MOST_RESULT:
            raise LoopdeskError(f"A snapshot has {len(text):,} bytes; at most {MOST_RESULT:,} are kept")
        await self._write("UPDATE loopdesk_jobs SET snapshot = %s WHERE ", text)
        self.snapshot = snapshot

    async def check(self) -> None:
        """Whether it stands."""
        with explained():
            async with self.pool.connection() as connection:
                found = await connection.execute(
                    "SELECT state, claim FROM loopdesk_jobs WHERE job_id = %s", (self.job_id,)
                )
                row = await found.fetchone()
        if row is None or row[0] == "unwanted":
            raise Lost("it is not wanted any more")
        if row != ("running", self.id):
            raise Lost("another worker has taken it over")

    async def end(self, outcome: str) -> None:
        await self._write("UPDATE loopdesk_jobs SET state = 'ended', outcome = %s WHERE ", outcome)
        await self._say()

    async def let_go(self) -> bool:
        """Nothing works on it here any more. Whether it is for the next worker, from the last snapshot on; not where it
        was recalled, or is another's already."""
        with explained():
            async with self.pool.connection() as connection:
                found = await connection.execute(_LET_GO, (STOPPED, self.job_id, self.id))
                row = await found.fetchone()
        return row == ("waiting",)

    async def _write(self, what: LiteralString, value: Any) -> None:
        with explained():
            async with self.pool.connection() as connection:
                done = await connection.execute(
                    what + "job_id = %s AND claim = %s AND state = 'running'", (value, self.job_id, self.id)
                )
        if done.rowcount != 1:
            raise Lost("it is another's by now, or not wanted any more")

    async def _say(self) -> None:
        with explained():
            async with self.pool.connection() as connection:
                await connection.execute("SELECT pg_notify(%s, '')", (channel(self.job_id),))
