"""A door and an engine in a process that may be killed: `python -m tests.crashing WORKSPACE STEP:SECONDS...`.

`SECONDS` is the clock, counted from the tests' own now; it goes on by a millisecond whenever it is asked.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from engine import main, process
from engine.announcing import Announcement, Announcing
from engine.budget import Books
from engine.effects import SaveReport
from engine.inbox import Inbox
from engine.main import Parts
from engine.model import Job, Report
from engine.notices import Message
from engine.notifying import Notifying
from engine.soaking import Soaking
from engine.store import Store
from tests.conftest import NOW
from tests.engines import READY, place_by_project, signal
from tests.merged_fixes import NEW, happened, merge, night
from workspace.config import Config
from workspace.paths import Workspace

NOTICES, EVENTS = "notices.txt", "announced.txt"
PROJECTS = ("quick", "slow", "broken")
RESERVED_USD, BOOKED_USD = 0.5, 0.125
FIXED = "R900"
"""The report whose fix was merged."""


def clock(seconds: float):
    asked = [NOW + timedelta(seconds=seconds)]

    def now() -> datetime:
        asked[0] += timedelta(milliseconds=1)
        return asked[0]

    return now


async def research(job: Job) -> Mapping[str, object]:
    """The slow one is still at work when the quick one has ended; the broken one fails the first time."""
    project = str(job.report_id)[:4]
    number = int(project[1:])
    for _ in range(500 if number == 1 else 5):
        await asyncio.sleep(0)
    if number == 2 and job.attempt == 1:
        raise ValueError("not today")
    return READY


def door(inbox: Inbox, now: datetime) -> None:
    """Prints what was told as taken, at once."""
    for project in PROJECTS:
        inbox.add_signal(signal(project, project=project), now)
        print("signal", project, flush=True)


def decide(inbox: Inbox, now: datetime) -> None:
    """On every report: one command that stays, and one that is undone."""
    for listed in inbox.reports():
        for verb, arguments in (("context", {"note": "look at the cache"}), ("resolve", {})):
            command = inbox.submit(inbox.command(verb, listed.report.id, arguments, now=now))
            print("command", command.id, flush=True)
        inbox.undo(command.id, now)
        print("undone", command.id, flush=True)


class Outward:
    """What left the engine, one line each, in files that are written at once."""

    key, name = "command", "a file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, message: Message) -> None:
        self._write(NOTICES, message.subjects)

    def deliver(self, announcements: Sequence[Announcement]) -> None:
        self._write(EVENTS, [one.uuid for one in announcements])

    def _write(self, name: str, lines: Sequence[str]) -> None:
        with (self.folder / name).open("a") as file:
            file.writelines(f"{line}\n" for line in lines)


def spend(workspace: Workspace, now: Callable[[], datetime]) -> None:
    """A request is sent, and costs less than was reserved."""
    store = Store.open(workspace.inbox_db)
    books = Books(replace(Config(), timezone="UTC"), store, now)
    reserved = books.reserve(RESERVED_USD, role="safety", model="scripted")
    print("reserved", flush=True)
    books.book(reserved, BOOKED_USD)
    print("booked", flush=True)


def merged(workspace: Workspace, now: datetime) -> None:
    """A fix was merged days ago, and since it runs nothing is kept any more."""
    evening = now.replace(hour=21, minute=0) - timedelta(days=6)
    happened(
        workspace,
        night(evening - timedelta(days=1), kept=lambda number: number % 2 == 0),
        *(night(evening + timedelta(days=n), kept=lambda number: number == 5, sha=NEW) for n in range(3)),
    )
    report = Report(FIXED, now, now, metric={"name": "kept_rate", "project": "autoagent"})
    with closing(Store.open(workspace.inbox_db)) as store, store.transaction("place"):
        store.write([SaveReport(report)], now)
    merge(workspace, report, evening - timedelta(hours=12))


def run(step: str, workspace: Workspace, seconds: float) -> None:
    now = clock(seconds)
    if step == "engine":
        outward = Outward(workspace.root)
        config = Config(workspace_dir=str(workspace.root), timezone="UTC")
        stages = (Soaking(config), place_by_project, Notifying(config, [outward]), Announcing(config, outward.deliver))
        main.run_once(workspace, lambda _: Parts(stages, {"research": research}), clock=now)
    elif step == "spend":
        spend(workspace, now)
    elif step == "merged":
        merged(workspace, now())
    elif step == "start":
        process.start_detached(workspace)
    elif step == "serve":
        main.run(workspace, lambda _: Parts((place_by_project,)), is_detached=True, clock=now)
    else:
        inbox = Inbox(workspace)
        {"door": door, "decide": decide}[step](inbox, now())


def run_all(folder: Path, steps: Sequence[str]) -> None:
    for step in steps:
        print("step", step, flush=True)
        run(step.partition(":")[0], Workspace(folder), float(step.partition(":")[2]))


def run_forked(folder: Path, steps: Sequence[str], crash_at: str, output: Path) -> None:
    """In a process of its own that has loaded everything already; what it prints goes to `output`."""
    os.environ["LOOPDESK_CRASH_AT"] = crash_at
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    run_all(folder, steps)


if __name__ == "__main__":
    run_all(Path(sys.argv[1]), sys.argv[2:])
