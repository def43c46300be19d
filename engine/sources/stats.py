"""Small tests that hold on small nights: medians and ranks rather than means, exact tails rather than approximations.

Each says where its formula comes from. All of them take plain numbers and answer with a number, or with None where
there is too little to say anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import erfc, exp, lgamma, log, log1p, sqrt
from statistics import median

from queries.statistics import rank_sum_less

__all__ = [
    "binomial_tail",
    "fisher_less",
    "mad",
    "rank_sum_less",
    "rising",
    "robust_z",
    "slope",
]


def mad(values: Sequence[float]) -> float:
    """The median absolute deviation from the median (Hampel, 1974), not scaled. 0 for one value."""
    middle = median(values)
    return median(abs(value - middle) for value in values)


def robust_z(value: float, history: Sequence[float], floor: float) -> float:
    """How far `value` lies from its history: 0.6745 (x - median) / MAD, the modified z-score of Iglewicz and Hoaglin
    (1993), who call beyond 3.5 an outlier. `floor` is the least MAD that is believed: a few equal nights have none."""
    return 0.6745 * (value - median(history)) / max(mad(history), floor)


def binomial_tail(hits: int, trials: int, chance: float) -> float:
    """P(X >= hits) of `trials` with this chance each, every term summed. Terms are added as logarithms' powers, since
    the coefficients of a thousand trials are larger than a float."""
    if hits <= 0:
        return 1.0
    if hits > trials or chance <= 0:
        return 0.0
    if chance >= 1:
        return 1.0
    yes, no = log(chance), log1p(-chance)
    terms = (_log_choose(trials, k) + k * yes + (trials - k) * no for k in range(hits, trials + 1))
    return min(1.0, sum(map(exp, terms)))


def fisher_less(hits: int, trials: int, hits_before: int, trials_before: int) -> float:
    """P(as few hits or fewer) if both samples had one rate: Fisher's exact test, one-sided (hypergeometric tail)."""
    total, all_hits = trials + trials_before, hits + hits_before
    whole = _log_choose(total, trials)
    least = max(0, trials - (total - all_hits))
    terms = (
        _log_choose(all_hits, k) + _log_choose(total - all_hits, trials - k) - whole for k in range(least, hits + 1)
    )
    return min(1.0, sum(map(exp, terms)))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def rising(values: Sequence[float]) -> float:
    """P that values in order rise this steadily by chance: Mann's test for trend (1945), one-sided, with Kendall's
    variance (no ties) and continuity; below 4 values 1."""
    n = len(values)
    if n < 4:
        return 1.0
    s = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    spread = sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return erfc((s - 1) / spread / sqrt(2)) / 2


def slope(values: Sequence[float]) -> float:
    """The change per step: the median of all pairwise slopes (Theil, 1950; Sen, 1968)."""
    steps = [(values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2)]
    return median(steps) if steps else 0.0
