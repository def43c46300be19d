"""What workers fix with in tests, in processes of their own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from engine import works
from engine.agents import run as agents
from engine.agents.keeping import Snapshots
from engine.agents.protocol import Agent, Answer, Task
from engine.rules.judge import RulesJudge
from engine.sandbox.bubblewrap import find
from engine.work import Work
from engine.workers.means import Means
from tests.fixes import RIGHT, Played, writes
from workspace.config import Config

OTHER = "def add(a, b):\n    return b + a\n"


@contextlib.asynccontextmanager
async def fixing(config: Config, played: Agent | None, means: Means) -> AsyncIterator[Mapping[str, Work]]:
    """On a worker: changes by the real CLI in a real jail with a snapshot after every turn, or by a played agent."""
    purses = works.purses(means.books)
    with_ = agents.Means(find(), config.workspace.runs, means.blobs, purses, means.clock, snapshot_every=1)
    agent = played or Changes(agents.JailedAgent(config, with_))
    yield works.works(config, agent, find, means.blobs, means.clock, RulesJudge())


class Changes(Played):
    """What is asked before and after the change is no matter here."""

    def __init__(self, real: Agent) -> None:
        super().__init__()
        self.real = real

    async def ask(self, task: Task, snapshot: Snapshots | None = None) -> Answer:
        if task.may_write:
            return await self.real.ask(task, snapshot)
        return replace(await super().ask(task), session="")


class GoesOn(Played):
    """Mends what another machine made, in its session."""

    def __init__(self) -> None:
        super().__init__()

    def play(self, task: Task) -> Mapping[str, Any] | None:
        if task.role == "review":
            return super().play(task)
        assert task.session and task.clone is not None and (task.clone / "calc.py").read_text() == RIGHT
        return writes(OTHER)(task)
