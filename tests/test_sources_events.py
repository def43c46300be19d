"""The sources that do not read rounds: exceptions, model calls, the router; and loops that did not run at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.model import Signal
from engine.sources.registry import NAMES, load
from engine.sources.source import Evidence
from tests.sources_rows import EVENING, NOW, anomaly, calls, evidence, night, nights, stop, thrown


def heard(name: str, found: Evidence) -> list[Signal]:
    return load(name).signals(found)


def test_an_error_that_nobody_handled_weighs_in_full():
    (signal,) = heard("exceptions", evidence(exception_issues=[thrown()]))
    assert (signal.source_id, signal.weight, signal.source_product) == ("exceptions:loop/f00d", 1.0, "error_tracking")


def test_a_handled_error_needs_to_come_again_and_weighs_half():
    assert heard("exceptions", evidence(exception_issues=[thrown(unhandled=0)])) == []
    (signal,) = heard("exceptions", evidence(exception_issues=[thrown(unhandled=0, times=3)]))
    assert signal.weight == 0.5


def test_one_error_of_three_clients_is_one_issue():
    found = [thrown(client=client) for client in ("one", "two", "three")]
    (signal,) = heard("exceptions", evidence(exception_issues=found))
    assert signal.extra["numbers"]["occurrences"] == 3


def test_calls_that_fail_far_more_often_are_told():
    (signal,) = heard("model_errors", evidence(model_calls=[calls(0, errors=30), *(calls(ago) for ago in (1, 2, 3))]))
    assert (signal.source_id, signal.weight) == ("model_errors:loop/haiku", 0.5)


def test_calls_that_always_fail_this_often_are_not_told_again():
    assert heard("model_errors", evidence(model_calls=[calls(ago, errors=30) for ago in range(4)])) == []


def test_a_model_that_answers_more_slowly_is_told():
    found = [calls(0, latency=16, per_token=0.04), *(calls(ago) for ago in (1, 2, 3))]
    (signal,) = heard("model_latency", evidence(model_calls=found))
    assert signal.title == "loop: haiku answers 2.0 times as slowly"


def test_longer_answers_are_no_slower_ones():
    found = [calls(0, latency=24, per_token=0.02), *(calls(ago) for ago in (1, 2, 3))]
    assert heard("model_latency", evidence(model_calls=found)) == []


@pytest.mark.parametrize(("ago", "times", "is_told"), [(0, 1, True), (1, 1, False), (1, 2, True), (5, 2, False)])
def test_the_router_is_heard_while_it_is_fresh_or_says_it_again(ago: int, times: int, is_told: bool):
    found = heard(
        "router_anomalies", evidence(router_anomalies=[anomaly(ago=ago, times=times)], round_history=nights(2))
    )
    assert [signal.weight for signal in found] == ([0.25] if is_told else [])


@pytest.mark.parametrize(("missed", "weights"), [(0, []), (1, [0.5]), (2, [1.0]), (5, [1.0]), (6, [])])
def test_a_loop_that_did_not_run_weighs_more_from_the_second_night_and_is_retired_later(missed: int, weights: list):
    found = heard("missed_runs", evidence(round_history=nights(5, before_last=missed)))
    assert [signal.weight for signal in found] == weights


def test_a_project_of_which_no_client_ran_is_one_signal():
    rows = [row for client in ("one", "two") for row in nights(5, before_last=1, client=client)]
    (signal,) = heard("missed_runs", evidence(round_history=rows))
    assert (signal.title, "client" in signal.extra) == ("loop did not run", False)
    (signal,) = heard("missed_runs", evidence(round_history=rows + night(client="two")))
    assert signal.title == "loop/one did not run"


def test_a_loop_that_rests_on_this_day_of_the_week_was_not_missed():
    rows = [row for ago in range(1, 14) if ago != 7 for row in night(ago=ago)]
    assert heard("missed_runs", evidence(round_history=rows)) == []


def test_a_loop_is_not_missed_before_its_usual_hour_has_passed():
    rows = nights(5, before_last=1)
    assert heard("missed_runs", evidence(now=EVENING + timedelta(hours=2), round_history=rows)) == []
    assert heard("missed_runs", evidence(now=EVENING + timedelta(hours=4), round_history=rows))


def test_what_is_long_ago_is_silent_everywhere():
    rows = nights(3, before_last=21) + night(60, ago=20, kept=lambda number: number == 5, cost=0.2, sha="bbbbbbb")
    found = evidence(now=NOW, round_history=rows, run_stops=[stop("crash", ago=20)], exception_issues=[thrown(ago=20)])
    assert [name for name in NAMES if heard(name, found)] == []
