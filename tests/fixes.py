"""An engine that fixes, for tests: real agents in real jails against a scripted model, on a real forge.

Research is answered at once; everything after it is the engine's own: start, build, tests, review, delivery, watching,
checks, merge. Time is set by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine import leftovers, works
from engine.agents.lazy import LazyAgent
from engine.agents.protocol import Agent, Answer, Snapshot, Task
from engine.at_home import AtHome
from engine.blobs import FolderBlobs
from engine.budget import Books
from engine.delivering import Delivering, Forges
from engine.main import Done, Engine, Parts
from engine.model import Command, Proposal
from engine.rules.judge import RulesJudge
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.meter import ReportPurse
from engine.sandbox.protocol import Refusal
from engine.store import Store
from engine.watching import Watching
from tests.agent_api import Turn, answers, calls
from tests.engines import READY, Desk, place_by_project, signal
from tests.engines import answers as research_answers
from workspace.config import Config

WRONG, RIGHT = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
TEST = "from calc import add\n\nassert add(2, 3) == 5, 'two and three'\n"
CI = ["python3", "check.py"]
FILES = {"calc.py": WRONG, "check.py": TEST}
FIX, REVIEW = "You mend problems in a repository", "You review a change"
SPECIFIC = answers({"is_specific": True, "question": "", "plan": "Add instead of subtracting."})
SAID = {
    "title": "Add instead of subtracting",
    "why": "It subtracted.",
    "how": "add() adds.",
    "untested": "Big numbers.",
}
FINE = answers({"summary": "It does what it says.", "points": []})


def edits(path: str, text: str) -> list[dict[str, Any]]:
    return calls("Write", file_path=f"/jail/clone/{path}", content=text)


def script(*mends: Sequence[Turn], ask: Turn = SPECIFIC, review: Sequence[Turn] = (FINE,)) -> dict[str, Sequence[Turn]]:
    """Turns of a fix whose session goes on: first what is specific, then each of `mends`, one after the other."""
    flat = [turn for mend in mends for turn in mend]
    return {FIX: [ask, *flat], REVIEW: review}


def mends(text: str = RIGHT, **said: str) -> list[Turn]:
    return [edits("calc.py", text), answers({**SAID, **said})]


Play = Callable[[Task], Mapping[str, Any] | None]
"""What an agent does with its task's clone, and what it answers."""


def writes(text: str = RIGHT, path: str = "calc.py", **said: str) -> Play:
    def play(task: Task) -> Mapping[str, Any]:
        assert task.clone is not None and task.may_write
        (task.clone / path).parent.mkdir(parents=True, exist_ok=True)
        (task.clone / path).write_text(text)
        return {**SAID, **said}

    return play


class Played:
    """An `Agent` without a model and a CLI, for what does not depend on them: `mends` are its turns as the fixer,
    `reviews` as the reviewer; the last one is repeated. `asked` are the tasks that came."""

    def __init__(self, *mends: Play, reviews: Sequence[Mapping[str, Any]] = (), question: str = "") -> None:
        self.mends, self.reviews, self.question = list(mends), list(reviews), question
        self.refusals: tuple[Refusal, ...] = ()
        self.asked: list[Task] = []

    def play(self, task: Task) -> Mapping[str, Any] | None:
        if "is_specific" in str(task.schema):
            asked, self.question = self.question, ""
            return {"is_specific": not asked, "question": asked, "plan": ""}
        if task.role == "review":
            return self.reviews.pop(0) if self.reviews else {"summary": "Fine.", "points": []}
        return (self.mends.pop(0) if len(self.mends) > 1 else self.mends[0])(task)

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        self.asked.append(task)
        if snapshot is not None and task.may_write:
            await snapshot(Snapshot("", "", 10))
        content = self.play(task)
        why = "" if content is not None else "it said nothing"
        return Answer(content, why, session="e" * 64, cost_usd=0.01, refusals=self.refusals)


class Loop(Desk):
    """`repository` is the table of `[repositories.code]`; `agent` a played one in place of the real CLI."""

    def __init__(
        self,
        folder: Path,
        sandbox: Bubblewrap,
        repository: dict[str, Any],
        *,
        model_url: str = "",
        agent: Played | None = None,
        **more: Any,
    ) -> None:
        super().__init__(folder)
        self.sandbox, self.agent = sandbox, agent
        self.config = replace(
            Config(),
            workspace_dir=str(folder),
            timezone="UTC",
            anthropic_key="the-real-key",
            anthropic_url=model_url,
            repositories={"code": {"projects": ["autoagent"], "ci": CI, **repository}},
            **more,
        )

    def turn(self) -> Done:
        store = Store.open(self.workspace.inbox_db)
        try:
            engine = Engine(store, self.parts(store), clock=lambda: self.now)
            asyncio.run(engine.once())
            return engine.done
        finally:
            store.close()

    def parts(self, store: Store) -> Parts:
        leftovers.remove_all(self.workspace)
        config, blobs = self.config, FolderBlobs(self.workspace.blobs)
        clock, judge = (lambda: self.now), RulesJudge()
        books = Books(config, store, clock)
        agent: Agent = self.agent or LazyAgent(
            config,
            lambda: self.sandbox,
            blobs,
            lambda task, model: ReportPurse(books, task.role, model, task.report_id),
            clock,
            lambda: None,
        )
        forges = Forges(config, lambda: self.sandbox, clock)
        at_home = {
            kind: AtHome(work, store, clock)
            for kind, work in works.works(config, agent, lambda: self.sandbox, blobs, clock, judge).items()
        }
        delivering = Delivering(config, forges, blobs, judge, clock)
        handlers = {**at_home, **research_answers(READY), **delivering.handlers, **self.handlers}
        return Parts((place_by_project, *self.stages, Watching(forges, judge)), handlers)

    def has(self, state: str) -> Proposal:
        proposal = self.proposal()
        assert proposal.state == state, (proposal.state, proposal.said, [job.error for job in self.inbox.jobs()])
        return proposal

    def is_ready(self) -> None:
        self.comes(signal("crash"))
        self.turn()
        assert self.report().status == "ready"

    def starts(self) -> Proposal:
        self.applied("approve", self.report(), expect="start")
        return self.proposal()

    def approves(self, expect: str, **more: Any) -> Command:
        """With what is on screen."""
        proposal = self.proposal()
        seen = str(proposal.change["sha"]) if expect == "push" else proposal.head_sha
        command = self.inbox.command(
            "approve",
            proposal.report_id,
            {"expect": expect, **more},
            now=self.now,
            seen_version=self.report().version,
            seen_sha=seen,
        )
        self.inbox.submit(command)
        self.later(seconds=11)
        self.turn()
        return next(one for one in self.inbox.commands() if one.id == command.id)

    def proposal(self) -> Proposal:
        found = self.inbox.report(self.report().id)
        assert found is not None and found.listed.proposal is not None
        return found.listed.proposal

    def waits(self, time: timedelta) -> Proposal:
        self.now += time
        self.turn()
        return self.proposal()
