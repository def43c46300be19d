"""What an agent is asked, and what it answers. How it is run is `engine.agents.run`'s."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.sandbox.protocol import Limits, Refusal


@dataclass(frozen=True, slots=True)
class HostTool:
    """A tool that runs on the host for a jailed agent. `schema` is a JSON schema, and every call is checked against it
    before `call` sees it; what `call` returns is text for the agent. It raises `LoopdeskError` for what cannot be done,
    which the agent reads as the call's error."""

    name: str
    description: str
    schema: Mapping[str, object]
    call: Callable[[Mapping[str, object]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """One question to an agent. `role` is one of `engine.roles` (its model, and who the calls are booked on).

    `schema` is what the answer has to be. `clone` is a work tree made by `engine.sandbox.bundles.fill_clone`, which the
    agent can change where `may_write`; without one it has no tools but `tools`. `session` is a blob key of an earlier
    answer's session, which goes on. `base` is the commit that snapshots are taken against. `limit_usd` bounds this task
    alone; `turns` the model's answers.
    """

    role: str
    system: str
    prompt: str
    schema: Mapping[str, object]
    report_id: str = ""
    clone: Path | None = None
    may_write: bool = False
    tools: Sequence[HostTool] = ()
    session: str = ""
    base: str = ""
    read_only: Mapping[str, Path] = field(default_factory=dict)
    """More folders, by where they are within the jail."""
    limit_usd: float = 1.0
    turns: int = 40
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an agent had done by then, as blob keys: `bundle` on top of the task's base, empty where nothing was
    changed, and `session` to go on with, empty where it could not be kept.

    Taken while the work goes on: the bundle may hold more than the session knows of. `engine.sandbox.bundles.take`
    brings it into a mirror, from which a clone is filled as from any commit.
    """

    bundle: str
    session: str
    turns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` fits the task's schema; it is None where the agent gave no such answer, for the reason `why`.

    `session` and `transcript` are blob keys. `trace` is the round id under which the desk shows the run, empty where
    nothing was told of it. `denied` are tools that it asked for and does not have.
    """

    content: Mapping[str, object] | None
    why: str = ""
    session: str = ""
    transcript: str = ""
    trace: str = ""
    turns: int = 0
    cost_usd: float = 0.0
    refusals: tuple[Refusal, ...] = ()
    denied: tuple[str, ...] = ()


class Agent(Protocol):
    """Never judged by what it says of itself: a fix is judged by its diff and its tests."""

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        """`snapshot` is called every ten turns and at the end, also of a run that raises `Unavailable` then. Cancelled,
        it kills the jail. Raises `NoSandbox`, and `Unavailable` where the model or a budget is not to be had now;
        `sandbox.bundles.Untrusted` for a `session` that is none: ask again without."""
