"""`make torture`: an engine that fixes, killed at random moments, beside a GitHub of our own; the seed is printed.

Real jails, git over HTTP and PyGithub; agents are played. Reports are started, their checks made red and mended,
commented on, merged, declined or taken back. Half of the kills wait until something is on its way to the forge. What
happened is read from the forge, from the folders and from `inbox.db`, by code that does not import the engine.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine.agents.protocol import Task
from engine.inbox import Inbox, InboxReport
from engine.main import Parts
from engine.model import Command, Job
from engine.sandbox.bubblewrap import find
from engine.store import Store
from tests import inbox_invariants
from tests.conftest import NOW
from tests.engines import READY, signal
from tests.fixes import CI, FILES, RIGHT, SAID, Loop, Played
from tests.forks import FORKS
from tests.github_double import OWNER, TOKEN, GitHubDouble
from tests.jails import jails
from workspace.errors import LoopdeskError
from workspace.paths import Workspace

SPEED = 60  # the engine's seconds in one of ours
OUTSIDE = ("push", "propose", "comment", "merge", "close")
AT_ONCE = 4  # reports that are under way
PROJECTS = [f"p{number}" for number in range(200)]
ENDED = ("merged", "closed", "superseded", "failed")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture_fixes")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    jails()
    folder = Path(tempfile.mkdtemp(prefix="loopdesk-torture-"))
    github = GitHubDouble(folder / "github")
    github.repo.commit("main", {**FILES, "calc.py": RIGHT})
    with github.running():
        torture = Torture(folder, github, random.Random(seed))
        try:
            for _ in range(options.kills):
                torture.kills()
            torture.rests()
        finally:
            torture.end()
        torture.check()
    print(torture.told())
    shutil.rmtree(folder)
    return 0


class Torture:
    def __init__(self, folder: Path, github: GitHubDouble, chance: random.Random) -> None:
        self._folder, self._github, self._chance = folder, github, chance
        self._workspace = Workspace(folder / "w").create()
        self._inbox = Inbox(self._workspace)
        self._trace = folder / "trace.txt"
        self._trace.touch()
        self._began = time.monotonic()
        self._commands: set[str] = set()
        self._taken_back: set[str] = set()
        self._reports = 0
        self._red: set[str] = set()
        self._decided: dict[tuple[str, str], str] = {}
        self.killed = 0
        self.inside: collections.Counter[str] = collections.Counter()
        self._engine = self._an_engine()

    def kills(self) -> None:
        until = time.monotonic() + self._chance.uniform(0.2, 2.0)
        while time.monotonic() < until:
            self._people()
            time.sleep(0.05)
        if self._chance.random() < 0.5:
            self._until_something_leaves()
            time.sleep(self._chance.uniform(0, 0.08))
        assert self._engine.is_alive(), self._log()
        self._engine.kill()
        self._engine.join()
        self.killed += 1
        self.inside.update(self._open_spans(self._engine.pid))
        self._engine = self._an_engine()

    def rests(self) -> None:
        """Left in peace, everything comes to its end."""
        until = time.monotonic() + 240
        while self._under_way():
            left = [(one.report.id, one.report.status, one.proposal) for one in self._under_way()]
            assert time.monotonic() < until, (left, [job for job in self._inbox.jobs() if job.state != "applied"])
            assert self._engine.is_alive(), self._log()
            self._people(begins=False)
            time.sleep(0.1)
        time.sleep(1.0)

    def _until_something_leaves(self) -> None:
        at, until = self._trace.stat().st_size, time.monotonic() + 10
        while time.monotonic() < until:
            with self._trace.open() as file:
                file.seek(at)
                if any(f"before_{name} " in file.read() for name in OUTSIDE):
                    return
            self._people()
            time.sleep(0.01)

    # What people and the CI do

    def _people(self, *, begins: bool = True) -> None:
        if begins and len(self._under_way()) < AT_ONCE and len(self._inbox.reports()) == self._reports:
            project = PROJECTS[self._reports]
            self._inbox.add_signal(signal(project, project=project, at=self._now), self._now)
            self._reports += 1
        for listed in self._inbox.reports():
            with contextlib.suppress(LoopdeskError):  # not told as taken, then
                self._decide(listed)

    def _decide(self, listed: InboxReport) -> None:
        report, proposal = listed.report, listed.proposal
        if report.status == "ready" and proposal is None:
            self._once(listed, "start", "approve", expect="start")
        elif proposal is not None and proposal.state in ("open", "red", "green") and proposal.number is not None:
            self._ci(proposal.head_sha)
            if proposal.state == "open" and hash_of(proposal.id) % 4 == 0:
                self._once(listed, "say", "comment", note=f"Seen, {report.id}.")
            if proposal.state == "open" and hash_of(proposal.id) % 5 == 1 and report.id not in self._decided:
                self._decided[report.id, "owner"] = self._decided.get((report.id, "owner")) or self._asks(proposal)
            if proposal.state == "green" and hash_of(proposal.id) % 6 == 2:
                self._once(listed, "decline", "decline", reason="other")
            elif proposal.state == "green":
                self._once(listed, f"merge {proposal.head_sha}", "approve", seen=proposal.head_sha, expect="merge")

    def _asks(self, proposal: Any) -> str:
        self._github.say(proposal.number, OWNER, "Please one line more.")
        return "asked"

    def _once(self, listed: InboxReport, what: str, verb: str, seen: str = "", **arguments: object) -> None:
        """Decided again where it was refused or taken back: by then something else may be on the screen."""
        key = (listed.report.id, what)
        if (id := self._decided.get(key)) is not None:
            before = self._commands_by_id().get(id)
            if before is not None and before.refused_at is None and id not in self._taken_back:
                return
        command = self._inbox.command(
            verb, listed.report.id, arguments, now=self._now, seen_version=listed.report.version, seen_sha=seen
        )
        self._inbox.submit(command)
        self._commands.add(command.id)
        self._decided[key] = command.id
        if self._chance.random() < 0.15:
            self._inbox.undo(command.id, self._now)
            self._taken_back.add(command.id)

    def _commands_by_id(self) -> Mapping[str, Command]:
        return {one.id: one for one in self._inbox.commands(10_000)}

    def _ci(self, sha: str) -> None:
        """A third of the first heads are red; what mends them is green."""
        if sha in self._red or any(one["sha"] == sha for one in self._github.runs):
            return
        is_first = len(self._github.repo.git("rev-list", f"main..{sha}").split()) == 1
        is_red = is_first and int(sha[:4], 16) % 3 == 0
        self._red |= {sha} if is_red else set()
        self._github.check(sha, "ci", "failure" if is_red else "success", title="Tests", summary="One line is missing")

    def _under_way(self) -> list[InboxReport]:
        def is_over(one: InboxReport) -> bool:
            return one.proposal is not None and one.proposal.state in ENDED and one.report.status != "in_progress"

        found = [one for one in self._inbox.reports() if not is_over(one)]
        return found or ([] if self._is_quiet() else list(self._inbox.reports()))

    def _is_quiet(self) -> bool:
        counts = self._inbox.counts()
        live = [job for job in self._inbox.jobs() if job.state in ("intended", "queued", "running", "returned")]
        return not live and counts["commands"] == counts["signals_in"] == 0

    # What happened

    def check(self) -> None:
        inbox_invariants.check(self._folder / "w" / "inbox.db", commands=self._commands)
        with contextlib.closing(sqlite3.connect(self._folder / "w" / "inbox.db")) as db:
            live = "SELECT * FROM jobs WHERE state IN ('intended', 'queued', 'running', 'returned')"
            assert db.execute(live).fetchall() == []
            waiting = "SELECT id FROM commands WHERE applied_at IS NULL AND refused_at IS NULL AND undone_at IS NULL"
            assert db.execute(waiting).fetchall() == []
            rows = db.execute("SELECT branch, number, state, merge_sha, report_id FROM proposals").fetchall()
        self.states = collections.Counter(state for _, _, state, _, _ in rows)
        github, repo = self._github, self._github.repo
        self.effects = collections.Counter(kind for kind, _ in github.effects)
        often = collections.Counter(one for one in github.effects if one[0] in ("pull", "merge", "close"))
        assert set(often.values()) == {1}, often
        branches = repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads/loopdesk").splitlines()
        assert sorted(branches) == sorted(pull.head for pull in github.pulls.values())
        assert sorted(branches) == sorted(branch for branch, number, _, _, _ in rows if number is not None)
        pushed = collections.Counter(subject for kind, subject in github.effects if kind == "push")
        for pull in github.pulls.values():
            heads = repo.git("rev-list", f"{pull.head}", "^main~0", "--first-parent").split() or [pull.head_sha]
            assert pushed[pull.head] <= max(len(heads), 1) + 1, (pull, pushed[pull.head], heads)
        said = collections.Counter((one["_number"], one["body"]) for one in github.comments if one["body"])
        assert [one for one, times in said.items() if times > 1] == []
        merged = {pull.head: pull.merge_sha for pull in github.pulls.values() if pull.merge_sha}
        assert merged == {branch: sha for branch, _, state, sha, _ in rows if state == "merged"}
        assert len(repo.git("rev-list", "main").split()) == 1 + len(merged) == 1 + self.effects["merge"]
        for branch, number, state, _, report in rows:
            is_there = f"fixes/{report.lower()}.txt" in repo.git("ls-tree", "-r", "--name-only", "main")
            assert is_there == (state == "merged")
            if state == "closed":
                assert next(one for one in github.pulls.values() if one.number == number).state == "closed", branch
        runs = self._folder / "w" / "runs"
        assert not runs.exists() or not list(runs.iterdir()), list(runs.iterdir())
        scratch = ("ci-", "taken-", "bundled-", "part-", ".askpass.")
        assert not [one for one in (self._folder / "w" / "mirrors").iterdir() if one.name.startswith(scratch)]
        assert not [one for one in self._folder.rglob("*") if one.is_socket()]
        assert processes(str(self._folder)) == [], processes(str(self._folder))

    def told(self) -> str:
        inside = ", ".join(f"{count} in {name}" for name, count in sorted(self.inside.items()) if name != "handler")
        outside = sum(count for name, count in self.inside.items() if name in OUTSIDE)
        return (
            f"{self.killed} engines killed, {outside} inside an outside effect ({inside or 'none'}), "
            f"{self.inside['handler']} jobs cut short; {self._reports} reports, {len(self._commands)} commands "
            f"({len(self._taken_back)} taken back); proposals {dict(self.states)}; at the forge {dict(self.effects)}: "
            "nothing lost, nothing twice, nothing left"
        )

    def _open_spans(self, pid: int | None) -> collections.Counter[str]:
        """What had begun, and never ended."""
        open_: collections.Counter[str] = collections.Counter()
        for line in self._trace.read_text().splitlines():
            point, _, where = line.partition(" ")
            side, _, name = point.partition("_")
            if name in (*OUTSIDE, "handler") and where.split()[0] == str(pid):
                open_[name] += 1 if side == "before" else -1
        return +open_

    # The engine

    @property
    def _now(self) -> Any:
        return NOW + timedelta(seconds=(time.monotonic() - self._began) * SPEED)

    def _an_engine(self) -> Any:
        arguments = (self._folder, f"{self._github.url}/acme/shop.git", self._began, self._trace)
        process = FORKS.Process(target=_engine, args=arguments)
        process.start()
        return process

    def _log(self) -> str:
        return (self._folder / "engine.txt").read_text()[-6_000:]

    def end(self) -> None:
        self._engine.kill()
        self._engine.join()
        self._inbox.close()


def hash_of(id: str) -> int:
    return sum(map(ord, id))


def processes(named: str) -> list[str]:
    """Those whose command line names this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if named in line and path.parent.name != str(os.getpid()):
                found.append(line)
    return found


