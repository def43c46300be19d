"""An engine for tests: a clock that is set by hand, signals, and a stage that places them without any judgement."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from engine.executor import Handler
from engine.inbox import Inbox
from engine.main import Done, Engine, Parts, Stage, Worked
from engine.model import Command, Job, Report, Signal
from engine.placement import placed
from engine.reading import report as stored_report
from engine.store import Store
from engine.work import Work
from tests.conftest import NOW
from workspace.paths import Workspace

READY: dict[str, object] = {
    "title": "Stop the crash",
    "summary": "It crashes; this is why.",
    "actionability": "immediately_actionable",
    "priority": "P1",
}


def signal(condition: str, *, project: str = "autoagent", weight: float = 1.0, at: datetime = NOW) -> Signal:
    return Signal("loops", "crash", condition, f"{condition} in {project}\nmeasured", weight, at, {"project": project})


async def place_by_project(store: Store, now: datetime) -> Worked:
    """Every signal passes; those of a project belong together. A resolved report is not looked at again."""
    for (id,) in store.connection.execute("SELECT id FROM signals WHERE safety = 'waiting'").fetchall():
        store.judged(id, "passed")
    found = store.unplaced()
    for id, one, recurs_from in found:
        row = store.connection.execute(
            "SELECT report_id FROM report_signals JOIN signals ON signals.id = signal_id "
            "JOIN reports ON reports.id = report_id WHERE left_at IS NULL "
            "AND json_extract(extra, '$.project') = ? AND source_product = 'loops' "
            "AND status NOT IN ('resolved', 'deleted') LIMIT 1",
            (one.extra["project"],),
        ).fetchone()
        chosen = stored_report(store.connection, row[0] if row else recurs_from)
        number = store.connection.execute("SELECT count(*) FROM reports").fetchone()[0]
        new_id = f"R{number:03}{hashlib.sha256(id.encode()).hexdigest()[:8].upper()}"
        with store.transaction("place"):
            store.write(placed(id, one.title, chosen, "same project", new_id=new_id, now=now), now)
    return Worked(len(found))


class Desk:
    """A workspace with a door, an engine that is started for every turn, and a clock."""

    def __init__(
        self, folder: Path, handlers: Mapping[str, Handler] | None = None, stages: Sequence[Stage] = ()
    ) -> None:
        self.workspace = Workspace(folder).create()
        self.inbox = Inbox(self.workspace)
        self.now = NOW
        self.handlers, self.stages = handlers or {}, stages

    def close(self) -> None:
        self.inbox.close()

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def turn(self) -> Done:
        """All that an engine does until it rests, by one that has just been started."""
        store = Store.open(self.workspace.inbox_db)
        try:
            engine = Engine(store, Parts((place_by_project, *self.stages), self.handlers), clock=lambda: self.now)
            asyncio.run(engine.once())
            return engine.done
        finally:
            store.close()

    def comes(self, *signals: Signal) -> None:
        self.inbox.add_signals(list(signals), self.now)

    def decides(self, verb: str, report: Report | str, /, **arguments: object) -> Command:
        """Submitted with what is on screen."""
        id = report if isinstance(report, str) else report.id
        version = report.version if isinstance(report, Report) else None
        return self.inbox.submit(self.inbox.command(verb, id, arguments, now=self.now, seen_version=version))

    def applied(self, verb: str, report: Report | str, /, **arguments: object) -> Command:
        """Decided, and what came of it after the grace."""
        command = self.decides(verb, report, **arguments)
        self.later(seconds=11)
        self.turn()
        return next(one for one in self.inbox.commands() if one.id == command.id)

    def reports(self) -> list[Report]:
        return sorted((listed.report for listed in self.inbox.reports()), key=lambda report: report.id)

    def report(self) -> Report:
        (report,) = self.reports()
        return report


def answers(result: Mapping[str, object]) -> dict[str, Handler]:
    """A research handler that always finds the same."""

    async def research(_: object) -> Mapping[str, object]:
        return result

    return {"research": research}


class KeptInMemory:
    """Where the attempts at a job leave what the next one goes on from."""

    def __init__(self) -> None:
        self.saved: list[Mapping[str, object]] = []

    async def latest(self) -> Mapping[str, object] | None:
        return self.saved[-1] if self.saved else None

    async def save(self, snapshot: Mapping[str, object]) -> None:
        self.saved.append(json.loads(json.dumps(snapshot)))


def at_home(work: Work, progress: KeptInMemory | None = None) -> Handler:
    """Does it as another machine would: of what is read at home, JSON alone arrives."""
    progress = progress or KeptInMemory()

    async def handler(job: Job) -> Mapping[str, object]:
        brief = json.loads(json.dumps(work.brief(job)))
        return json.loads(json.dumps(await work.do(brief, progress)))

    return handler
