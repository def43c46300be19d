"""Work that is done in the engine's own process: its brief is read, and its progress kept in the inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.in_thread import in_thread
from engine.model import Job
from engine.store import Store
from engine.work import Work


@dataclass(frozen=True, slots=True)
class AtHome:
    """A `Handler`."""

    work: Work
    store: Store
    clock: Callable[[], datetime]

    async def __call__(self, job: Job) -> Mapping[str, object]:
        brief = await in_thread(lambda: self.work.brief(job), f"brief of {job.kind}")
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
