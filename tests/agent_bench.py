"""An agent for tests: the real CLI in the real jail, in a folder of its own, and what it left there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.agents import transcript
from engine.agents.keeping import Snapshots
from engine.agents.protocol import Answer, Task
from engine.agents.run import JailedAgent, Means
from engine.agents.transcript import Item
from engine.blobs import FolderBlobs
from engine.own_events import OwnEvents
from engine.sandbox.bubblewrap import Bubblewrap
from tests.conftest import NOW
from tests.messages_api import MessagesApi
from tests.test_sandbox_requests import Purse
from workspace.config import Config

SYSTEM = "You judge."
GOOD: Mapping[str, Any] = {"verdict": "good"}
SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["good", "bad"]}, "notes": {"type": "array", "items": {"type": "string"}}},
    "required": ["verdict"],
    "additionalProperties": False,
}


class Bench:
    def __init__(self, sandbox: Bubblewrap, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.blobs = FolderBlobs(folder / "blobs")
        self.runs = folder / "runs"
        self.purse: Any = Purse()
        self.events: OwnEvents | None = None
        self.models: Mapping[str, object] = {}
        self.snapshot_every = 10
        self._looks = 0

    def clock(self) -> datetime:
        """A millisecond later whenever it is looked at, so that what happened has an order."""
        self._looks += 1
        return NOW + timedelta(milliseconds=self._looks)

    def config(self, url: str) -> Config:
        return Config(
            workspace_dir=str(self.folder), anthropic_key="the-real-key", anthropic_url=url, models=self.models
        )

    async def asks(self, api: MessagesApi | str, snapshot: Snapshots | None = None, **more: Any) -> Answer:
        means = Means(
            self.sandbox,
            self.runs,
            self.blobs,
            lambda task, model: self.purse,
            self.clock,
            self.events,
            snapshot_every=self.snapshot_every,
            retries=0,
        )
        task = {"role": "research", "system": SYSTEM, "prompt": "Judge it.", "schema": SCHEMA, **more}
        agent = JailedAgent(self.config(api if isinstance(api, str) else api.url), means)
        return await agent.ask(Task(**task), snapshot)

    def items(self, answer: Answer, kind: type[Item]) -> list[Any]:
        return [one for one in transcript.read(self.blobs.get(answer.transcript)) if isinstance(one, kind)]
