"""A dimension that stays far below its neighbours day after day. Dimensions are better when higher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from statistics import median

from engine.sources.facts import Loop
from engine.sources.source import Evidence, Finding, Source, extra, named
from engine.sources.stats import robust_z
from queries.views.words import score


@dataclass(frozen=True, slots=True)
class Thresholds:
    days: int = 4
    """Fewest calendar days on which it was weak; a night lies on two."""
    day_share: float = 0.8
    """Of all days with scores, the latest one among them."""
    rounds: int = 4
    """Fewest scored rounds of a day."""
    dimensions: int = 4
    """Fewest dimensions to compare with each other."""
    ratio: float = 0.75
    """Of the median of the other dimensions."""
    z: float = 3.5
    """Modified z-score among the day's dimensions; its MAD is at least 2 % of the median."""


def weak_on(day: Mapping[str, float], dim: str, limits: Thresholds) -> bool:
    """Whether `dim` is far below the other dimensions of a day."""
    others = [value for name, value in day.items() if name != dim]
    if dim not in day or len(others) + 1 < limits.dimensions or min(day.values()) < 0:
        return False
    usual = median(others)
    if usual <= 0 or day[dim] >= limits.ratio * usual:
        return False
    return robust_z(day[dim], others, 0.02 * usual) <= -limits.z


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    days: dict[Loop, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in evidence.rows("dimension_heatmap"):
        if row["rounds"] >= limits.rounds and row["average"] is not None and row["project"] != "loopdesk":
            days[Loop(row["project"], row["client"] or "")][row["bucket"]][row["dim"]] = row["average"]
    for loop, mine in sorted(days.items()):
        names = sorted(mine)
        last = datetime.combine(datetime.fromisoformat(names[-1]).date(), time(12), UTC)
        if not evidence.is_recent(last.date()):
            continue
        for dim in sorted(mine[names[-1]]):
            weak = [name for name in names if weak_on(mine[name], dim, limits)]
            scored = [name for name in names if dim in mine[name]]
            if len(weak) < limits.days or weak[-1] != names[-1] or len(weak) < limits.day_share * len(scored):
                continue
            own = median(mine[name][dim] for name in weak)
            others = median(value for name in weak for other, value in mine[name].items() if other != dim)
            short = dim.removeprefix("dim_")
            rounds = [round for round in evidence.rounds if round.loop == loop and round.score is not None]
            yield Finding(
                entity=(loop.project, loop.client, short),
                title=f"{named(loop)}: {named(short)} stays weak at {score(own)}",
                said=(
                    f"Weak on {len(weak)} of {len(scored)} days, {names[-1]} the last of them: {score(own)} (median of "
                    f"the days' averages), where the client's other dimensions have {score(others)}.",
                    f"Latest average {score(mine[names[-1]][dim])}.",
                ),
                occurred_at=max((round.ended for round in rounds), default=last),
                extra=extra(
                    loop,
                    dim,
                    rounds,
                    dimension=short,
                    git_sha=rounds[-1].git_sha if rounds else "",
                    numbers={"average": own, "others": others, "days_weak": len(weak), "days": len(scored)},
                ),
            )


SOURCE = Source(
    name="weak_dimension",
    title="Chronically weak dimensions",
    asks=("dimension_heatmap", "round_history"),
    weight=0.25,
    thresholds=Thresholds(),
    find=_find,
)
