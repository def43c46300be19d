"""Is one sample better than another, by how much, and how many more values would tell? Plain numbers in and out.

Every formula names where it comes from; the tests compare them with SciPy, which is too large to install for the few
that are needed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, erfc, exp, fsum, gamma, lgamma, log, log1p, sqrt
from statistics import NormalDist

RESAMPLES = 4_000
CONFIDENCE = 0.95
MOST_NEEDED = 10**12  # more than anybody has, and still a number where an effect is all but zero
_BLOCK = 2_000_000  # drawn numbers at a time: 16 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """Of a difference of means, in the unit of the values. `low` <= `high`."""

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def bootstrap_difference(
    control: Sequence[float],
    test: Sequence[float],
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """mean(test) - mean(control) with the percentile interval of Efron (1979): both samples are drawn from with
    replacement, each by itself, and the interval holds the middle `confidence` of the differences (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13).

    The same values and seed give the same interval. Raises `ValueError` where a sample has fewer than 2 values: drawn
    again, one value is always itself; and where one is no finite number.
    """
    if min(len(control), len(test)) < 2:
        raise ValueError("a bootstrap needs 2 values on each side")
    import numpy

    before, after = (numpy.asarray(side, dtype=float) for side in (control, test))
    if not (numpy.isfinite(before).all() and numpy.isfinite(after).all()):
        raise ValueError("a bootstrap needs finite numbers")
    # Measured from one of them: the means of equal values would differ in their last digits, and exclude zero.
    before, after = before - control[0], after - control[0]
    random = numpy.random.default_rng(seed)
    differences = _drawn_means(numpy, random, after, resamples) - _drawn_means(numpy, random, before, resamples)
    low, high = numpy.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(after.mean() - before.mean()), float(low), float(high))


def _drawn_means(numpy, random, known, resamples: int):
    """The mean of each resample of an array, an array of `resamples` numbers."""
    at_once = max(1, _BLOCK // len(known))
    parts = [
        known[random.integers(0, len(known), (min(at_once, resamples - done), len(known)))].mean(axis=1)
        for done in range(0, resamples, at_once)
    ]
    return numpy.concatenate(parts)


def rank_sum_less(sample: Sequence[float], reference: Sequence[float]) -> float:
    """P that `sample` lies this far below `reference` by chance: Mann and Whitney's U (1947), one-sided, normal
    approximation with the correction for ties and for continuity; good from about 8 values on each side."""
    n, m = len(sample), len(reference)
    ranks, ties = _ranks([*sample, *reference])
    u = sum(ranks[:n]) - n * (n + 1) / 2
    total = n + m
    spread = sqrt(n * m / 12 * ((total + 1) - ties / (total * (total - 1)))) if total > 1 else 0.0
    if not spread:
        return 1.0
    return erfc((n * m / 2 - u - 0.5) / spread / sqrt(2)) / 2


def rank_sum(sample: Sequence[float], reference: Sequence[float]) -> float:
    """P that the two lie this far apart by chance, either way: `rank_sum_less` of the smaller side, doubled."""
    return min(1.0, 2 * min(rank_sum_less(sample, reference), rank_sum_less(reference, sample)))


def _ranks(values: Sequence[float]) -> tuple[list[float], float]:
    """Mean ranks, and the sum of t^3 - t over groups of ties."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, ties, start = [0.0] * len(values), 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            ranks[place] = (start + end + 1) / 2
        ties += (end - start) ** 3 - (end - start)
        start = end
    return ranks, ties


def rounds_needed(spread: float, effect: float, *, confidence: float = CONFIDENCE, power: float = 0.8) -> int:
    """Values needed on each side to see a difference of `effect` with this power: 2 (z(1-a/2) + z(power))^2 s^2 / d^2,
    the normal approximation for two means with one standard deviation `spread` (Lehr, 1992, rounds it to 16 s^2 / d^2
    for the defaults). At least 2, and `MOST_NEEDED` at most. Raises `ValueError` for an effect that is not above 0.
    """
    if effect <= 0:
        raise ValueError("an effect must be above 0")
    normal = NormalDist()
    z = normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)
    ratio = z * spread / effect
    return max(2, ceil(min(2 * ratio * ratio, MOST_NEEDED)))


