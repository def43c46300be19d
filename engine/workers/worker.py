"""A worker: takes jobs from the queue, does them, and writes down their outcomes. It has no inbox and no books.

Procrastinate fetches jobs, keeps the worker's heartbeat, and takes back what a dead worker left. Beside each job runs
a look, once a second: a job that nobody wants any more, that another worker has taken over, or whose Postgres cannot be
reached, is cancelled, and its jail with it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import procrastinate
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from engine.executor import MOST_RESULT
from engine.judge import Unavailable
from engine.rows import spelled
from engine.work import WillNotDo
from engine.workers.blobs import PostgresBlobs
from engine.workers.claim import Claim, Lost
from engine.workers.ledger import JobBooks
from engine.workers.means import Build, Means
from engine.workers.postgres import LINE, Gone, Times, explained, prepare
from engine.workers.queue import QUEUE, TASK
from workspace.errors import LoopdeskError
from workspace.text import plain

Log = Callable[..., None]
"""Called with a word for what happened, and what it happened to as keywords."""
_MOST_SAID = 500
_LONGEST_BACK_OFF_S = 60.0
_RESCUE_LOCK = 0x72657363


class _HandedBack(Exception):
    """For another worker."""


@dataclass(slots=True)
class Stop:
    """What a signal says: the first that no job is begun any more, the second that none is waited for either."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: asyncio.Event = field(default_factory=asyncio.Event)

    def signal(self) -> None:
        (self.at_once if self.asked.is_set() else self.asked).set()