class OneLineMore(Played):
    """Whatever is asked, a line more in the report's own file."""

    def __init__(self) -> None:
        super().__init__(_line_more)


def _line_more(task: Task) -> Mapping[str, Any]:
    assert task.clone is not None
    path = task.clone / "fixes" / f"{task.report_id.lower()}.txt"
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}line {len(before.splitlines())}\n")
    return {**SAID, "title": f"Mend {re.sub('[^A-Za-z0-9]', '', task.report_id)}"}


class TorturedLoop(Loop):
    def parts(self, store: Store) -> Parts:
        async def research(job: Job) -> Mapping[str, object]:
            return {**READY, "title": f"Mend {job.report_id}"}

        parts = super().parts(store)
        return Parts(parts.stages, {**parts.handlers, "research": research})


def _engine(folder: Path, url: str, began: float, trace: Path) -> None:
    os.environ["LOOPDESK_CRASH_TRACE"] = str(trace)
    with (folder / "engine.txt").open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    loop = TorturedLoop(folder / "w", find(), {"url": url}, agent=OneLineMore(), github_token=TOKEN)
    table = {**loop.config.repositories["code"], "projects": PROJECTS, "ci": CI}  # type: ignore[dict-item]
    limits = {"proposals_a_night": 10_000, "night_usd": 1e4}
    loop.config = replace(loop.config, repositories={"code": table}, budgets=limits)
    parent = os.getppid()
    while os.getppid() == parent:
        loop.now = NOW + timedelta(seconds=(time.monotonic() - began) * SPEED)
        loop.turn()
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
