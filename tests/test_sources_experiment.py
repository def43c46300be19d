"""The source of experiments speaks at the planned sample, once, and only where the interval excludes zero."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy
import pytest

from engine.judge import Case
from engine.rules.measured import verdict
from engine.sources.experiment import Thresholds
from engine.sources.registry import load
from queries.catalog import catalog
from queries.rest_experiments import Running
from queries.views.experiment import Plan
from tests.sources_rows import EVENING, evidence
from workspace.errors import LoopdeskError


def rows(rounds: int, *, test: float = 0.84, nights: int = 3, before_last: int = 0, goal: str = "max", **more) -> list:
    """Both variants, alternating; so many rounds of each, spread over the nights."""
    random, found = numpy.random.default_rng(4), []
    for place in range(2 * rounds):
        variant = ("control", "test")[place % 2]
        ago, number = nights - 1 - place * nights // (2 * rounds) + before_last, place % (2 * rounds // nights + 1)
        found.append(
            {
                "flag": "scorer_v2",
                "round_id": f"round-{place:04}",
                "variant": f'"{variant}"',
                "n_variants": 1,
                "project": "loop",
                "client": "one",
                "agent": "critic",
                "run_id": f"run-{ago}",
                "started": (EVENING - timedelta(days=ago) + timedelta(minutes=5 * number)).isoformat(),
                "n_scored": 1,
                "goal": goal,
                "score": float(random.normal(test if variant == "test" else 0.8, 0.03)),
            }
            | more
        )
    return found


def heard(found: list, thresholds: Thresholds | None = None, known: tuple[Running, ...] = ()) -> list:
    asked = replace(evidence(round_variants=found), experiments=lambda: known)
    return load("experiment").signals(asked, thresholds)


def running(plan: Plan | None, *, started: timedelta = timedelta(days=4), ended: timedelta | None = None) -> Running:
    """An experiment that started so long before the last evening."""
    over = None if ended is None else EVENING - ended
    return Running(1, "x", "scorer_v2", "ended" if over else "running", plan, EVENING - started, over, "", "")


@pytest.mark.parametrize(("goal", "word"), [("max", "better"), ("min", "worse")])
def test_a_decided_experiment_is_one_signal(goal: str, word: str):
    (signal,) = heard(rows(70, goal=goal))
    assert signal.title.endswith(word) and signal.source_id == "experiment:loop/scorer_v2/test"
    numbers = signal.extra["numbers"]
    assert numbers["rounds"] == 60 and numbers["low"] > 0 and numbers["is_better"] == (goal == "max")


def test_it_is_silent_before_the_plan_and_where_zero_is_inside():
    assert heard(rows(59)) == []
    assert heard(rows(70, test=0.8)) == []


def test_the_plan_and_the_flags_are_the_owners():
    assert heard(rows(30), Thresholds(rounds=30))
    assert heard(rows(70), Thresholds(flags=("another",))) == []


def test_later_rounds_do_not_change_what_was_said():
    planned = rows(60, before_last=1)
    (early,), (late,) = heard(planned), heard(planned + rows(30, test=0.2, nights=1))
    assert early == late
    long_ago = rows(60, before_last=6)
    assert heard(long_ago) == [] and heard([*long_ago, *rows(40, nights=1)]) == []


def test_an_experiment_whose_beginning_is_out_of_sight_is_left_to_the_desk():
    assert heard(rows(70, nights=30)) == []


def test_the_plan_of_its_experiment_is_kept_to():
    later = (running(Plan("scorer_v2", rounds=65)),)
    assert heard(rows(64), known=later) == []
    (signal,) = heard(rows(70), known=later)
    assert signal.extra["numbers"]["rounds"] == 65
    assert heard(rows(70), Thresholds(rounds=0), known=later) and heard(rows(70), Thresholds(rounds=0)) == []
    assert heard(rows(70), known=(running(None),))  # an experiment without a plan: the owner's
    another = (replace(later[0], flag="another"),)
    assert heard(rows(70), known=another)[0].extra["numbers"]["rounds"] == 60


def test_a_plan_by_its_effect_is_kept_to():
    known = (running(Plan("scorer_v2", effect=0.03)),)  # the rows spread by 0.03
    assert heard(rows(13), known=known) == []
    (signal,) = heard(rows(70), known=known)
    assert signal.extra["numbers"]["rounds"] == 30
    assert heard(rows(70), known=(running(Plan("scorer_v2", effect=0.001)),)) == []


def test_only_rounds_of_its_time_count():
    plan = Plan("scorer_v2", rounds=40)
    assert heard(rows(60), known=(running(plan),))
    assert heard(rows(60), known=(running(plan, started=timedelta(hours=1)),)) == []
    assert heard(rows(60), known=(running(plan, ended=timedelta(days=1)),)) == []


def test_a_beginning_out_of_sight_is_left_to_the_desk(monkeypatch: pytest.MonkeyPatch):
    plan = Plan("scorer_v2", rounds=60)
    assert heard(rows(70), known=(running(plan, started=timedelta(days=31)),)) == []
    full = replace(catalog.load("round_variants"), limit=140)
    monkeypatch.setattr(catalog, "load", lambda _: full)
    assert heard(rows(70)) == [] and heard(rows(69))
    assert heard(rows(70), known=(running(plan),)) == []


def test_without_its_plan_nothing_is_said():
    def broken() -> tuple:
        raise LoopdeskError("The personal key lacks the scope `experiment:read`")

    source, asked = load("experiment"), evidence(round_variants=rows(70))
    with pytest.raises(LoopdeskError, match="experiment:read"):
        source.signals(replace(asked, experiments=broken))
    assert source.signals(replace(evidence(round_variants=[]), experiments=broken)) == []


def test_projects_are_never_averaged():
    other = [{**row, "project": "other", "round_id": f"o-{row['round_id']}"} for row in rows(70, test=0.7)]
    assert [signal.title.rpartition(" ")[2] for signal in heard(rows(70) + other)] == ["better", "worse"]


def test_the_rules_ask_the_owner_which_variant_goes_on():
    (signal,) = heard(rows(70))
    found = verdict(signal, Case("r", signal.title, {signal.id: signal}))
    assert found is not None and "test of scorer_v2" in found.question
