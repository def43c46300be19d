"""What a trace came to, in all and as of any moment: cost, tokens, score, and a sentence."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from queries.views.answers import goal_of, is_improvement
from queries.views.trace.tree import KINDS, NOBODY, Mark, Tree
from queries.views.words import counted, listed, money, score, signed

# The same call is recorded by the model observability, the router and the proposal: one of them is added up.
END = "the round's end"
SOURCES = (
    (("$ai_generation", "$ai_embedding"), "model calls"),
    (("token_machine.request",), "router"),
    (("proposal_generated",), "proposals"),
    (("round_kept", "round_reverted"), END),
)
_COUNTED = frozenset({"round_scored", "$ai_trace", *(name for names, _ in SOURCES for name in names)})


@dataclass(frozen=True, slots=True)
class Moment:
    """What was known at a moment. Numbers are None while nobody sent them."""

    elapsed_s: float
    cost_usd: float | None
    tokens: float | None
    score: float | None
    delta: float | None
    is_better: bool | None


@dataclass(frozen=True, slots=True)
class Account:
    """`outcome` is kept, reverted, ended, running or lost. `cost_source` and `token_source` say which events were added
    up on the way, `total_source` where the total at the end is from."""

    outcome: str
    goal: str
    baseline: float | None
    cost_source: str
    total_source: str
    token_source: str
    began_us: int
    ended_us: int
    cost_at: Sequence[int]
    costs: Sequence[float]
    tokens_at: Sequence[int]
    tokens: Sequence[float]
    score_at: Sequence[int]
    scores: Sequence[float]
    events: int
    duplicates: int
    odd: tuple[str, ...]

    def at(self, moment_us: int) -> Moment:
        found = _latest(self.score_at, self.scores, moment_us)
        delta = found - self.baseline if found is not None and self.baseline is not None else None
        return Moment(
            elapsed_s=max(0, min(moment_us, self.ended_us) - self.began_us) / 1e6,
            cost_usd=_latest(self.cost_at, self.costs, moment_us),
            tokens=_latest(self.tokens_at, self.tokens, moment_us),
            score=found,
            delta=delta,
            is_better=is_improvement(self.goal, delta),
        )

    @property
    def whole(self) -> Moment:
        return self.at(self.ended_us)

    @property
    def verdict(self) -> str:
        """`Kept, score 0.912 (+0.012 better), $0.12 by model calls, 46 events; 1 failed, 1 retry.`"""
        if not self.events:
            return "No events of this round are here."
        end = self.whole
        parts = [self.outcome.capitalize()]
        if end.score is not None:
            way = {True: " better", False: " worse", None: ""}[end.is_better]
            parts.append(
                f"score {score(end.score)}" + (f" ({signed(end.delta)}{way})" if end.delta is not None else "")
            )
        if end.cost_usd is not None:
            parts.append(f"{money(end.cost_usd)} by {self.total_source}")
        parts.append(counted(self.events, "event"))
        said = ", ".join(parts)
        return f"{said}; {listed(self.odd, 6)}." if self.odd else f"{said}."


def account(tree: Tree) -> Account:
    events = tree.events
    names = events.word["event"]
    codes = {code: name for name in _COUNTED if (code := events.code_of(name)) is not None}
    by_name: dict[str, list[int]] = {}
    for place in chain(tree.first, tree.second):
        if place != NOBODY and names[place] in codes:
            by_name.setdefault(codes[names[place]], []).append(place)

    def all_of(*wanted: str) -> list[int]:
        return sorted((place for name in wanted for place in by_name.get(name, ())), key=events.at.__getitem__)

    cost_at, costs, cost_source = _running(tree, all_of, ("cost_usd",))
    tokens_at, tokens, token_source = _running(tree, all_of, ("tokens_in", "tokens_out"))
    scored = [place for place in all_of("round_scored") if events.measured("score", place) is not None]
    baseline = events.measured("score", tree.first[0]) if tree.first[0] != NOBODY else None
    ends = all_of("round_kept", "round_reverted")
    total = events.measured("cost_usd", ends[-1]) if ends else None
    if total is not None and cost_source != END:
        # The round's own total contains what the calls said one by one.
        cost_at.append(max(events.at[ends[-1]], cost_at[-1] if cost_at else 0))
        costs.append(total)
    # What was no round, such as an agent's run, says its end as PostHog's own wrappers do.
    outcome = "ended" if all_of("$ai_trace") else "running" if tree.is_running else "lost"
    return Account(
        outcome=events.said("event", ends[-1]).removeprefix("round_") if ends else outcome,
        goal=goal_of(events.said("goal", scored[-1]) if scored else None),
        baseline=baseline,
        cost_source=cost_source,
        total_source=END if total is not None else cost_source,
        token_source=token_source,
        began_us=tree.began_us,
        ended_us=tree.ended_us,
        cost_at=cost_at,
        costs=costs,
        tokens_at=tokens_at,
        tokens=tokens,
        score_at=array("q", (events.at[place] for place in scored)),
        scores=array("d", (events.number["score"][place] for place in scored)),
        events=len(events),
        duplicates=tree.duplicates,
        odd=_odd(tree),
    )


def _running(tree: Tree, all_of, columns: Sequence[str]) -> tuple[array[int], array[float], str]:
    """The sums so far, by the first source that has any."""
    events = tree.events
    for names, source in SOURCES:
        at, sums, total = array("q"), array("d"), 0.0
        for place in all_of(*names):
            known = [value for name in columns if (value := events.measured(name, place)) is not None]
            if known:
                total += sum(known)
                at.append(events.at[place])
                sums.append(total)
        if sums:
            return at, sums, source
    return array("q"), array("d"), ""


def _latest(at: Sequence[int], values: Sequence[float], moment_us: int) -> float | None:
    place = bisect_right(at, moment_us)
    return values[place - 1] if place else None


def _odd(tree: Tree) -> tuple[str, ...]:
    """Counts of what a reader would want to know before believing the picture."""
    marks, kinds = Counter(tree.marks), Counter(tree.kind)

    def marked(wanted: int) -> int:
        return sum(number for mark, number in marks.items() if mark & wanted)

    failed, late, lost = marked(Mark.FAILED), marked(Mark.LATE), marked(Mark.NO_RETURN | Mark.NO_CALL)
    clocks = marked(Mark.CLOCK | Mark.OUTSIDE)
    retries, escalations, regressions = (kinds[KINDS.index(kind)] for kind in ("retry", "escalation", "regression"))
    said = [
        f"{failed:,} failed" if failed else "",
        ("1 retry" if retries == 1 else f"{retries:,} retries") if retries else "",
        counted(escalations, "escalation") if escalations else "",
        counted(regressions, "regression") if regressions else "",
        f"{lost:,} without its other half" if lost else "",
        f"{late:,} late" if late else "",
        f"{clocks:,} by another clock" if clocks else "",
        counted(tree.duplicates, "duplicate") if tree.duplicates else "",
    ]
    return tuple(part for part in said if part)