class Worker:
    """`at_once` jobs side by side. When it is stopped, what is not finished within `finish_s` is handed back."""

    def __init__(
        self,
        url: str,
        build: Build,
        log: Log,
        clock: Callable[[], datetime],
        *,
        times: Times | None = None,
        at_once: int = 1,
        finish_s: float = 30.0,
    ) -> None:
        self._url, self._build, self._log, self._clock = url, build, log, clock
        self._times, self._at_once, self._finish_s = times or Times(), at_once, finish_s
        self._name = socket.gethostname()
        self._stop = Stop()

    async def run(self, stop: Stop) -> None:
        """Until it is stopped. Where Postgres is gone it says so once, and tries again, later and later."""
        self._stop = stop
        # Procrastinate leaves the errors of its tasks to whoever asks, and nobody does.
        asyncio.get_running_loop().set_exception_handler(self._left_over)
        tries, said = 0, ""
        while not stop.asked.is_set():
            try:
                await asyncio.to_thread(prepare, self._url)
                tries, said = 0, ""
                await self._work()
            except Gone as gone:
                if str(gone) != said:
                    said = str(gone)
                    self._log("postgres_gone", said=said)
            except (procrastinate.exceptions.ConnectorException, PoolTimeout) as error:
                self._log("postgres_lost", said=plain(error.__cause__ or error, _MOST_SAID))
            if not stop.asked.is_set():
                with suppress(TimeoutError):
                    wait = min(self._times.beat_s * 2**tries, _LONGEST_BACK_OFF_S)
                    await asyncio.wait_for(stop.asked.wait(), wait)
                tries = min(tries + 1, 6)

    def _left_over(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        said = getattr(error, "__cause__", None) or error or context["message"]
        self._log("warned", said=plain(f"{type(said).__name__}: {said}", _MOST_SAID))

    async def _work(self) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._url,
            min_size=1,
            max_size=2 + 2 * self._at_once,
            # As long as nothing is lost, a Postgres that is started anew is waited for.
            timeout=self._times.lost_s,
            kwargs={"autocommit": True, **LINE},
        )
        app = procrastinate.App(connector=connector)
        # Outcomes are written down, whatever they are: what is raised beyond them says that this worker could not.
        app.task(name=TASK, queue=QUEUE, retry=procrastinate.RetryStrategy(wait=1))(self._task(connector))
        async with app.open_async():
            working = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    name=self._name,
                    concurrency=self._at_once,
                    # A stalled job comes back without a notification, and a lost listener would end the worker.
                    listen_notify=False,
                    fetch_job_polling_interval=self._times.poll_s,
                    update_heartbeat_interval=self._times.beat_s,
                    stalled_worker_timeout=self._times.stalled_s,
                    install_signal_handlers=False,
                    delete_jobs="always",
                )
            )
            self._log("ready", jobs_at_once=self._at_once)
            beside = [asyncio.create_task(self._leave(working)), asyncio.create_task(self._rescue(app, connector.pool))]
            try:
                await working
            except asyncio.CancelledError:
                if not self._stop.asked.is_set():
                    raise
            finally:
                await _ended(*beside)

    async def _leave(self, working: asyncio.Task[None]) -> None:
        """Once it is asked to: what runs is finished within the time, or handed back."""
        await self._stop.asked.wait()
        self._log("stopping", finishes_within_s=self._finish_s)
        working.cancel()  # Procrastinate ends when its jobs have
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.at_once.wait(), self._finish_s)
        self._stop.at_once.set()
        await asyncio.Event().wait()

    async def _rescue(self, app: procrastinate.App, pool: AsyncConnectionPool) -> None:
        """What dead workers left goes back into the queue. One worker at a time: what one has taken back, and a third
        has begun, is not taken back again."""
        while True:
            with suppress(LoopdeskError, procrastinate.exceptions.ConnectorException), explained():
                async with pool.connection() as connection, connection.transaction():
                    found = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_RESCUE_LOCK,))
                    row = await found.fetchone()
                    if row is not None and row[0]:
                        await self._take_back(app)
            await asyncio.sleep(self._times.beat_s)

    async def _take_back(self, app: procrastinate.App) -> None:
        stalled = await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._times.stalled_s)
        for job in stalled:
            await app.job_manager.retry_job(job)
            self._log("took_back", job=job.lock)

    def _task(self, connector: procrastinate.PsycopgConnector) -> Callable[..., Coroutine[Any, Any, None]]:
        async def work(job: str, ticket: str) -> None:
            claim = await Claim.take(connector.pool, job, ticket, self._name)
            if claim is None:
                self._log("not_wanted", job=job)
                return
            self._log("begun", job=job, attempt=claim.attempt, kind=claim.kind)
            await self._see_through(claim)

        return work

    async def _see_through(self, claim: Claim) -> None:
        doing = asyncio.create_task(self._outcome(claim))
        losing = asyncio.create_task(self._until_lost(claim))
        leaving = asyncio.create_task(self._stop.at_once.wait())
        names = {"job": claim.job_id, "attempt": claim.attempt, "kind": claim.kind}
        try:
            await asyncio.wait({doing, losing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await self._write(claim, doing.result(), names)
                return
            await _ended(doing)  # with its jail
            if losing.done():
                self._log("ended", why=losing.result(), **names)
            await self._let_go(claim, names)
        finally:
            await _ended(doing, losing, leaving)

    async def _let_go(self, claim: Claim, names: Mapping[str, Any]) -> None:
        try:
            is_for_another = await claim.let_go()
        except Gone:
            # Whether it could be said or not: Procrastinate, or else who misses our heartbeat, brings it to another.
            is_for_another = True
        if is_for_another:
            self._log("handed_back", **names)
            raise _HandedBack

    async def _outcome(self, claim: Claim) -> Mapping[str, object]:
        """What is raised is one too."""
        try:
            with JobBooks(self._url, claim) as books:
                result = dict(await self._done(claim, books))
            if (length := len(spelled(result))) > MOST_RESULT:
                raise LoopdeskError(f"Its result has {length:,} bytes; at most {MOST_RESULT:,} are taken")
            return {"result": result}
        except Lost:
            # Another's word counts; the look will say the same in a moment.
            return await asyncio.get_running_loop().create_future()
        except Gone:
            raise  # no word about the work: it goes on here or elsewhere, from its last snapshot
        except Unavailable as error:
            again = error.retry_at.isoformat() if error.retry_at else None
            return {"held": plain(error, _MOST_SAID), "retry_at": again}
        except Exception as error:
            said = str(error) if isinstance(error, LoopdeskError) else f"{type(error).__name__}: {error}"
            return {"error": plain(said, _MOST_SAID), "is_final": isinstance(error, WillNotDo)}

    async def _done(self, claim: Claim, books: JobBooks) -> Mapping[str, object]:
        async with self._build(Means(PostgresBlobs(self._url), books, self._clock)) as works:
            if claim.kind not in works:
                raise LoopdeskError(f"This worker knows no {plain(claim.kind, 40)} jobs", "It may be an older one")
            return await works[claim.kind].do(claim.brief, claim)

    async def _write(self, claim: Claim, outcome: Mapping[str, object], names: Mapping[str, Any]) -> None:
        """What was worked out is not given up for a Postgres that is away for a moment."""
        until = time.monotonic() + self._times.lost_s
        while True:
            try:
                await claim.end(spelled(dict(outcome)))
                said = outcome.get("error") or outcome.get("held")
                self._log("done", **names, **({"said": said} if said else {}))
            except Lost as lost:
                self._log("ended", why=str(lost), **names)
                await self._let_go(claim, names)
            except Gone as gone:
                if time.monotonic() > until:
                    self._log("lost", why=str(gone), **names)
                    raise
                await asyncio.sleep(self._times.look_s)
                continue
            return

    async def _until_lost(self, claim: Claim) -> str:
        """Why it is to be ended."""
        seen_at = time.monotonic()
        while True:
            await asyncio.sleep(self._times.look_s)
            try:
                async with asyncio.timeout(self._times.lost_s):
                    await claim.check()
                seen_at = time.monotonic()
            except Lost as lost:
                return str(lost)
            except (Gone, TimeoutError):
                pass
            if time.monotonic() - seen_at >= self._times.lost_s:
                return "Postgres could not be reached, so another worker may have it by now"


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def quiet() -> None:
    """Procrastinate says what went wrong with its own words; ours say what happened."""
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
