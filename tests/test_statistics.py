"""The formulas of experiments, held against SciPy's."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from queries.statistics import (
    MOST_NEEDED,
    Moments,
    binomial_tail,
    bootstrap_difference,
    chi_squared_beyond,
    expected_split,
    mean_difference,
    rank_sum,
    rank_sum_less,
    rounds_needed,
    same_mix,
)

scores = some.lists(some.integers(0, 40).map(lambda n: n / 40), min_size=3, max_size=30)


def drawn(seed: int, middle: float, number: int, spread: float = 0.05) -> list[float]:
    return list(numpy.random.default_rng(seed).normal(middle, spread, number))


@given(scores, scores)
@settings(max_examples=60, deadline=None)
def test_the_rank_test_is_scipys(one: list[float], other: list[float]):
    if len({*one, *other}) == 1:
        assert rank_sum(one, other) == 1  # SciPy says nan
        return
    asked = {"method": "asymptotic", "use_continuity": True}
    assert rank_sum(one, other) == pytest.approx(stats.mannwhitneyu(one, other, **asked).pvalue)
    less = stats.mannwhitneyu(one, other, alternative="less", **asked).pvalue
    assert rank_sum_less(one, other) == pytest.approx(less)


@given(some.floats(0, 120), some.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_the_tail_of_chi_squared_is_scipys(statistic: float, freedom: int):
    assert chi_squared_beyond(statistic, freedom) == pytest.approx(stats.chi2.sf(statistic, freedom), rel=1e-9)


@given(some.lists(some.tuples(*[some.integers(1, 50)] * 3), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_test_of_mixes_is_scipys(table: list[tuple[int, ...]]):
    assert same_mix(table) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


def test_a_mix_leaves_out_what_nobody_has():
    full = [(10, 0, 3), (4, 0, 9), (0, 0, 0)]
    assert same_mix(full) == pytest.approx(same_mix([(10, 3), (4, 9)]))
    assert same_mix([(5, 5)]) == same_mix([(5,), (7,)]) == same_mix([]) == 1


@pytest.mark.parametrize(("counts", "shares"), [((60, 40), (50, 50)), ((30, 30, 60), (20, 20, 60))])
def test_the_check_of_a_split_is_scipys(counts: tuple[int, ...], shares: tuple[int, ...]):
    expected = [sum(counts) * share / sum(shares) for share in shares]
    assert expected_split(counts, shares) == pytest.approx(stats.chisquare(counts, expected).pvalue)


def test_a_variant_without_a_share_does_not_count():
    assert expected_split((50, 50, 9), (50, 50, 0)) == 1
    assert expected_split((), ()) == 1


def test_the_bootstrap_interval_is_near_scipys():
    control, test = drawn(1, 0.80, 60), drawn(2, 0.84, 45)
    found = bootstrap_difference(control, test, resamples=8_000, seed=3)
    peer = stats.bootstrap(
        (control, test),
        lambda a, b, axis: b.mean(axis) - a.mean(axis),
        n_resamples=8_000,
        method="percentile",
        random_state=numpy.random.default_rng(4),
    ).confidence_interval
    assert found.difference == pytest.approx(numpy.mean(test) - numpy.mean(control))
    # Both are random: their ends differ by a few hundredths of the interval's width.
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=0.05 * (peer.high - peer.low))
    assert found.low < found.difference < found.high


def test_the_same_seed_gives_the_same_interval():
    control, test = drawn(5, 0.5, 30), drawn(6, 0.5, 30)
    assert bootstrap_difference(control, test, seed=7) == bootstrap_difference(control, test, seed=7)
    assert bootstrap_difference(control, test, seed=7) != bootstrap_difference(control, test, seed=8)


@pytest.mark.parametrize("value", [0.1, 0.7, 1e-9, 12345.678])
def test_equal_scores_do_not_differ_in_their_last_digits(value: float):
    for here, there in ((8, 12), (9, 23), (60, 60)):
        found = bootstrap_difference([value] * here, [value] * there, resamples=50)
        assert (found.difference, found.low, found.high) == (0, 0, 0) and not found.excludes_zero
    apart = bootstrap_difference([value] * 9, [2 * value] * 11, resamples=50)
    assert apart.low == pytest.approx(value) and apart.excludes_zero


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_interval(wrong: float):
    for control, test in (([0.5, wrong], [0.6, 0.7]), ([wrong, 0.5], [0.6, 0.7]), ([0.5, 0.6], [0.7, wrong])):
        with pytest.raises(ValueError, match="finite"):
            bootstrap_difference(control, test)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for trial in range(200):
        control, test = drawn(2 * trial, 0.5, 40), drawn(2 * trial + 1, 0.53, 40)
        found = bootstrap_difference(control, test, resamples=400, seed=trial)
        hits += found.low <= 0.03 <= found.high
    assert 178 <= hits <= 200  # 95 % of 200, four standard deviations down


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="2 values"):
        bootstrap_difference([0.5], [0.6, 0.7])


def test_the_sample_it_asks_for_has_the_power_it_promises():
    needed = rounds_needed(0.05, 0.03)
    rng = numpy.random.default_rng(9)
    one, other = rng.normal(0, 0.05, (needed, 4_000)), rng.normal(0.03, 0.05, (needed, 4_000))
    power = (stats.ttest_ind(one, other).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.03)


def test_lehrs_rule_is_near():
    assert rounds_needed(1, 0.5) == pytest.approx(16 / 0.25, rel=0.03)
    assert rounds_needed(0, 1) == 2
    assert rounds_needed(1, 1e-300) == rounds_needed(1, 5e-324) == MOST_NEEDED
    with pytest.raises(ValueError, match="above 0"):
        rounds_needed(1, 0)


def moments(values: list[float]) -> Moments:
    return Moments(len(values), sum(values), sum(value * value for value in values))


def test_moments_are_the_samples_own():
    values = drawn(1, 0.8, 30)
    assert moments(values).mean == pytest.approx(numpy.mean(values))
    assert moments(values).variance == pytest.approx(numpy.var(values, ddof=1))
    assert moments([0.7]).variance == 0 and moments([0.1] * 9).variance == pytest.approx(0, abs=1e-12)


def test_the_interval_of_means_is_scipys_but_for_students_quantile():
    control, test = drawn(1, 0.80, 90), drawn(2, 0.83, 60, spread=0.1)
    found = mean_difference(moments(control), moments(test))
    peer = stats.ttest_ind(test, control, equal_var=False).confidence_interval()
    assert found.difference == pytest.approx(numpy.mean(test) - numpy.mean(control))
    assert found.high - found.low == pytest.approx(peer.high - peer.low, rel=0.03)
    assert found.high - found.low < peer.high - peer.low
    with pytest.raises(ValueError, match="2 values"):
        mean_difference(moments([1.0]), moments([1.0, 2.0]))


@given(some.integers(0, 3000), some.integers(0, 3000), some.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_the_binomial_tail_is_scipys(hits: int, trials: int, rate: float):
    expected = stats.binom.sf(hits - 1, trials, rate)
    assert binomial_tail(hits, trials, rate) == pytest.approx(expected, rel=1e-6, abs=1e-12)
