"""Workers for tests: a small real work, engines that have it done elsewhere, and workers as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine import main
from engine.at_home import AtHome
from engine.blobs import Blobs, FolderBlobs
from engine.budget import Books, Purser
from engine.judge import Unavailable
from engine.main import Engine, Parts
from engine.model import Job
from engine.store import Store
from engine.work import Progress, WillNotDo, Work
from engine.workers.away import Away, Recalling
from engine.workers.exchange import Exchange, opened
from engine.workers.means import Build, Means
from engine.workers.postgres import Times
from engine.workers.worker import Stop, Worker, quiet
from tests.engines import READY, Desk, place_by_project
from tests.forks import FORKS
from workspace.config import Config

# A busy machine is no dead worker.
TIMES = Times(stalled_s=12.0, patience_s=0.3, look_s=0.05, poll_s=0.1)
# Where one dies, and that is waited for.
DYING = replace(TIMES, stalled_s=2.4)
STEP_USD = 0.01
_SPENT_ON = "SELECT total(cost_usd) FROM spend WHERE report_id = ?"


@dataclass
class Counting:
    """Counts to `until`, a blob and a snapshot for each number. A first attempt stops for good at `pause_at`; what
    goes on from a snapshot does not. Whatever it does is a line in `marks`."""

    blobs: Blobs
    books: Purser | None = None
    plan: Mapping[str, object] = field(default_factory=dict)
    left: Callable[[str], float] | None = None
    """USD that its report may still cost, where that is asked before it is begun."""

    def brief(self, job: Job) -> Mapping[str, object]:
        if self.left is not None and self.left(job.report_id) <= 0:
            raise Unavailable("Nothing is left of the budget")
        return {"report": job.report_id, "repository": {"url": "https://code.example/loop.git"}, **self.plan}

    async def do(self, brief: Mapping[str, Any], progress: Progress) -> Mapping[str, object]:
        before = await progress.latest() or {}
        number, key = int(str(before.get("number", 0))), str(before.get("blob", ""))
        assert not number or self.blobs.get(key) == bulk(number)
        try:
            while number < brief["until"]:
                number += 1
                mark(brief, str(number))
                if self.books is not None:
                    ticket = self.books.reserve(STEP_USD * 2, role="research", model="scripted", report_id="R")
                    self.books.book(ticket, STEP_USD, input_tokens=number, output_tokens=1)
                key = await asyncio.to_thread(self.blobs.put, bulk(number))
                await progress.save({"number": number, "blob": key})
                if number == brief.get("pause_at") and not before:
                    mark(brief, "pause")
                    await asyncio.Event().wait()
        except asyncio.CancelledError:
            mark(brief, "stopped")
            raise
        if brief.get("refuses"):
            raise WillNotDo("It is not to be done")
        return {**READY, "counted": number, "blob": key, "pad": "x" * int(str(brief.get("pad", 0)))}


def bulk(number: int) -> bytes:
    return f"{number} ".encode() * 20_000 + b"\0\xff"


def mark(brief: Mapping[str, Any], what: str) -> None:
    whose = f"{brief['report']} " if brief.get("says_whose") else ""
    with Path(brief["marks"]).open("a") as file:
        file.write(f"{os.getpid()} {whose}{what}\n")


@contextlib.asynccontextmanager
async def counting(means: Means) -> AsyncIterator[Mapping[str, Work]]:
    yield {"research": Counting(means.blobs, means.books)}


class AwayEngine:
    """The desk's engine, which has research done by workers. `kill` leaves everything as it stands."""

    def __init__(self, desk: Desk, url: str, plan: Mapping[str, object], times: Times = TIMES, **limits: float) -> None:
        self.desk, self.url, self.plan, self.times = desk, url, plan, times
        self._config = Config(workspace_dir=str(desk.workspace.root), timezone="UTC", budgets=limits)
        self.may_ask = True
        self.takes_all = False
        self.began = time.monotonic()

    def open(self) -> None:
        desk = self.desk
        self.store = Store.open(desk.workspace.inbox_db)
        blobs = FolderBlobs(desk.workspace.blobs)
        books = Books(self._config, self.store, self.clock)
        self.exchange: Exchange = opened(self.url, self.store, books, blobs, self.clock, self.times)
        home = AtHome(Counting(blobs, plan=self.plan, left=self._left), self.store, self.clock)
        away = Away(home, self.exchange, 2.0 if self.takes_all else 1.0, lambda: self.may_ask)
        parts = Parts((place_by_project, Recalling(self.exchange)), {"research": away}, limits={"research": 8})
        self.engine = Engine(self.store, parts, clock=self.clock)

    def _left(self, report_id: str) -> float:
        with contextlib.closing(sqlite3.connect(self.desk.workspace.inbox_db)) as db:
            return 2.0 - db.execute(_SPENT_ON, (report_id,)).fetchone()[0]

    def clock(self) -> datetime:
        return self.desk.now + timedelta(seconds=time.monotonic() - self.began)

    def close(self) -> None:
        self.exchange.lock.release()
        self.store.close()

    @contextlib.asynccontextmanager
    async def running(self, *, is_killed: bool = False) -> AsyncIterator[AwayEngine]:
        main.POLL_S = 0.02
        self.open()
        stop = asyncio.Event()
        task = asyncio.create_task(self.engine.run(stop))
        try:
            yield self
            if not is_killed:
                stop.set()
                await task
        finally:
            if is_killed or not task.done():
                executor = self.engine.executor
                executor.stop = _nothing  # type: ignore[method-assign, assignment]
                for one in [task, *executor._tasks.values()]:
                    one.cancel()
                await asyncio.gather(task, *executor._tasks.values(), return_exceptions=True)
            self.close()

    def snapshot_number(self) -> object:
        with contextlib.closing(Store.open(self.desk.workspace.inbox_db)) as store:
            (id,) = store.connection.execute("SELECT DISTINCT id FROM jobs").fetchone()
            return (store.snapshot(id) or {}).get("number")

    async def until(self, status: str) -> None:
        await until(lambda: self.desk.reports() and self.desk.report().status == status)


