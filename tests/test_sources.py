"""Each source as a pure function: what it is for makes it speak, and what only looks like it does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.model import Signal
from engine.sources.registry import NAMES, load
from engine.sources.source import Evidence
from tests.sources_rows import (
    EVENING,
    NEVER,
    UNSCORED,
    calls,
    dimensions,
    evidence,
    night,
    nights,
    regressed,
    stop,
    thrown,
)


def heard(name: str, found: Evidence) -> list[Signal]:
    return load(name).signals(found)


def dry_from(first: int):
    return lambda number: number % 6 == 5 and number < first


# --- nobody speaks of a loop that behaves ---


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("goal", ["max", "min"])
def test_nights_that_behave_are_silent(name: str, goal: str):
    rows = nights(7, goal=goal)
    found = evidence(
        round_history=rows,
        run_stops=[stop("max_rounds", ago=ago) for ago in range(7)],
        dimension_regressions=[regressed(row) for row in rows if row["round_id"].endswith("-010")],
        dimension_heatmap=[row for ago in range(7) for row in dimensions(ago, a=0.8, b=0.82, c=0.78, d=0.75, e=0.8)],
        model_calls=[calls(ago) for ago in range(7)],
    )
    assert heard(name, found) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_store_is_silent(name: str):
    assert heard(name, evidence()) == []


# --- plateau ---


@pytest.mark.parametrize("goal", ["max", "min"])
def test_a_long_row_without_a_new_best_is_a_plateau(goal: str):
    rows = nights(3, before_last=1, goal=goal) + night(60, goal=goal, kept=dry_from(12))
    (signal,) = heard("plateau", evidence(round_history=rows))
    assert signal.title == "loop/one has found nothing better for 48 rounds"
    assert (signal.source_id, signal.weight) == ("plateau:loop/one", 1.0)


def test_a_plateau_that_ended_is_over():
    rows = night(60, ago=1, kept=dry_from(12)) + night(20)
    assert heard("plateau", evidence(round_history=rows)) == []


def test_a_wait_like_one_before_it_is_no_plateau():
    waits = lambda number: number in (3, 7, 35)  # noqa: E731
    rows = night(70, ago=1, kept=waits) + night(4)
    assert heard("plateau", evidence(round_history=rows)) == []


@pytest.mark.parametrize(("goal", "is_plateau"), [("max", False), ("min", True)])
def test_a_kept_round_counts_as_better_only_in_the_direction_of_the_goal(goal: str, is_plateau: bool):
    rising = night(60, goal="max")
    for row in rising:
        row["goal"] = goal
    rows = nights(2, before_last=1, goal=goal) + rising
    assert bool(heard("plateau", evidence(round_history=rows))) is is_plateau


def test_a_goal_holds_for_the_rounds_that_do_not_say_it():
    """A loss that rises is no row of new bests, whoever forgot to say that it is a loss."""
    rows = nights(2, before_last=1, goal="min") + night(60, goal="max")
    for row in rows[-60:]:
        row["goal"] = None
    assert heard("plateau", evidence(round_history=rows))


def test_a_crashed_round_has_no_score_whatever_its_property_says():
    """Logs write 0 for a crash; to a loss that would be the best score ever."""
    crashed = night(40, goal="min", kept=lambda number: False, n_scored=0, highest=0.0, lowest=0.0)
    rows = nights(3, before_last=1, goal="min") + crashed
    (signal,) = heard("plateau", evidence(round_history=rows))
    assert signal.extra["numbers"]["best_score"] is None


def test_a_loop_that_stops_itself_for_a_stall_is_believed_earlier():
    rows = nights(2, before_last=1) + night(22, kept=dry_from(6))
    assert heard("plateau", evidence(round_history=rows)) == []
    (signal,) = heard("plateau", evidence(round_history=rows, run_stops=[stop("stall_limit")]))
    assert "stall_limit" in signal.content


def test_a_plateau_under_a_bad_deploy_is_the_deploys():
    rows = nights(3, before_last=1) + night(60, kept=dry_from(0), sha="bbbbbbb")
    assert heard("plateau", evidence(round_history=rows))
    assert heard("plateau", evidence(round_history=rows, blamed=[("loop", "bbbbbbb")])) == []


# --- deploys ---


def deployed(goal: str = "max", rounds: int = 40, **after: object) -> list[dict]:
    return nights(3, before_last=1, goal=goal) + night(rounds, goal=goal, sha="bbbbbbb", **after)  # type: ignore[arg-type]


@pytest.mark.parametrize(("goal", "shift"), [("max", -0.1), ("min", 0.1)])
def test_scores_that_fall_behind_after_a_deploy_name_both_shas(goal: str, shift: float):
    rows = deployed(goal)
    for row in rows[-40:]:
        row |= {"highest": row["baseline"] + shift, "lowest": row["baseline"] + shift}
    (signal,) = heard("deploys", evidence(round_history=rows))
    assert signal.source_id == "deploys:loop/bbbbbbb"
    assert signal.extra["git_shas"] == ["aaaaaaa", "bbbbbbb"]
    assert "aaaaaaa ran before" in signal.content and "bbbbbbb" in signal.title and "scores" in signal.title


@pytest.mark.parametrize(("goal", "shift"), [("max", 0.1), ("min", -0.1)])
def test_scores_that_rise_after_a_deploy_are_good_news(goal: str, shift: float):
    rows = deployed(goal)
    for row in rows[-40:]:
        row |= {"highest": row["baseline"] + shift, "lowest": row["baseline"] + shift}
    assert heard("deploys", evidence(round_history=rows)) == []


@pytest.mark.parametrize(
    ("what", "after"),
    [
        ("kept share", {"rounds": 60, "kept": lambda number: False}),
        ("cost", {"cost": 0.1}),
        (
            "errors",
            {name: (lambda number, value=value: value if number % 2 else 1) for name, value in UNSCORED.items()},
        ),
    ],
)
def test_other_things_that_get_worse_after_a_deploy_are_told(what: str, after: dict):
    (signal,) = heard("deploys", evidence(round_history=deployed(**after)))
    assert what in signal.title


def test_a_deploy_that_changes_nothing_is_silent():
    assert heard("deploys", evidence(round_history=deployed())) == []


def test_a_handful_of_rounds_after_a_deploy_says_nothing():
    rows = nights(3, before_last=1) + night(8, sha="bbbbbbb", kept=lambda number: False, cost=0.2)
    assert heard("deploys", evidence(round_history=rows)) == []


def test_going_back_to_an_older_sha_is_no_new_deploy():
    rows = nights(1, before_last=2) + night(ago=1, sha="bbbbbbb") + night(cost=0.2)
    assert heard("deploys", evidence(round_history=rows)) == []


def test_a_deploy_of_all_clients_is_one_signal():
    rows = [row for client in ("one", "two", "three") for row in nights(3, before_last=1, client=client)]
    rows += [row for client in ("one", "two", "three") for row in night(client=client, sha="bbbbbbb", cost=0.2)]
    (signal,) = heard("deploys", evidence(round_history=rows))
    assert signal.extra["clients"] == ["one", "three", "two"]
    assert "client" not in signal.extra


# --- stops ---


def test_a_crash_is_told_with_its_exception_and_the_rounds_that_never_ended():
    rows = night(20, kept_at=NEVER, reverted_at=lambda number: NEVER if number > 17 else EVENING.isoformat())
    found = evidence(round_history=rows, run_stops=[stop("crash")], exception_issues=[thrown()])
    (signal,) = heard("bad_stops", found)
    assert (signal.source_id, signal.weight) == ("bad_stops:loop/one/crash", 1.0)
    assert signal.extra["fingerprint"] == "f00d"
    assert len(signal.extra["round_ids"]) == 2
    assert "out of memory" in signal.content


@pytest.mark.parametrize("reason", ["max_rounds", "time_limit", "budget", "stall_limit", ""])
def test_a_planned_end_is_no_bad_stop(reason: str):
    assert heard("bad_stops", evidence(run_stops=[stop(reason)])) == []


def test_the_same_stop_on_two_nights_is_one_condition():
    (signal,) = heard("bad_stops", evidence(run_stops=[stop("kill_switch"), stop("kill_switch", ago=1)]))
    assert signal.extra["numbers"]["stops"] == 2
    (before,) = heard("bad_stops", evidence(run_stops=[stop("kill_switch", ago=1)]))
    assert signal.id == before.id


def test_a_crash_of_last_week_has_been_told():
    assert heard("bad_stops", evidence(run_stops=[stop("crash", ago=6)])) == []


def test_a_run_that_breaks_off_without_a_word_went_silent():
    stops = [stop("max_rounds", ago=ago) for ago in (1, 2, 3)]
    (signal,) = heard("silent_runs", evidence(round_history=nights(4), run_stops=stops))
    assert (signal.source_id, signal.weight) == ("silent_runs:loop/one", 0.5)


def test_a_loop_that_never_says_why_it_stops_is_not_silent():
    assert heard("silent_runs", evidence(round_history=nights(6))) == []


def test_a_run_in_the_middle_of_its_night_is_not_silent():
    stops = [stop("max_rounds", ago=ago) for ago in (1, 2, 3)]
    during = EVENING + timedelta(minutes=5 * 40)
    assert heard("silent_runs", evidence(now=during, round_history=nights(4), run_stops=stops)) == []


# --- cost ---


def test_dearer_rounds_are_a_spike():
    (signal,) = heard("cost_spike", evidence(round_history=nights(3, before_last=1) + night(cost=0.15)))
    assert signal.title == "loop/one: a round costs 3.0 times as much"


def test_cheaper_rounds_are_no_spike():
    assert heard("cost_spike", evidence(round_history=nights(3, before_last=1) + night(cost=0.01))) == []


def test_dearer_rounds_of_which_more_are_kept_are_no_spike():
    rows = nights(3, before_last=1) + night(cost=0.15, kept=lambda number: number % 2 == 0)
    assert heard("cost_spike", evidence(round_history=rows)) == []


def test_fewer_kept_rounds_are_no_cost_spike():
    rows = nights(3, before_last=1) + night(kept=lambda number: number == 5)
    assert heard("cost_spike", evidence(round_history=rows)) == []


def test_two_nights_are_too_few_to_call_a_third_one_dear():
    assert heard("cost_spike", evidence(round_history=nights(2, before_last=1) + night(cost=0.15))) == []


def test_rounds_without_a_cost_are_no_cheap_ones():
    rows = nights(3, before_last=1, cost=None) + night(cost=0.15)
    assert heard("cost_spike", evidence(round_history=rows)) == []


def test_a_steady_rise_over_many_nights_is_a_drift():
    rows = [row for ago in range(8) for row in night(ago=ago, cost=0.05 * 1.07 ** (7 - ago))]
    (signal,) = heard("cost_drift", evidence(round_history=rows))
    assert signal.weight == 0.5


def test_a_cost_that_goes_up_and_down_is_no_drift():
    rows = [row for ago in range(8) for row in night(ago=ago, cost=0.05 * (1.3 if ago % 2 else 1))]
    assert heard("cost_drift", evidence(round_history=rows)) == []


# --- regressions, leaks, escalations, dimensions, scorers ---


def test_regressions_in_far_more_rounds_than_usual_are_told():
    rows = nights(3, before_last=1) + (last := night())
    (signal,) = heard("eval_regressions", evidence(round_history=rows, dimension_regressions=map(regressed, last[:12])))
    assert (signal.source_id, signal.extra["dimension"]) == ("eval_regressions:loop/one", "naming")


def test_the_usual_number_of_regressions_is_silent():
    rows = nights(4)
    told = [regressed(row) for row in rows if int(row["round_id"][-3:]) % 4 == 0]
    assert heard("eval_regressions", evidence(round_history=rows, dimension_regressions=told)) == []


def leaking(number: int) -> int:
    return 0 if number % 2 else 1


def test_a_stage_that_suddenly_loses_half_of_its_rounds_leaks():
    rows = nights(3, before_last=1) + night(n_applied=leaking, n_scored=leaking, kept=lambda number: False)
    (signal,) = heard("funnel_leak", evidence(round_history=rows))
    assert (signal.source_id, signal.extra["stage"]) == ("funnel_leak:loop/one/applied", "applied")


def test_a_stage_that_always_loses_half_is_no_leak():
    assert heard("funnel_leak", evidence(round_history=nights(4, n_applied=leaking, n_scored=leaking))) == []


def test_a_stage_that_nobody_sends_is_no_leak():
    rows = nights(3, before_last=1, n_proposed=0) + night(n_proposed=0)
    assert heard("funnel_leak", evidence(round_history=rows)) == []


def test_rounds_that_still_run_are_not_lost():
    rows = nights(3, before_last=1) + night(n_scored=0, kept_at=NEVER, reverted_at=NEVER)
    assert heard("funnel_leak", evidence(round_history=rows)) == []


def test_a_row_of_escalated_rounds_is_a_streak():
    rows = nights(3, before_last=1) + night(escalated_to=lambda number: "opus" if 10 <= number < 20 else None)
    (signal,) = heard("escalation_streak", evidence(round_history=rows))
    assert signal.title == "loop/one handed 10 rounds in a row to opus"
    assert signal.weight == 0.25


def test_a_loop_that_always_escalates_has_no_streak():
    assert heard("escalation_streak", evidence(round_history=nights(4, escalated_to="opus"))) == []


def weak(*weak_days: int, days: int = 6) -> list[dict]:
    return [
        row
        for ago in range(days)
        for row in dimensions(ago, a=0.8, b=0.82, c=0.78, d=0.81, naming=0.45 if ago in weak_days else 0.8)
    ]


def test_a_dimension_far_below_its_neighbours_on_every_day_is_chronic():
    (signal,) = heard("weak_dimension", evidence(dimension_heatmap=weak(0, 1, 2, 3, 4, 5)))
    assert (signal.source_id, signal.extra["dimension"]) == ("weak_dimension:loop/one/naming", "naming")


@pytest.mark.parametrize("days", [(0,), (3, 4), (1, 2, 3, 4, 5)], ids=["new", "some days", "recovered"])
def test_a_dimension_that_is_weak_now_and_then_is_not_chronic(days: tuple[int, ...]):
    assert heard("weak_dimension", evidence(dimension_heatmap=weak(*days))) == []


@pytest.mark.parametrize("shift", [0.2, -0.2])
def test_another_scorer_version_that_scores_otherwise_drifts_in_either_direction(shift: float):
    rows = nights(3, before_last=1) + (last := night(scorer_version="v2"))
    for row in last:
        row |= {name: row[name] + shift for name in ("highest", "lowest")}
    (signal,) = heard("scorer_drift", evidence(round_history=rows))
    assert signal.extra["scorer_versions"] == ["v1", "v2"]


def test_another_scorer_version_that_scores_alike_is_no_drift():
    rows = nights(3, before_last=1) + night(scorer_version="v2")
    assert heard("scorer_drift", evidence(round_history=rows)) == []


def test_a_scorer_whose_quality_falls_drifts():
    rows = nights(3, before_last=1) + night(quality=0.7)
    (signal,) = heard("scorer_drift", evidence(round_history=rows))
    assert signal.source_id == "scorer_drift:loop/one/quality"
