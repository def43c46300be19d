"""Two rounds side by side: what was proposed, which dimensions moved, what it cost and how long it took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from queries.views.answers import is_improvement
from queries.views.trace.account import Account
from queries.views.trace.tree import KINDS, NOBODY, Tree
from queries.views.words import counted, money, score, signed
from workspace.text import plain

DIMENSION = "dim_"
# What a round says about its proposal, in this order.
ABOUT = ("round_started", "step.plan", "model_escalated", "proposal_applied", "round_scored", "round_reverted")


@dataclass(frozen=True, slots=True)
class Side:
    """One round. `proposed` are (what, words) pairs; `dimensions` by name without its prefix."""

    round_id: str
    outcome: str
    goal: str
    score: float | None
    cost_usd: float | None
    tokens: float | None
    duration_s: float
    calls: int
    steps: int
    proposed: tuple[tuple[str, str], ...]
    dimensions: Mapping[str, float]


_SAME = 0.05  # of the earlier round's; rounds differ by that much anyway


@dataclass(frozen=True, slots=True)
class Moved:
    """A number of both rounds; None where one did not send it. `is_better` is None where better has no meaning."""

    name: str
    before: float | None
    after: float | None
    is_better: bool | None
    is_same: bool = False
    """Too close to be told apart by it."""

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """`dimensions` with the largest change first."""

    before: Side
    after: Side
    score: Moved
    cost: Moved
    duration: Moved
    dimensions: tuple[Moved, ...]
    verdict: str


def about(tree: Tree) -> tuple[int, ...]:
    """The events whose properties a side needs."""
    codes = {code for name in ABOUT if (code := tree.events.code_of(name)) is not None}
    names = tree.events.word["event"]
    places = (place for row in range(len(tree)) for place in tree.places(row)[:2])
    return tuple(place for place in places if place != NOBODY and names[place] in codes)


def side(tree: Tree, account: Account, said: Iterable[tuple[str, Mapping[str, object]]]) -> Side:
    """`said` are (event, properties) of the events `about` names."""
    proposed: list[tuple[str, str]] = []
    dimensions: dict[str, float] = {}
    for event, properties in said:
        proposed += _proposed(event, properties)
        if event == "round_scored":
            dimensions |= _dimensions(properties)
    end = account.whole
    calls = KINDS.index("generation")
    return Side(
        round_id=tree.trace_id,
        outcome=account.outcome,
        goal=account.goal,
        score=end.score,
        cost_usd=end.cost_usd,
        tokens=end.tokens,
        duration_s=(tree.ended_us - tree.began_us) / 1e6,
        calls=sum(kind == calls for kind in tree.kind),
        steps=len(tree) - 1,
        proposed=tuple(dict.fromkeys(proposed)),
        dimensions=dimensions,
    )


def _proposed(event: str, properties: Mapping[str, object]) -> list[tuple[str, str]]:
    def word(name: str) -> str:
        value = properties.get(name)
        return "" if value is None else plain(value, 400)

    if event == "round_started":
        found = [("model", word("model"))]
    elif event == "step.plan":
        found = [("plan", word("plan")), ("next", word("next_action"))]
    elif event == "model_escalated":
        found = [("escalated", f"{word('from_model')} → {word('to_model')}: {word('reason')}")]
    elif event == "proposal_applied":
        found = [("changed", word("target")), ("diff", f"{word('diff_bytes')} bytes" if word("diff_bytes") else "")]
    elif event == "round_reverted":
        found = [("reverted", word("failure_mode"))]
    else:
        found = []
    return [(name, text) for name, text in found if text]


def _dimensions(properties: Mapping[str, object]) -> dict[str, float]:
    return {
        plain(name.removeprefix(DIMENSION), 80): float(value)
        for name, value in properties.items()
        if name.startswith(DIMENSION)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }


def compare(before: Side, after: Side) -> Comparison:
    goal = after.goal
    names = dict.fromkeys((*after.dimensions, *before.dimensions))
    # A dimension is a quality: more is better whichever way the score goes.
    moved = [_moved(name, before.dimensions.get(name), after.dimensions.get(name), "max") for name in names]
    moved.sort(key=lambda one: (-abs(one.change or 0.0), one.change is None, one.name))
    found = _moved("score", before.score, after.score, goal)
    cost = _spent("cost", before.cost_usd, after.cost_usd)
    duration = _spent("took", before.duration_s, after.duration_s)
    return Comparison(before, after, found, cost, duration, tuple(moved), _verdict(before, after, found, cost, moved))


def _moved(name: str, before: float | None, after: float | None, goal: str) -> Moved:
    change = None if before is None or after is None else after - before
    return Moved(name, before, after, is_improvement(goal, change))


def _spent(name: str, before: float | None, after: float | None) -> Moved:
    """Money or time: less is better, but not a twentieth less."""
    found = _moved(name, before, after, "min")
    if found.change is None or not before or abs(found.change) >= _SAME * before:
        return found
    return replace(found, is_same=True, is_better=None)


def _verdict(before: Side, after: Side, found: Moved, cost: Moved, moved: Sequence[Moved]) -> str:
    if found.change is None:
        missing = after if found.after is None else before
        parts = [f"{missing.outcome.capitalize()} without a score: the two cannot be compared by it"]
    elif not found.change:
        parts = [f"The same score, {score(found.after)}"]
    else:
        way = "better" if found.is_better else "worse"
        parts = [f"Score {score(found.before)} → {score(found.after)} ({signed(found.change)} {way})"]
    fell, rose = (sum(one.is_better is way for one in moved) for way in (False, True))
    if fell or rose:
        both = [f"{counted(rose, 'dimension')} rose" if rose else "", f"{fell:,} fell" if fell else ""]
        parts.append(" and ".join(part for part in both if part))
    if cost.change is not None:
        parts.append(f"cost {money(cost.before)} → {money(cost.after)}")
    return "; ".join(parts) + "."
