"""A loop that finds nothing better any more: a row of rounds without a new best, too long for its own habit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.sources.facts import Round, by_loop
from engine.sources.source import Evidence, Finding, Source, extra, named, on
from queries.views.answers import better
from queries.views.words import score, share


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A real night of 126 rounds waited 26 rounds twice and then went on: shorter than that is no plateau."""

    rounds: int = 30
    """Fewest rounds without a new best, still lasting."""
    rounds_if_said: int = 15
    """Fewest, where the loop itself stopped for it."""
    most_chance: float = 0.005
    """How likely so long a wait may be at the loop's own rate of new bests."""
    times_longest: float = 1.5
    """Of the longest wait of the nights before."""
    longest_counted: int = 40
    """An earlier wait beyond this was a plateau as well, and no habit."""


def waits(rounds: Sequence[Round]) -> tuple[list[int], int]:
    """Lengths of the rows of decided rounds before each new best, and of the one that still lasts."""
    ended, waiting = [], 0
    for round in rounds:
        if round.is_best:
            ended.append(waiting)
            waiting = 0
        elif round.is_decided:
            waiting += 1
    return ended, waiting


def chance_of_wait(length: int, bests: int, rounds: int) -> float:
    """P(no new best in `length` rounds) = (1 - p)^length, where p is the loop's own rate, drawn towards one in six
    while few rounds are known (the mean of a Beta(1, 5) prior: real loops keep one round in five or six)."""
    return (1 - (bests + 1) / (rounds + 6)) ** length


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    stops = {row["run_id"]: row["reason"] or "" for row in evidence.rows("run_stops")}
    for loop, rounds in by_loop(evidence.undisturbed).items():
        night = rounds[-1].night
        if not evidence.is_recent(night, 2):
            continue
        earlier, waiting = waits(rounds)
        reason = stops.get(rounds[-1].run_id, "")
        is_said = any(word in reason.lower() for word in ("stall", "plateau"))
        decided = sum(round.is_decided for round in rounds)
        chance = chance_of_wait(waiting, len(earlier), decided - waiting)
        habit = min(max(earlier, default=0), limits.longest_counted)
        is_long = (
            waiting >= limits.rounds and chance < limits.most_chance and waiting > limits.times_longest * habit
        ) or (is_said and waiting >= limits.rounds_if_said)
        if not is_long:
            continue
        dry = [round for round in rounds if round.is_decided][-waiting:]
        goal, best = rounds[-1].goal, None
        for round in rounds:
            if round.is_kept and round.run_id == rounds[-1].run_id:
                best = better(goal, best, round.score)
        rate = len(earlier) / (decided - waiting) if decided > waiting else None
        said = [
            f"{waiting} rounds in a row brought no new best, up to {on(night)}; the longest wait before was "
            f"{max(earlier, default=0)} rounds.",
            f"{share(rate)} of the {decided - waiting} rounds before found one." if rate else "",
            f"At that rate so long a wait has a chance of {chance:.2g}.",
            f"Best score of this run: {score(best)} ({'lower' if goal == 'min' else 'higher'} is better)."
            if best is not None
            else "",
            f"The run stopped with {named(reason)}." if reason else "",
        ]
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)} has found nothing better for {waiting} rounds",
            said=tuple(filter(None, said)),
            occurred_at=rounds[-1].ended,
            extra=extra(
                loop,
                "best_score",
                dry,
                git_sha=rounds[-1].git_sha,
                run_ids=[rounds[-1].run_id],
                reason=reason,
                numbers={
                    "rounds_without_best": waiting,
                    "longest_before": max(earlier, default=0),
                    "bests_before": len(earlier),
                    "rounds_before": decided - waiting,
                    "chance": chance,
                    "best_score": best,
                    "score_goal": goal,
                },
            ),
        )


SOURCE = Source(
    name="plateau",
    title="Plateaus",
    asks=("round_history", "run_stops"),
    weight=1.0,
    thresholds=Thresholds(),
    find=_find,
)
