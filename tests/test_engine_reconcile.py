"""What follows from a state at a moment: pure, one step a report and round, and at rest where nothing is new."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine import attempts
from engine.effects import Log, SaveJob, SaveReport
from engine.model import Job, Report
from engine.reconcile import Plan, State, reconcile
from tests.conftest import NOW

LATER = NOW + timedelta(hours=1)


def report(status: str = "potential", **fields: object) -> Report:
    return Report("R1", NOW, NOW, status=status, **fields)  # type: ignore[arg-type]


def job(state: str = "intended", **fields: object) -> Job:
    given: dict[str, object] = {"owner": "me", "brief": {"run": 1}, **fields}
    return Job("research:R1:1", "research", "R1", NOW, NOW, NOW, state=state, **given)  # type: ignore[arg-type]


def plan(*reports: Report, jobs: tuple[Job, ...] = (), **fields: object) -> Plan:
    state = State(NOW, "me", {one.id: one for one in reports}, jobs, **fields)  # type: ignore[arg-type]
    assert reconcile(state) == reconcile(state)
    return reconcile(state)


def moves(found: Plan) -> list[tuple[str, str]]:
    return [(effect.transition.noun, effect.transition.after) for effect in found.effects if isinstance(effect, Log)]


def test_of_nothing_nothing_follows():
    assert plan() == Plan() and plan().is_settled


def test_commands_come_first_and_alone():
    found = plan(report(signals=1, weight=1.0), due=("C1", "C2"))
    assert (found.commands, found.effects) == (("C1", "C2"), ())


def test_enough_signals_promote_and_then_a_job_is_intended():
    found = plan(report(signals=1, weight=1.0))
    assert moves(found) == [("report", "candidate")]
    (after,) = [effect.report for effect in found.effects if isinstance(effect, SaveReport)]
    found = plan(after)
    (intended,) = [effect.job for effect in found.effects if isinstance(effect, SaveJob)]
    assert (intended.key, intended.attempt, intended.state) == ("research:R1:1", 1, "intended")
    assert plan(replace(after, runs=1), jobs=(intended,)).is_settled


def test_a_ready_report_that_is_researched_again_remembers_that_it_was_ready():
    found = plan(report("ready", passes=1, signals=2, weight=1.0))
    (after,) = [effect.report for effect in found.effects if isinstance(effect, SaveReport)]
    assert (after.status, after.status_before) == ("candidate", "ready")


@pytest.mark.parametrize("status", ["ready", "potential"])
def test_work_that_is_not_wanted_any_more_is_cancelled(status: str):
    assert moves(plan(report(status), jobs=(job("running"),))) == [("job", "cancelled")]


def test_of_another_owner_only_what_runs_is_taken_away():
    assert moves(plan(report("in_progress", runs=1), jobs=(job("running", owner="gone"),))) == [
        ("job", "failed"),
        ("report", "candidate"),
    ]
    for state in ("queued", "returned"):
        assert plan(report("candidate", runs=1), jobs=(job(state, owner="gone"),)).is_settled
    assert plan(report("in_progress", runs=1), jobs=(job("running"),)).is_settled


@pytest.mark.parametrize(("failures", "minutes"), [(0, 0), (1, 1), (2, 2)])
def test_a_failed_attempt_is_followed_later_and_later(failures: int, minutes: int):
    found = plan(report("candidate", runs=1), jobs=(job("failed", failures=failures, error="x"),))
    (again,) = [effect.job for effect in found.effects if isinstance(effect, SaveJob)]
    assert (again.attempt, again.state, again.error, again.owner) == (2, "intended", "", "")
    assert again.not_before == NOW + timedelta(minutes=minutes)


def test_what_is_held_waits_for_its_time_and_counts_no_failure():
    until = NOW + timedelta(hours=3)
    effects = attempts.held(report("in_progress", runs=1), job("running"), "The budget is spent.", until, NOW)
    (waiting,) = [effect.report for effect in effects if isinstance(effect, SaveReport)]
    ended, following = [effect.job for effect in effects if isinstance(effect, SaveJob)]
    assert (ended.failures, following.attempt, following.not_before) == (0, 2, until)
    assert "The budget is spent." in waiting.hold
    found = plan(waiting, jobs=(following,))
    assert found.is_settled and found.next_due == until


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 5), (3, 5), (4, 8), (6, 32), (7, 60), (200, 60)])
def test_what_is_held_again_and_again_waits_longer_each_time(attempt: int, minutes: int):
    held = replace(job("running"), attempt=attempt)
    until = NOW + timedelta(minutes=5)
    effects = attempts.held(report("in_progress", runs=1), held, "The model is away.", until, NOW)
    _, following = [effect.job for effect in effects if isinstance(effect, SaveJob)]
    assert following.not_before == NOW + timedelta(minutes=minutes)


def test_after_three_failures_the_report_says_so():
    found = plan(report("candidate", runs=1), jobs=(job("failed", failures=3, error="no model"),))
    assert moves(found) == [("report", "failed")]
    (after,) = [effect.report for effect in found.effects if isinstance(effect, SaveReport)]
    assert "failed 3 times" in after.question and "no model" in after.question


def test_it_says_when_there_will_be_more():
    snoozed = report(snoozed_until=LATER + timedelta(hours=5))
    assert plan(snoozed).next_due == snoozed.snoozed_until
    assert plan(snoozed, next_command=LATER).next_due == LATER
    waiting = replace(job(), not_before=NOW + timedelta(minutes=1))
    other = replace(report("candidate", runs=1), id="R1")
    assert plan(other, jobs=(waiting,), next_command=LATER).next_due == waiting.not_before


def test_a_snoozed_report_wakes_by_whichever_comes_first():
    assert plan(report(snoozed_until=LATER, signals=9, weight=9.0)).is_settled
    assert not plan(report(snoozed_until=NOW)).is_settled
    assert plan(report(wakes_at_signals=3, signals=2, weight=9.0)).is_settled
    assert moves(plan(report(wakes_at_signals=3, signals=3, status_before="ready"))) == [("report", "ready")]
