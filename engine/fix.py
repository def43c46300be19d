"""What a fix does: asks whether the report is specific enough, has an agent change the code in a jail, tests what came
out of it, has a second agent review that, and returns one commit of ours with what is known about it.

Nothing leaves the machine from here: the engine verifies the commit once more, guards it and pushes it
(`engine.delivering`). The agent is judged by its diff and its tests, never by what it says of itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from engine import changes, commits, prompts, pull_text
from engine.agents.protocol import Agent, Answer, Snapshot, Task
from engine.blobs import Blobs
from engine.data_blocks import Data, user_message
from engine.fix_brief import FixBrief, brief_of
from engine.forges.ci import ran
from engine.forges.mirror import Mirror
from engine.forges.opening import mirror_of
from engine.forges.trees import read_diff
from engine.git import GitFailed
from engine.in_thread import in_thread
from engine.inbox import Inbox
from engine.judge import Unavailable
from engine.model import Job
from engine.sandbox.bundles import Untrusted, fill_clone, leave
from engine.sandbox.folders import RunFolder, run_folder
from engine.sandbox.protocol import NoSandbox, Sandbox
from engine.sandbox.runner import DEPENDENCIES, JailRunner, Prepared
from engine.work import Progress
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.text import plain

MOST_DIFF_SHOWN = 60_000  # characters of a diff that a reviewer is shown; the rest it reads in its clone
_MOST_REFUSALS = 20
_TEXT = {"type": "string"}
_SPECIFIC = {
    "type": "object",
    "properties": {"is_specific": {"type": "boolean"}, "question": _TEXT, "plan": _TEXT},
    "required": ["is_specific", "question", "plan"],
    "additionalProperties": False,
}
_CHANGED = {
    "type": "object",
    "properties": {"title": _TEXT, "why": _TEXT, "how": _TEXT, "untested": _TEXT},
    "required": ["title", "why", "how", "untested"],
    "additionalProperties": False,
}
_REVIEW = {
    "type": "object",
    "properties": {
        "summary": _TEXT,
        "points": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "path": _TEXT,
                    "line": {"type": "integer", "minimum": 0},
                    "text": _TEXT,
                    "must": {"type": "boolean"},
                },
                "required": ["path", "line", "text", "must"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["summary", "points"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Hands:
    """What a fix works with, at home and on a worker."""

    workspace: Workspace
    agent: Agent
    sandbox: Callable[[], Sandbox]
    """Raises `NoSandbox`."""
    blobs: Blobs
    token: str = field(default="", repr=False)
    """For reading the repository."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A commit of the agent's work in our mirror, and how its tests ended."""

    sha: str
    tests: Mapping[str, Any]


