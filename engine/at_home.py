"""Work done in the engine's own process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from engine.model import Job
from engine.snapshots import StoredProgress
from engine.store import Store
from engine.work import Work

_AT_ONCE = 2


class AtHome:
    """The handler of a kind of job whose work is done here (`engine.executor.Handler`)."""

    def __init__(self, work: Work, store: Store, clock: Callable[[], datetime]) -> None:
        self._work, self._store, self._clock = work, store, clock
        self._room = asyncio.Semaphore(_AT_ONCE)  # where workers do most of it, more are begun than this machine can do

    async def __call__(self, job: Job) -> Mapping[str, object]:
        return await self.do(job, await asyncio.to_thread(self._work.brief, job))

    async def do(self, job: Job, brief: Mapping[str, object]) -> Mapping[str, object]:
        async with self._room:
            return await self._work.do(brief, StoredProgress(self._store, job.id, self._clock))
