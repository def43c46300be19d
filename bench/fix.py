"""The whole way of a fix: clone, fix, pull request, red, fix, green, merge. The real agent CLI in real jails against a
scripted model, git over HTTP and PyGithub against a GitHub of our own.

Own time is the wall clock's, less that of the CLI (its start, its own work and the scripted model's answers): from a
started jail that holds it to its end. A CLI that only says its version is the floor beside it. Needs the tests' parts.
"""

from __future__ import annotations

import collections
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import jail
from bench.table import Cell, median, show
from engine.agents import cli
from engine.babysitting import COUNTDOWN
from engine.main import Parts
from engine.model import Job
from engine.sandbox.bubblewrap import Bubblewrap, BubblewrapJail, find
from engine.sandbox.protocol import Run
from engine.store import Store
from tests.agent_api import agent_api
from tests.fixes import CI, FILES, RIGHT, Loop, Played, mends, script, writes
from tests.github_double import TOKEN, GitHubDouble

BUDGET_S = 4.0
TURNS = 3
WRONG = "def add(a, b):\n    return a * b\n"
LATER = timedelta(minutes=3)


@dataclass
class Spent:
    """Seconds by what they went to, and how often."""

    seconds: collections.Counter[str] = field(default_factory=collections.Counter)
    times: collections.Counter[str] = field(default_factory=collections.Counter)

    @contextmanager
    def on(self, what: str) -> Any:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(what, time.perf_counter() - started)

    def add(self, what: str, seconds: float) -> None:
        self.seconds[what] += seconds
        self.times[what] += 1


class TimedJails(Bubblewrap):
    """One with a gateway holds an agent; the others run scripts and tests."""

    spent = Spent()

    async def start(self, run: Run) -> BubblewrapJail:
        with self.spent.on("jail start"):
            jail = await super().start(run)
        started, wait = time.perf_counter(), jail.wait
        what = "CLI" if run.gateway is not None else "jailed script"

        async def timed() -> Any:
            ended = await wait()
            self.spent.add(what, time.perf_counter() - started)
            return ended

        jail.wait = timed  # type: ignore[method-assign]
        return jail


class TimedLoop(Loop):
    spent: Spent

    def parts(self, store: Store) -> Parts:
        parts = super().parts(store)
        handlers = {kind: self._timed(kind, handler) for kind, handler in parts.handlers.items()}
        return Parts(parts.stages, handlers)

    def _timed(self, kind: str, handler: Callable[[Job], Awaitable[Mapping[str, object]]]) -> Any:
        async def timed(job: Job) -> Mapping[str, object]:
            with self.spent.on(kind):
                return await handler(job)

        return timed


def run(turns: int = TURNS) -> None:
    found = [_whole() for _ in range(turns)]
    version = median(
        [_timed(lambda: subprocess.run([str(cli.find()), "--version"], capture_output=True)) for _ in "123"]
    )
    walls = [one.seconds["wall"] for one in found]
    own = [one.seconds["wall"] - one.seconds["CLI"] for one in found]
    best = found[own.index(min(own))]
    rows: list[list[Cell]] = [
        ["the whole of it", 1, min(walls), None],
        ["the CLI in its jail, with the scripted model", best.times["CLI"], best.seconds["CLI"], None],
        ["own time", 1, min(own), BUDGET_S],
        *(
            [f"of it: {name}", best.times[what], best.seconds[what], None]
            for name, what in (
                ("fix jobs (build, tests, review), with the CLI", "fix"),
                ("deliver (guard, push, pull request)", "deliver"),
                ("merge", "merge"),
                ("comments", "say"),
                ("jails started", "jail start"),
                ("scripts and tests in jails", "jailed script"),
                ("a turn that looks at the forge (watch, checks)", "watch"),
            )
            if best.times[what]
        ),
        ["a CLI that only says its version", 1, version, None],
    ]
    spread = f"Own time of {turns} runs: {', '.join(f'{one:.2f}' for one in own)} s (the machine's noise)."
    show("Clone, fix, pull request, red, fix, green, merge", ("what", "times", "s", "budget s"), rows, [spread])
    _polls()
    jail.run()


def _whole() -> Spent:
    spent = Spent()
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as name, _github(Path(name)) as github:
        jails = find()
        timed = TimedJails(jails.program, jails.scope)
        TimedJails.spent = spent
        with agent_api(script(mends(WRONG), mends(WRONG), mends(RIGHT))) as api:
            code = {"url": f"{github.url}/acme/shop.git"}
            loop = TimedLoop(Path(name) / "w", timed, code, model_url=api.url, github_token=TOKEN)
            loop.spent = spent
            loop.is_ready()
            outside = 0.0
            started = time.perf_counter()
            loop.starts()
            outside += _timed(lambda: github.run_ci(loop.proposal().head_sha, *CI))
            with spent.on("watch"):
                loop.waits(LATER)
            loop.has("red")
            loop.waits(COUNTDOWN)
            outside += _timed(lambda: github.run_ci(loop.proposal().head_sha, *CI))
            with spent.on("watch"):
                loop.waits(LATER)
            loop.has("green")
            loop.approves("merge")
            loop.has("merged")
            spent.add("wall", time.perf_counter() - started - outside)
            loop.close()
    return spent


@contextmanager
def _github(folder: Path) -> Any:
    double = GitHubDouble(folder / "github")
    double.repo.commit("main", FILES)
    with double.running():
        yield double


def _polls() -> None:
    """What went over the wire for one look at one proposal."""
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as name, _github(Path(name)) as github:
        code = {"url": f"{github.url}/acme/shop.git"}
        loop = Loop(Path(name) / "w", find(), code, agent=Played(writes()), github_token=TOKEN)
        loop.is_ready()
        loop.starts()
        rows: list[list[Cell]] = []
        for what, change in (
            ("its first checks", lambda: github.run_ci(loop.proposal().head_sha, *CI)),
            ("nothing new, first", lambda: None),
            ("nothing new", lambda: None),
            ("a comment", lambda: github.say(1, "mallory", "Hm.")),
        ):
            change()
            before = len(github.received)
            took = _timed(lambda: loop.waits(LATER))
            polled = github.received[before:]
            rows.append([what, len(polled), sum(status == 304 for _, _, status in polled), took * 1000])
        loop.close()
    show("A look at a pull request", ("what is new", "requests", "unchanged (304)", "ms with the turn"), rows)


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