class Fixing:
    """`Work` of fix jobs."""

    def __init__(self, config: Config, hands: Hands, clock: Callable[[], datetime]) -> None:
        self._config, self._hands, self._clock = config, hands, clock

    def brief(self, job: Job) -> Mapping[str, object]:
        with closing(Inbox(self._config.workspace, read_only=True)) as inbox:
            return brief_of(self._config, inbox, job, self._clock()).document()

    async def do(self, brief: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        wanted = FixBrief.read(brief)
        try:
            sandbox = self._hands.sandbox()
            mirror = await asyncio.to_thread(
                mirror_of, wanted.repository, self._hands.workspace.mirrors, self._hands.token
            )
            # An engine that is stopped does not wait for a host that hangs.
            base = await in_thread(lambda: _base(mirror, wanted), "base")
            deps = Prepared(self._hands.workspace.dependencies)
            prepared = await deps.dependencies(wanted.repository, mirror, base.sha, self._hands.sandbox)
            with run_folder(self._hands.workspace.runs) as folder:
                fix = _Fix(self._hands, wanted, sandbox, mirror, base, prepared, folder, progress, self._clock)
                return await fix.made()
        except NoSandbox as error:
            raise Unavailable("No sandbox for the agent", str(error), "Run: loopdesk doctor") from None


@dataclass(frozen=True, slots=True)
class Base:
    branch: str
    sha: str


def _base(mirror: Mirror, wanted: FixBrief) -> Base:
    """What the change stands on: fixed with the first build, the base branch's head before."""
    branch = wanted.base or wanted.repository.base or mirror.default_branch()
    there = mirror.fetch(branch)
    if branch not in there:
        raise LoopdeskError(f"{wanted.repository.name} has no branch {plain(branch, 80)}", "Nothing can be built on it")
    return Base(branch, mirror.commit(wanted.base_sha) if wanted.base_sha else there[branch])


@dataclass
class _Fix:
    """One build, from its clone to its result."""

    hands: Hands
    wanted: FixBrief
    sandbox: Sandbox
    mirror: Mirror
    base: Base
    dependencies: Path | None
    folder: RunFolder
    progress: Progress
    clock: Callable[[], datetime]
    parent: str = ""
    session: str = ""
    cost_usd: float = 0.0
    canary: str = ""
    runs: tuple[Mapping[str, object], ...] = ()
    refusals: tuple[Mapping[str, object], ...] = ()

    async def made(self) -> Mapping[str, object]:
        self.canary = f"canary-{secrets.token_hex(8)}"
        saved = await self.progress.latest() or {}
        self.parent = await self._parent()
        start = await self._start(saved)
        await fill_clone(self.sandbox, self.mirror.folder, start, self.folder.clone)
        self.session = str(saved.get("session") or self.wanted.session)
        if not self.session and not self.wanted.bundle and (question := await self._question()):
            return {"question": question, **self._kept()}
        answer = await self._ask(prompts.MEND, self._task_blocks(), _CHANGED, may_write=True)
        made = await self._tested()
        if made is None:
            return {"nothing": _why(answer, "the agent changed nothing"), **self._kept()}
        if made.tests.get("state") == "failed":
            again = [Data("failed_tests", made.tests["summary"])]
            answer = await self._ask(prompts.MEND, again, _CHANGED, may_write=True)
            made = await self._tested() or made
            if made.tests.get("state") == "failed" and not await self._fails_without():
                return {"nothing": f"its tests fail with the change: {made.tests['summary'][-300:]}", **self._kept()}
        review = await self._reviewed(made)
        if musts := [one for one in review["points"] if one["must"]]:
            answer = await self._ask(prompts.MEND, [Data("review", musts)], _CHANGED, may_write=True)
            mended = await self._tested()
            if mended is not None and mended.tests.get("state") != "failed":
                made = mended
        return await self._result(made, answer, review)

    async def _parent(self) -> str:
        """What the commit is put on: the last one that was made, or the base."""
        if not self.wanted.bundle:
            return self.base.sha
        bundle = await asyncio.to_thread(self.hands.blobs.get, self.wanted.bundle)
        return await asyncio.to_thread(commits.taken, self.mirror, bundle, self.base.sha, self._name)

    async def _start(self, saved: Mapping[str, object]) -> str:
        """What the agent goes on from: what an attempt before this one had saved, or the last commit."""
        if not saved.get("bundle"):
            return self.parent
        bundle = await asyncio.to_thread(self.hands.blobs.get, str(saved["bundle"]))
        return await asyncio.to_thread(commits.taken, self.mirror, bundle, self.parent, f"{self._name}-saved")

    @property
    def _name(self) -> str:
        return self.wanted.proposal_id

    async def _question(self) -> str:
        """What is asked before any code is written; empty where the report says enough."""
        answer = await self._ask(prompts.SPECIFIC, self._task_blocks(), _SPECIFIC, may_write=False)
        if answer.content is None:
            raise LoopdeskError("The agent did not say whether the report is specific enough", answer.why)
        return "" if answer.content["is_specific"] else plain(answer.content["question"], pull_text.MOST_PART)

    def _task_blocks(self) -> list[Data]:
        wanted = self.wanted
        blocks = [
            Data("report", {"title": wanted.title, "summary": wanted.summary, "root_cause": wanted.root_cause}),
            Data("signals", list(wanted.signals)),
            Data("evidence", list(wanted.evidence)),
            Data("marker", self.canary),
        ]
        for kind in ("findings", "context", "memory", "tried"):
            if found := getattr(wanted, kind):
                blocks.append(Data(kind, list(found)))
        if wanted.feedback:
            blocks.append(Data("asked_for_changes", [dict(one) for one in wanted.feedback]))
        if wanted.failed_checks:
            blocks.append(Data("failed_checks", [dict(one) for one in wanted.failed_checks]))
        return blocks

    async def _ask(
        self, wanted: str, blocks: Sequence[Data], schema: Mapping[str, object], *, may_write: bool
    ) -> Answer:
        task = Task(
            role="fix",
            system=prompts.FIX,
            prompt=f"{wanted.strip()}\n\n{user_message(blocks, secrets.token_hex(8))}",
            schema=schema,
            report_id=self.wanted.report_id,
            clone=self.folder.clone,
            may_write=may_write,
            session=self.session,
            base=self.parent,
            read_only={DEPENDENCIES: self.dependencies} if self.dependencies else {},
            limit_usd=self._left_usd,
        )
        try:
            answer = await self.hands.agent.ask(task, self._saving())
        except Untrusted:
            if not task.session:
                raise
            # One that cannot be gone on with is no reason to give up: the work is in the clone.
            answer = await self.hands.agent.ask(replace(task, session=""), self._saving())
        self.session = answer.session or self.session
        self._count(answer, "fix")
        return answer

    def _saving(self) -> Callable[[Snapshot], Awaitable[None]]:
        async def save(snapshot: Snapshot) -> None:
            await self.progress.save({"bundle": snapshot.bundle, "session": snapshot.session, "turns": snapshot.turns})

        return save

    @property
    def _left_usd(self) -> float:
        return max(self.wanted.limit_usd - self.cost_usd, 0.0)

    def _count(self, answer: Answer, role: str) -> None:
        self.cost_usd += answer.cost_usd
        tried = [{"at": one.at.isoformat(), "kind": str(one.kind), "said": one.said} for one in answer.refusals]
        self.refusals = (*self.refusals, *tried)[:_MOST_REFUSALS]
        if answer.transcript:
            cost = round(answer.cost_usd, 6)
            run = {"blob": answer.transcript, "round_id": answer.trace, "turns": answer.turns, "cost_usd": cost}
            self.runs = (*self.runs, {**run, "role": role})

    async def _tested(self) -> _Made | None:
        """The work so far, checked and tested; None where nothing was changed."""
        for old in self.folder.out.iterdir():
            old.unlink()
        left = await leave(self.sandbox, self.folder.clone, self.folder.out, self.parent, self.folder.received)
        if left.error:
            raise Untrusted("The work could not be taken out of the jail", left.error)
        if left.bundle is None:
            return None
        bundle = left.bundle.read_bytes()
        work = await asyncio.to_thread(commits.taken, self.mirror, bundle, self.parent, f"{self._name}-work")
        if await asyncio.to_thread(commits.is_same, self.mirror, work, self.parent):
            return None
        return _Made(work, await self._run_tests(work))

    async def _run_tests(self, sha: str) -> Mapping[str, Any]:
        command = self.wanted.repository.ci
        if not command:
            return {"state": "not_run", "command": "", "summary": "No command is configured for its tests."}
        runner = JailRunner(self.hands.sandbox, asyncio.get_running_loop(), self.dependencies)
        try:
            check = await asyncio.to_thread(ran, self.mirror, sha, command, runner)
        except asyncio.CancelledError:
            runner.stop()
            raise
        return {"state": check.state, "command": " ".join(command), "summary": check.summary}

    async def _fails_without(self) -> bool:
        """Whether the tests fail on the base as well: then the change is not what breaks them."""
        return (await self._run_tests(self.base.sha))["state"] == "failed"

    async def _reviewed(self, made: _Made) -> dict[str, Any]:
        """By a second agent that knows nothing of the first: in a clone of its own, which it cannot change."""
        diff = await asyncio.to_thread(self._patch, made.sha)
        with run_folder(self.hands.workspace.runs) as folder:
            await fill_clone(self.sandbox, self.mirror.folder, made.sha, folder.clone)
            task = Task(
                role="review",
                system=prompts.REVIEW,
                prompt=user_message([*self._task_blocks()[:3], Data("diff", diff)], secrets.token_hex(8)),
                schema=_REVIEW,
                report_id=self.wanted.report_id,
                clone=folder.clone,
                limit_usd=self._left_usd,
            )
            answer = await self.hands.agent.ask(task)
        self._count(answer, "review")
        if answer.content is None:
            return {"summary": f"It was not reviewed: {answer.why}", "points": []}
        return dict(answer.content)

    def _patch(self, sha: str) -> str:
        options = ["--patch", "--no-ext-diff", "--no-textconv", "--no-color", "-M", "-r"]
        try:
            done = self.mirror.run("diff-tree", *options, self.base.sha, sha, "--", most=8 << 20)
        except GitFailed:
            return "It is too large to be shown here: look at it in the repository."
        return done.out.decode("utf-8", "replace")[:MOST_DIFF_SHOWN]

    async def _result(self, made: _Made, answer: Answer, review: Mapping[str, Any]) -> dict[str, object]:
        said = answer.content or {}
        text = pull_text.PullText(
            report_id=self.wanted.report_id,
            title=str(said.get("title") or self.wanted.title),
            problem=self.wanted.summary,
            evidence=self.wanted.evidence,
            why=str(said.get("why", "")),
            change=str(said.get("how", "")),
            tests=made.tests,
            untested=str(said.get("untested", "")),
            review=review,
            hidden=self.wanted.hidden,
            shown=self.wanted.shown,
        )

        def committed() -> dict[str, object]:
            sha = commits.one_commit(self.mirror, made.sha, self.parent, pull_text.message(text), self.clock())
            diff = read_diff(self.mirror, self.base.sha, sha)
            return {
                "sha": sha,
                "base_sha": self.base.sha,
                "base": self.base.branch,
                "bundle": self.hands.blobs.put(commits.bundled(self.mirror, sha, self.base.sha)),
                "diff": self.hands.blobs.put(changes.written(diff)),
                "files": len(diff.files),
                "added": diff.added,
                "removed": diff.removed,
                "title": pull_text.title(text),
                "why": plain(text.why, pull_text.MOST_PART),
                "how": plain(text.change, pull_text.MOST_PART),
                "untested": plain(text.untested, pull_text.MOST_PART),
                "canary": self.canary,
            }

        change = await asyncio.to_thread(committed)
        points = [{**one, "path": plain(one["path"], 200), "text": plain(one["text"], 600)} for one in review["points"]]
        return {
            "change": change,
            "repository": self.wanted.repository.name,
            "branch": f"loopdesk/fix-{self._name.lower()}",
            "tests": {**made.tests, "summary": made.tests["summary"][-2_000:]},
            "review": {"summary": plain(review["summary"], 600), "points": points[:30]},
            **self._kept(),
        }

    def _kept(self) -> dict[str, object]:
        return {"session": self.session, "transcripts": list(self.runs), "refusals": list(self.refusals)}


def _why(answer: Answer, otherwise: str) -> str:
    said = (answer.content or {}).get("why") or answer.why
    return plain(said, 300) or otherwise
