"""Runs jobs in this process. The order is fixed and each step is committed before the next: intended, queued, running,
result returned, result applied; so that whatever ends the process, the next one knows where each job stood."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from engine import attempts, proposal_results, reading, results
from engine.attempts import Subject
from engine.crash_points import crash_point
from engine.judge import Unavailable
from engine.model import Job, Proposal
from engine.proposals import followed, wanted
from engine.rows import spelled
from engine.store import Store
from engine.work import WillNotDo
from workspace.errors import LoopdeskError
from workspace.text import plain

Handler = Callable[[Job], Awaitable[Mapping[str, object]]]
"""Does a job's work from its brief alone and returns JSON. May be run again after a crash: its effects are looked up
before they are repeated. Raises `Unavailable` where the work has to wait."""
MOST_RESULT = 256 * 1024
_AT_ONCE = 2


class Executor:
    """`handlers` and `limits` (how many at once) by kind of job; a kind without a handler waits. `owner` names this
    process: a result counts only for the attempt that it owns."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        owner: str,
        clock: Callable[[], datetime],
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._store, self._handlers, self._owner, self._clock = store, handlers, owner, clock
        self._limits = limits or {}
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._kinds: dict[tuple[str, int], str] = {}
        self.applied = 0
        """Results that were applied so far."""
        self.finished = asyncio.Event()
        """Set whenever a handler has ended."""

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def pump(self, now: datetime) -> bool:
        """Apply what has returned, stop what is not wanted, start what is due; whether anything was written."""
        wrote = self._apply_returned(now) | self._end_lost(now)
        self._stop_unwanted()
        return self._enqueue(now) | self._start(now) | wrote

    def beat(self, now: datetime) -> None:
        if self._tasks:
            self._store.heartbeat(self._owner, now)

    async def stop(self, now: datetime) -> None:
        """End all handlers; their jobs become new attempts, and nobody's fault."""
        tasks = dict(self._tasks)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for id, attempt in tasks:
            self._end(id, attempt, "the engine was stopped", now, is_fault=False)

    def _apply_returned(self, now: datetime) -> bool:
        returned = self._store.jobs("returned")
        for job in returned:
            with self._store.transaction("apply_result"):
                connection = self._store.connection
                effects = _outcome(reading.subject(connection, job), job, now)
                report = reading.report(connection, job.report_id) if job.proposal_id else None
                self._store.write((*effects, *followed(report, effects, now)), now)
            self.applied += 1
        return bool(returned)

    def _end_lost(self, now: datetime) -> bool:
        """Jobs of this process that nothing works on: their end could not be written when it came."""
        lost = [
            job
            for job in self._store.jobs("running")
            if job.owner == self._owner and (job.id, job.attempt) not in self._tasks
        ]
        for job in lost:
            self._end(job.id, job.attempt, "its result could not be stored", now)
        return bool(lost)

    def _enqueue(self, now: datetime) -> bool:
        due = [job for job in self._store.jobs("intended") if job.kind in self._handlers and job.not_before <= now]
        if due:
            with self._store.transaction("enqueue"):
                for job in due:
                    self._store.write(attempts.queued(job, now), now)
        return bool(due)

    def _start(self, now: datetime) -> bool:
        running = Counter(self._kinds.values())
        started = False
        for job in self._store.jobs("queued"):
            # Queued by an engine that is gone, or by this one: the same.
            if job.kind not in self._handlers or running[job.kind] >= self._limits.get(job.kind, _AT_ONCE):
                continue
            running[job.kind] += 1
            started = True
            with self._store.transaction("start_job"):
                subject = reading.subject(self._store.connection, job)
                signals = self._store.revisions(job.report_id)
                self._store.write(attempts.begun(subject, job, self._owner, signals, now), now)
            begun = reading.job(self._store.connection, job.id, job.attempt)
            assert begun is not None
            self._launch(begun)
        return started

    def _launch(self, job: Job) -> None:
        place = (job.id, job.attempt)
        task = asyncio.create_task(self._run(job))
        self._tasks[place], self._kinds[place] = task, job.kind

        def forget(ended: asyncio.Task[None]) -> None:
            if not ended.cancelled():
                ended.exception()  # what it could not write is found by `_end_lost`
            del self._tasks[place], self._kinds[place]
            self.finished.set()

        task.add_done_callback(forget)

    async def _run(self, job: Job) -> None:
        try:
            crash_point("before_handler")
            result = await self._handlers[job.kind](job)
            crash_point("after_handler")
            text = spelled(dict(result))
            if len(text) > MOST_RESULT:
                raise LoopdeskError(f"Its result has {len(text):,} bytes; at most {MOST_RESULT:,} are taken")
        except Unavailable as error:
            self._hold(job.id, job.attempt, plain(error, attempts.MOST_ERROR), error.retry_at)
            return
        except Exception as error:
            said = str(error) if isinstance(error, LoopdeskError) else f"{type(error).__name__}: {error}"
            is_final = isinstance(error, WillNotDo)
            self._end(job.id, job.attempt, plain(said, attempts.MOST_ERROR), self._clock(), is_final=is_final)
            return
        with self._store.transaction("return_result"):
            if (running := self._own(job.id, job.attempt)) is not None:
                now = self._clock()
                self._store.write(attempts.returned(running, result, now), now)

    def _end(
        self, id: str, attempt: int, error: str, now: datetime, *, is_fault: bool = True, is_final: bool = False
    ) -> None:
        with self._store.transaction("fail_job"):
            if (running := self._own(id, attempt)) is not None:
                subject = reading.subject(self._store.connection, running)
                failed = attempts.failed(subject, running, error, now, is_fault=is_fault, is_final=is_final)
                self._store.write(failed, now)

    def _hold(self, id: str, attempt: int, why: str, until: datetime | None) -> None:
        now = self._clock()
        with self._store.transaction("fail_job"):
            if (running := self._own(id, attempt)) is not None:
                subject = reading.subject(self._store.connection, running)
                self._store.write(attempts.held(subject, running, why, until, now), now)

    def _own(self, id: str, attempt: int) -> Job | None:
        """The attempt if it is still this process's to end; a result for any other is dropped."""
        found = reading.job(self._store.connection, id, attempt)
        return found if found is not None and found.state == "running" and found.owner == self._owner else None

    def _stop_unwanted(self) -> None:
        for (id, attempt), task in list(self._tasks.items()):
            if self._own(id, attempt) is None:
                task.cancel()


def _outcome(subject: Subject | None, job: Job, now: datetime) -> tuple:
    """What the result does, or that it does nothing: its subject went another way meanwhile."""
    try:
        if isinstance(subject, Proposal):
            need = wanted(subject)
            if need is None or need.key != job.key:
                return attempts.cancelled(job, "not wanted any more", now)
            return (*proposal_results.APPLY[job.kind](subject, job, now), *attempts.applied(job, now))
        if subject is None or subject.status != "in_progress":
            return attempts.cancelled(job, "not wanted any more", now)
        apply = results.APPLY.get(job.kind)
        if apply is None:
            raise LoopdeskError(f"Nothing is known that a {job.kind} result could do")
        return (*apply(subject, job, now), *attempts.applied(job, now))
    except LoopdeskError as error:
        return attempts.failed(subject, job, str(error), now)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A result comes from outside; one that nobody thought of must not stop the others.
        return attempts.failed(subject, job, f"Its result could not be applied ({type(error).__name__})", now)
