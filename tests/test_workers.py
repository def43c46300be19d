"""Jobs on other machines: done once, by whoever is alive, and paid for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.engines import Desk
from tests.engines import signal as observed
from tests.postgres import Cluster
from tests.workers import DYING, STEP_USD, AwayEngine, Process, bulk, killed_at, until, working
from workspace.errors import LoopdeskError


@pytest.fixture
def url(postgres: Cluster) -> str:
    return postgres.database()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "w")
    desk.comes(observed("plateau"))
    yield desk
    desk.close()


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    path = tmp_path / "marks"
    path.touch()
    return path


def told(marks: Path) -> list[str]:
    return [line.partition(" ")[2] for line in marks.read_text().splitlines()]


def job_states(desk: Desk) -> list[tuple[int, str]]:
    return sorted((job.attempt, job.state) for job in desk.inbox.jobs())


def hold(desk: Desk) -> str:
    return "".join(report.hold for report in desk.reports())


def spend(desk: Desk) -> list[tuple[str, str, float, bool]]:
    with contextlib.closing(sqlite3.connect(desk.workspace.inbox_db)) as db:
        return db.execute("SELECT role, model, cost_usd, booked_at IS NOT NULL FROM spend ORDER BY seq").fetchall()


def rows(url: str, table: str = "loopdesk_jobs") -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert found is not None
    return found[0]


def attempt(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT attempt FROM loopdesk_jobs").fetchone()
    return found[0] if found else 0


@contextlib.asynccontextmanager
async def _never(_: str) -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


@contextlib.asynccontextmanager
async def processes(url: str, folder: Path, number: int) -> AsyncIterator[list[Process]]:
    started = [Process(url, folder / f"worker{one}") for one in range(number)]
    try:
        for one in started:
            await one.ready()
        yield started
    finally:
        for one in started:
            one.end()


class TestTakenOver:
    async def test_a_killed_workers_job_is_finished_by_another_from_its_last_snapshot(
        self, desk: Desk, url: str, marks: Path
    ):
        away = AwayEngine(desk, url, {"until": 4, "pause_at": 2, "marks": str(marks)})
        async with processes(url, marks.parent, 2) as both, away.running():
            await until(lambda: "pause" in told(marks))
            first = int(marks.read_text().split()[0])
            next(one for one in both if one.pid == first).signal(signal.SIGKILL)
            await away.until("ready")
            result = desk.inbox.jobs()[0].result
            assert result is not None and result["counted"] == 4
            # Its bulk is in the engine's folder by now, where all else looks for it.
            assert away.exchange.home.get(str(result["blob"])) == bulk(4)
            await until(lambda: rows(url) == 0)
        assert told(marks) == ["1", "2", "pause", "3", "4"]
        assert len({line.split()[0] for line in marks.read_text().splitlines()}) == 2
        assert job_states(desk) == [(1, "applied")]
        assert spend(desk) == [("research", "scripted", STEP_USD, True)] * 4
        assert rows(url, "loopdesk_spend") == rows(url, "procrastinate_jobs") == 0

    async def test_a_worker_that_slept_through_its_heartbeats_ends_its_work_and_writes_nothing(
        self, desk: Desk, url: str, marks: Path
    ):
        away = AwayEngine(desk, url, {"until": 3, "pause_at": 1, "marks": str(marks)})
        async with processes(url, marks.parent, 1) as (slept,), away.running():
            await until(lambda: "pause" in told(marks))
            slept.signal(signal.SIGSTOP)
            async with working(url, DYING):
                await away.until("ready")
            slept.signal(signal.SIGCONT)
            await until(lambda: f"{slept.pid} stopped" in marks.read_text())
        assert told(marks) == ["1", "pause", "2", "3", "stopped"]
        assert job_states(desk) == [(1, "applied")]

    async def test_a_worker_that_is_stopped_hands_back_what_it_does(self, desk: Desk, url: str, marks: Path):
        away = AwayEngine(desk, url, {"until": 2, "pause_at": 1, "marks": str(marks)})
        async with processes(url, marks.parent, 1) as (leaving,), away.running():
            await until(lambda: "pause" in told(marks))
            leaving.signal(signal.SIGTERM)
            assert await leaving.ended() == 0
            async with working(url):
                await away.until("ready")
            assert leaving.said() == ["ready", "begun", "stopping", "handed_back"]
        assert told(marks) == ["1", "pause", "stopped", "2"]

    async def test_a_worker_that_cannot_reach_postgres_ends_its_work_and_another_goes_on(
        self, desk: Desk, url: str, marks: Path, postgres: Cluster
    ):
        away = AwayEngine(desk, url, {"until": 2, "pause_at": 1, "marks": str(marks)})
        async with working(url, replace(DYING, stalled_s=1.2)) as said, away.running():
            await until(lambda: "pause" in told(marks))
            postgres.allow(url, False)
            await until(lambda: "stopped" in told(marks))
            # Without Postgres nobody knows whether it is still being done: it is held, and never begun here.
            await until(lambda: "is held until" in hold(desk))
            assert "Postgres does not answer" in desk.report().hold
            await until(lambda: any(one["word"].startswith("postgres") for one in said))
            postgres.allow(url, True)
            await away.until("ready")
        assert told(marks) == ["1", "pause", "stopped", "2"]
        assert [state for _, state in job_states(desk)].count("applied") == 1


class TestTheEngine:
    @pytest.mark.parametrize("is_killed", [True, False])
    async def test_one_that_is_started_again_adopts_what_is_under_way(
        self, desk: Desk, url: str, marks: Path, is_killed: bool
    ):
        plan = {"until": 2, "pause_at": 1, "marks": str(marks)}
        async with working(url) as said:
            away = AwayEngine(desk, url, plan)
            away.takes_all = True  # of the report's budget: of what it put aside itself, it is never in want
            async with away.running(is_killed=is_killed):
                await until(lambda: "pause" in told(marks))
            began = [one for one in said if one["word"] == "begun"]
            async with away.running():
                await away.until("in_progress")
                await until(lambda: attempt(url) == 2)
                assert told(marks) == ["1", "pause"] and rows(url, "procrastinate_jobs") == 1
        assert [one for one in said if one["word"] == "begun"] == began
        async with working(url), away.running():
            await away.until("ready")
        assert told(marks) == ["1", "pause", "stopped", "2"]
        assert sum(cost for _, _, cost, _ in spend(desk)) == pytest.approx(2 * STEP_USD)

    async def test_a_result_that_came_while_none_ran_is_taken(self, desk: Desk, url: str, marks: Path):
        away = AwayEngine(desk, url, {"until": 1, "marks": str(marks)})
        async with working(url) as said, away.running(is_killed=True):
            away.exchange.queue.line = _never  # type: ignore[method-assign, assignment]
            await until(lambda: any(one["word"] == "done" for one in said))
        async with away.running():
            await away.until("ready")
        assert told(marks) == ["1"] and job_states(desk)[-1] == (2, "applied")

    async def test_a_second_one_for_a_copy_of_the_workspace_is_refused(self, desk: Desk, url: str, tmp_path: Path):
        first = AwayEngine(desk, url, {})
        first.open()
        copied = Desk(tmp_path / "copy")
        with contextlib.closing(sqlite3.connect(desk.workspace.inbox_db)) as before:
            before.execute("VACUUM INTO ?", (str(tmp_path / "copied.db"),))
        copied.close()
        (tmp_path / "copied.db").replace(copied.workspace.inbox_db)
        second = AwayEngine(copied, url, {})
        with pytest.raises(LoopdeskError, match="Another engine works for this workspace"):
            second.open()
        first.close()
        second.open()
        second.close()

    async def test_without_a_worker_it_is_held_and_goes_on_with_the_first(self, desk: Desk, url: str, marks: Path):
        away = AwayEngine(desk, url, {"until": 1, "marks": str(marks)})
        async with away.running():
            await until(lambda: "No worker is running" in hold(desk))
            assert told(marks) == []
            async with working(url):
                await away.until("ready")
        assert told(marks) == ["1"]
        assert job_states(desk) == [(1, "failed"), (2, "applied")]

    async def test_what_is_not_wanted_any_more_is_stopped_booked_and_forgotten(self, desk: Desk, url: str, marks: Path):
        away = AwayEngine(desk, url, {"until": 2, "pause_at": 1, "marks": str(marks)})
        async with working(url) as said, away.running():
            await until(lambda: "pause" in told(marks))
            assert spend(desk) == [("research", "", 1.0, False)]
            desk.decides("resolve", desk.report())
            desk.later(seconds=11)
            await until(lambda: rows(url) == 0)
        assert told(marks) == ["1", "pause", "stopped"]
        assert [one["word"] for one in said][:3] == ["ready", "begun", "ended"]
        assert desk.report().status == "resolved"
        assert spend(desk) == [("research", "scripted", STEP_USD, True)]
        assert away.snapshot_number() == 1

    async def test_an_attempt_that_asks_something_else_takes_its_place_and_the_old_result_is_dropped(
        self, desk: Desk, url: str, marks: Path
    ):
        away = AwayEngine(desk, url, {"until": 3, "pause_at": 1, "marks": str(marks)})
        away.takes_all = True
        async with working(url) as said:
            async with away.running():
                await until(lambda: "pause" in told(marks))
            desk.comes(observed("another", weight=0.5))
            async with away.running():
                await away.until("ready")
        assert [one["word"] for one in said if one["word"] in ("begun", "ended", "done")] == [
            "begun",
            "ended",
            "begun",
            "done",
        ]
        assert told(marks) == ["1", "pause", "stopped", "2", "3"]
        assert desk.report().weight == 0  # it has read both

    @pytest.mark.parametrize(
        ("plan", "said"),
        [({"pad": 300_000}, "bytes; at most 262,144 are taken"), ({"refuses": True}, "It is not to be done")],
    )
    async def test_what_fails_there_has_failed_here(
        self, desk: Desk, url: str, marks: Path, plan: dict[str, object], said: str
    ):
        away = AwayEngine(desk, url, {"until": 1, "marks": str(marks), **plan})
        async with working(url), away.running():
            await until(lambda: any(job.state == "failed" for job in desk.inbox.jobs()))
            (failed,) = [job for job in desk.inbox.jobs() if job.state == "failed"]
            assert said in failed.error
            # What will not be done is not tried again.
            assert failed.failures == (3 if "refuses" in plan else 1)
        assert spend(desk)[0] == ("research", "scripted", STEP_USD, True)

    @pytest.mark.parametrize("more", [{"repository": {"url": "/srv/loop"}}, {"repositories": []}])
    async def test_it_does_at_home_what_no_worker_could(
        self, desk: Desk, url: str, marks: Path, more: dict[str, object]
    ):
        async with AwayEngine(desk, url, {"until": 1, "marks": str(marks), **more}).running() as away:
            await away.until("ready")
        assert rows(url) == 0 and spend(desk) == []

    async def test_as_long_as_no_model_may_be_asked_it_does_at_home_what_it_can(
        self, desk: Desk, url: str, marks: Path
    ):
        away = AwayEngine(desk, url, {"until": 1, "marks": str(marks)})
        away.may_ask = False
        async with away.running():
            await away.until("ready")
        assert rows(url) == 0 and spend(desk) == []

    async def test_a_budget_that_is_reached_holds_it(self, desk: Desk, url: str):
        async with AwayEngine(desk, url, {"until": 1}, report_usd=0.0).running():
            await until(lambda: "The report's budget of $0.00 is reached" in hold(desk))
        assert rows(url) == 0

    async def test_what_is_only_put_aside_for_others_is_waited_for(self, desk: Desk, url: str, marks: Path):
        desk.comes(observed("another", project="another"))
        away = AwayEngine(desk, url, {"until": 1, "pause_at": 1, "marks": str(marks)}, night_usd=1.2)
        async with working(url), away.running():
            await until(lambda: "put aside for other jobs" in hold(desk))
            (waits,) = [job for job in desk.inbox.jobs() if job.state == "intended"]
            assert waits.not_before < desk.now + timedelta(minutes=2)
            await until(lambda: rows(url) == 1)


class TestAnEngineThatIsKilled:
    @pytest.mark.parametrize(
        "point",
        [
            *("before_reserve", "after_reserve", "before_book", "after_book"),
            *("before_return_result", "after_return_result"),
        ],
    )
    async def test_has_it_done_once_and_paid_for_once(self, desk: Desk, url: str, marks: Path, point: str):
        plan = {"until": 2, "marks": str(marks)}
        async with working(url):
            assert await killed_at(point, desk.workspace.root, url, plan) == -signal.SIGKILL
            async with AwayEngine(desk, url, plan).running() as away:
                await until(lambda: len(desk.inbox.jobs()) == 2 or desk.report().status == "ready")
                desk.later(minutes=2)  # it may have been the job that killed it
                await away.until("ready")
                await until(lambda: rows(url) == 0)
        assert told(marks) == ["1", "2"]
        assert spend(desk) == [("research", "scripted", STEP_USD, True)] * 2
        assert [state for _, state in job_states(desk)].count("applied") == 1
