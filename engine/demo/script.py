"""What a demo's engine is made of in place of a model: the scripted one behind the real agent, for one report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from engine.agents.lazy import LazyAgent
from engine.agents.protocol import Answer, Snapshot, Task
from engine.blobs import Blobs
from engine.demo.model import NAME, ScriptedModel
from engine.demo.repository import folder
from engine.demo.story import Story, story
from engine.model import Job
from engine.rules.judge import RulesJudge
from engine.sandbox.meter import Purse
from engine.sandbox.protocol import NoSandbox, Sandbox
from engine.work import Progress, Work
from workspace.config import Config


def config_of(config: Config) -> Config:
    """With the demo's repository, where it was made. Its fix starts by itself: so there is something to see."""
    path, told = folder(config.workspace.root), story()
    if not path.is_dir():
        return config
    table = {"path": str(path), "projects": [told.project], "ci": list(told.ci), "autostart": "P4"}
    return replace(config, repositories={told.repository: table})


class ScriptedAgent:
    """An `Agent`, for as long as its engine runs. What it costs is nothing, and is booked as that."""

    def __init__(
        self,
        config: Config,
        sandbox: Callable[[], Sandbox],
        blobs: Blobs,
        purse: Callable[[Task, str], Purse],
        clock: Callable[[], datetime],
        warn: Callable[[str], None],
    ) -> None:
        self._config, self._rest = config, (sandbox, blobs, purse, clock)
        self._warn, self._model = warn, ScriptedModel(story())
        self._agent: LazyAgent | None = None

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        if self._agent is None:
            url = await self._model.started()
            config = replace(self._config, anthropic_key="scripted", anthropic_url=url)
            self._agent = LazyAgent(config, *self._rest, lambda: None, self._warn)
        return await self._agent.ask(task, snapshot)

    async def close(self) -> None:
        if self._agent is not None:
            await self._agent.close()
        await self._model.close()


class Scripted(RulesJudge):
    """Rules under the script's name: who is said to have judged is never a model."""

    name = NAME


@dataclass(frozen=True, slots=True)
class OneReport:
    """`Work`: the report of the story is researched by the script's agent, every other one by rules."""

    scripted: Work
    rules: Work
    sandbox: Callable[[], Sandbox]
    story: Story

    def brief(self, job: Job) -> Mapping[str, object]:
        brief = self.rules.brief(job)
        return {**brief, "is_of_the_story": self.story.error in str(brief["signals"])}

    async def do(self, brief: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        brief = dict(brief)
        if not brief.pop("is_of_the_story"):
            return await self.rules.do(brief, progress)
        try:
            self.sandbox()
        except NoSandbox:
            return await self.rules.do(brief, progress)
        said = "No model was asked: the demo's script answered, in the place of one."
        return {**await self.scripted.do(brief, progress), "judged_by": NAME, "code": said}
