"""Experiments by round: read from the store, compared in the score's direction, by the plan, with what spoils it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy
import pytest

from queries.catalog import catalog
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.answers import records
from queries.views.experiment import Experiment, Plan, Sample, experiment, of_samples, samples
from tests.catalog_oracle import MORNING, everything

ZONE = "Europe/Berlin"
START = datetime(2026, 3, 2, 20, tzinfo=UTC)
MINUTES = 20  # a round takes; 24 rounds a night


def scores(seed: int, middle: float, number: int) -> list[float]:
    return list(numpy.random.default_rng(seed).normal(middle, 0.03, number))


def ran(
    values: Sequence[float], variant: str, *, project: str = "autoagent", client: str = "acme", goal: str = "max",
    agent: str = "critic",
) -> list[Sample]:  # fmt: skip
    found = []
    for place, value in enumerate(values):
        at = START + timedelta(days=place // 24, minutes=MINUTES * (place % 24))
        found.append(Sample(f"{variant}{place:05}", variant, project, client, agent, at, goal, float(value)))
    return found


def shown(*groups: list[Sample], **plan: object) -> Experiment:
    together = sorted((one for group in groups for one in group), key=lambda one: (one.started, one.round_id))
    return of_samples(together, Plan("scorer_v2", **plan), ZONE, resamples=1_000)  # type: ignore[arg-type]


def test_a_better_variant_is_told_at_the_planned_sample():
    found = shown(ran(scores(1, 0.8, 60), "control"), ran(scores(2, 0.84, 55), "test"), rounds=50)
    (one,) = found.compared
    assert one.is_planned and one.is_better is True and one.interval and one.interval.low > 0
    assert one.chance is not None and one.chance < 0.001 and one.rounds == (60, 55) and one.nights == 0
    assert "better" in found.verdict and "first 50 rounds of each" in found.verdict and found.warnings == ()


def test_a_low_score_is_better_where_the_goal_says_so():
    groups = [ran(scores(1, 0.8, 40), "control", goal="min"), ran(scores(2, 0.84, 40), "test", goal="min")]
    found = shown(*groups, rounds=40)
    assert found.compared[0].is_better is False
    assert [each.best for each in found.distributions] == [min(one.score for one in group) for group in groups]


def test_once_the_plan_is_reached_later_rounds_change_nothing():
    control, test = scores(1, 0.8, 200), scores(2, 0.81, 200)
    early = shown(ran(control[:50], "control"), ran(test[:50], "test"), rounds=50)
    late = shown(ran(control, "control"), ran([*test[:50], *scores(3, 0.99, 150)], "test"), rounds=50)
    assert early.compared[0].interval == late.compared[0].interval


def test_what_is_missing_is_told_in_rounds_and_nights():
    found = shown(ran(scores(1, 0.8, 48), "control"), ran(scores(2, 0.8, 40), "test"), rounds=100)
    (one,) = found.compared
    assert (one.missing, one.nights) == (60, 3)  # 40 rounds in two nights
    assert any("planned sample" in each for each in found.warnings)


def test_an_effect_becomes_a_number_of_rounds():
    found = shown(ran(scores(1, 0.8, 40), "control"), ran(scores(2, 0.8, 40), "test"), effect=0.01)
    needed = found.compared[0].needed
    assert needed is not None and 90 < needed < 230  # 16 s^2 / d^2 = 144 for the true spread
    smaller = shown(ran(scores(1, 0.8, 40), "control"), ran(scores(2, 0.8, 40), "test"), effect=0.02)
    assert smaller.compared[0].needed == pytest.approx(needed / 4, abs=1)


def test_a_number_that_follows_from_an_effect_is_settled_by_the_first_rounds():
    control, test = scores(1, 0.8, 80), [*scores(2, 0.8, 40), *(0.1 * n for n in range(40))]
    early, late = (shown(ran(control[:n], "control"), ran(test[:n], "test"), effect=0.03) for n in (30, 80))
    assert early.compared[0].needed == late.compared[0].needed
    few = shown(ran(control[:20], "control"), ran(test[:20], "test"), effect=10)
    assert few.compared[0].needed == 30 and any("first 30" in each for each in few.warnings)
    fewer = shown(ran(control[:3], "control"), ran(test[:3], "test"), effect=10)
    assert any("not there yet" in each for each in fewer.warnings)


def test_rounds_that_the_rollout_does_not_reach_are_in_no_experiment():
    even = [ran(scores(1, 0.8, 30), "control"), ran(scores(2, 0.85, 30), "test")]
    outside = ran(scores(3, 0.1, 90), "false", client="other")
    shares = {"control": 50.0, "test": 50.0}
    assert shown(*even, outside, rounds=30, shares=shares) == shown(*even, rounds=30, shares=shares)


def test_equal_scores_and_no_numbers_make_no_winner():
    same = shown(ran([0.1] * 30, "control"), ran([0.1] * 41, "test"), rounds=30)
    assert same.compared[0].is_better is None and same.compared[0].chance == 1 and "not told apart" in same.verdict
    row = {"flag": "f", "round_id": "r", "variant": '"test"', "n_variants": 1, "project": "p", "client": None,
           "agent": None, "started": START.isoformat(), "n_scored": 1, "goal": None}  # fmt: skip
    found, _ = samples([row | {"score": score} for score in (None, float("nan"), float("inf"), -1e200, 0.5)], "f")
    assert [one.score for one in found] == [0.5]


def test_several_variants_are_warned_of():
    groups = [ran(scores(n, 0.8, 30), name) for n, name in enumerate(("control", "a", "b"))]
    assert any("2 variants" in each for each in shown(*groups, rounds=30).warnings)


def test_a_variant_that_nobody_saw_is_not_the_rollouts():
    groups = [ran(scores(n, 0.8, 30), name) for n, name in enumerate(("control", "a"))]
    shares = {"control": 34.0, "a": 33.0, "b": 33.0}
    assert any("rollout" in each for each in shown(*groups, rounds=30, shares=shares).warnings)


def test_no_plan_warns_of_peeking():
    found = shown(ran(scores(1, 0.8, 40), "control"), ran(scores(2, 0.8, 40), "test"))
    assert found.compared[0].missing is None and len(found.warnings) == 1 and not found.compared[0].is_planned


@pytest.mark.parametrize("spoiled", ["client", "agent"])
def test_an_unequal_mix_is_warned_of(spoiled: str):
    even = [ran(scores(n, 0.8, 30), name, client="acme") for n, name in enumerate(("control", "test"))]
    assert shown(*even, rounds=30).warnings == ()
    odd = [*even, ran(scores(5, 0.9, 30), "test", **{spoiled: "other"})]
    assert sum("unequal mixes" in each for each in shown(*odd, rounds=30).warnings) == 1


def test_a_split_that_is_not_the_rollouts_is_warned_of():
    groups = [ran(scores(1, 0.8, 90), "control"), ran(scores(2, 0.8, 30), "test")]
    assert shown(*groups, rounds=30, shares={"control": 75, "test": 25}).warnings == ()
    assert "rollout" in shown(*groups, rounds=30, shares={"control": 50, "test": 50}).warnings[0]


def test_loops_are_compared_by_themselves():
    groups = [
        ran(scores(1, 0.8, 30), "control"),
        ran(scores(2, 0.84, 30), "test"),
        ran(scores(3, 0.5, 30), "control", project="gtm", client="moss"),
        ran(scores(4, 0.45, 30), "test", project="gtm", client="moss"),
        ran(scores(5, 2.1, 20), "test", project="autoresearch", client="", goal="min"),
    ]
    found = shown(*groups, rounds=30)
    assert [(one.loop, one.is_better) for one in found.by_loop] == [("autoagent/acme", True), ("gtm/moss", False)]
    assert max(max(each.scores) for each in found.distributions) < 1  # a loss is not averaged with scores
    assert any("high score" in each for each in found.warnings)


def test_three_rounds_and_one_variant_are_a_sentence():
    assert "Too few" in shown(ran([0.1, 0.2, 0.3], "control"), ran([0.4], "test")).verdict
    assert "nothing to compare" in shown(ran(scores(1, 0.8, 30), "test")).verdict
    assert "No round saw control" in shown(ran([0.1], "one"), ran([0.2], "two")).verdict
    assert "No scored round" in shown().verdict


def test_a_flag_without_variants_is_compared_with_itself_off():
    found = shown(ran(scores(1, 0.8, 30), "false"), ran(scores(2, 0.85, 30), "true"), rounds=30)
    assert [one.variant for one in found.compared] == ["true"] and found.compared[0].is_better


def test_rounds_of_the_store_are_read_with_their_variants(tmp_path: Path):
    store = Store.open(tmp_path / "events.db")
    assert store.ingest(everything(), now=MORNING).rejected == ()
    store.close()
    backend = LocalBackend(tmp_path / "events.db", ZONE, now=lambda: MORNING)
    question = catalog.load("round_variants")
    asked = question.values({"since": MORNING - timedelta(days=11), "until": MORNING})
    result = backend.query(question.text, asked, question.types)
    backend.close()
    # Only the oracle's own rounds: the simulated ones may have flags as well.
    rows = [row for row in records(result) if row["round_id"].startswith("01KKTW0000")]
    found, mixed = samples(rows, "scorer_v2")
    assert [(one.variant, one.score) for one in found] == [("test", 0.91), ("control", 0.89)]
    assert mixed == 1
    escalation, _ = samples(rows, "aggressive_escalation")
    assert [(one.variant, one.score) for one in escalation] == [("true", 0.91), ("false", 0.8)]
    whole = experiment(result, Plan("scorer_v2"))
    assert len(whole.distributions) == 2 and "1 round saw more than one variant" in whole.warnings[-1]
