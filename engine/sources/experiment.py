"""An experiment that has its planned sample, and whose interval excludes zero: one variant is better, or worse.

It speaks once, at the plan. Before, a difference is not looked for: who looks every night finds one sooner or later.
The plan is the one that the flag's experiment was started by, over its time; a flag that rounds saw without one is
looked at by the plan of `[sources.experiment]`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.sources.source import VARIANT_DAYS, Evidence, Finding, Source, extra, named
from queries.catalog import catalog
from queries.rest_experiments import Running, experiment_on
from queries.views.experiment import CONTROL, OFF, Comparison, Plan, Sample, of_samples, samples
from queries.views.words import counted, signed

_QUESTION = "round_variants"


@dataclass(frozen=True, slots=True)
class Thresholds:
    rounds: int = 60
    """The plan where there is none: scored rounds of each variant, in one project. It sees a difference of half a
    standard deviation with a power of 0.78 (Lehr's 16 s^2 / d^2 asks 64 for 0.8). 0 looks at planned ones alone."""
    flags: tuple[str, ...] = ()
    """Only these; none: every flag that rounds saw."""


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    rows = evidence.rows(_QUESTION)
    wanted = sorted({row["flag"] for row in rows if not limits.flags or row["flag"] in limits.flags})
    known = evidence.experiments() if wanted else ()
    sight = _sight(rows, evidence)
    for flag in wanted:
        running = experiment_on(known, flag)
        plan = _plan(flag, running, limits)
        found, _ = samples(rows, flag)
        by_project: dict[str, list[Sample]] = defaultdict(list)
        for sample in found:
            if running is None or _is_of(sample, running):
                by_project[sample.project].append(sample)
        for project, mine in sorted(by_project.items()):
            if plan is not None and _has_begun_in_sight(mine, running, sight):
                yield from _of_project(project, plan, mine, evidence)


def _plan(flag: str, running: Running | None, limits: Thresholds) -> Plan | None:
    if running is not None and running.plan is not None:
        return running.plan
    return Plan(flag, rounds=limits.rounds) if limits.rounds else None


def _is_of(sample: Sample, running: Running) -> bool:
    assert running.started_at is not None  # `experiment_on` gives no draft
    return running.started_at <= sample.started and (running.ended_at is None or sample.started < running.ended_at)


def _sight(rows: tuple, evidence: Evidence) -> datetime:
    """From when on every round is seen: an answer that is full lacks the oldest."""
    asked = evidence.now - timedelta(days=VARIANT_DAYS)
    if len(rows) < catalog.load(_QUESTION).limit:
        return asked
    return max(asked, min(datetime.fromisoformat(row["started"]) for row in rows))


def _has_begun_in_sight(mine: list[Sample], running: Running | None, sight: datetime) -> bool:
    """Where the first rounds may lie before what is seen, those that are seen first are others every night."""
    if running is not None and running.started_at is not None:
        return running.started_at > sight
    return mine[0].started > sight + timedelta(days=1)


def _of_project(project: str, plan: Plan, mine: list[Sample], evidence: Evidence) -> Iterator[Finding]:
    if plan.rounds is not None and len(mine) < 2 * plan.rounds:
        return  # asked in every turn: what cannot be decided yet is not worked out
    result = of_samples(mine, plan, evidence.zone)
    for one in result.compared:
        if one.needed is None or not one.is_planned or one.is_better is None:
            continue
        counted_rounds = _counted(mine, one, one.needed)
        reached = max(sample.started for sample in counted_rounds)
        if evidence.is_recent(evidence.night(reached)):
            yield _finding(project, plan.flag, one, counted_rounds, result.warnings)


def _counted(mine: list[Sample], one: Comparison, rounds: int) -> list[Sample]:
    """The rounds that the answer is made of: the first ones of either side."""
    control = CONTROL if any(sample.variant == CONTROL for sample in mine) else OFF
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
    asks=(_QUESTION,),
    weight=0.5,
    thresholds=Thresholds(),
    find=_find,
)
