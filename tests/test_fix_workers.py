"""A fix that no machine does alone: begun on one worker, finished on another, mended on a third, delivered once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.agents.protocol import Agent
from engine.at_home import AtHome
from engine.babysitting import COUNTDOWN
from engine.blobs import FolderBlobs
from engine.budget import Books
from engine.main import Parts
from engine.sandbox.bubblewrap import Bubblewrap
from engine.store import Store
from engine.workers.away import Away, Recalling
from engine.workers.exchange import opened
from engine.workers.postgres import EngineLock
from tests.agent_api import Turn, agent_api, answers, calls, turn_of
from tests.fix_machines import OTHER, GoesOn, fixing
from tests.fixes import FILES, FIX, RIGHT, SAID, Loop, edits
from tests.github_double import TOKEN, GitHubDouble
from tests.jails import jails
from tests.messages_api import HANGS, Request
from tests.postgres import Cluster
from tests.workers import DYING, Process
from workspace.config import Config


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubDouble]:
    double = GitHubDouble(tmp_path / "github")
    double.repo.commit("main", FILES)
    with double.running():
        yield double


class AwayLoop(Loop):
    """Its fixes are done by workers."""

    url = ""
    lock: EngineLock | None = None

    def parts(self, store: Store) -> Parts:
        if self.lock is not None:
            self.lock.release()  # the engine before this one has ended
        parts = super().parts(store)
        home = parts.handlers["fix"]
        assert isinstance(home, AtHome)
        books, blobs = Books(self.config, store, home.clock), FolderBlobs(self.workspace.blobs)
        exchange = opened(self.url, store, books, blobs, home.clock, DYING)
        self.lock = exchange.lock
        handlers = {**parts.handlers, "fix": Away(home, exchange, 2.0, lambda: True)}
        return Parts((*parts.stages, Recalling(exchange)), handlers)


class Machines:
    """Workers with folders of their own."""

    def __init__(self, folder: Path, url: str, config: Config) -> None:
        self._folder, self._url, self._config = folder, url, config
        self.started: list[Process] = []

    def start(self, played: Agent | None = None) -> Process:
        folder = self._folder / f"machine{len(self.started)}"
        build = functools.partial(fixing, replace(self._config, workspace_dir=str(folder), repositories={}), played)
        started = Process(self._url, self._folder / f"{folder.name}.txt", build)
        self.started.append(started)
        return started

    def are_ready(self) -> None:
        for one in self.started:
            asyncio.run(one.ready())

    def killed(self, _: Request) -> Any:
        """At the second request for the change: whoever works on it is killed, with its work saved."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with psycopg.connect(self._url) as connection:
                row = connection.execute("SELECT snapshot FROM loopdesk_jobs").fetchone()
            if row and row[0] and json.loads(row[0])["bundle"]:
                break
            time.sleep(0.05)
        next(one for one in self.started if "begun" in one.said()).signal(signal.SIGKILL)
        return HANGS

    def end(self) -> None:
        for one in self.started:
            one.end()


def test_one_pull_request_by_three_machines(
    tmp_path: Path, sandbox: Bubblewrap, github: GitHubDouble, postgres: Cluster
):
    url = postgres.database()
    killed: list[int] = []

    def second(request: Request) -> Any:
        if killed:
            return answers(SAID)
        killed.append(1)
        return machines.killed(request)

    # A snapshot is taken when the next turn has begun.
    first: list[Turn] = [edits("calc.py", RIGHT), calls("Bash", command="cat calc.py"), second]
    with agent_api({FIX: first}) as api:
        code = {"url": f"{github.url}/acme/shop.git"}
        loop = AwayLoop(tmp_path / "w", sandbox, code, model_url=api.url, github_token=TOKEN)
        loop.url = url
        machines = Machines(tmp_path, url, loop.config)
        try:
            loop.is_ready()
            machines.start(), machines.start()
            machines.are_ready()
            loop.starts()
            number = loop.has("open").number
            (pull,) = github.pulls.values()
            assert number == pull.number and github.repo.show(pull.head, "calc.py") == RIGHT.strip()
            first_half, second_half = sorted(machines.started, key=lambda one: len(one.said()))
            assert first_half.said() == ["ready", "begun"] and "done" in second_half.said()
            turns = [turn_of(one) for one in api.requests]
            assert turns[:3] == [0, 1, 2] and turns[3:] in ([1, 2], [2])  # the edit is not done over
            second_half.signal(signal.SIGTERM)
            machines.start(GoesOn())
            machines.are_ready()
            github.check(loop.proposal().head_sha, "ci", "failure", title="Tests", summary="The other way round")
            loop.waits(COUNTDOWN)
            loop.has("red")
            loop.waits(COUNTDOWN)
            assert github.repo.show(pull.head, "calc.py") == OTHER.strip()
            assert machines.started[-1].said() == ["ready", "begun", "done"]
        finally:
            machines.end()
            loop.close()
    assert [kind for kind, _ in github.effects] == ["push", "pull", "push", "comment"]
    # What was asked when its machine died counts as it was reserved.
    with contextlib.closing(sqlite3.connect(loop.workspace.inbox_db)) as db:
        open_ = db.execute("SELECT role, model != '', cost_usd > 0 FROM spend WHERE booked_at IS NULL").fetchall()
        roles = db.execute("SELECT DISTINCT role FROM spend WHERE booked_at IS NOT NULL ORDER BY 1").fetchall()
    assert open_ == [("fix", 1, 1)] and roles == [("fix",)]
