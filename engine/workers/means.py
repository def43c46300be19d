"""What a worker does works with: where their bulk goes, and who pays. New for every job, whose books these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.agents.lazy import LazyAgent
from engine.blobs import Blobs
from engine.budget import Purser
from engine.judge import Judge
from engine.judges import judge_on_worker
from engine.model import Job
from engine.rules.judge import RulesJudge
from engine.work import Progress, Work
from engine.works import one_sandbox, purses, works
from workspace.config import Config


@dataclass(frozen=True, slots=True)
class Means:
    blobs: Blobs
    books: Purser
    clock: Callable[[], datetime]


Build = Callable[[Means], Mapping[str, Work]]


def by(config: Config) -> Build:
    """The works of a worker with this configuration."""
    sandbox = one_sandbox()

    def build(means: Means) -> Mapping[str, Work]:
        # Whether a model may be asked was answered where the job was put into the queue.
        agent = LazyAgent(config, sandbox, means.blobs, purses(means.books), means.clock, lambda: None)
        judge = judge_on_worker(config, means.books, RulesJudge(), means.clock)
        found = works(config, agent, sandbox, means.blobs, means.clock, judge)
        return {kind: _Closing(work, judge, agent) for kind, work in found.items()}

    return build


@dataclass(frozen=True, slots=True)
class _Closing:
    """A work whose judge and agent are let go once it is done."""

    work: Work
    judge: Judge
    agent: LazyAgent

    def brief(self, job: Job) -> Mapping[str, object]:
        return self.work.brief(job)

    async def do(self, brief: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        try:
            return await self.work.do(brief, progress)
        finally:
            await self.judge.close()
            await self.agent.close()
