"""What a kept round costs: a spike against the nights before, and a slow drift over many nights.

A kept round also gets dearer when less is kept; that is a plateau's or a deploy's to tell. Here the rounds themselves
must have become dearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from engine.sources.facts import Loop, Round, by_loop, by_night
from engine.sources.source import Evidence, Finding, Source, extra, named, on
from engine.sources.stats import fisher_less, rank_sum_less, rising, robust_z, slope
from queries.views.words import counted, money, share


@dataclass(frozen=True, slots=True)
class Spike:
    rounds: int = 8
    """Fewest rounds with a cost in a night."""
    nights: int = 3
    """Fewest nights to compare with."""
    ratio: float = 1.8
    """Of a round's cost to the median of the nights before."""
    z: float = 3.5
    """Modified z-score among nights; its MAD is at least 5 % of the median."""
    most_chance: float = 0.001
    """That the night's rounds are dearer only by chance: a few dear ones do not make a dear night."""
    kept_ratio: float = 1.3
    """A kept round must be this much dearer too: dear rounds of which more are kept are money well spent ..."""
    luck: float = 0.05
    """... unless that more were kept is as likely as this by chance."""


@dataclass(frozen=True, slots=True)
class Drift:
    rounds: int = 8
    nights: int = 6
    most_chance: float = 0.01
    rise: float = 0.25
    """From the first night to the last, by the median slope."""


@dataclass(frozen=True, slots=True)
class NightCost:
    """`per_kept_usd` is None where nothing was kept."""

    night: date
    rounds: tuple[Round, ...]
    spent_usd: float
    per_round_usd: float
    per_kept_usd: float | None


def nights(rounds: Sequence[Round], fewest: int) -> tuple[NightCost, ...]:
    """Nights with enough rounds that have a cost, in order."""
    found = []
    for night, mine in by_night(rounds).items():
        priced = tuple(round for round in mine if round.cost_usd is not None and round.is_decided)
        if len(priced) < fewest:
            continue
        spent = sum(round.cost_usd or 0.0 for round in priced)
        kept = sum(round.is_kept for round in priced)
        found.append(NightCost(night, priced, spent, spent / len(priced), spent / kept if kept else None))
    return tuple(found)


def _costs(nights: Sequence[NightCost]) -> list[float]:
    return [round.cost_usd for night in nights for round in night.rounds if round.cost_usd is not None]


def _kept(nights: Sequence[NightCost]) -> tuple[int, int]:
    rounds = [round for night in nights for round in night.rounds]
    return sum(round.is_kept for round in rounds), len(rounds)


def is_spike(found: Sequence[NightCost], limits: Spike) -> bool:
    """Whether the last night is one."""
    if len(found) <= limits.nights:
        return False
    last, before = found[-1], found[:-1]
    usual = median(one.per_round_usd for one in before)
    if usual <= 0 or last.per_round_usd < limits.ratio * usual:
        return False
    if robust_z(last.per_round_usd, [one.per_round_usd for one in before], 0.05 * usual) < limits.z:
        return False
    kept_before = [one.per_kept_usd for one in before if one.per_kept_usd is not None]
    costs, costs_before = _costs([last]), _costs(before)
    if rank_sum_less(costs_before, costs) >= limits.most_chance:
        return False
    if last.per_kept_usd is None or not kept_before:
        return True
    if last.per_kept_usd >= limits.kept_ratio * median(kept_before):
        return True
    (kept, rounds), (earlier, rounds_before) = _kept([last]), _kept(before)
    return fisher_less(earlier, rounds_before, kept, rounds) >= limits.luck


def _loops(evidence: Evidence, fewest: int) -> Iterator[tuple[Loop, tuple[NightCost, ...]]]:
    for loop, rounds in by_loop(evidence.undisturbed).items():
        found = nights(rounds, fewest)
        if found and evidence.is_recent(found[-1].night, 2) and found[-1].night == rounds[-1].night:
            yield loop, found


def _spikes(evidence: Evidence, limits: Spike) -> Iterator[Finding]:
    for loop, found in _loops(evidence, limits.rounds):
        if not is_spike(found, limits):
            continue
        last, before = found[-1], found[:-1]
        usual = median(one.per_round_usd for one in before)
        kept_before = [one.per_kept_usd for one in before if one.per_kept_usd is not None]
        usual_kept = median(kept_before) if kept_before else None
        times = last.per_round_usd / usual
        kept = money(last.per_kept_usd) if last.per_kept_usd is not None else "nothing kept"
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)}: a round costs {times:.1f} times as much",
            said=(
                f"{money(last.per_round_usd)} a round in {on(last.night)} ({counted(len(last.rounds), 'round')}), "
                f"{money(usual)} in the {len(before)} nights before (median).",
                f"Cost per kept round: {kept}, {money(usual_kept)} before. Spent: {money(last.spent_usd)}.",
                "Cost is the rounds' own cost_usd, which contains their proposal's.",
            ),
            occurred_at=max(round.ended for round in last.rounds),
            extra=extra(
                loop,
                "cost_usd",
                last.rounds,
                git_sha=last.rounds[-1].git_sha,
                numbers={
                    "per_round_usd": last.per_round_usd,
                    "per_round_usd_before": usual,
                    "per_kept_usd": last.per_kept_usd,
                    "per_kept_usd_before": usual_kept,
                    "spent_usd": last.spent_usd,
                    "nights_before": len(before),
                },
            ),
        )


def _drifts(evidence: Evidence, limits: Drift) -> Iterator[Finding]:
    for loop, found in _loops(evidence, limits.rounds):
        costs = [one.per_round_usd for one in found]
        if len(costs) < limits.nights or costs[0] <= 0 or is_spike(found, Spike(rounds=limits.rounds)):
            continue
        chance, rise = rising(costs), slope(costs) * (len(costs) - 1) / costs[0]
        if chance >= limits.most_chance or rise < limits.rise:
            continue
        last = found[-1]
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)}: rounds get dearer night by night",
            said=(
                f"Up {share(rise)} over {len(costs)} nights (median slope): {money(costs[0])} a round in "
                f"{on(found[0].night)}, {money(costs[-1])} in {on(last.night)}.",
                f"A rise as steady has a chance of {chance:.2g}.",
            ),
            occurred_at=max(round.ended for round in last.rounds),
            extra=extra(
                loop,
                "cost_usd",
                last.rounds,
                git_sha=last.rounds[-1].git_sha,
                numbers={"per_round_usd": costs, "rise": rise, "chance": chance},
            ),
        )


SPIKE = Source(
    name="cost_spike",
    title="Cost spikes",
    asks=("round_history",),
    weight=1.0,
    thresholds=Spike(),
    find=_spikes,
)
DRIFT = Source(
    name="cost_drift",
    title="Cost drift",
    asks=("round_history",),
    weight=0.5,
    thresholds=Drift(),
    find=_drifts,
)
