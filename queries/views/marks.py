"""What was different after a mark: each project's rounds before and after it, side by side, and what can be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt

from queries.backend import QueryResult
from queries.views.answers import best_of, goal_of, is_improvement, records
from queries.views.timeline import Annotation
from queries.views.window import Span
from queries.views.words import counted, listed

AROUND = timedelta(days=3)
FEW = 20  # rounds; a proposal's outcome waits for as many
_NIGHT = timedelta(hours=12)  # a side that is shorter says nothing about a night
_SURE = 1.96  # standard errors: one difference in twenty is chance


@dataclass(frozen=True, slots=True)
class Side:
    """One project on one side of a mark. None means that nobody sent it, never 0. `outcomes` are rounds that were kept
    or reverted."""

    rounds: int
    best: float | None
    kept_share: float | None
    per_kept_usd: float | None
    outcomes: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """`is_better` compares the best scores by the project's goal, `keeps_more` the kept shares where they differ by
    more than chance; None where there is nothing to compare or nothing to say. `is_few`: a side has less than `FEW`
    rounds, so that neither says much. `change` is best minus best before."""

    project: str
    before: Side | None
    after: Side | None
    is_better: bool | None
    change: float | None = None
    keeps_more: bool | None = None
    is_few: bool = True


@dataclass(frozen=True, slots=True)
class Around:
    """Both sides of a mark. `others` is how many other marks lie within them, whose doing the difference may be."""

    at: datetime
    before: Span
    after: Span
    others: int
    effects: tuple[Effect, ...]
    verdict: str


def spans(at: datetime, length: timedelta, now: datetime, others: Sequence[datetime] = ()) -> tuple[Span, Span]:
    """Before and after; what is after a young mark is as long as it is old. A side ends at the nearest other mark, if
    that leaves it a night: closer ones cannot be told apart."""
    until = max(at, min(at + length, now))
    earlier = [one for one in others if at - length < one <= at - _NIGHT]
    later = [one for one in others if at + _NIGHT <= one < until]
    return Span(max(earlier, default=at - length), at), Span(at, min(later, default=until))


def around(
    at: datetime, before: Span, after: Span, others: Sequence[datetime], found: tuple[QueryResult, QueryResult]
) -> Around:
    """From `headline`'s rows of both spans."""
    rows = effects(*found)
    within = sum(before.since < one < after.until and one != at for one in others)
    return Around(at, before, after, within, rows, _verdict(rows))


def effects(before: QueryResult, after: QueryResult) -> tuple[Effect, ...]:
    """From `headline`'s rows of both spans, by project."""
    earlier, later = ({row["project"]: row for row in records(found)} for found in (before, after))
    return tuple(_effect(name, earlier.get(name), later.get(name)) for name in sorted({*earlier, *later}))


def moments(annotations: Iterable[Annotation], at: datetime) -> list[datetime]:
    """When the others were."""
    return [one.at for one in annotations if one.at != at]


def word(effect: Effect) -> str:
    """`better`, `worse`, or why it is neither. The best of many rounds is better than that of few by itself: a best
    that is only that says nothing."""
    if effect.before is None or effect.after is None:
        return "no round before" if effect.before is None else "no round after"
    if effect.is_few:
        return "too few rounds"
    if is_unclear(effect):
        return "unclear"
    return {True: "better", False: "worse", None: "same"}[effect.is_better]


def _effect(name: str, before: Mapping | None, after: Mapping | None) -> Effect:
    goal = goal_of((after or before or {}).get("goal"))
    old, new = (_side(row, goal) if row is not None else None for row in (before, after))
    change = None
    if old is not None and new is not None and old.best is not None and new.best is not None:
        change = new.best - old.best
    is_few = old is None or new is None or min(old.rounds, new.rounds) < FEW
    return Effect(name, old, new, is_improvement(goal, change), change, _keeps_more(old, new), is_few)


def _side(row: Mapping, goal: str) -> Side:
    kept, outcomes = row["kept"], row["outcomes"]
    return Side(
        rounds=row["rounds"],
        best=best_of(goal, dict(row)),
        kept_share=kept / outcomes if outcomes else None,
        per_kept_usd=row["spent_usd"] / kept if row["priced"] and kept else None,
        outcomes=outcomes,
    )


def _keeps_more(before: Side | None, after: Side | None) -> bool | None:
    """Two shares differ where they lie more than `_SURE` standard errors apart (the test of two proportions with their
    pooled variance: Fleiss, Statistical Methods for Rates and Proportions, 2.3)."""
    if before is None or after is None or before.kept_share is None or after.kept_share is None:
        return None
    old, new = before.outcomes, after.outcomes
    pooled = (before.kept_share * old + after.kept_share * new) / (old + new)
    error = sqrt(pooled * (1 - pooled) * (1 / old + 1 / new))
    difference = after.kept_share - before.kept_share
    return difference > 0 if error and abs(difference) / error >= _SURE else None


def _verdict(found: Sequence[Effect]) -> str:
    if not found:
        return "No round on either side of it."
    by_word: dict[str, list[str]] = {}
    for one in found:
        by_word.setdefault(word(one), []).append(one.project)
    order = ("better", "worse", "same", "unclear", "too few rounds", "no round before", "no round after")
    parts = [f"{listed(by_word[name])} {name}" for name in order if name in by_word]
    return f"Best scores since then: {'; '.join(parts)}." if parts else ""


def notes(found: Around) -> list[str]:
    """Sentences about what the numbers leave open."""
    said = []
    if found.others:
        said.append(f"{counted(found.others, 'other mark')} within these times: the difference may be theirs.")
    unclear = [one.project for one in found.effects if is_unclear(one)]
    if unclear:
        said.append(f"The best of many rounds is better by itself: {listed(unclear)} had twice as many on that side.")
    return said


def is_unclear(effect: Effect) -> bool:
    """The side with the better score has twice the rounds of the other."""
    if effect.is_few or effect.is_better is None or effect.before is None or effect.after is None:
        return False
    better, other = (effect.after, effect.before) if effect.is_better else (effect.before, effect.after)
    return better.rounds >= 2 * other.rounds
