"""What was different after a mark: each project's rounds before and after it, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from queries.backend import QueryResult
from queries.views.answers import best_of, goal_of, is_improvement, records
from queries.views.window import Span


@dataclass(frozen=True, slots=True)
class Side:
    """One project on one side of a mark. None means that nobody sent it, never 0."""

    rounds: int
    best: float | None
    kept_share: float | None
    per_kept_usd: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """`is_better` compares the best scores by the project's goal; None where there is nothing to compare."""

    project: str
    before: Side | None
    after: Side | None
    is_better: bool | None


def spans(at: datetime, length: timedelta, now: datetime) -> tuple[Span, Span]:
    """Before and after; what is after a young mark is as long as it is old."""
    return Span(at - length, at), Span(at, max(at, min(at + length, now)))


def effects(before: QueryResult, after: QueryResult) -> tuple[Effect, ...]:
    """From `headline`'s rows of both spans, by project."""
    earlier, later = ({row["project"]: row for row in records(found)} for found in (before, after))
    return tuple(_effect(name, earlier.get(name), later.get(name)) for name in sorted({*earlier, *later}))


def _effect(project: str, before: Mapping | None, after: Mapping | None) -> Effect:
    goal = goal_of((after or before or {}).get("goal"))
    old, new = (_side(row, goal) if row is not None else None for row in (before, after))
    change = None
    if old is not None and new is not None and old.best is not None and new.best is not None:
        change = new.best - old.best
    return Effect(project, old, new, is_improvement(goal, change))


def _side(row: Mapping, goal: str) -> Side:
    kept, outcomes = row["kept"], row["outcomes"]
    return Side(
        rounds=row["rounds"],
        best=best_of(goal, dict(row)),
        kept_share=kept / outcomes if outcomes else None,
        per_kept_usd=row["spent_usd"] / kept if row["priced"] and kept else None,
    )
