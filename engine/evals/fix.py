"""Fixes of small repositories with a planted bug: each goes through the engine's own stage, with whatever agent, and
what comes out of it is put before tests that the agent never saw."""

from __future__ import annotations

import asyncio
import difflib
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ulid import ULID

from engine.agents.protocol import Agent, Answer, Snapshot, Task
from engine.blobs import FolderBlobs
from engine.diff import Diff
from engine.evals.fix_cases import Files, FixCase, edited
from engine.evals.metrics import Part, part
from engine.fix import Fixing, Hands
from engine.fix_brief import FixBrief
from engine.forges.ci import ran
from engine.forges.mirror import Mirror
from engine.forges.opening import mirror_of
from engine.forges.trees import read_diff
from engine.git import Git
from engine.guard import Verdict, guard
from engine.guard_rules import configured
from engine.judge import Unavailable
from engine.repositories import Repository
from engine.sandbox.protocol import Sandbox
from engine.sandbox.runner import JailRunner, Prepared
from engine.secrets import Canaries
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.text import plain

HIDDEN = "/jail/hidden"
HIDDEN_S = 120.0
_COMMITTED_AT = 1_760_000_000  # a case is the same commit wherever it is run

_FAILED = re.compile(r"Error\b|^FAIL:|^ERROR:|^expected ")

Ended = Literal["fixed", "wrong", "question", "nothing", "failed"]
ENDED: tuple[Ended, ...] = ("fixed", "wrong", "question", "nothing", "failed")


@dataclass(frozen=True, slots=True)
class FixAnswer:
    """`ended`: `fixed` where the hidden tests pass, `wrong` where they do not, `question` where the agent asked in
    place of a change, `nothing` where no change came of it, `failed` where the work broke off. `why` is the question,
    the reason or the end of the hidden tests' output. `tests` is how the repository's own tests ended.

    `files` and `lines` are those of the change, `more_files` and `more_lines` what is beyond the reference. `turns` are
    answers of the model, `seconds` all the time that it took.
    """

    case: FixCase
    ended: Ended
    why: str = ""
    tests: str = "not_run"
    guard: Verdict | None = None
    files: int = 0
    lines: int = 0
    more_files: int = 0
    more_lines: int = 0
    cost_usd: float = 0.0
    turns: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FixScore:
    """`clean` are fixes that the guard lets through, without waiting for a push. `visible` are changes after which the
    repository's own tests pass, of those where that can be. `stopped` says why the cases after `answers` were not
    tried."""

    agent: str
    fixed: Part
    clean: Part
    visible: Part
    ended: Mapping[Ended, int]
    cost_usd: float
    turns: int
    seconds: float
    answers: tuple[FixAnswer, ...]
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """A case, and who is to mend it: `agent` is given the blobs that the work is kept in."""

    case: FixCase
    agent: Callable[[FolderBlobs], Agent]


async def score(
    agent: str,
    tries: Sequence[Try],
    sandbox: Sandbox,
    clock: Callable[[], datetime],
    limit_usd: float,
    tell: Callable[[], None] = lambda: None,
) -> FixScore:
    """One after the other: an agent and its tests may need all of the machine. Raises the `Unavailable` that the first
    one ends with."""
    answers: list[FixAnswer] = []
    stopped = ""
    for one in tries:
        try:
            answers.append(await tried(one, sandbox, clock, limit_usd))
        except Unavailable as error:
            if not answers:
                raise
            stopped = str(error)
            break
        tell()
    return scored(agent, answers, stopped)


def scored(agent: str, answers: Sequence[FixAnswer], stopped: str = "") -> FixScore:
    changed = [one for one in answers if one.ended in ("fixed", "wrong")]
    return FixScore(
        agent=agent,
        fixed=part(one.ended == "fixed" for one in answers),
        clean=part(
            one.ended == "fixed" and one.guard is not None and one.guard.passed and not one.guard.waits
            for one in answers
        ),
        visible=part(one.tests == "passed" for one in changed if one.case.visible != "fail always"),
        ended={name: sum(one.ended == name for one in answers) for name in ENDED},
        cost_usd=sum(one.cost_usd for one in answers),
        turns=sum(one.turns for one in answers),
        seconds=sum(one.seconds for one in answers),
        answers=tuple(answers),
        stopped=stopped,
    )


async def tried(one: Try, sandbox: Sandbox, clock: Callable[[], datetime], limit_usd: float) -> FixAnswer:
    """In a workspace of its own, which is gone afterwards. Raises `Unavailable` where there is no model, no budget or
    no jail."""
    with tempfile.TemporaryDirectory(prefix="loopdesk-eval-") as folder:
        config = Config(workspace_dir=str(Path(folder) / "workspace"), timezone="UTC")
        workspace = config.workspace.create()
        repository = one.case.repository(Path(folder) / f"{one.case.name}.git")
        await asyncio.to_thread(commit_files, Path(repository.url), one.case.files)
        blobs = FolderBlobs(workspace.blobs)
        agent = _Counting(one.agent(blobs))
        started = time.monotonic()
        try:
            hands = Hands(workspace, agent, lambda: sandbox, blobs)
            found = await Fixing(config, hands, clock).do(_brief(one.case, repository, limit_usd).document(), _Alone())
            answer = await _judged(one.case, repository, found, workspace, sandbox)
        except Unavailable:
            raise
        except LoopdeskError as error:
            answer = {"ended": "failed", "why": str(error)}
        seconds = time.monotonic() - started
        return FixAnswer(one.case, **answer, cost_usd=agent.cost_usd, turns=agent.turns, seconds=seconds)