def same_mix(table: Sequence[Sequence[int]]) -> float:
    """P that rows of counts differ this much by chance if all had one mix: Pearson's chi-squared (1900) of a
    contingency table, (rows - 1)(columns - 1) degrees of freedom, no continuity correction; 1 where there is nothing to
    compare.

    Rows and columns of zeros are left out. Approximate where an expected count is below 5 (Cochran, 1954).
    """
    rows = [row for row in table if sum(row)]
    columns = [column for column in zip(*rows, strict=True) if sum(column)]
    freedom = (len(rows) - 1) * (len(columns) - 1)
    if freedom < 1:
        return 1.0
    total = sum(map(sum, rows))
    wide, long = [sum(column) for column in columns], [sum(row) for row in rows]
    statistic = sum(
        (columns[j][i] - long[i] * wide[j] / total) ** 2 / (long[i] * wide[j] / total)
        for i in range(len(rows))
        for j in range(len(columns))
    )
    return chi_squared_beyond(statistic, freedom)


def expected_split(counts: Sequence[int], shares: Sequence[float]) -> float:
    """P that counts stray this far from their shares by chance: Pearson's goodness of fit, the sample ratio check of
    controlled experiments (Fabijan et al., 2019). Shares need not sum to 1; those of 0 are left out."""
    used = [(count, share) for count, share in zip(counts, shares, strict=True) if share > 0]
    total, whole = sum(count for count, _ in used), sum(share for _, share in used)
    if len(used) < 2 or not total:
        return 1.0
    statistic = sum((count - total * share / whole) ** 2 / (total * share / whole) for count, share in used)
    return chi_squared_beyond(statistic, len(used) - 1)


def chi_squared_beyond(statistic: float, freedom: int) -> float:
    """P(X > statistic) for whole degrees of freedom from 1 on, as finite sums (Abramowitz and Stegun, 1964, 26.4.4 and
    26.4.5). Good to some hundred degrees."""
    half = statistic / 2
    if freedom % 2 == 0:
        term, found = exp(-half), exp(-half)
        for k in range(1, freedom // 2):
            term *= half / k
            found += term
        return min(1.0, found)
    found = erfc(sqrt(half))
    term = exp(-half) * sqrt(half) / gamma(1.5)
    for k in range(1, (freedom - 1) // 2 + 1):
        found += term
        term *= half / (k + 0.5)
    return min(1.0, found)


@dataclass(frozen=True, slots=True)
class Moments:
    """A sample by its sums, where the values themselves stayed in the store. `squares` is the sum of the squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """Raises `ZeroDivisionError` for no values."""
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Unbiased; 0 for fewer than 2 values."""
        return max(0.0, self.squares - self.total**2 / self.n) / (self.n - 1) if self.n > 1 else 0.0


def mean_difference(control: Moments, test: Moments, *, confidence: float = CONFIDENCE) -> Interval:
    """mean(test) - mean(control), each with a variance of its own (Welch, 1947), with the normal quantile in place of
    Student's: good from about 20 values on each side. Raises `ValueError` where a sample has fewer than 2 values."""
    if min(control.n, test.n) < 2:
        raise ValueError("a difference of means needs 2 values on each side")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    reach = z * sqrt(control.variance / control.n + test.variance / test.n)
    difference = test.mean - control.mean
    return Interval(difference, difference - reach, difference + reach)


def binomial_tail(hits: int, trials: int, rate: float) -> float:
    """P of at least `hits` successes in `trials`, each with probability `rate`: the exact one-sided binomial test
    (Clopper and Pearson, 1934). Where the trials' own rates differ and `rate` is their mean, the true P is no larger
    for hits of at least trials * rate + 1 (Hoeffding, 1956)."""
    if hits <= 0:
        return 1.0
    if not 0 < rate < 1:
        return float(rate >= 1 and hits <= trials)

    def chance(k: int) -> float:  # by logarithms: the coefficients of many trials are larger than a float
        ways = lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1)
        return exp(ways + k * log(rate) + (trials - k) * log1p(-rate))

    return min(1.0, fsum(map(chance, range(hits, trials + 1))))
