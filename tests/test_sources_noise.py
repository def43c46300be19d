"""Noise that the simulator does not make: rounds drawn independently, nights that differ by themselves, heavy tails,
missing values. Seeds are fixed, so that a test fails for a change of the sources and for nothing else."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sources.registry import NAMES, load
from tests.sources_rows import (
    EVENING,
    UNSCORED,
    anomaly,
    calls,
    dimensions,
    evidence,
    night,
    nights,
    regressed,
    stop,
    thrown,
)

LOOPS = 40
SHAPES = [(12, 5), (20, 7), (40, 4), (90, 5)]  # rounds a night, nights
Change = Callable[[random.Random, int, dict], None]


def noisy(seed: int, rounds: int, count: int, change: Change | None = None, sha: bool = True) -> list[dict]:
    """One loop's nights, oldest first: about one round in six kept, lost rounds, lognormal costs and falls, a night's
    own level of cost, and now and then a deploy that changes nothing. `change` touches the rows of the last night."""
    chance = random.Random(f"{seed}/{rounds}/{count}")
    goal, version, found = chance.choice(("max", "min")), "s0", []
    sign = -1 if goal == "min" else 1
    for ago in reversed(range(count)):
        level = chance.lognormvariate(0, 0.15)
        version = f"s{count - ago}" if sha and chance.random() < 0.3 else version
        lost = {number for number in range(rounds) if chance.random() < 0.06}
        kept = {number for number in range(rounds) if chance.random() < 0.17} - lost
        for number, row in enumerate(night(rounds, ago=ago, goal=goal, sha=version, kept=kept.__contains__)):
            row["cost_usd"] = 0.05 * level * chance.lognormvariate(0, 0.6)
            row["quality"] = chance.uniform(0.7, 0.99)
            row["escalated_to"] = "opus" if chance.random() < 0.1 else None
            if number not in kept:
                row["highest"] = row["lowest"] = row["baseline"] - sign * 0.008 * chance.lognormvariate(0, 0.9)
            if number in lost:
                row |= {**UNSCORED, "failure_mode": "crash"}
            if change and ago == 0:
                change(chance, number, row)
            found.append(row)
    return found


def heard(rows: list[dict], told: list[dict] | None = None) -> list[str]:
    found = evidence(round_history=rows, dimension_regressions=told or ())
    return [signal.source_type for name in NAMES for signal in load(name).signals(found)]


@pytest.mark.parametrize(("rounds", "count"), SHAPES)
def test_at_most_one_noisy_loop_in_twenty_says_anything(rounds: int, count: int):
    loud: Counter[str] = Counter()
    for seed in range(LOOPS):
        chance = random.Random(seed)
        rows = noisy(seed, rounds, count)
        told = [regressed(row) for row in rows if row["n_scored"] and chance.random() < 0.05]
        loud.update(heard(rows, told))
    assert loud.total() <= LOOPS / 20, loud


def _dearer(chance: random.Random, number: int, row: dict) -> None:
    row["cost_usd"] *= 3


def _nothing_better(chance: random.Random, number: int, row: dict) -> None:
    behind = 0.01 if row["goal"] == "min" else -0.01
    row |= {"highest": row["baseline"] + behind, "lowest": row["baseline"] + behind}


def _unapplied(chance: random.Random, number: int, row: dict) -> None:
    if chance.random() < 0.4:
        row |= {**UNSCORED, "n_applied": 0}


def _escalated(chance: random.Random, number: int, row: dict) -> None:
    row["escalated_to"] = "opus" if 10 <= number < 25 else row["escalated_to"]


def _bad_scores(chance: random.Random, number: int, row: dict) -> None:
    fall = 0.05 if row["goal"] == "min" else -0.05
    row |= {"git_sha": "bad", "highest": row["baseline"] + fall, "lowest": row["baseline"] + fall}


@pytest.mark.parametrize(
    ("source", "change", "rounds"),
    [
        ("cost_spike", _dearer, 40),
        ("plateau", _nothing_better, 60),
        ("funnel_leak", _unapplied, 40),
        ("escalation_streak", _escalated, 40),
        ("deploys", _bad_scores, 40),
    ],
)
def test_what_is_wrong_is_heard_through_the_noise(source: str, change: Change, rounds: int):
    found = [source in heard(noisy(seed, rounds, 5, change, sha=False)) for seed in range(LOOPS)]
    assert sum(found) >= 0.9 * LOOPS


_NULLABLE = (
    "run_id", "client", "failure_mode", "goal", "highest", "lowest", "quality", "delta", "baseline", "cost_usd",
    "git_sha", "scorer_version", "escalated_to",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_missing_values_are_no_mistake(data: st.DataObject):
    """Whatever is left out, in some rounds or in all, every source still answers."""
    dropped = data.draw(st.sets(st.sampled_from(_NULLABLE)))
    every = data.draw(st.sampled_from((1, 2, 7)))
    rows = nights(4, rounds=20)
    for row in rows[::every]:
        row |= dict.fromkeys(dropped)
    blank = {"client": None, "reason": None, "run_id": None, "rounds_completed": None, "total_cost_usd": None}
    error = {"fingerprint": None, "type": "", "value": "", "last_run_id": None, "last_round_id": None, "client": None}
    found = evidence(
        now=EVENING + timedelta(hours=9),
        round_history=rows,
        run_stops=[stop("crash") | (blank if every == 1 else {}), stop("crash", rounds_completed=None)],
        exception_issues=[thrown() | error],
        dimension_regressions=[regressed(row) | {"dim": None, "delta": None} for row in rows[-20:]],
        dimension_heatmap=[
            row | {"client": None} for ago in range(5) for row in dimensions(ago, a=0.0, b=-1, c=0.5, d=1)
        ],
        model_calls=[calls(ago) | {"model": None, "latency_s": None, "per_token_s": None} for ago in range(5)],
        router_anomalies=[anomaly() | {"type": None, "user_id": None, "recommendation": None, "task_type": None}],
    )
    for name in NAMES:
        for signal in load(name).signals(found):
            assert signal.title and 0 <= signal.weight <= 1
