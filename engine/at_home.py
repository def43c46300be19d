"""Work that is done in the engine's own process: its brief is read, and its progress kept in the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.in_thread import in_thread
from engine.model import Job
from engine.store import Store
from engine.work import Work

AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class AtHome:
    """A `Handler`. `room` is for as many as this machine does at once: where workers do most, more are begun."""

    work: Work
    store: Store
    clock: Callable[[], datetime]
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def __call__(self, job: Job) -> Mapping[str, object]:
        return await self.do(job, await self.brief(job))

    async def brief(self, job: Job) -> Mapping[str, object]:
        return await in_thread(lambda: self.work.brief(job), f"brief of {job.kind}")

    async def do(self, job: Job, brief: Mapping[str, object]) -> Mapping[str, object]:
        async with self.room:
            return await self.work.do(brief, StoredProgress(self.store, job.id, self.clock))


@dataclass(frozen=True, slots=True)
class StoredProgress:
    store: Store
    job_id: str
    clock: Callable[[], datetime]

    async def latest(self) -> Mapping[str, object] | None:
        return self.store.snapshot(self.job_id)

    async def save(self, snapshot: Mapping[str, object]) -> None:
        self.store.save_snapshot(self.job_id, snapshot, self.clock())
