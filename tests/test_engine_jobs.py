"""Jobs in this process: the order of their states, who may end them, what is tried again, and what is stopped."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import attempts
from engine.commands import Decision
from engine.effects import AddDecision, Log, SaveJob, SaveReport
from engine.main import Engine, Parts, Worked
from engine.model import Job
from engine.source_state import SourceState, save_source_state, source_state
from engine.store import Store
from tests.engines import READY, Desk, answers, place_by_project, signal
from workspace.errors import LoopdeskError


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "w")
    desk.comes(signal("plateau"))
    yield desk
    desk.close()


def engine(desk: Desk, store: Store, **options: object) -> Engine:
    return Engine(
        store,
        Parts((place_by_project,), desk.handlers),
        clock=lambda: desk.now,
        **options,  # type: ignore[arg-type]
    )


def states(desk: Desk) -> list[str]:
    report = desk.inbox.report(desk.report().id)
    assert report is not None
    return [line.after for line in report.log if line.noun == "job"]


class TestOrder:
    def test_each_step_is_logged_in_its_order(self, desk: Desk):
        desk.handlers = answers(READY)
        desk.turn()
        assert states(desk) == ["queued", "running", "returned", "applied"]
        assert desk.report().status == "ready" and desk.report().weight == 0

    def test_without_a_handler_a_job_stays_intended(self, desk: Desk):
        desk.turn()
        desk.turn()
        (job,) = desk.inbox.jobs()
        assert (job.state, job.key) == ("intended", f"research:{desk.report().id}:1")

    def test_a_signal_that_came_while_it_ran_still_weighs(self, desk: Desk):
        async def research(job: Job) -> Mapping[str, object]:
            desk.comes(signal("late", weight=0.5, at=desk.now))
            return READY

        desk.handlers = {"research": research}
        desk.turn()
        assert (desk.report().signals, desk.report().weight) == (2, 0.5)

    def test_a_condition_that_came_again_while_it_ran_still_weighs(self, desk: Desk):
        async def research(job: Job) -> Mapping[str, object]:
            desk.comes(signal("plateau", at=desk.now + timedelta(seconds=1)))
            desk.later(seconds=2)
            store = Store.open(desk.workspace.inbox_db)
            store.ingest(desk.now)
            store.close()
            return READY

        desk.handlers = {"research": research}
        desk.turn()
        assert (desk.report().signals, desk.report().weight) == (1, 1.0)

    def test_at_most_so_many_at_once(self, tmp_path: Path):
        desk = Desk(tmp_path / "w")
        desk.comes(*(signal(f"a{number}", project=f"p{number}") for number in range(6)))
        running, most = 0, 0

        async def research(job: Job) -> Mapping[str, object]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(20):
                await asyncio.sleep(0)
            running -= 1
            return READY

        desk.handlers = {"research": research}
        desk.turn()
        assert most == 2 and {report.status for report in desk.reports()} == {"ready"}
        desk.close()


class TestFailures:
    def test_it_is_tried_again_later_and_later_and_then_says_so(self, desk: Desk):
        async def research(job: Job) -> Mapping[str, object]:
            raise ConnectionError("the model is\x1b[2J away")

        desk.handlers = {"research": research}
        desk.turn()
        jobs = sorted(desk.inbox.jobs(), key=lambda job: job.attempt)
        assert [(job.attempt, job.state) for job in jobs] == [(1, "failed"), (2, "intended")]
        assert jobs[0].error == "ConnectionError: the model is away"
        assert jobs[1].not_before == desk.now + timedelta(minutes=1)
        desk.later(seconds=59)
        desk.turn()
        assert len(desk.inbox.jobs()) == 2
        for minutes in (1, 2):
            desk.later(minutes=minutes)
            desk.turn()
        assert len(desk.inbox.jobs()) == attempts.MOST_FAILURES
        assert desk.report().status == "failed"
        assert "failed 3 times" in desk.inbox.reports()[0].why and "model is away" in desk.inbox.reports()[0].why

    def test_by_hand_it_starts_anew(self, desk: Desk):
        desk.handlers = answers({"actionability": "nonsense"})
        for _ in range(4):
            desk.turn()
            desk.later(hours=1)
        assert desk.report().status == "failed"
        desk.handlers = answers(READY)
        desk.applied("research", desk.report())
        assert desk.report().status == "ready"

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"actionability": None}, "no actionability"),
            ({"title": ""}, "no title"),
            ({"priority": "P9"}, "a priority that is none of"),
            ({"actionability": "requires_human_input"}, "has no question"),
            ({"summary": 7}, "summary that is not text"),
            ({"findings": "none"}, "findings is not a list"),
            ({"title": "x" * 300_000}, "at most 262,144"),
            ({"title": float("nan")}, "ValueError"),
            ({"title": object()}, "TypeError"),
        ],
    )
    def test_a_result_that_is_none_is_a_failed_attempt(self, desk: Desk, change: dict, said: str):
        desk.handlers = answers({**READY, **change})
        desk.turn()
        (failed,) = [job for job in desk.inbox.jobs() if job.state == "failed"]
        assert said in failed.error and desk.report().status == "candidate"


class TestOwners:
    def test_an_attempt_whose_engine_is_gone_is_followed_by_another(self, desk: Desk):
        desk.turn()
        store = Store.open(desk.workspace.inbox_db)
        job = store.jobs("intended")[0]
        with store.transaction("start_job"):
            store.write(attempts.queued(job, desk.now), desk.now)
            job = store.jobs("queued")[0]
            store.write(attempts.begun(None, job, "one that died", {}, desk.now), desk.now)
        store.close()
        desk.turn()
        jobs = sorted(desk.inbox.jobs(), key=lambda job: job.attempt)
        assert [(job.attempt, job.state) for job in jobs] == [(1, "failed"), (2, "intended")]
        assert "is gone" in jobs[0].error

    def test_a_result_of_an_earlier_attempt_counts_for_nothing(self, desk: Desk):
        """The handler ends after its attempt was taken away from it."""

        async def research(job: Job) -> Mapping[str, object]:
            connection = sqlite3.connect(desk.workspace.inbox_db)
            connection.execute("UPDATE jobs SET owner = 'another' WHERE state = 'running'")
            connection.commit()
            connection.close()
            return READY

        desk.handlers = {"research": research}
        desk.turn()
        assert "applied" not in states(desk) and desk.report().status != "ready"

    def test_what_is_not_wanted_any_more_is_stopped(self, desk: Desk):
        was_stopped: list[bool] = []

        async def research(job: Job) -> Mapping[str, object]:
            desk.decides("resolve", job.report_id)
            desk.later(seconds=11)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                was_stopped.append(True)
                raise
            return READY

        desk.handlers = {"research": research}

        async def work() -> None:
            store = Store.open(desk.workspace.inbox_db)
            stop = asyncio.Event()
            running = asyncio.create_task(engine(desk, store).run(stop))
            while not was_stopped:
                await asyncio.sleep(0.01)
            stop.set()
            await running
            store.close()

        asyncio.run(work())
        assert desk.report().status == "resolved" and states(desk) == ["queued", "running", "cancelled"]

    def test_an_engine_that_is_stopped_blames_no_job(self, desk: Desk):
        async def research(job: Job) -> Mapping[str, object]:
            await asyncio.Event().wait()
            return READY

        desk.handlers = {"research": research}

        async def work() -> None:
            store = Store.open(desk.workspace.inbox_db)
            stop = asyncio.Event()
            working = engine(desk, store)
            running = asyncio.create_task(working.run(stop))
            while not working.executor.is_busy:
                await asyncio.sleep(0)
            stop.set()
            await running
            store.close()

        asyncio.run(work())
        desk.handlers = answers(READY)
        desk.turn()
        assert desk.report().status == "ready"
        assert [(job.attempt, job.failures) for job in sorted(desk.inbox.jobs(), key=lambda job: job.attempt)] == [
            (1, 0),
            (2, 0),
        ]


class TestTheStore:
    def test_a_change_of_state_that_nobody_logged_is_not_written(self, desk: Desk):
        desk.turn()
        store = Store.open(desk.workspace.inbox_db)
        job = store.jobs("intended")[0]
        after, line = job.moved("queued", by="engine", reason="due", now=desk.now)
        with pytest.raises(LoopdeskError, match="cannot become"), store.transaction("enqueue"):
            store.write([SaveJob(after)], desk.now)
        with store.transaction("enqueue"):
            store.write([Log(line), SaveJob(after)], desk.now)
        # From the same beginning once more: the store has moved on.
        with pytest.raises(LoopdeskError, match="cannot become"), store.transaction("enqueue"):
            store.write([Log(line), SaveJob(after)], desk.now)
        assert [job.state for job in desk.inbox.jobs()] == ["queued"]
        store.close()

    def test_an_attempt_follows_the_one_before(self, desk: Desk):
        desk.turn()
        store = Store.open(desk.workspace.inbox_db)
        job = store.jobs("intended")[0]
        with pytest.raises(LoopdeskError, match="does not follow"), store.transaction("reconcile"):
            store.write([SaveJob(attempts.next_attempt(attempts.next_attempt(job, desk.now), desk.now))], desk.now)
        with pytest.raises(LoopdeskError, match="UNIQUE"), store.transaction("reconcile"):
            store.write([SaveJob(attempts.next_attempt(job, desk.now))], desk.now)
        store.close()

    def test_what_is_no_signal_is_kept_with_the_reason_and_stops_nothing(self, desk: Desk):
        connection = sqlite3.connect(desk.workspace.inbox_db)
        connection.executemany(
            "INSERT INTO signals_in(signal, added_at) VALUES (?, 0)", [("{",), ("[]",), ('{"occurred_at": 7}',)]
        )
        connection.commit()
        desk.turn()
        refused = connection.execute("SELECT refused FROM signals_in").fetchall()
        connection.close()
        assert len(refused) == 3 and all(why for (why,) in refused)
        assert desk.report().signals == 1

    def test_a_revision_renews_its_signal(self, desk: Desk):
        desk.turn()
        later = signal("plateau", at=desk.now + timedelta(hours=1))
        desk.later(hours=2)
        desk.comes(later, later, signal("plateau", at=desk.now - timedelta(days=9)))
        desk.turn()
        report = desk.inbox.report(desk.report().id)
        assert report is not None and [stored.signal for stored in report.signals] == [later]

    def test_a_time_from_the_future_counts_as_now(self, desk: Desk):
        desk.comes(signal("ahead", at=desk.now + timedelta(days=400)))
        desk.turn()
        assert desk.report().weight == 2.0 and desk.report().weighed_at == desk.now


class TestNothingStopsTheOthers:
    def test_a_command_that_breaks_the_code_is_refused_and_the_next_one_applied(self, desk: Desk):
        desk.turn()
        command = desk.decides("resolve", desk.report())

        def broken(*_: object) -> None:
            raise KeyError("a fault of ours")

        store = Store.open(desk.workspace.inbox_db)
        told = store.apply(command.id, broken, desk.now)  # type: ignore[arg-type]
        store.close()
        assert told is not None and told.refused_at and "(KeyError). This is a fault of loopdesk" in told.said
        assert desk.applied("resolve", desk.report()).applied_at

    def test_of_a_decision_that_cannot_be_written_whole_nothing_is(self, desk: Desk):
        desk.turn()
        command = desk.decides("resolve", desk.report())
        before = desk.report()

        def half(*_: object) -> Decision:
            twice = AddDecision(signal("x"), before.id)
            return Decision((SaveReport(replace(before, note="half")), twice, twice), "done")

        store = Store.open(desk.workspace.inbox_db)
        told = store.apply(command.id, half, desk.now)
        store.close()
        assert told is not None and told.refused_at and desk.report() == before

    def test_a_stage_that_fails_holds_up_no_command(self, desk: Desk, capsys: pytest.CaptureFixture[str]):
        async def broken(store: Store, now: datetime) -> Worked:
            with store.transaction("place"):
                store.connection.execute("DELETE FROM reports")
                raise RuntimeError("the source is\x1b[2J away")

        desk.turn()
        desk.decides("resolve", desk.report())
        desk.later(seconds=11)
        store = Store.open(desk.workspace.inbox_db)
        asyncio.run(Engine(store, Parts((broken,)), clock=lambda: desk.now).once())
        store.close()
        assert desk.report().status == "resolved"
        assert capsys.readouterr().err == "loopdesk: broken could not do its work: RuntimeError: the source is away\n"

    @pytest.mark.parametrize("waits", [True, False])
    def test_a_stage_that_never_ends_holds_up_no_stop(self, desk: Desk, waits: bool):
        """It waits for an answer that does not come, or always finds more to do."""

        async def run() -> None:
            stop = asyncio.Event()

            async def endless(store: Store, now: datetime) -> Worked:
                asyncio.get_running_loop().call_soon(stop.set)
                if waits:
                    await asyncio.Event().wait()
                return Worked(1)

            await asyncio.wait_for(Engine(store, Parts((endless,)), clock=lambda: desk.now).run(stop), 5)

        store = Store.open(desk.workspace.inbox_db)
        asyncio.run(run())
        store.close()

    def test_a_source_goes_on_where_it_stopped(self, desk: Desk):
        store = Store.open(desk.workspace.inbox_db)
        assert source_state(store.connection, "plateaus") is None
        for cursor in ("1", "2"):
            state = SourceState("plateaus", desk.now, cursor, 0.5)
            with store.transaction("ingest"):
                save_source_state(store.connection, state)
        assert source_state(store.connection, "plateaus") == state
        store.close()

    def test_a_job_that_fails_at_whatever_step_is_followed_in_the_same_run(self, tmp_path: Path):
        """However many steps of the loop the handler takes, its end is noticed."""
        for steps in range(6):
            desk = Desk(tmp_path / str(steps))
            desk.comes(signal("plateau"))

            async def research(job: Job, steps: int = steps) -> Mapping[str, object]:
                for _ in range(steps):
                    await asyncio.sleep(0)
                raise OSError("away")

            desk.handlers = {"research": research}
            desk.turn()
            assert sorted(job.state for job in desk.inbox.jobs()) == ["failed", "intended"]
            desk.close()