async def _nothing(_: datetime) -> None: ...


async def until(is_so: Callable[[], object], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def working(url: str, times: Times = TIMES, finish_s: float = 0.0) -> AsyncIterator[list[dict[str, Any]]]:
    """A worker in this process; what it says."""
    quiet()
    said: list[dict[str, Any]] = []
    stop = Stop()
    worker = Worker(url, counting, lambda word, **names: said.append({"word": word, **names}), utc_now, times=times)
    worker._finish_s = finish_s
    task = asyncio.create_task(worker.run(stop))
    try:
        yield said
    finally:
        stop.signal()
        await asyncio.wait_for(task, 10)


class Process:
    """A worker as a process of its own; what it says goes to a file."""

    def __init__(self, url: str, output: Path, build: Build = counting, times: Times = DYING) -> None:
        """`build` is pickled. When it is stopped it hands back at once."""
        self._output = output
        output.touch()
        self._process = FORKS.Process(target=_forked, args=(url, output, build, times))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    async def ready(self) -> Process:
        await until(lambda: "ready" in self.said())
        return self

    def said(self) -> list[str]:
        return [json.loads(line)["word"] for line in self._output.read_text().splitlines()]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def ended(self) -> int | None:
        """Its exit code."""
        await asyncio.to_thread(self._process.join, 10)
        return self._process.exitcode

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()


def utc_now() -> datetime:
    return datetime.now(UTC)


def _forked(url: str, output: Path, build: Build, times: Times) -> None:
    with output.open("a") as file:

        def say(word: str, **names: object) -> None:
            print(json.dumps({"word": word, **names}), file=file, flush=True)

        async def run() -> None:
            stop = Stop()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.signal)
            await Worker(url, build, say, utc_now, times=times, finish_s=0.0).run(stop)

        quiet()
        asyncio.run(run())


async def killed_at(point: str, folder: Path, url: str, plan: Mapping[str, object]) -> int | None:
    """An engine in a process of its own, until it dies at a crash point; its exit code."""
    process = FORKS.Process(target=_engine, args=(point, folder, url, plan))
    process.start()
    await asyncio.to_thread(process.join, 20)
    return process.exitcode


def _engine(point: str, folder: Path, url: str, plan: Mapping[str, object]) -> None:
    os.environ["LOOPDESK_CRASH_AT"] = point

    async def run() -> None:
        async with AwayEngine(Desk(folder), url, plan).running() as away:
            await away.until("ready")

    asyncio.run(run())
