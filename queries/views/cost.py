"""What a kept round cost."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import money


@dataclass(frozen=True, slots=True)
class CostLine:
    """One project. `per_kept_usd` is None where nothing was kept or no cost was sent.

    `points` are (bucket, dollars per kept round or None where nothing was kept, dollars spent).
    """

    project: str
    spent_usd: float | None
    kept: int
    per_kept_usd: float | None
    per_kept_before_usd: float | None
    points: tuple[tuple[str, float | None, float], ...]


@dataclass(frozen=True, slots=True)
class CostPerKept:
    """`source` says which events the dollars come from. The totals are over all lines."""

    buckets: tuple[str, ...]
    lines: tuple[CostLine, ...]
    spent_usd: float | None
    per_kept_usd: float | None
    source: str
    verdict: str


SOURCE = "round_kept and round_reverted cost_usd"


def cost(window: Window, now: QueryResult, before: QueryResult) -> CostPerKept:
    """From `cost_per_kept`'s rows of both spans. A project that sends no cost has None, not $0."""
    rows, earlier = _by_project(records(now)), _by_project(records(before))
    lines = tuple(_line(project, rows[project], earlier.get(project, [])) for project in sorted(rows))
    priced = [line for line in lines if line.spent_usd is not None]
    spent = sum(line.spent_usd or 0.0 for line in priced) if priced else None
    per_kept = _per_kept(spent, sum(line.kept for line in priced))
    names = buckets(window, now.timezone)
    return CostPerKept(names, lines, spent, per_kept, SOURCE, _verdict(lines, spent, per_kept))


def _by_project(rows: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        found[row["project"]].append(row)
    return found


def _line(project: str, rows: list[dict], earlier: list[dict]) -> CostLine:
    spent, kept = _spent(rows), sum(row["kept"] for row in rows)
    before = _per_kept(_spent(earlier), sum(row["kept"] for row in earlier))
    points = tuple(
        (row["bucket"], _per_kept(row["spent_usd"], row["kept"]), row["spent_usd"] or 0.0)
        for row in rows
        if row["priced"]
    )
    return CostLine(project, spent, kept, _per_kept(spent, kept), before, points)


def _spent(rows: list[dict]) -> float | None:
    return sum(row["spent_usd"] or 0.0 for row in rows) if any(row["priced"] for row in rows) else None


def _per_kept(spent: float | None, kept: int) -> float | None:
    return spent / kept if spent is not None and kept else None


def _verdict(lines: tuple[CostLine, ...], spent: float | None, per_kept: float | None) -> str:
    if not lines:
        return "No round ended in this window."
    if spent is None:
        return "Nobody sends what a round cost."
    said = (
        f"{money(spent)} spent, nothing kept"
        if per_kept is None
        else f"{money(per_kept)} per kept round, {money(spent)} spent"
    )
    moved = [
        (line.per_kept_usd / line.per_kept_before_usd, line)
        for line in lines
        if line.per_kept_usd and line.per_kept_before_usd
    ]
    factor, line = max(moved, key=lambda pair: abs(math.log(pair[0])), default=(1.0, None))
    # Less than a fifth is how nights differ anyway.
    if line and abs(math.log(factor)) > math.log(1.2):
        said += f"; {line.project} {'dearer' if factor > 1 else 'cheaper'}, {factor:.1f}× the time before"
    return said + "."
