"""The sources' statistics against worked examples, and against counting everything."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sources.facts import night_of
from engine.sources.stats import binomial_tail, fisher_less, mad, rank_sum_less, rising, robust_z, slope
from tests.sources_rows import NOW

numbers = st.lists(st.floats(-100, 100), min_size=3, max_size=8)


@given(st.integers(0, 8), st.integers(0, 8), st.floats(0.01, 0.99))
def test_a_binomial_tail_is_what_counting_gives(hits: int, trials: int, chance: float):
    counted = sum(
        chance ** sum(run) * (1 - chance) ** (trials - sum(run))
        for run in product((0, 1), repeat=trials)
        if sum(run) >= hits
    )
    assert binomial_tail(hits, trials, chance) == pytest.approx(counted, abs=1e-12)


def test_tails_of_a_hundred_thousand_are_numbers_too():
    """A busy day has more model calls than a float has room for in its binomial coefficients."""
    assert binomial_tail(5_200, 100_000, 0.05) == pytest.approx(0.00196, rel=0.02)
    assert binomial_tail(50_000, 100_000, 0.05) == 0.0
    assert fisher_less(4_000, 100_000, 5_000, 100_000) < 1e-20 < 0.4 < fisher_less(5_000, 100_000, 5_000, 100_000)


def test_fishers_lady_tasting_tea():
    """All four right: 1 in 70. Three or four right: 17 in 70 (Fisher, 1935)."""
    assert fisher_less(0, 4, 4, 4) == pytest.approx(1 / 70)
    assert fisher_less(1, 4, 3, 4) == pytest.approx(17 / 70)


def test_a_rank_sum_is_near_the_exact_one():
    low, high = [1.0, 2, 3, 4, 5, 6, 7, 9], [8.0, 10, 11, 12, 13, 14, 15, 16]
    values = sorted([*low, *high])
    # Every way to choose eight of the sixteen, by its sum of ranks.
    exact = sum(sum(chosen) <= sum(low) for chosen in combinations(values, 8)) / 12870
    assert rank_sum_less(low, high) == pytest.approx(exact, abs=0.001)
    assert rank_sum_less(high, low) > 0.99


@given(numbers, numbers)
def test_a_rank_sum_does_not_care_for_the_scale(one: list[float], other: list[float]):
    bigger = [[round(8 * value, 6) for value in side] for side in (one, other)]
    rounded = [[round(8 * value, 6) / 8 for value in side] for side in (one, other)]
    assert rank_sum_less(*bigger) == pytest.approx(rank_sum_less(*rounded))


def test_equal_samples_say_nothing():
    assert rank_sum_less([1.0] * 9, [1.0] * 9) == 1.0


def test_one_wild_value_moves_neither_median_nor_mad_far():
    assert mad([1.0, 2, 3, 4, 100]) == 1.0
    assert robust_z(3.0, [1.0, 2, 3, 4, 1e9], 0.1) == 0.0
    assert robust_z(8.0, [3.0, 3, 3, 3], 0.5) == pytest.approx(0.6745 * 10)


def test_a_steady_rise_is_unlikely_by_chance_and_a_fall_is_no_rise():
    assert rising([1, 2, 3, 4, 5, 6]) < 0.01 < 0.9 < rising([6, 5, 4, 3, 2, 1])
    assert rising([1, 2, 3]) == 1.0
    assert slope([1.0, 3, 5, 70, 9]) == 2.0


@pytest.mark.parametrize(("hour", "day"), [(7, 19), (17, 19), (18, 20), (23, 20)])
def test_a_moment_belongs_to_the_night_that_began_last(hour: int, day: int):
    assert night_of(NOW.replace(hour=hour), "UTC", 18).day == day
