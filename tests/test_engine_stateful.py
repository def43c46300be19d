"""Whatever comes in whatever order, with the process gone between any two transactions and clocks that jump: no illegal
state, nothing lost, nothing twice, and rest when nothing is new. The invariants are read without the engine."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine import crash_points, executor, process, store
from engine import inbox as door
from engine.commands import decide
from engine.judge import Unavailable
from engine.model import Job
from engine.reconcile import reconcile
from engine.store import Store
from tests import inbox_invariants
from tests.conftest import NOW
from tests.engines import READY, Desk, signal
from workspace.errors import LoopdeskError

ANSWERS = (
    READY,
    {**READY, "actionability": "requires_human_input", "question": "Which one?"},
    {"actionability": "not_actionable", "reason": "noise"},
    {"actionability": "nonsense"},
    {"blocked": {"threat": "secret_exfiltration", "quote": "send the key", "why": "It asks for a key."}},
    OSError("the model is away"),
    Unavailable("The night's budget is spent"),
    Unavailable("The model is overloaded", retry_at=NOW),
)
PROJECTS = ("autoagent", "autoresearch", "gtm")
MODULES = (store, executor, process, door)


class Killed(BaseException):
    """The process is gone at a crash point; whatever was not committed is not there."""


class Engines(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.desk = Desk(self.folder / "w")
        self.desk.handlers = {"research": self.research}
        self.answer: Mapping[str, object] | Exception = READY
        self.signals: set[str] = set()
        self.commands: list[str] = []
        self.undone: set[str] = set()
        self.left: int | None = None
        for module in MODULES:
            module.crash_point = self.crash_point  # type: ignore[attr-defined]

    def teardown(self) -> None:
        for module in MODULES:
            module.crash_point = crash_points.crash_point  # type: ignore[attr-defined]
        if hasattr(self, "desk"):
            self.left = None
            self.desk.close()
            shutil.rmtree(self.folder)

    def crash_point(self, name: str) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed(name)

    async def research(self, job: Job) -> Mapping[str, object]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @rule(
        project=st.sampled_from(PROJECTS),
        condition=st.integers(0, 5),
        weight=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        hours=st.integers(-100, 100),
    )
    def a_signal_comes(self, project: str, condition: int, weight: float, hours: int) -> None:
        at = self.desk.now + timedelta(hours=hours)
        one = signal(f"{project} {condition}", project=project, weight=weight, at=at)
        self.desk.comes(one)
        self.signals.add(one.source_id)

    @rule(data=st.data())
    def a_human_decides(self, data: st.DataObject) -> None:
        reports = self.desk.reports()
        if not reports:
            return
        report = data.draw(st.sampled_from(reports))
        other = data.draw(st.sampled_from(reports))
        detail = self.desk.inbox.report(report.id)
        assert detail is not None
        ids = [one.id for one in detail.signals if one.signal.source_product == "loops"]
        until = self.desk.now + timedelta(hours=data.draw(st.integers(1, 48)))
        verb, arguments = data.draw(
            st.sampled_from(
                [
                    ("approve", {"expect": "start"}),
                    ("decline", {"reason": "other"}),
                    ("decline", {"reason": "already_fixed"}),
                    ("context", {"note": "look there"}),
                    ("snooze", {"until": until.isoformat()}),
                    ("snooze", {"signals": 1}),
                    ("wake", {}),
                    ("resolve", {}),
                    ("reopen", {}),
                    ("research", {}),
                    ("release", {}),
                    ("join", {"into": other.id}),
                    *([("split", {"signals": ids[:1]})] if ids else []),
                ]
            )
        )
        self.commands.append(self.desk.decides(verb, report, **arguments).id)

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def the_human_takes_it_back(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(self.commands))
        with contextlib.suppress(LoopdeskError):
            undone = self.desk.inbox.undo(id, self.desk.now)
            if undone.is_undone:
                self.undone.add(id)
            else:
                assert undone.inverse is not None
                self.commands.append(undone.inverse.id)

    @rule(answer=st.sampled_from(ANSWERS))
    def research_will_find(self, answer: Mapping[str, object] | Exception) -> None:
        self.answer = answer

    @rule(minutes=st.sampled_from([-600, -1, 0.2, 1, 30, 600, 20_000]))
    def the_clock_steps(self, minutes: float) -> None:
        self.desk.later(minutes=minutes)

    @rule()
    def the_engine_works(self) -> None:
        self.desk.turn()

    @rule(after=st.integers(0, 12))
    def the_engine_is_killed(self, after: int) -> None:
        self.left = after
        with contextlib.suppress(Killed):
            self.desk.turn()
        self.left = None

    @rule()
    def without_anything_new_it_rests(self) -> None:
        self.desk.turn()
        opened = Store.open(self.desk.workspace.inbox_db)
        try:
            before = opened.connection.total_changes
            # What still runs at the moment of a kill is another engine's; this one has taken everything over.
            assert reconcile(opened.state(self.desk.now, "another")).is_settled
            assert opened.ingest(self.desk.now).total == 0
            assert opened.connection.total_changes == before
        finally:
            opened.close()

    @invariant()
    def what_holds(self) -> None:
        if self.desk.workspace.inbox_db.exists():
            told = set(self.commands)
            inbox_invariants.check(self.desk.workspace.inbox_db, signals=self.signals, commands=told)
            undone = {command.id for command in self.desk.inbox.commands(1000) if command.undone_at is not None}
            assert undone == self.undone


Engines.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestWhateverComes = Engines.TestCase


def test_a_command_that_is_decided_twice_has_the_same_effects() -> None:
    """`decide` is pure: nothing of one call is in the other."""
    from engine.commands import Scene
    from engine.model import Command, Report

    command = Command("C", "resolve", "R", NOW, NOW)
    scene = Scene(report=Report("R", NOW, NOW, status="ready"))
    assert decide(scene, command, NOW) == decide(scene, command, NOW)
