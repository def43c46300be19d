"""The agent of a configuration, made when it is first asked: what it needs is heavy, and may not be there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from engine.agents.protocol import Agent, Answer, Snapshot, Task
from engine.blobs import Blobs
from engine.judge import Unavailable
from engine.sandbox.meter import Purse
from engine.sandbox.protocol import Sandbox
from workspace.config import Config

if TYPE_CHECKING:
    from engine.own_events import OwnEvents


@dataclass(slots=True)
class LazyAgent:
    """An `Agent`. `may_ask` raises `Unavailable` where no model may be asked; `warn` is told where its events cannot be
    kept."""

    config: Config
    sandbox: Callable[[], Sandbox]
    blobs: Blobs
    purse: Callable[[Task, str], Purse]
    clock: Callable[[], datetime]
    may_ask: Callable[[], None]
    warn: Callable[[str], None] = lambda _: None
    _agent: Agent | None = None
    _events: OwnEvents | None = None

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        self.may_ask()
        if not self.config.anthropic_key:
            raise Unavailable("No model is configured for the agent", do="Set ANTHROPIC_API_KEY")
        if self._agent is None:
            self._agent = self._made()
        return await self._agent.ask(task, snapshot)

    def _made(self) -> Agent:
        from engine.agents.run import JailedAgent, Means
        from engine.own_events import own_events

        sandbox, runs = self.sandbox(), self.config.workspace.runs
        self._events = own_events(self.config, self.warn)
        means = Means(sandbox, runs, self.blobs, self.purse, self.clock, self._events)
        return JailedAgent(self.config, means)

    async def close(self) -> None:
        if self._events is not None:
            self._events.close()
