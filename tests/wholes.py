"""A whole engine for tests: the parts that the configuration gives, a store, the door, and a clock that is set by hand.

Every turn is one of `loopdesk engine once`, by an engine that has just been started.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine import consent, roles
from engine.inbox import Inbox, InboxReport, ReportDetail
from engine.main import Done, run_once
from engine.model import Command, Signal
from engine.runtime import parts
from queries.local.store import Store as Events
from queries.simulator import simulate
from tests import inbox_invariants
from tests.conftest import NOW
from workspace.config import Config

_GRACE = timedelta(seconds=11)


class Whole:
    """`settings` are the configuration's."""

    def __init__(self, folder: Path, *, events: Path | None = None, **settings: Any) -> None:
        self.config = replace(Config(), workspace_dir=str(folder), **{"timezone": "UTC", **settings})
        self.workspace = self.config.workspace.create()
        if events is not None:
            shutil.copy(events, self.workspace.events_db)
        self.inbox = Inbox(self.workspace)
        self.now = NOW

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def turn(self) -> Done:
        done, waiting = run_once(self.workspace, parts(self.config, lambda: self.now), clock=lambda: self.now)
        assert not waiting
        self.check()
        return done

    def check(self) -> None:
        """Nothing lost, nothing twice, no state that there is not."""
        told = {one.signal.source_id for one in self.inbox.signals()}
        inbox_invariants.check(self.workspace.inbox_db, signals=told)

    def comes(self, *signals: Signal) -> Done:
        self.inbox.add_signals(list(signals), self.now)
        return self.turn()

    def decides(self, verb: str, of: InboxReport | None = None, /, **arguments: object) -> Command:
        """What came of it after the grace."""
        id, version = (of.report.id, of.report.version) if of else ("", None)
        command = self.inbox.command(verb, id, arguments, now=self.now, seen_version=version)
        self.inbox.submit(command)
        self.now += _GRACE
        self.turn()
        return next(one for one in self.inbox.commands() if one.id == command.id)

    def says_yes(self) -> Command:
        """To a model, and to the estimate that is shown."""
        shown = consent.estimate(self.config, None, self.now)
        return self.decides("consent", **consent.answer(True, shown, roles.models(self.config)))

    def reports(self, status: str = "") -> dict[str, InboxReport]:
        """By title."""
        found = {one.title: one for one in self.inbox.reports() if status in ("", one.report.status)}
        assert len(found) == sum(status in ("", one.report.status) for one in self.inbox.reports())
        return found

    def about(self, words: str) -> InboxReport:
        """The one whose title holds these words."""
        (found,) = [one for title, one in self.reports().items() if words in title]
        return found

    def detail(self, of: InboxReport) -> ReportDetail:
        found = self.inbox.report(of.report.id)
        assert found is not None
        return found


@contextmanager
def whole(folder: Path, **options: Any) -> Iterator[Whole]:
    made = Whole(folder, **options)
    try:
        yield made
    finally:
        made.inbox.close()


def weekend(folder: Path, seed: int, *, quiet: bool = False) -> Path:
    """A store with the simulated weekend; returns its file."""
    store = Events.open(folder / "events.db")
    store.connection.execute("PRAGMA synchronous = OFF")
    with store.transaction():
        for batch in simulate(seed, until=NOW, quiet=quiet):
            store.ingest(batch, now=NOW)
    store.close()
    return folder / "events.db"
