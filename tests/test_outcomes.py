"""What became of a merged fix, judged from measurements: by a table of cases, and by made-up nights in great number."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import comparison, outcomes
from engine.measuring import Measurement, Nights, Observed
from engine.metrics import KINDS, Metric, check, choices, for_signals
from engine.model import Signal
from engine.outcomes import Seen, Settings, verdict
from tests.conftest import NOW
from workspace.config import Config
from workspace.errors import LoopdeskError

MERGED = date(2026, 11, 20)
KEPT, COST, DIMENSION = (
    Metric("kept_rate", "loop", "one"),
    Metric("cost_per_round", "loop"),
    Metric("dimension_mean", "loop", dimension="naming"),
)
THROWN = Metric("exception_nights", "loop", fingerprint="f00d")
LIMITS = Settings()


def counts(metric: Metric, first: date, *nights: tuple[int, int], client: str = "") -> Measurement:
    """Hits of trials, night by night; a trial is a round."""
    observed = [
        Observed(first + timedelta(days=n), client, float(number < hits), 1.0)
        for n, (hits, trials) in enumerate(nights)
        for number in range(trials)
    ]
    ran = {(first + timedelta(days=n), client): trials for n, (_, trials) in enumerate(nights)}
    return Measurement(metric, tuple(observed), ran, metric.kind.better == "less")


def values(metric: Metric, first: date, *nights: Sequence[float]) -> Measurement:
    observed = [
        Observed(first + timedelta(days=n), "", value, 1.0) for n, night in enumerate(nights) for value in night
    ]
    ran = {(first + timedelta(days=n), ""): len(night) for n, night in enumerate(nights)}
    return Measurement(metric, tuple(observed), ran, metric.kind.better == "less")


def presence(metric: Metric, first: date, hits: str, rounds: int = 20) -> Measurement:
    """`x..` is a night with it and two without."""
    nights = [first + timedelta(days=n) for n in range(len(hits))]
    observed = [Observed(night, "", float(hit == "x"), 1.0) for night, hit in zip(nights, hits, strict=True)]
    return Measurement(metric, tuple(observed), {(night, ""): rounds for night in nights}, True)


def seen(before: Measurement, after: Measurement, *, trouble_nights: int = 2, **more: object) -> Seen:
    rounds = {"rounds": after.rounds, "trouble_since": MERGED - timedelta(days=trouble_nights), **more}
    return Seen(before.metric, before, after, **rounds)  # type: ignore[arg-type]


def before(make, metric: Metric, *nights) -> Measurement:
    return make(metric, MERGED - timedelta(days=len(nights)), *nights)


BAD, GOOD, SAME = (3, 40), (14, 40), (8, 40)


@pytest.mark.parametrize(
    ("nights_before", "nights_after", "wanted"),
    [
        ([GOOD, GOOD, BAD, BAD], [GOOD, GOOD, GOOD], "verified"),
        ([GOOD, GOOD, GOOD, GOOD], [BAD, BAD, BAD], "regressed"),
        ([SAME, SAME, SAME], [SAME, SAME, SAME], "inconclusive"),
        # One splendid night among ordinary ones is no fix, and one dreadful night no failure.
        ([SAME, SAME], [(36, 40), SAME, SAME], "inconclusive"),
        ([SAME, SAME], [(0, 120), SAME, SAME], "inconclusive"),
        # Too early: two nights, and three with too few rounds.
        ([BAD, BAD], [GOOD, GOOD], None),
        ([BAD, BAD], [(5, 6), (5, 6), (5, 6)], None),
        # The fourth night brings what was missing; the later ones do not matter.
        ([BAD, BAD], [(5, 6), (5, 6), (5, 6), (5, 6), BAD, BAD, BAD], "verified"),
    ],
)
def test_a_share_is_judged_once_it_can_be(nights_before: list, nights_after: list, wanted: str | None):
    found = verdict(seen(before(counts, KEPT, *nights_before), counts(KEPT, MERGED, *nights_after)), LIMITS)
    assert (found.verdict if found else None) == wanted


def test_the_numbers_stand_in_the_sentence():
    found = verdict(seen(before(counts, KEPT, BAD, BAD), counts(KEPT, MERGED, GOOD, GOOD, GOOD)), LIMITS)
    assert found is not None and found.said.endswith(".") and "\n" not in found.said
    for figure in ("Kept rate of loop/one", "(6 of 80 rounds in 2 nights)", "35 % (42 of 120 rounds in 3 nights)"):
        assert figure in found.said
    assert found.chance is not None and found.chance < 0.01


def test_what_it_has_to_beat_is_the_trouble_and_not_the_good_nights_before_it():
    nights = [GOOD] * 5 + [BAD, BAD]
    after = counts(KEPT, MERGED, GOOD, GOOD, GOOD)
    whole, trouble = (verdict(seen(before(counts, KEPT, *nights), after, trouble_nights=n), LIMITS) for n in (7, 2))
    assert (whole.verdict, trouble.verdict) == ("inconclusive", "verified")
    # With few rounds in its nights, the ones before are taken along.
    few = before(counts, KEPT, GOOD, GOOD, (0, 5))
    assert outcomes.baseline(seen(few, after, trouble_nights=1), LIMITS).rounds == 45


@pytest.mark.parametrize(("metric", "better"), [(COST, 0.03), (DIMENSION, 0.08)])
def test_the_direction_is_the_metrics(metric: Metric, better: float):
    usual = [[0.05 + 0.001 * (n % 7) for n in range(20)]] * 3
    changed = [[better + 0.001 * (n % 7) for n in range(20)]] * 3
    fixed = verdict(seen(before(values, metric, *usual), values(metric, MERGED, *changed)), LIMITS)
    broken = verdict(seen(before(values, metric, *changed), values(metric, MERGED, *usual)), LIMITS)
    assert (fixed.verdict, broken.verdict) == ("verified", "regressed")


@pytest.mark.parametrize(("is_less_better", "wanted"), [(False, "verified"), (True, "regressed")])
def test_a_score_follows_its_own_goal(is_less_better: bool, wanted: str):
    metric = Metric("round_score", "loop")
    old, new = (
        replace(values(metric, first, *[[level + 0.001 * n for n in range(20)]] * 3), is_less_better=is_less_better)
        for first, level in ((MERGED - timedelta(days=3), 0.5), (MERGED, 0.9))
    )
    assert verdict(seen(old, new), LIMITS).verdict == wanted


def test_what_rose_night_by_night_before_has_not_risen_by_the_fix():
    def night(level: float) -> list[float]:
        return [level + 0.0005 * (n % 5) for n in range(12)]

    climbing = [night(0.50 + 0.02 * n) for n in range(7)]
    goes_on = [night(0.50 + 0.02 * n) for n in range(7, 10)]
    leaps = [night(0.80 + 0.02 * n) for n in range(7, 10)]
    history = before(values, DIMENSION, *climbing)
    same, more = (verdict(seen(history, values(DIMENSION, MERGED, *after)), LIMITS) for after in (goes_on, leaps))
    assert (same.verdict, more.verdict) == ("inconclusive", "verified")
    assert "as it went before" in same.said


def test_clients_that_ran_on_one_side_only_make_no_change():
    """A client that keeps nothing was switched off: the other one is as it was."""
    night = MERGED - timedelta(days=2)
    good = counts(KEPT, night, SAME, SAME, client="a")
    poor = counts(KEPT, night, (0, 40), (0, 40), client="b")
    old = Measurement(KEPT, good.observed + poor.observed, {**(good.ran or {}), **(poor.ran or {})})
    found = verdict(seen(old, counts(KEPT, MERGED, SAME, SAME, SAME, client="a")), LIMITS)
    assert found.verdict == "inconclusive" and found.before.rounds == 80


@pytest.mark.parametrize(
    ("nights_before", "nights_after", "wanted"),
    [
        ("x", "...", "verified"),
        ("xx", "..x", "regressed"),
        ("x.x.", "....", None),  # one night in two: three of six were to be expected
        ("x.x.", "......", "verified"),
    ],
)
def test_what_is_gone_has_to_stay_away_for_as_long_as_three_would_have_come(nights_before, nights_after, wanted):
    old = presence(THROWN, MERGED - timedelta(days=len(nights_before)), nights_before)
    found = verdict(seen(old, presence(THROWN, MERGED, nights_after), trouble_nights=len(nights_before)), LIMITS)
    assert (found.verdict if found else None) == wanted


class TestCostPerKept:
    METRIC = Metric("cost_per_kept", "loop")

    def nights(self, first: date, *nights: tuple[int, int], usd: float = 0.05) -> Measurement:
        made = counts(self.METRIC, first, *nights)
        observed = tuple(
            Observed(one.night, "", usd * (1 + 0.1 * (n % 3)), one.amount) for n, one in enumerate(made.observed)
        )
        return replace(made, observed=observed)

    @pytest.mark.parametrize(
        ("after", "usd", "wanted"),
        [
            ([GOOD] * 3, 0.05, "verified"),  # more is kept for the same money
            ([SAME] * 3, 0.05, "inconclusive"),
            ([SAME] * 3, 0.20, "regressed"),
            ([(0, 40)] * 3, 0.05, "regressed"),  # nothing is kept any more
        ],
    )
    def test_it_is_a_ratio_of_two_sums(self, after: list, usd: float, wanted: str):
        old = (
            self.nights(MERGED - timedelta(days=2), SAME, SAME)
            if wanted != "verified"
            else self.nights(MERGED - timedelta(days=2), (5, 60), (5, 60))
        )
        found = verdict(seen(old, self.nights(MERGED, *after, usd=usd)), LIMITS)
        assert found.verdict == wanted, found.said


class TestGivenUp:
    def given_up(self, after: Measurement, **more: object):
        return verdict(seen(before(counts, KEPT, BAD, BAD), after, is_given_up=True, **more), LIMITS)

    def test_with_too_little_it_is_inconclusive_and_says_how_much_there_was(self):
        found = self.given_up(counts(KEPT, MERGED, (2, 6), (2, 6)))
        assert found.verdict == "inconclusive" and "Only 12 rounds in 2 nights" in found.said

    def test_a_fix_that_never_ran_is_told_apart_from_a_loop_that_never_did(self):
        nothing = Measurement(KEPT)
        ran, silent = self.given_up(nothing, rounds=90), self.given_up(nothing, rounds=0)
        assert "None of the 90 rounds" in ran.said and "No round of loop" in silent.said

    def test_what_is_too_rare_is_said_to_be(self):
        old = presence(THROWN, MERGED - timedelta(days=7), "......x")
        found = verdict(seen(old, presence(THROWN, MERGED, "." * 14), trouble_nights=7, is_given_up=True), LIMITS)
        assert found.verdict == "inconclusive" and "0 of 14 nights" in found.said

    def test_with_nothing_before_there_is_nothing_to_beat(self):
        found = verdict(seen(Measurement(KEPT), counts(KEPT, MERGED, GOOD, GOOD, GOOD)), LIMITS)
        assert found.verdict == "inconclusive" and "nothing before" in found.said


class TestCameAgain:
    def judged(self, after: Sequence[tuple[int, int]]):
        return verdict(seen(before(counts, KEPT, BAD, BAD), counts(KEPT, MERGED, *after), came_again="R2"), LIMITS)

    def test_a_problem_that_came_again_was_not_fixed(self):
        found = self.judged([BAD, BAD, BAD])
        assert (found.verdict, found.came_again) == ("regressed", "R2") and "came again" in found.said

    def test_where_the_metric_got_better_all_the_same_nobody_knows(self):
        assert self.judged([GOOD, GOOD, GOOD]).verdict == "inconclusive"

    def test_it_is_judged_after_the_soak_as_well(self):
        assert self.judged([BAD]) is None

    def test_without_a_metric_it_is_all_there_is(self):
        assert outcomes.unmeasured("R2", 3).verdict == "regressed"
        assert outcomes.unmeasured("", 3).verdict == "inconclusive"


def made_nights(chance: random.Random, rate: float, nights: int, spread: float) -> list[tuple[int, int]]:
    """Nights that differ by themselves, by more than their rounds would make them."""
    found = []
    for _ in range(nights):
        own = min(max(chance.gauss(rate, spread), 0.01), 0.99)
        rounds = chance.randint(20, 60)
        found.append((sum(chance.random() < own for _ in range(rounds)), rounds))
    return found


def rates(before_rate: float, after_rate: float, spread: float, tries: int = 300) -> Mapping[str, float]:
    chance = random.Random(7)
    told = {"verified": 0, "regressed": 0, "inconclusive": 0}
    for _ in range(tries):
        old = before(counts, KEPT, *made_nights(chance, before_rate, 3, spread))
        new = counts(KEPT, MERGED, *made_nights(chance, after_rate, 3, spread))
        told[verdict(seen(old, new, trouble_nights=3), LIMITS).verdict] += 1
    return {name: number / tries for name, number in told.items()}


def test_a_fix_that_does_nothing_is_seldom_believed_and_a_good_one_mostly():
    nothing, uneven, much = rates(0.2, 0.2, 0.0), rates(0.2, 0.2, 0.05), rates(0.1, 0.35, 0.03)
    assert nothing["inconclusive"] >= 0.98
    assert uneven["inconclusive"] >= 0.95
    assert much["verified"] >= 0.9 and not much["regressed"]


NIGHT = st.tuples(st.integers(0, 40), st.just(40))


@settings(max_examples=60, deadline=None)
@given(st.lists(NIGHT, min_size=1, max_size=5), st.lists(NIGHT, min_size=3, max_size=6), st.integers(0, 3))
def test_later_nights_change_no_verdict_and_a_mirror_turns_it(old, new, later: int):
    def judged(nights_before, nights_after, metric: Metric):
        return verdict(seen(before(counts, metric, *nights_before), counts(metric, MERGED, *nights_after)), LIMITS)

    def mirrored(nights):
        return [(of - hits, of) for hits, of in nights]

    found = judged(old, new, KEPT)
    more = judged(old, [*new, *[(40, 40)] * later], KEPT)
    assert found is None or more == found
    other = judged(mirrored(old), mirrored(new), Metric("escalation_rate", "loop", "one"))
    assert (found.verdict if found else None) == (other.verdict if other else None)


def test_a_night_begins_at_the_same_local_hour_across_a_change_of_clocks():
    nights = Nights("Europe/Berlin", 18)
    for night, hour in ((date(2026, 10, 24), 16), (date(2026, 10, 25), 17)):
        assert nights.start(night) == datetime(night.year, night.month, night.day, hour, tzinfo=UTC)
        assert nights.of(nights.start(night)) == night
        assert nights.of(nights.start(night) - timedelta(seconds=1)) == night - timedelta(days=1)


def test_settings_are_checked():
    assert outcomes.settings(Config(outcomes={"nights": 5})) == Settings(nights=5)
    for odd in ({"night": 3}, {"nights": 0}, {"rounds": 2.5}, {"rounds": True}, {"nights": 20}):
        with pytest.raises(LoopdeskError):
            outcomes.settings(Config(outcomes=odd))


class TestMetrics:
    def test_each_can_be_chosen_with_what_it_needs(self):
        schema = choices(["loop"])
        assert schema["properties"]["name"]["enum"] == list(KINDS)  # type: ignore[index]
        for name, kind in KINDS.items():
            document = {"name": name, "project": "loop", **dict.fromkeys(kind.needs, "x")}
            assert check(document).document == document
            for needed in kind.needs:
                with pytest.raises(LoopdeskError):
                    check({key: value for key, value in document.items() if key != needed})

    @pytest.mark.parametrize(
        "odd",
        [None, [], {}, {"name": "kept_rate"}, {"name": "glory", "project": "loop"}, {"name": [], "project": "loop"}]
        + [{"name": "kept_rate", "project": odd} for odd in ("", 3, "x" * 301)]
        + [{"name": "kept_rate", "project": "loop", "sql": "SELECT 1"}],
    )
    def test_what_is_none_is_refused(self, odd: object):
        with pytest.raises(LoopdeskError):
            check(odd)

    def test_what_it_does_not_take_is_left_out(self):
        assert check({"name": "kept_rate", "project": "loop", "model": "haiku"}).document == {
            "name": "kept_rate",
            "project": "loop",
        }

    @pytest.mark.parametrize(
        ("source", "extra", "wanted"),
        [
            ("plateau", {}, "new_best_rate"),
            ("weak_dimension", {"dimension": "naming"}, "dimension_mean"),
            ("weak_dimension", {}, None),
            ("bad_stops", {"reason": "oom"}, "stop_nights"),
            ("deploys", {"metric": "kept_share"}, "kept_rate"),
            ("scorer_drift", {"metric": "score"}, None),
            ("note", {}, None),
        ],
    )
    def test_a_signal_says_what_its_fix_is_measured_by(self, source: str, extra: dict, wanted: str | None):
        signal = Signal("loops", source, "s", "t", 1.0, NOW, {"project": "loop", "client": "one", **extra})
        found = for_signals([signal])
        assert (found.name if found else None) == wanted
        assert found is None or (found.project, found.client) == ("loop", "one")

    def test_the_heaviest_signal_decides(self):
        light = Signal("loops", "weak_dimension", "a", "t", 0.25, NOW, {"project": "loop", "dimension": "naming"})
        heavy = Signal("loops", "cost_spike", "b", "t", 1.0, NOW - timedelta(days=1), {"project": "loop"})
        silent = Signal("loops", "missed_runs", "c", "t", 1.0, NOW, {"project": "loop"})
        assert for_signals([light, silent, heavy]).name == "cost_per_round"


def test_least_chance_is_attainable():
    """Nobody waits for a sample that cannot tell, nor judges one."""
    few = presence(THROWN, MERGED, "...")
    assert not comparison.can_tell(presence(THROWN, MERGED, ".x.."), few)
    assert not comparison.can_tell(counts(KEPT, MERGED, (1, 3)), counts(KEPT, MERGED, (1, 3)))
