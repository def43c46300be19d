"""Work done on another machine, as the engine sees it: a job is put into the queue and its outcome waited for.

The engine may end in between, or Postgres be gone: the row in the queue is the job's, and the next attempt adopts it.
Only what nobody wants any more is recalled (`Recalling`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from engine import proposals, reading
from engine.at_home import AtHome
from engine.attempts import MOST_FAILURES
from engine.in_thread import PATIENCE_S, in_thread
from engine.instants import stored
from engine.judge import Unavailable
from engine.main import Worked
from engine.model import Job, Proposal, Report
from engine.store import Store
from engine.work import WillNotDo
from engine.workers.exchange import Exchange
from engine.workers.postgres import Gone
from engine.workers.queue import Line, Seen, retry_at
from workspace.errors import LoopdeskError
from workspace.text import plain

_MOST_SAID = 500
_LONGEST_BACK_OFF_S = 30.0


class Away:
    """The handler of a kind of job that workers do (`engine.executor.Handler`). Raises `Unavailable` where none is
    there, or Postgres is not; what has been put into the queue stays there meanwhile."""

    def __init__(self, home: AtHome, exchange: Exchange, most_usd: float, may_ask: Callable[[], bool]) -> None:
        """`may_ask`: whether a model may be asked, which a worker does not know. What there is to do without one is
        done here."""
        self._home, self._with, self._most_usd, self._may_ask = home, exchange, most_usd, may_ask

    async def __call__(self, job: Job) -> Mapping[str, object]:
        if not await self._adopted(job):
            brief = await self._home.brief(job)
            if stays_home(brief) or not self._may_ask():
                return await self._home.do(job, brief)
            await self._put(job, brief)
        seen = await self._outcome(job)
        await self._with.take_in(job.id, seen)
        assert seen.outcome is not None
        return _result(seen.outcome)

    async def _adopted(self, job: Job) -> bool:
        """Whether an earlier attempt has put into the queue what this one asks. Where it asked something else, what
        that did cost is booked first: a brief reads what is left of the report's budget."""
        shared = self._with
        if not shared.books.has_aside(job.id):
            return False
        await shared.lock.held()
        if await shared.queue.adopt(job, takes_result=not _has_returned(shared.store, job.id)):
            shared.queue.known.add(job.id)
            shared.books.reserve_job(job, self._most_usd)
            return True
        # Not there at all, it was never put: the engine, or Postgres, went in between.
        shared.books.settle(job.id, await shared.queue.ledger(job.id) or ())
        return False

    async def _put(self, job: Job, brief: Mapping[str, object]) -> None:
        """Reserved, enqueued: in this order, so that nothing is ever spent that was not put aside."""
        shared = self._with
        await shared.lock.held()
        snapshot = shared.store.snapshot(job.id)
        usd = shared.books.reserve_job(job, self._most_usd)
        if "limit_usd" in brief:
            brief = {**brief, "limit_usd": usd}
        await shared.send([brief, snapshot])
        await shared.queue.put(job, brief, snapshot, usd, takes_result=not _has_returned(shared.store, job.id))

    async def _outcome(self, job: Job) -> Seen:
        unreached_since: float | None = None
        tries = 0
        while True:
            try:
                async with self._with.queue.line(job.id) as line:
                    unreached_since, tries = None, 0
                    return await self._heard(line)
            except Gone:
                now = time.monotonic()
                unreached_since = unreached_since or now
                if now - unreached_since >= self._with.times.patience_s:
                    raise
            await asyncio.sleep(min(self._with.times.poll_s * 2**tries, _LONGEST_BACK_OFF_S))
            tries = min(tries + 1, 5)

    async def _heard(self, line: Line) -> Seen:
        alone_since: float | None = None
        is_first = True
        while True:
            seen = await line.look()
            if seen is None:
                raise LoopdeskError("Its place in the workers' queue is gone", "Somebody deleted it in Postgres")
            if seen.is_over:
                return seen
            now = time.monotonic()
            alone_since = None if seen.alive else (alone_since or now)
            # A worker that was started anew is given the time; a queue without any is no reason to stay here.
            if alone_since is not None and (is_first or now - alone_since >= self._with.times.stalled_s):
                raise Unavailable(
                    "No worker is running",
                    "It waits in the queue for the first that is",
                    "Start one: loopdesk worker",
                    retry_at=self._with.clock() + timedelta(minutes=1),
                )
            is_first = False
            await line.wait(self._with.times.poll_s)


