"""Model calls that fail more often, or answer more slowly, than on the days before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from typing import Any

from engine.sources.source import Evidence, Finding, Source, extra, named
from engine.sources.stats import binomial_tail, robust_z
from queries.views.words import day as day_name
from queries.views.words import share


@dataclass(frozen=True, slots=True)
class Errors:
    errors: int = 5
    """Fewest failed calls on the day."""
    share: float = 0.05
    """Of the day's calls, 0..1."""
    days: int = 3
    most_chance: float = 0.001


@dataclass(frozen=True, slots=True)
class Latency:
    calls: int = 20
    """Fewest answered calls on a day."""
    days: int = 3
    ratio: float = 1.6
    """Of the median seconds per output token: a longer answer takes longer, and is no slower."""
    z: float = 3.5
    """Modified z-score; its MAD is at least 5 % of the median."""


@dataclass(frozen=True, slots=True)
class DayCalls:
    """One model's calls for a project on one calendar day. Times are None where calls do not say them."""

    day: date
    calls: int
    errors: int
    latency_s: float | None
    per_token_s: float | None
    last_at: datetime


def _models(evidence: Evidence) -> Iterator[tuple[str, str, list[DayCalls]]]:
    """Days of each project and model, in order, of those that were called lately."""
    found: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in evidence.rows("model_calls"):
        found[row["project"], row["model"] or ""][row["day"]].append(row)
    for (project, model), days in sorted(found.items()):
        found_days = [_day(days[day]) for day in sorted(days)]
        if evidence.is_recent(found_days[-1].day, 2):
            yield project, model, found_days


def _day(rows: list[Mapping[str, Any]]) -> DayCalls:
    """Clients together; times are those of the client with the median time."""
    latency, per_token = (
        median(values) if (values := [row[name] for row in rows if row[name] is not None]) else None
        for name in ("latency_s", "per_token_s")
    )
    return DayCalls(
        day=date.fromisoformat(rows[0]["day"]),
        calls=sum(row["calls"] for row in rows),
        errors=sum(row["errors"] for row in rows),
        latency_s=latency,
        per_token_s=per_token,
        last_at=max(datetime.fromisoformat(row["last_at"]) for row in rows),
    )


def _errors(evidence: Evidence, limits: Errors) -> Iterator[Finding]:
    for project, model, (*before, last) in _models(evidence):
        if len(before) < limits.days or last.errors < limits.errors or last.errors < limits.share * last.calls:
            continue
        calls, errors = sum(day.calls for day in before), sum(day.errors for day in before)
        chance = binomial_tail(last.errors, last.calls, (errors + 1) / (calls + 2))
        if chance >= limits.most_chance:
            continue
        rate = last.errors / last.calls
        yield Finding(
            entity=(project, model),
            title=f"{named(project)}: {share(rate)} of the calls to {named(model)} fail",
            said=(
                f"{last.errors} of {last.calls:,} calls on {day_name(last.day)}; "
                f"{errors} of {calls:,} ({share(errors / calls)}) in the {len(before)} days before.",
            ),
            occurred_at=last.last_at,
            extra=extra(
                project,
                "model_errors",
                model=model,
                numbers={
                    "errors": last.errors,
                    "calls": last.calls,
                    "errors_before": errors,
                    "calls_before": calls,
                    "chance": chance,
                },
            ),
        )


def _latency(evidence: Evidence, limits: Latency) -> Iterator[Finding]:
    for project, model, found in _models(evidence):
        rated = [day for day in found if day.per_token_s is not None and day.calls >= limits.calls]
        if len(rated) <= limits.days or rated[-1] is not found[-1]:
            continue
        last, times = rated[-1], [day.per_token_s for day in rated if day.per_token_s is not None]
        usual = median(times[:-1])
        if usual <= 0 or times[-1] < limits.ratio * usual or robust_z(times[-1], times[:-1], 0.05 * usual) < limits.z:
            continue
        whole = [day.latency_s for day in rated[:-1] if day.latency_s is not None]
        said = [
            f"{times[-1] * 1000:.0f} ms per output token on {day_name(last.day)} "
            f"(median of {last.calls:,} calls), "
            f"{usual * 1000:.0f} ms in the {len(times) - 1} days before."
        ]
        if last.latency_s is not None and whole:
            said.append(f"A whole answer took {last.latency_s:.1f} s, {median(whole):.1f} s before (medians).")
        yield Finding(
            entity=(project, model),
            title=f"{named(project)}: {named(model)} answers {times[-1] / usual:.1f} times as slowly",
            said=tuple(said),
            occurred_at=last.last_at,
            extra=extra(
                project,
                "model_latency",
                model=model,
                numbers={
                    "seconds_per_token": times[-1],
                    "seconds_per_token_before": usual,
                    "latency_s": last.latency_s,
                    "calls": last.calls,
                },
            ),
        )


ERRORS = Source(
    name="model_errors",
    title="Failing model calls",
    asks=("model_calls",),
    weight=0.5,
    thresholds=Errors(),
    find=_errors,
    source_product="llm_analytics",
)
LATENCY = Source(
    name="model_latency",
    title="Slow model calls",
    asks=("model_calls",),
    weight=0.5,
    thresholds=Latency(),
    find=_latency,
    source_product="llm_analytics",
)
