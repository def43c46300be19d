"""Whether a metric is better or worse than before, and not by an accident of the sample. Pure.

Nothing is believed that chance makes once in a hundred times, nor what one night alone carries, nor what a trend from
before would have brought anyway. Clients that ran on one side only are left out, else a mix of clients looks like a
change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import erfc, sqrt
from statistics import median

from engine.measuring import Measurement, Observed
from engine.sources.stats import fisher_less, rank_sum_less, rising, slope

CHANCE = 0.01
CHANCE_WITHOUT_A_NIGHT = 0.05
TREND = 0.05
FEWEST_KEPT = 5
EXPECTED = 3.0
"""Of what is gone, how often it should have come at its old rate. With none of three expected the rate is below the
old one at 95 %: the rule of three (Hanley and Lippman-Hand, 1983)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`better` and `worse`: the chance of a change as large in that direction if nothing had changed. `why_not` says
    what spoke against a change that is unlikely enough by itself."""

    is_better: bool
    is_worse: bool
    chance: float
    why_not: str = ""


def alike(before: Measurement, after: Measurement) -> tuple[Measurement, Measurement]:
    """Both sides with the clients that ran on both."""
    if before.metric.kind.rule == "gone":
        return before, after
    both = before.clients & after.clients
    return before.of_clients(both), after.of_clients(both)


def can_tell(before: Measurement, after: Measurement) -> bool:
    """Whether samples of this size could ever say anything: the least chance that they can attain (Tarone, 1990). It
    depends on how much was seen and, but for `gone`, not on what: so nobody waits for a result that pleases."""
    rule = before.metric.kind.rule
    if rule == "gone":
        hits, nights, again, nights_since = *_total(before.observed), *_total(after.observed)
        return bool(again) or (hits > 0 and nights_since * hits / nights >= EXPECTED)
    if not before.observed or not after.observed:
        return False
    if rule == "counts":
        hits, trials = map(round, _total(before.observed))
        trials_since = round(_total(after.observed)[1])
        none, all_of = fisher_less(0, trials_since, hits, trials), fisher_less(0, trials_since, trials - hits, trials)
        return min(none, all_of) < CHANCE
    if rule == "ratio":
        kept, kept_since = _total(before.observed)[1], _total(after.observed)[1]
        return min(kept, kept_since) >= FEWEST_KEPT or (kept >= FEWEST_KEPT and not kept_since)
    n, m = len(after.observed), len(before.observed)
    return rank_sum_less(range(n), range(n, n + m)) < CHANCE


def compared(before: Measurement, after: Measurement, history: Measurement) -> Comparison:
    """`history` are the nights up to the fix, of which `before` may be the last few: they say whether there was a
    trend."""
    if before.metric.kind.rule == "gone":
        return _gone(before, after)
    less, more = _chances(before.observed, after.observed, before.metric.kind.rule)
    better, worse = (less, more) if after.is_less_better else (more, less)
    is_down = (after.value or 0.0) < (before.value or 0.0)
    chance, is_better = (better, True) if is_down == after.is_less_better else (worse, False)
    if before.value is None or after.value is None:  # nothing was kept: the share of kept rounds decides
        chance, is_better = min(better, worse), better < worse
    why_not = ""
    if chance < CHANCE:
        why_not = _carried(before, after, is_less=is_better == after.is_less_better) or _expected(
            before, after, history, is_less=is_better == after.is_less_better
        )
    is_one = chance < CHANCE and not why_not
    return Comparison(is_one and is_better, is_one and not is_better, chance, why_not)


def _gone(before: Measurement, after: Measurement) -> Comparison:
    hits, nights, again, nights_since = *_total(before.observed), *_total(after.observed)
    rate = hits / nights if nights else 0.0
    chance = (1 - rate) ** nights_since if not again else 1.0
    return Comparison(not again and rate * nights_since >= EXPECTED, again > 0, chance)


def _total(observed: Sequence[Observed]) -> tuple[float, float]:
    return sum(one.amount for one in observed), sum(one.of for one in observed)


def _chances(before: Sequence[Observed], after: Sequence[Observed], rule: str) -> tuple[float, float]:
    """That `after` is so much less, and so much more, by chance."""
    if rule == "counts":
        return _counts(_total(before), _total(after))
    if rule == "ratio":
        return _ratios(before, after)
    old, new = ([one.amount for one in side] for side in (before, after))
    if not old or not new:
        return 1.0, 1.0
    return rank_sum_less(new, old), rank_sum_less(old, new)


def _counts(before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    (hits_before, trials_before), (hits, trials) = (tuple(map(round, side)) for side in (before, after))
    less = fisher_less(hits, trials, hits_before, trials_before)
    more = fisher_less(trials - hits, trials, trials_before - hits_before, trials_before)
    return less, more


def _ratios(before: Sequence[Observed], after: Sequence[Observed]) -> tuple[float, float]:
    """Two ratios of sums, compared by their linearised variances (Cochran, Sampling Techniques, 1977, ch. 6). Where
    nothing was kept on a side, the fewer kept rounds are the dearer ones."""
    if not _total(before)[1] or not _total(after)[1]:
        kept_before, kept = ((_total(side)[1], len(side)) for side in (before, after))
        fewer, more = _counts(kept_before, kept)
        return more, fewer
    (old, spread_old), (new, spread_new) = _ratio(before), _ratio(after)
    spread = sqrt(spread_old + spread_new)
    if not spread:
        return 1.0, 1.0
    z = (new - old) / spread
    return erfc(-z / sqrt(2)) / 2, erfc(z / sqrt(2)) / 2


def _ratio(observed: Sequence[Observed]) -> tuple[float, float]:
    """The ratio and its variance."""
    amount, of = _total(observed)
    ratio, n = amount / of, len(observed)
    squares = sum((one.amount - ratio * one.of) ** 2 for one in observed)
    return ratio, n / max(n - 1, 1) * squares / of**2


def _carried(before: Measurement, after: Measurement, *, is_less: bool) -> str:
    """Rounds of a night are alike, and a test that takes each for itself is too sure: what is left of it when any one
    night is left out (the jackknife of Quenouille and Tukey)?"""
    for side, is_after in ((after, True), (before, False)):
        nights = sorted({one.night for one in side.observed})
        for night in nights if len(nights) > 1 else ():
            rest = tuple(one for one in side.observed if one.night != night)
            samples = (before.observed, rest) if is_after else (rest, after.observed)
            chance = _chances(*samples, before.metric.kind.rule)[0 if is_less else 1]
            if chance >= CHANCE_WITHOUT_A_NIGHT:
                return "one night alone makes the difference"
    return ""


def _expected(before: Measurement, after: Measurement, history: Measurement, *, is_less: bool) -> str:
    """A loop that learns gets better night by night without any fix: it has to be better than its steady trend."""
    if before.metric.kind.rule != "values":
        return ""
    values = _by_night(history.observed)
    means = [values[night] for night in sorted(values)]
    sign = -1 if is_less else 1
    if rising([sign * mean for mean in means]) >= TREND:
        return ""
    steps = _middle(after.observed) - _middle(before.observed)
    moved = [replace(one, amount=one.amount - slope(means) * steps) for one in after.observed]
    chance = _chances(before.observed, moved, "values")[0 if is_less else 1]
    return "it goes on as it went before" if chance >= CHANCE else ""


def _by_night(observed: Sequence[Observed]) -> Mapping[date, float]:
    found: dict[date, list[float]] = {}
    for one in observed:
        found.setdefault(one.night, []).append(one.amount)
    return {night: sum(amounts) / len(amounts) for night, amounts in found.items()}


def _middle(observed: Sequence[Observed]) -> float:
    return median(one.night.toordinal() for one in observed)