def stays_home(brief: Mapping[str, object]) -> bool:
    """Whether it names no code that a worker could look into, or some in a folder of this machine. Pure."""
    several = brief.get("repositories")
    named = several if isinstance(several, list | tuple) else [brief.get("repository")]
    urls = [str(one.get("url", "")) for one in named if isinstance(one, Mapping)]
    return not urls or any(url.startswith("/") for url in urls)


def _result(outcome: Mapping[str, object]) -> Mapping[str, object]:
    """Or what was raised there, raised here. What a worker says is as foreign as what its agent says."""
    if isinstance(result := outcome.get("result"), dict):
        return result
    if "held" in outcome:
        raise Unavailable(plain(outcome["held"], _MOST_SAID), retry_at=retry_at(outcome))
    said = plain(outcome.get("error") or "The worker gave no result", _MOST_SAID)
    raise WillNotDo(said) if outcome.get("is_final") is True else LoopdeskError(said)


class Recalling:
    """A stage: what workers do and nobody wants any more is recalled, its spend booked, its snapshot kept, its row
    forgotten. What was held because no worker was there goes on as soon as one is."""

    def __init__(self, exchange: Exchange) -> None:
        self._with = exchange
        self._is_loaded = False
        self._looking: asyncio.Task[tuple[int, bool]] | None = None

    async def __call__(self, store: Store, now: datetime) -> Worked:
        if self._is_loaded and not self._with.queue.known:
            return Worked()
        looks_again = timedelta(seconds=self._with.times.poll_s)
        # Beside the turn where it takes longer: no decision waits for a Postgres that hangs.
        self._looking = self._looking or asyncio.create_task(self._looked(store, now))
        await asyncio.wait({self._looking}, timeout=PATIENCE_S)
        if not self._looking.done():
            return Worked(next_due=now + looks_again)
        looked, self._looking = self._looking, None
        try:
            done, waits = looked.result()
        except Gone:
            # Whatever waits for it says so.
            return Worked(next_due=now + 5 * looks_again)
        return Worked(done, next_due=now + looks_again if waits else None)

    async def _looked(self, store: Store, now: datetime) -> tuple[int, bool]:
        """What was done, and whether to look again although nothing happens here."""
        queue = self._with.queue
        if not self._is_loaded:
            await self._with.lock.held()
            await queue.load()
            await in_thread(self._with.away.prune, "prune blobs")
            self._is_loaded = True
        done, waits = 0, False
        for id in sorted(queue.known):
            job = _last_attempt(store, id)
            if job is None or not is_wanted(job, reading.subject(store.connection, job)):
                over = await self._recall(id)
                done += over
                waits |= not over
            elif job.state == "intended" and job.not_before > now:
                seen = await queue.look(id)
                if seen is not None and goes_on(seen):
                    self._lift(job, now)
                    done += 1
                waits |= seen is not None and not seen.is_over
        return done, waits

    async def _recall(self, job_id: str) -> bool:
        """Whether it is over: who works on it has a second to see it, and its jail to end."""
        seen = await self._with.queue.recall(job_id)
        if seen is None:
            self._with.books.settle(job_id, None)
        elif seen.is_over:
            await self._with.take_in(job_id, seen)
        else:
            return False
        await self._with.queue.forget(job_id)
        return True

    def _lift(self, job: Job, now: datetime) -> None:
        store = self._with.store
        with store.transaction("reconcile"):
            store.connection.execute(
                "UPDATE jobs SET not_before = ? WHERE id = ? AND attempt = ? AND state = 'intended'",
                (stored(now), job.id, job.attempt),
            )


def goes_on(seen: Seen) -> bool:
    """Whether waiting for the row makes sense again. Pure."""
    return "result" in seen.outcome if seen.outcome is not None else seen.alive > 0


def _has_returned(store: Store, job_id: str) -> bool:
    """Whether an earlier attempt has had a result, which was no use."""
    found = store.connection.execute("SELECT 1 FROM jobs WHERE id = ? AND result IS NOT NULL", (job_id,))
    return found.fetchone() is not None


def _last_attempt(store: Store, job_id: str) -> Job | None:
    found = reading.select(store.connection, Job, "jobs", "WHERE id = ? ORDER BY attempt DESC LIMIT 1", (job_id,))
    return next(iter(found), None)


def is_wanted(last: Job, subject: Report | Proposal | None) -> bool:
    """Whether what a worker does for the job may still be of use: it is under way here, or its next attempt will be.
    Pure."""
    if last.state in ("intended", "queued", "running"):
        return True
    if last.state != "failed" or subject is None or last.failures >= MOST_FAILURES:
        return False
    if isinstance(subject, Proposal):
        need = proposals.wanted(subject)
        return need is not None and need.key == last.key
    return subject.status in ("candidate", "in_progress") and last.brief.get("run") == subject.runs
