"""What a worker does works with: where their bulk goes, and who pays. New for every job, whose books these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.agents.lazy import LazyAgent
from engine.blobs import Blobs
from engine.budget import Purser
from engine.judge import Judge
from engine.rules.judge import RulesJudge
from engine.work import Work
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
        return works(config, agent, sandbox, means.blobs, means.clock, _judge(config, means))

    return build


def _judge(config: Config, means: Means) -> Judge:
    """The rules, and the model behind them where this machine has its key."""
    rules = RulesJudge()
    if not config.anthropic_key:
        return rules
    from engine.llm import Model
    from engine.main import warn
    from engine.model_judge import ModelJudge
    from engine.own_events import own_events

    return ModelJudge(Model(config, means.books, own_events(config, warn), means.clock), rules, lambda _: "")