def commit_files(folder: Path, files: Files) -> None:
    """A bare repository with these files as the one commit of `main`. Blocks."""
    git = Git.found()
    git.make_bare(folder)
    stream = [f"commit refs/heads/main\ncommitter eval <eval@localhost> {_COMMITTED_AT} +0000\n".encode()]
    stream.append(_data("All of it"))
    for path, text in files.items():
        quoted = path.replace("\\", "\\\\").replace('"', '\\"')
        stream += [f'M 100644 inline "{quoted}"\n'.encode(), _data(text)]
    git.run("fast-import", "--quiet", repository=folder, given=b"".join([*stream, b"done\n"]))


def _data(text: str) -> bytes:
    raw = text.encode()
    return f"data {len(raw)}\n".encode() + raw + b"\n"


def _brief(case: FixCase, repository: Repository, limit_usd: float) -> FixBrief:
    """What `engine.fix_brief` makes of a report: distractors are signals like the others."""
    return FixBrief(
        report_id=str(ULID()),
        proposal_id=f"eval-{case.name}",
        build=1,
        repository=repository,
        title=case.title,
        summary=case.summary,
        limit_usd=limit_usd,
        evidence=case.evidence,
        signals=tuple(signal.content for signal in case.signals),
    )


async def _judged(
    case: FixCase, repository: Repository, found: Mapping[str, Any], workspace: Workspace, sandbox: Sandbox
) -> dict[str, Any]:
    if "question" in found:
        return {"ended": "question", "why": found["question"]}
    if "nothing" in found:
        return {"ended": "nothing", "why": found["nothing"]}
    change = found["change"]
    mirror = await asyncio.to_thread(mirror_of, repository, workspace.mirrors, "")
    sha, base = change["sha"], change["base_sha"]
    passes, said = await _hidden(case, repository, mirror, sha, base, workspace, sandbox)
    diff = await asyncio.to_thread(read_diff, mirror, base, sha)
    texts = {name: str(change[name]) for name in ("title", "why", "how", "untested")}
    more_files, more_lines = _beyond(case, diff)
    return {
        "ended": "fixed" if passes else "wrong",
        "why": "" if passes else said,
        "tests": found["tests"]["state"],
        "guard": guard(diff, configured({}, case.ci), Canaries((change["canary"],)), texts),
        "files": len(diff.files),
        "lines": diff.added + diff.removed,
        "more_files": more_files,
        "more_lines": more_lines,
    }


async def _hidden(
    case: FixCase,
    repository: Repository,
    mirror: Mirror,
    sha: str,
    base: str,
    workspace: Workspace,
    sandbox: Sandbox,
) -> tuple[bool, str]:
    """Whether the hidden tests pass on the files of a commit, and what they said."""
    prepared = Prepared(workspace.dependencies)
    dependencies = await prepared.dependencies(repository, mirror, base, lambda: sandbox)
    with tempfile.TemporaryDirectory(prefix="hidden-", dir=workspace.runs) as folder:
        for path, text in case.hidden.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text, encoding="utf-8")
        runner = JailRunner(lambda: sandbox, asyncio.get_running_loop(), dependencies, {HIDDEN: Path(folder)})
        check = await asyncio.to_thread(ran, mirror, sha, case.hidden_command, runner, HIDDEN_S)
    return check.state == "passed", check.summary


def _beyond(case: FixCase, diff: Diff) -> tuple[int, int]:
    """Files that the reference leaves alone, and lines more than it changes."""
    reference = edited(case.files, case.reference)
    changed = [path for path, text in reference.items() if case.files.get(path) != text]
    lines = sum(_changed_lines(case.files.get(path, ""), reference[path]) for path in changed)
    files = {path for file in diff.files for path in (file.path, file.old_path)} - set(changed)
    return len(files), max(diff.added + diff.removed - lines, 0)


def _changed_lines(before: str, after: str) -> int:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    return sum(line[0] in "+-" for line in islice(lines, 2, None))  # the first two are its head


@dataclass
class _Counting:
    """An `Agent`, counted: what it cost is also known where it ended with an error."""

    agent: Agent
    cost_usd: float = 0.0
    turns: int = 0

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        answer = await self.agent.ask(task, snapshot)
        self.cost_usd += answer.cost_usd
        self.turns += answer.turns
        return answer


class _Alone:
    """`Progress` of an attempt that nobody takes over."""

    async def latest(self) -> Mapping[str, object] | None:
        return None

    async def save(self, snapshot: Mapping[str, object]) -> None:
        pass


def told(answer: FixAnswer) -> str:
    """Its `why` in a line: of tests' output what says that something failed, else the end."""
    lines = [line.strip() for line in answer.why.splitlines() if line.strip()]
    failed = [line for line in lines if _FAILED.search(line)]
    return plain(" / ".join((failed or lines[-2:])[:2]), 300)
