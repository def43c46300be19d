"""An agent without a model, to show that the scores of fixes tell right from wrong. What it says says nothing about any
model: it writes what a case's author wrote, the solution as well as what only looks like one."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.agents.protocol import Answer, Snapshot, Task
from engine.blobs import FolderBlobs
from engine.evals.fix import Ended, Try
from engine.evals.fix_cases import Edit, Files, FixCase, edited
from engine.sandbox.protocol import CLONE, Run, Sandbox
from workspace.errors import LoopdeskError
from workspace.text import plain

NAME = "a script"
SAYS = "SCRIPTED: no model was asked. The answers are those of the cases' authors, right and wrong ones."
QUESTION = "Which of the two do you mean?"
_ANSWER = "/jail/answer"


@dataclass(frozen=True, slots=True)
class Play:
    """What is played of a case, and how it may end where the harness is right."""

    case: FixCase
    name: str
    expected: tuple[Ended, ...]
    edits: tuple[Edit, ...] = ()
    asks: bool = False

    def tried(self, sandbox: Sandbox) -> Try:
        def agent(blobs: FolderBlobs) -> Scripted:
            return Scripted(sandbox, self)

        return Try(self.case, agent)


def plays(cases: Sequence[FixCase]) -> tuple[Play, ...]:
    """Of each case the solution and the first that is none; one that changes nothing, and one that asks."""
    found = []
    for case in cases:
        found.append(Play(case, "the solution", ("fixed",), case.reference))
        # It may break the repository's own tests too: then no change comes of it.
        found += [Play(case, one.name, ("wrong", "nothing"), one.edits) for one in case.wrong[:1]]
    first, last = cases[0], cases[-1]
    found.append(Play(first, "no change", ("nothing",)))
    found.append(Play(last, "a question", ("question",), asks=True))
    return tuple(found)


@dataclass
class Scripted:
    """An `Agent`."""

    sandbox: Sandbox
    play: Play

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        if task.role == "review":
            return _says({"summary": "It was not reviewed: this is a script.", "points": []})
        if not task.may_write:
            return _says(
                {"is_specific": not self.play.asks, "question": QUESTION if self.play.asks else "", "plan": ""}
            )
        if self.play.edits:
            assert task.clone is not None
            after = edited(self.play.case.files, self.play.edits)
            changed = {path: text for path, text in after.items() if self.play.case.files.get(path) != text}
            await self._write(changed, task.clone)
        said = f"Played: {self.play.name}."
        return _says({"title": self.play.case.title[:70], "why": said, "how": said, "untested": "All of it."})

    async def _write(self, files: Files, clone: Path) -> None:
        """In the jail, as an agent would: the host opens nothing of a clone. Raises `NoSandbox`, `LoopdeskError`."""
        with tempfile.TemporaryDirectory(prefix="loopdesk-answer-") as folder:
            for path, text in files.items():
                (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / path).write_text(text, encoding="utf-8")
            command = ["/bin/cp", "-R", f"{_ANSWER}/.", CLONE]
            jail = await self.sandbox.start(Run(command, clone=clone, read_only={_ANSWER: Path(folder)}))
            jail.stdin.close()
            await jail.stdout.read()
            ended = await jail.wait()
        if ended.exit_code:
            raise LoopdeskError("The script's answer could not be written", plain(ended.errors, 200))


def _says(content: Mapping[str, object]) -> Answer:
    return Answer(content, turns=1)
