"""A proposal's whole way, whatever comes in whatever order: decisions on what was seen too early, others at the forge,
requests without an answer, results without sense, the process gone between any two transactions, clocks that jump.
Nothing is merged that must not be, nothing happens twice, and it comes to rest."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Coroutine, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine import delivering, executor, in_thread, main, process, store
from engine import inbox as door
from engine.forges.protocol import Comment
from engine.judge import Unavailable
from engine.main import Engine, Parts
from engine.model import Command, Job, Proposal, Report
from engine.reconcile import reconcile
from engine.store import Store
from engine.watching import Watching
from engine.work import WillNotDo
from tests import inbox_invariants
from tests.engines import READY, Desk, place_by_project, signal
from tests.forge_in_memory import EVIL, Forge, Handlers, Reader, _checks
from workspace.config import Config
from workspace.errors import LoopdeskError

MODULES = (store, executor, process, door, delivering)
MOST_COMMITS = 1_500
KINDS = ("research", "fix", "revert", "deliver", "checks", "merge", "close", "say")
TROUBLES: tuple[Exception | Mapping[str, object] | None, ...] = (
    None,
    None,
    None,
    LoopdeskError("It went wrong"),
    Unavailable("The budget is spent"),
    WillNotDo("It cannot be done"),
    {"change": {"sha": "nonsense"}, "sha": "nonsense", "checks": [{"no": 1}], "merged": 7, "question": 5},
    {"number": "x", "guard": 3, "checks": "none", "change": None, "there": "merged", "actionability": 9},
)
FIXES: tuple[Mapping[str, object], ...] = ({}, {}, {}, {}, {"question": "Which one?"}, {"nothing": "It is right."})
PROJECTS = ("autoagent", "gtm")


class Killed(BaseException):
    """The process is gone at a crash point; whatever was not committed is not there."""


class Restless(BaseException):
    """A turn that does not end."""


async def at_once(work: Any, name: str) -> Any:
    """No thread: what runs beside what is decided by the rules alone."""
    return work()


class Proposals(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for module in MODULES:
            self.patch.setattr(module, "crash_point", self.crash_point)
        for module in (in_thread, delivering):
            self.patch.setattr(module, "in_thread", at_once)
        self.told: list[str] = []
        self.patch.setattr(main, "warn", self.told.append)
        self.left: int | None = None
        self.commits = 0
        self.folder = Path(tempfile.mkdtemp())
        self.desk = Desk(self.folder / "w")
        self.clock = lambda: self.desk.now

        config = replace(
            Config(),
            workspace_dir=str(self.desk.workspace.root),
            repositories={"code": {"url": "https://example.invalid/code.git"}},
        )
        self.forge = Forge(self.desk.workspace.inbox_db, self.clock)
        self.handlers = Handlers(config, self.forge, self.clock)
        self.reader = Reader()
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)
        self.engine: Engine | None = None
        self.commands: list[str] = []
        self.undone: set[str] = set()
        self.signals: set[str] = set()
        self.screen: dict[str, tuple[Report, Proposal | None]] = {}
        self.words = 0
        self.a_fix_is_proposed()

    def a_fix_is_proposed(self) -> None:
        """Where all of it begins."""
        for project in PROJECTS:
            self.a_signal(project, 0)
        self.works()
        for report in self.desk.reports():
            self.decides("approve", report, None, {"expect": "start"})
        self.desk.later(seconds=11)
        self.works()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.left = None
            self.ends()
            self.loop.close()
            self.desk.close()
            shutil.rmtree(self.folder)
        self.patch.undo()

    def crash_point(self, name: str) -> None:
        self.commits += 1
        if self.commits > MOST_COMMITS:
            raise Restless(name)
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed(name)

    # The engine

    async def research(self, job: Job) -> Mapping[str, object]:
        trouble = self.handlers.trouble.get("research")
        if isinstance(trouble, Exception):
            raise trouble
        return {**READY, **(trouble or {})}

    def starts(self) -> Engine:
        opened = Store.open(self.desk.workspace.inbox_db)
        opened.connection.execute("PRAGMA synchronous = OFF")
        stages = (place_by_project, Watching(self.forge, self.reader, self.told.append))  # type: ignore[arg-type]
        handlers = {**self.handlers.all, "research": self.research}
        return Engine(opened, Parts(stages, handlers), clock=self.clock)

    async def until_rest(self) -> None:
        """All that can be done; what waits at the gate goes on waiting."""
        self.engine = self.engine or self.starts()
        for _ in range(100):
            await self.engine.turn()
            for _ in range(5):
                await asyncio.sleep(0)
            if not self.engine.executor.finished.is_set():
                return
        raise AssertionError("it found no rest")

    def runs(self, work: Coroutine[Any, Any, None]) -> None:
        self.commits = 0
        self.loop.run_until_complete(work)

    def works(self) -> None:
        self.runs(self.until_rest())

    def ends(self) -> None:
        """As a killed process: nothing of what it did goes on."""
        tasks = asyncio.all_tasks(self.loop)
        self.left = -1
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.left = None
        if self.engine is not None:
            self.engine.store.close()
        self.engine = None

    @rule()
    def the_engine_works(self) -> None:
        self.works()
        self.nothing_lives_on()

    @rule(after=st.integers(0, 25))
    def the_engine_is_killed(self, after: int) -> None:
        self.left = after
        with contextlib.suppress(Killed):
            self.works()
        self.ends()

    # People

    @rule(project=st.sampled_from(PROJECTS), condition=st.integers(0, 3))
    def a_signal_comes(self, project: str, condition: int) -> None:
        self.a_signal(project, condition)
        self.works()

    def a_signal(self, project: str, condition: int) -> None:
        one = signal(f"{project} {condition}", project=project, at=self.desk.now)
        self.desk.comes(one)
        self.signals.add(one.source_id)

    @rule()
    def the_human_looks(self) -> None:
        self.screen = self.shown()

    def shown(self) -> dict[str, tuple[Report, Proposal | None]]:
        return {one.report.id: (one.report, one.proposal) for one in self.desk.inbox.reports()}

    @precondition(lambda self: self.desk.reports())
    @rule(data=st.data(), is_fresh=st.sampled_from([True, True, True, False]), waits=st.booleans())
    def a_human_decides(self, data: st.DataObject, is_fresh: bool, waits: bool) -> None:
        if is_fresh or not self.screen:
            self.screen = self.shown()
        report, proposal = self.screen[data.draw(st.sampled_from(sorted(self.screen)))]
        other = data.draw(st.sampled_from(self.desk.reports()))
        self.words += 1
        note = {"note": f"word {self.words}"}
        verb, arguments = data.draw(
            st.sampled_from(
                [
                    # What is proposed on screen, most of the time.
                    *[self.next_step(proposal)] * 8,
                    ("approve", {"expect": "start"}),
                    ("approve", {"expect": "push"}),
                    ("approve", {"expect": "merge", "second": True}),
                    ("decline", {"reason": "other"}),
                    ("decline", {"reason": "already_fixed"}),
                    ("context", note),
                    ("snooze", {"signals": 1}),
                    ("wake", {}),
                    ("resolve", {}),
                    ("reopen", {}),
                    ("research", {}),
                    ("join", {"into": other.id}),
                    ("request_changes", note),
                    ("comment", note),
                    ("stop", {}),
                    ("revert", {}),
                ]
            )
        )
        self.decides(verb, report, proposal, arguments)
        if not waits:
            self.desk.later(seconds=11)
            self.works()

    def next_step(self, proposal: Proposal | None) -> tuple[str, dict[str, object]]:
        if proposal is None or proposal.waits_for == "consent" or not proposal.is_open:
            return "approve", {"expect": "start"}
        if proposal.waits_for == "answer":
            return "context", {"note": f"answer {self.words}"}
        if proposal.waits_for == "push":
            return "approve", {"expect": "push"}
        return "approve", {"expect": "merge", **({"second": True} if proposal.waits_for == "second_key" else {})}

    def decides(self, verb: str, report: Report, proposal: Proposal | None, arguments: Mapping[str, object]) -> Command:
        seen = ""
        if proposal is not None and verb == "approve":
            seen = proposal.head_sha if arguments["expect"] == "merge" else str(proposal.change.get("sha", ""))
            seen = seen if arguments["expect"] != "start" else ""
        made = self.desk.inbox.command(
            verb, report.id, dict(arguments), now=self.desk.now, seen_version=report.version, seen_sha=seen
        )
        self.commands.append(made.id)
        return self.desk.inbox.submit(made)

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def the_human_takes_it_back(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(self.commands[-3:]))
        with contextlib.suppress(LoopdeskError):
            undone = self.desk.inbox.undo(id, self.desk.now)
            if undone.is_undone:
                self.undone.add(id)
            else:
                assert undone.inverse is not None
                self.commands.append(undone.inverse.id)

    # The world

    @rule(minutes=st.sampled_from([-30, -1, 0.3, 1, 3, 5, 20, 120, 3_000]))
    def the_clock_steps(self, minutes: float) -> None:
        self.desk.later(minutes=minutes)
        self.works()

    @rule(kind=st.sampled_from(KINDS), trouble=st.sampled_from(TROUBLES))
    def jobs_will_have_trouble(self, kind: str, trouble: Exception | Mapping[str, object] | None) -> None:
        self.handlers.trouble = {kind: trouble} if trouble is not None else {}

    @rule(
        fix=st.sampled_from(FIXES),
        guard=st.sampled_from(["passes", "passes", "passes", "waits", "stops"]),
        consent=st.sampled_from(["auto", "auto", "ask", "never"]),
        to_run=st.booleans(),
        checks=st.sampled_from(["pending", "passed", "failed", "none"]),
    )
    def fixes_will_be(self, fix: Mapping[str, object], guard: str, consent: str, to_run: bool, checks: str) -> None:
        self.handlers.fix, self.handlers.guard_says = fix, guard
        self.handlers.consent, self.handlers.to_run, self.forge.new_checks = consent, to_run, checks

    @rule(slow=st.sampled_from(["before", "after"]))
    def jobs_take_their_time(self, slow: str) -> None:
        self.handlers.slow = slow

    @rule()
    def jobs_go_on(self) -> None:
        self.handlers.slow = ""
        self.handlers.gate.set()
        self.works()
        self.handlers.gate.clear()

    @rule(faults=st.lists(st.sampled_from(["fine", "timeout", "lost", "limited"]), min_size=1, max_size=4))
    def the_forge_falters(self, faults: list[str]) -> None:
        self.forge.faults = faults

    @rule(is_away=st.booleans())
    def the_reader_comes_and_goes(self, is_away: bool) -> None:
        self.reader.is_away = is_away

    @precondition(lambda self: self.opened())
    @rule(
        data=st.data(),
        what=st.sampled_from(
            ["passed", "passed", "passed", "failed", "failed", "pending", "none", "push", "merge", "close", "base",
             "conflict", "fits", "comment", "stranger", "evil"]
        ),
    )  # fmt: skip
    def the_world_goes_on(self, data: st.DataObject, what: str) -> None:
        number = data.draw(st.sampled_from(self.opened()))
        pull = self.forge.read_quietly(number)
        if what in ("passed", "failed", "pending", "none"):
            self.forge.states[pull.head_sha] = _checks(what)
        elif what == "push":
            self.forge.branches[pull.branch] = self.forge.commit()
        elif what == "merge":
            self.forge.merged(number)
        elif what == "close":
            self.forge.pulls[number] = replace(pull, state="closed")
        elif what == "base":
            self.forge.pulls[number] = replace(pull, base="release" if pull.base == "main" else "main")
        elif what in ("conflict", "fits"):
            self.forge.pulls[number] = replace(pull, mergeable=what == "fits")
        else:
            self.words += 1
            body = EVIL if what == "evil" else "Please do it otherwise"
            who = "NONE" if what == "stranger" else "MEMBER"
            one = Comment(f"c{self.words}", "comment", "ada", who, body, self.desk.now)
            self.forge.said.setdefault(number, []).append(one)
        self.desk.later(seconds=130)
        self.works()

    @rule(checks=st.sampled_from(["passed", "passed", "passed", "failed", "none"]), minutes=st.sampled_from([3, 5]))
    def a_step_further(self, checks: str, minutes: int) -> None:
        """What happens most of the time: checks end, and whoever looks approves what is next."""
        for number in self.opened():
            self.forge.states[self.forge.read_quietly(number).head_sha] = _checks(checks)
        self.desk.later(minutes=minutes)
        self.works()
        for report, proposal in self.shown().values():
            verb, arguments = self.next_step(proposal)
            self.decides(verb, report, proposal, arguments)
        self.desk.later(seconds=11)
        self.works()

    def opened(self) -> list[int]:
        return [number for number, pull in self.forge.pulls.items() if pull.state == "open"]

    # What holds

    @rule(is_cured=st.booleans())
    def a_quiet_time(self, is_cured: bool) -> None:
        """Nothing new comes: then nothing is begun and not ended, but what says why."""
        self.handlers.slow = ""
        self.handlers.gate.set()
        self.forge.faults = []
        if is_cured:
            self.handlers.trouble = {}
            self.reader.is_away = False
        for _ in range(8):
            self.desk.later(minutes=70)
            self.works()
        self.handlers.gate.clear()
        waiting = self.rows(
            "SELECT kind, jobs.state, proposals.said, reports.hold FROM jobs "
            "JOIN reports ON reports.id = jobs.report_id LEFT JOIN proposals "
            "ON proposals.id = proposal_id WHERE jobs.state IN ('intended', 'queued', 'running', 'returned')"
        )
        assert not waiting or not is_cured, [tuple(row) for row in waiting]
        for row in waiting:
            assert row["said"] or row["hold"], tuple(row)
        self.nothing_lives_on()
        assert self.engine is not None
        assert reconcile(self.engine.store.state(self.desk.now, self.engine.owner)).is_settled
        before = self.engine.store.connection.total_changes
        self.desk.later(minutes=1)
        self.works()
        assert not is_cured or self.engine.store.connection.total_changes == before

    def nothing_lives_on(self) -> None:
        over = (
            "SELECT kind, jobs.state, proposals.state FROM jobs JOIN proposals ON proposals.id = proposal_id WHERE "
            "jobs.state IN ('intended', 'queued', 'running', 'returned') AND (proposals.state IN ('merged', 'failed') "
            "OR proposals.state IN ('closed', 'superseded') AND kind != 'close')"
        )
        assert [tuple(row) for row in self.rows(over)] == []

    @invariant()
    def what_holds(self) -> None:
        if not self.desk.workspace.inbox_db.exists():
            return
        inbox_invariants.check(self.desk.workspace.inbox_db, signals=self.signals, commands=set(self.commands))
        assert self.forge.wrongs == []
        assert [said for said in self.told if "fault of loopdesk" in said or "could not do its work" in said] == []
        if self.rows("PRAGMA user_version")[0][0] == 0:
            return
        undone = {id for (id,) in self.rows("SELECT id FROM commands WHERE undone_at IS NOT NULL")}
        assert undone == self.undone
        assert self.rows("SELECT said FROM commands WHERE said LIKE '%fault of loopdesk%'") == []
        by_itself = "SELECT count(*) FROM transitions WHERE reason = 'the countdown is over' GROUP BY subject"
        assert all(count <= 3 for (count,) in self.rows(by_itself))
        self.reports_follow()

    def reports_follow(self) -> None:
        """A merged proposal resolves its report, or asks for a word where it took something back; a closed one
        declines it, where nobody did so before."""
        ends = self.rows(
            "SELECT t.seq, t.after, p.report_id, p.reverts, t.actor FROM transitions AS t JOIN proposals AS p "
            "ON p.id = t.subject WHERE t.noun = 'proposal' AND t.after IN ('merged', 'closed') AND t.actor = 'engine'"
        )
        for seq, after, report_id, reverts, _ in ends:
            status = "suppressed" if after == "closed" else "pending_input" if reverts else "resolved"
            found = self.rows(
                "SELECT after FROM transitions WHERE noun = 'report' AND subject = ? AND seq <= ? + 2 "
                "ORDER BY seq DESC LIMIT 1",
                report_id,
                seq,
            )
            assert found and found[0][0] in (status, "deleted"), (after, reverts, found and found[0][0])

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self.desk.workspace.inbox_db)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(query, values).fetchall()


Proposals.TestCase.settings = settings(
    max_examples=18,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestTheWholeWay = Proposals.TestCase
