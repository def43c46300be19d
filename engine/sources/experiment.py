"""An experiment that has its planned sample, and whose interval excludes zero: one variant is better, or worse.

It speaks once, at the plan. Before, a difference is not looked for: who looks every night finds one sooner or later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from engine.sources.source import VARIANT_DAYS, Evidence, Finding, Source, extra, named
from queries.views.experiment import CONTROL, Comparison, Plan, Sample, of_samples, samples
from queries.views.words import counted, signed


@dataclass(frozen=True, slots=True)
class Thresholds:
    rounds: int = 60
    """The plan: scored rounds of each variant, in one project. It sees a difference of half a standard deviation with a
    power of 0.78 (Lehr's 16 s^2 / d^2 asks 64 for 0.8)."""
    flags: tuple[str, ...] = ()
    """Only these; none: every flag that rounds saw."""


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    rows = evidence.rows("round_variants")
    for flag in sorted({row["flag"] for row in rows}):
        if limits.flags and flag not in limits.flags:
            continue
        found, _ = samples(rows, flag)
        by_project: dict[str, list[Sample]] = defaultdict(list)
        for sample in found:
            by_project[sample.project].append(sample)
        for project, mine in sorted(by_project.items()):
            if _has_begun_in_sight(mine, evidence) and limits.rounds:
                yield from _of_project(project, flag, mine, evidence, limits)


def _has_begun_in_sight(mine: list[Sample], evidence: Evidence) -> bool:
    """Where the first rounds lie before what was asked for, those that are seen are others every night."""
    return mine[0].started > evidence.now - timedelta(days=VARIANT_DAYS - 1)


def _of_project(
    project: str, flag: str, mine: list[Sample], evidence: Evidence, limits: Thresholds
) -> Iterator[Finding]:
    result = of_samples(mine, Plan(flag, rounds=limits.rounds), evidence.zone)
    for one in result.compared:
        if not one.is_planned or one.is_better is None:
            continue
        counted_rounds = _counted(mine, one, limits.rounds)
        reached = max(sample.started for sample in counted_rounds)
        if evidence.is_recent(evidence.night(reached)):
            yield _finding(project, flag, one, counted_rounds, result.warnings)


def _counted(mine: list[Sample], one: Comparison, rounds: int) -> list[Sample]:
    """The rounds that the answer is made of: the first ones of either side."""
    control = CONTROL if any(sample.variant == CONTROL for sample in mine) else "false"
    sides = ([sample for sample in mine if sample.variant == name][:rounds] for name in (control, one.variant))
    return [sample for side in sides for sample in side]


def _finding(project: str, flag: str, one: Comparison, rounds: list[Sample], warnings: tuple[str, ...]) -> Finding:
    assert one.interval is not None and one.chance is not None
    how = "better" if one.is_better else "worse"
    return Finding(
        entity=(project, flag, one.variant),
        title=f"{named(project)}: {named(one.variant)} of {named(flag)} scores {how}",
        said=(
            f"Mean score {signed(one.interval.difference)} against the control, 95 % interval "
            f"{signed(one.interval.low)} to {signed(one.interval.high)}, over the first "
            f"{counted(len(rounds) // 2, 'scored round')} of each variant, as planned.",
            f"By ranks the chance of such a difference is {one.chance:.2g}.",
            *warnings,
        ),
        occurred_at=max(sample.started for sample in rounds),
        extra=extra(
            project,
            "score",
            [sample.round_id for sample in rounds],
            flag=named(flag),
            variant=named(one.variant),
            numbers={
                "difference": one.interval.difference,
                "low": one.interval.low,
                "high": one.interval.high,
                "chance": one.chance,
                "rounds": len(rounds) // 2,
                "is_better": int(bool(one.is_better)),
            },
        ),
    )


SOURCE = Source(
    name="experiment",
    title="Experiments that are decided",
    asks=("round_variants",),
    weight=0.5,
    thresholds=Thresholds(),
    find=_find,
)
