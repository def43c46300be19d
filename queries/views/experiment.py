"""An experiment by its rounds: which variant scores better, how sure that is, and what is still missing.

PostHog's own engine counts persons, here agents; a loop has a handful of those and hundreds of rounds. Here each round
is one value. Rounds of one night resemble each other, so the true interval is somewhat wider than the one shown.

The plan is a number of scored rounds on each side, fixed before. Once it is reached the answer is made of that many
first rounds of each variant and stays: whoever looks every morning sees the same as whoever looks once.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import mean, pvariance, quantiles
from zoneinfo import ZoneInfo

from queries.backend import QueryResult
from queries.statistics import (
    CONFIDENCE,
    RESAMPLES,
    Interval,
    bootstrap_difference,
    expected_split,
    rank_sum,
    rounds_needed,
    same_mix,
)
from queries.views.answers import goal_of, is_improvement, records
from queries.views.words import counted, listed, signed

CONTROL = "control"
OFF = "false"
"""A flag without variants, or one with variants whose rollout does not reach the round."""
FEWEST = 8
"""Scored rounds on each side below which nothing is compared: the rank test's approximation is good from there on."""
PILOT = 30
"""Scored rounds on each side from which a plan by its effect takes the spread: a usual size, fixed before."""
MOST_CHANCE_OF_MIX = 0.001
"""A mix or a split that comes by chance less often is unequal; a usual bound for such checks."""
_BEYOND = 1e150


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided before: `rounds` scored on each side, or the smallest `effect` (in the score's unit) worth
    seeing, from which and from the spread of the first `PILOT` rounds on each side the number follows. `shares` are the
    variants' rollout by name, where they are known."""

    flag: str
    rounds: int | None = None
    effect: float | None = None
    control: str = CONTROL
    shares: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One scored round under one variant."""

    round_id: str
    variant: str
    project: str
    client: str
    agent: str
    started: datetime
    goal: str
    score: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """The scores of one variant. `spread` is the standard deviation, and the quartiles include the median."""

    variant: str
    scores: tuple[float, ...]
    mean: float
    spread: float
    quartiles: tuple[float, float, float]
    best: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One variant against the control, in one loop or in all. `interval` and `chance` are None where a side has too few
    rounds; `is_better` is None unless the interval excludes zero.

    `needed` is the plan on each side, None where there is none; `missing` is how many scored rounds the smaller side
    lacks of it, `nights` how many nights that takes at the pace so far (None: no pace).
    """

    variant: str
    loop: str
    rounds: tuple[int, int]
    interval: Interval | None
    chance: float | None
    is_better: bool | None
    needed: int | None
    missing: int | None
    nights: int | None

    @property
    def is_planned(self) -> bool:
        """Whether the planned sample is there."""
        return self.missing == 0


@dataclass(frozen=True, slots=True)
class Experiment:
    """`compared` holds each variant over all loops first (`loop` empty), `by_loop` the same loop by loop."""

    flag: str
    goal: str
    distributions: tuple[Distribution, ...]
    compared: tuple[Comparison, ...]
    by_loop: tuple[Comparison, ...]
    warnings: tuple[str, ...]
    verdict: str


def samples(rows: Sequence[Mapping], flag: str) -> tuple[tuple[Sample, ...], int]:
    """The scored rounds of a flag, oldest first, from `round_variants`' records; and how many rounds saw more than one
    variant, which belong to none and are left out. A crashed round has no score and is no sample; nor is a score that
    is no finite number, or so large that its square is none."""
    mine = [row for row in rows if row["flag"] == flag]
    mixed = sum(row["n_variants"] > 1 for row in mine)
    found = [
        Sample(
            round_id=row["round_id"],
            variant=variant_of(row["variant"]),
            project=row["project"],
            client=row["client"] or "",
            agent=row["agent"] or "",
            started=datetime.fromisoformat(row["started"]),
            goal=goal_of(row["goal"]),
            score=row["score"],
        )
        for row in mine
        if row["n_variants"] == 1 and row["n_scored"] and row["score"] is not None and abs(row["score"]) < _BEYOND
    ]
    return tuple(sorted(found, key=lambda sample: (sample.started, sample.round_id))), mixed


def variant_of(raw: str) -> str:
    """A variant's name from its JSON: a text itself, `true` and `false` of a flag without variants."""
    try:
        found = json.loads(raw)
    except ValueError:
        return raw
    return found if isinstance(found, str) else raw


def experiment(now: QueryResult, plan: Plan, *, seed: int = 0, resamples: int = RESAMPLES) -> Experiment:
    """From `round_variants`' rows. Empty input is an experiment without rounds, not an error."""
    found, mixed = samples(records(now), plan.flag)
    return of_samples(found, plan, now.timezone, mixed=mixed, seed=seed, resamples=resamples)


def of_samples(
    found: Sequence[Sample], plan: Plan, zone: str, *, mixed: int = 0, seed: int = 0, resamples: int = RESAMPLES
) -> Experiment:
    """`found` is oldest first. Loops of the other direction than most rounds have are shown by themselves alone: their
    scores cannot be averaged with the rest. Rounds that a flag with variants was off for are in no experiment."""
    by_variant = _by(found, lambda sample: sample.variant)
    control = _control(by_variant, plan)
    if control is not None and control != OFF and OFF in by_variant:
        del by_variant[OFF]
        found = [sample for sample in found if sample.variant != OFF]
    goal = _goal(found)
    pooled = [sample for sample in found if sample.goal == goal]
    others = sorted(name for name in by_variant if name != control)
    loops = _by(found, loop_of)
    compared: tuple[Comparison, ...] = ()
    by_loop: tuple[Comparison, ...] = ()
    if control is not None:
        compared = tuple(_compare(pooled, name, "", plan, control, zone, seed, resamples) for name in others)
        by_loop = tuple(
            _compare(loops[loop], name, loop, plan, control, zone, seed, resamples)
            for loop in sorted(loops)
            for name in others
            if {sample.variant for sample in loops[loop]} >= {control, name}
        )
    warnings = tuple(_warnings(found, by_variant, compared, mixed, plan))
    return Experiment(
        flag=plan.flag,
        goal=goal,
        distributions=tuple(
            distribution(name, [sample.score for sample in each], goal)
            for name, each in sorted(_by(pooled, lambda sample: sample.variant).items(), key=lambda i: i[0] != control)
        ),
        compared=compared,
        by_loop=by_loop if len(loops) > 1 else (),
        warnings=warnings,
        verdict=_verdict(found, by_variant, control, compared, plan),
    )


def _control(by_variant: Mapping[str, object], plan: Plan) -> str | None:
    """The named control; without it the flag that is off, None where neither was seen."""
    return next((name for name in (plan.control, OFF) if name in by_variant), None)


def _goal(found: Sequence[Sample]) -> str:
    """The direction of most."""
    return Counter(sample.goal for sample in found).most_common(1)[0][0] if found else "max"


def _compare(
    found: Sequence[Sample], variant: str, loop: str, plan: Plan, control: str, zone: str, seed: int, resamples: int
) -> Comparison:
    goal = _goal(found)
    sides = {name: [one for one in found if (one.variant, one.goal) == (name, goal)] for name in (control, variant)}
    before, after = ([sample.score for sample in sides[name]] for name in (control, variant))
    needed = _needed(before, after, plan)
    # A loop by itself needs the same sample as all of them together.
    missing = None if needed is None else max(0, needed - min(len(before), len(after)))
    if needed is not None and missing == 0:
        before, after = before[:needed], after[:needed]
    interval = chance = None
    if min(len(before), len(after)) >= FEWEST:
        interval = bootstrap_difference(before, after, confidence=CONFIDENCE, resamples=resamples, seed=seed)
        chance = rank_sum(after, before)
    return Comparison(
        variant=variant,
        loop=loop,
        rounds=(len(sides[control]), len(sides[variant])),
        interval=interval,
        chance=chance,
        is_better=is_improvement(goal, interval.difference) if interval and interval.excludes_zero else None,
        needed=needed,
        missing=missing,
        nights=_nights(missing, min(sides.values(), key=len), zone),
    )


def _needed(before: Sequence[float], after: Sequence[float], plan: Plan) -> int | None:
    """The plan's own number; else from its effect and the spread of a pilot, each side's about its own mean: a sample
    whose size the pilot alone decides can be looked at while it grows (Stein, 1945)."""
    if plan.rounds is not None:
        return plan.rounds
    if not plan.effect or min(len(before), len(after)) < FEWEST:
        return None
    spread = mean([pvariance(before[:PILOT]), pvariance(after[:PILOT])]) ** 0.5
    return max(PILOT, rounds_needed(spread, plan.effect))


def _nights(missing: int | None, slower: Sequence[Sample], zone: str) -> int | None:
    """At the slower side's rounds a night so far, counting the nights that had any."""
    if not missing:
        return missing
    local = ZoneInfo(zone)
    # A night is named by the day on which it began: noon parts two of them.
    nights = {(sample.started.astimezone(local) - timedelta(hours=12)).date() for sample in slower}
    return ceil(missing * len(nights) / len(slower)) if slower else None


def distribution(variant: str, scores: Sequence[float], goal: str) -> Distribution:
    low, middle, high = quantiles(scores, n=4, method="inclusive") if len(scores) > 1 else [scores[0]] * 3
    return Distribution(
        variant=variant,
        scores=tuple(scores),
        mean=mean(scores),
        spread=pvariance(scores) ** 0.5,
        quartiles=(low, middle, high),
        best=min(scores) if goal == "min" else max(scores),
    )


def _warnings(
    found: Sequence[Sample],
    by_variant: Mapping[str, Sequence[Sample]],
    compared: Sequence[Comparison],
    mixed: int,
    plan: Plan,
) -> Iterator[str]:
    if len({sample.goal for sample in found}) > 1:
        yield "Some loops want a high score, some a low one: only those of the commoner direction are taken together."
    if compared and plan.rounds is None and not plan.effect:
        yield "There is no planned sample: a difference that is looked for every morning is found sooner or later."
    elif not all(one.is_planned for one in compared):
        yield "The planned sample is not there yet: to stop now because of what is seen would find chance differences."
    if plan.rounds is None and plan.effect and any(min(one.rounds) < PILOT for one in compared):
        yield f"How many rounds it takes is known from the first {PILOT} of each variant on; until then it moves."
    if len(compared) > 1:
        yield f"{counted(len(compared), 'variant')} are compared: that one of them differs by chance is likelier so."
    for what, of in (("project and client", loop_of), ("agent", lambda sample: sample.agent)):
        groups = sorted({of(sample) for sample in found})
        counts = [[sum(of(sample) == group for sample in each) for group in groups] for each in by_variant.values()]
        if same_mix(counts) < MOST_CHANCE_OF_MIX:
            yield f"The variants have unequal mixes by {what}: a difference may be theirs, so read it loop by loop."
    shares = plan.shares or {}
    seen = [len(by_variant.get(name, ())) for name in shares]  # also a variant that no round saw
    if expected_split(seen, list(shares.values())) < MOST_CHANCE_OF_MIX:
        yield "The variants have other shares of the rounds than their rollout says: some rounds may not be counted."
    if mixed:
        yield f"{counted(mixed, 'round')} saw more than one variant and {'is' if mixed == 1 else 'are'} left out."


def _verdict(
    found: Sequence[Sample],
    by_variant: Mapping[str, Sequence[Sample]],
    control: str | None,
    compared: Sequence[Comparison],
    plan: Plan,
) -> str:
    if not found:
        return f"No scored round saw {plan.flag} in this window."
    if len(by_variant) == 1:
        return f"All {counted(len(found), 'scored round')} saw {next(iter(by_variant))}: nothing to compare it with."
    if control is None:
        return f"No round saw {plan.control}, with which {listed(sorted(by_variant))} would be compared."
    known = [one for one in compared if one.interval is not None]
    if not known:
        sizes = ", ".join(f"{name} {len(each)}" for name, each in sorted(by_variant.items()))
        return f"Too few scored rounds to compare ({sizes}): {FEWEST} are needed on each side."
    return " ".join(_sentence(one, control) for one in known)


def _sentence(one: Comparison, control: str) -> str:
    assert one.interval is not None
    span = f"{signed(one.interval.difference)} ({signed(one.interval.low)} to {signed(one.interval.high)})"
    how = {True: "better", False: "worse", None: "not told apart"}[one.is_better]
    left = f", over the first {one.needed} rounds of each, as planned" if one.is_planned else ""
    if one.missing:
        nights = f", about {counted(one.nights, 'night')}" if one.nights else ""
        left = f"; {counted(one.missing, 'round')} to go on each side{nights}"
    if one.is_better is None:
        return f"{one.variant} and {control} are {how}: {span}{left}."
    return f"{one.variant} is {how} than {control}: {span}{left}."


def loop_of(sample: Sample) -> str:
    return f"{sample.project}/{sample.client}" if sample.client else sample.project


def _by(found: Sequence[Sample], key: Callable[[Sample], str]) -> dict[str, list[Sample]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in found:
        groups[key(sample)].append(sample)
    return dict(groups)
