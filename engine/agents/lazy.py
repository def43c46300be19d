"""The agent of a configuration, made when it is first asked: what it needs is heavy, and may not be there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from engine.agents.protocol import Agent, Answer, Snapshot, Task
from engine.blobs import Blobs
from engine.judge import Unavailable
from engine.sandbox.meter import Purse
from engine.sandbox.protocol import Sandbox
from workspace.config import Config


@dataclass(slots=True)
class LazyAgent:
    """An `Agent`. `may_ask` raises `Unavailable` where no model may be asked."""

    config: Config
    sandbox: Callable[[], Sandbox]
    blobs: Blobs
    purse: Callable[[Task, str], Purse]
    clock: Callable[[], datetime]
    may_ask: Callable[[], None]
    _agent: Agent | None = None

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        self.may_ask()
        if not self.config.anthropic_key:
            raise Unavailable("No model is configured for the agent", do="Set ANTHROPIC_API_KEY")
        if self._agent is None:
            from engine.agents.run import JailedAgent, Means

            config = self.config
            means = Means(self.sandbox(), config.workspace.runs, self.blobs, self.purse, self.clock)
            self._agent = JailedAgent(config, means)
        return await self._agent.ask(task, snapshot)
