"""What a worker does works with: where their bulk goes, and who pays. New for every job, whose books these are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from engine.agents.lazy import LazyAgent
from engine.blobs import Blobs
from engine.budget import Purser
from engine.judges import judge_on_worker
from engine.rules.judge import RulesJudge
from engine.work import Work
from engine.works import one_sandbox, purses, works
from workspace.config import Config


@dataclass(frozen=True, slots=True)
class Means:
    blobs: Blobs
    books: Purser
    clock: Callable[[], datetime]


Build = Callable[[Means], AbstractAsyncContextManager[Mapping[str, Work]]]


def by(config: Config, warn: Callable[[str], None]) -> Build:
    """The works of a worker with this configuration. `warn` is told where its agents' events cannot be kept."""
    sandbox = one_sandbox()

    @asynccontextmanager
    async def build(means: Means) -> AsyncIterator[Mapping[str, Work]]:
        # Whether a model may be asked was answered where the job was put into the queue.
        agent = LazyAgent(config, sandbox, means.blobs, purses(means.books), means.clock, lambda: None, warn)
        judge = judge_on_worker(config, means.books, RulesJudge(), means.clock, warn)
        try:
            yield works(config, agent, sandbox, means.blobs, means.clock, judge)
        finally:
            await judge.close()
            await agent.close()

    return build
