"""What the sources read: rounds and nights as records, and who they belong to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from queries.views.answers import better, goal_of, instant, is_improvement


@dataclass(frozen=True, order=True, slots=True)
class Loop:
    """One client's loop; `client` is empty where none is sent."""

    project: str
    client: str

    def __str__(self) -> str:
        return f"{self.project}/{self.client}" if self.client else self.project


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the history. `night` is the local date on which its night began.

    `gain` is how far the score is beyond the best one before it, positive for better whatever the goal; None without a
    score or without anything to compare it with. `is_best` says whether the round was kept and gained.
    """

    round_id: str
    run_id: str
    loop: Loop
    night: date
    started: datetime
    ended: datetime
    stages: frozenset[str]
    is_kept: bool
    is_decided: bool
    failure_mode: str
    goal: str
    score: float | None
    gain: float | None
    is_best: bool
    quality: float | None
    cost_usd: float | None
    git_sha: str
    scorer_version: str
    escalated_to: str
    is_estimated: bool


STAGES = ("started", "proposed", "applied", "scored")


def night_of(moment: datetime, zone: str, starts_hour: int) -> date:
    """The local date on which the night of this moment began: until `starts_hour` it is still yesterday's."""
    return (moment.astimezone(ZoneInfo(zone)) - timedelta(hours=starts_hour)).date()


def history(rows: Iterable[Mapping], zone: str, starts_hour: int) -> tuple[Round, ...]:
    """From `round_history`'s records, oldest first."""
    ordered = sorted(rows, key=lambda row: (row["started"], row["round_id"]))
    best: dict[tuple[Loop, str], float] = {}
    # A goal holds for the loop, also in the rounds that do not say it: a crashed one says none.
    goals = {_loop(row): goal_of(row["goal"]) for row in ordered if row["goal"]}
    return tuple(_round(row, goals.get(_loop(row), goal_of(None)), best, zone, starts_hour) for row in ordered)


def _loop(row: Mapping) -> Loop:
    return Loop(row["project"], row["client"] or "")


def _round(row: Mapping, usual: str, best: dict[tuple[Loop, str], float], zone: str, starts_hour: int) -> Round:
    started, ended = datetime.fromisoformat(row["started"]), datetime.fromisoformat(row["ended"])
    goal, loop, run_id = goal_of(row["goal"]) if row["goal"] else usual, _loop(row), row["run_id"] or ""
    kept_at, reverted_at = instant(row["kept_at"]), instant(row["reverted_at"])
    is_kept = kept_at is not None and (reverted_at is None or kept_at >= reverted_at)
    # A crashed round has no score, whatever is left in the property.
    score = better(goal, row["highest"], row["lowest"]) if row["n_scored"] else None
    # The loop's own word for the best so far; without one, the best kept round of the same run.
    before = row["baseline"] if row["baseline"] is not None else best.get((loop, run_id))
    sign = -1 if goal == "min" else 1
    gain = None if score is None or before is None else sign * (score - before)
    if is_kept and score is not None:
        best[loop, run_id] = better(goal, best.get((loop, run_id)), score)  # type: ignore[assignment]
    counts = zip(STAGES, ("n_started", "n_proposed", "n_applied", "n_scored"), strict=True)
    return Round(
        round_id=row["round_id"],
        run_id=run_id,
        loop=loop,
        night=night_of(started, zone, starts_hour),
        started=started,
        ended=ended,
        stages=frozenset(stage for stage, column in counts if row[column]),
        is_kept=is_kept,
        is_decided=bool(kept_at or reverted_at),
        failure_mode=row["failure_mode"] or "",
        goal=goal,
        score=score,
        gain=gain,
        is_best=is_kept and _has_gained(goal, row["delta"], gain),
        quality=row["quality"],
        cost_usd=row["cost_usd"],
        git_sha=row["git_sha"] or "",
        scorer_version=row["scorer_version"] or "",
        escalated_to=row["escalated_to"] or "",
        is_estimated=bool(row["is_estimated"]),
    )


def _has_gained(goal: str, delta: float | None, gain: float | None) -> bool:
    """A kept round that says nothing about its score is believed."""
    if gain is not None:
        return gain > 0
    return delta is None or is_improvement(goal, delta) is True


def by_loop(rounds: Iterable[Round]) -> dict[Loop, tuple[Round, ...]]:
    """Each client's rounds in their order."""
    found: dict[Loop, list[Round]] = defaultdict(list)
    for round in rounds:
        found[round.loop].append(round)
    return {loop: tuple(found[loop]) for loop in sorted(found)}


def by_project(rounds: Iterable[Round]) -> dict[str, tuple[Round, ...]]:
    found: dict[str, list[Round]] = defaultdict(list)
    for round in rounds:
        found[round.loop.project].append(round)
    return {project: tuple(found[project]) for project in sorted(found)}


def by_night(rounds: Sequence[Round]) -> dict[date, tuple[Round, ...]]:
    """Nights in order."""
    found: dict[date, list[Round]] = defaultdict(list)
    for round in rounds:
        found[round.night].append(round)
    return {night: tuple(found[night]) for night in sorted(found)}
