"""One row a round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from queries.backend import QueryResult
from queries.views.answers import goal_of, instant, is_improvement, records
from queries.views.words import counted


@dataclass(frozen=True, slots=True)
class Round:
    """`outcome` is kept, reverted, crashed, running or lost. Numbers are None where they were not sent.

    `is_better` says whether `delta` is an improvement by the round's goal; `value` is what a question that led to the
    round says of it, a dimension's score or a reason.
    """

    round_id: str
    run_id: str
    project: str
    client: str
    agent: str
    model: str
    started: datetime
    last_stage: str
    outcome: str
    score: float | None
    delta: float | None
    is_better: bool | None
    cost_usd: float | None
    duration_s: float | None
    errors: int
    git_sha: str
    is_estimated: bool = False
    value: float | str | None = None


@dataclass(frozen=True, slots=True)
class Rounds:
    """`is_cut` where the window holds more rounds than the question's limit."""

    rows: tuple[Round, ...]
    is_cut: bool
    verdict: str


RUNNING = timedelta(minutes=30)  # a round without an ending is running while it is this young, and lost after
_CRASHES = frozenset({"crash", "crashed", "exception", "error", "oom", "timeout", "killed"})


def rounds(now: QueryResult, values: Mapping[str, float | str | None] | None = None) -> Rounds:
    """From `rounds`' rows, newest first; how old a round is goes by when the question was asked. `values` are by round
    id."""
    rows = tuple(_round(row, now.asked_at, (values or {}).get(row["round_id"])) for row in records(now))
    return Rounds(rows, now.is_cut, _verdict(rows, now.is_cut))


def _round(row: dict, asked_at: datetime, value: float | str | None) -> Round:
    started, ended = datetime.fromisoformat(row["started"]), datetime.fromisoformat(row["ended"])
    goal, kept_at, reverted_at = goal_of(row["goal"]), instant(row["kept_at"]), instant(row["reverted_at"])
    has_outcome = bool(kept_at or reverted_at)
    score = row["score"] if row["n_scored"] else None
    delta = row["delta"]
    if delta is None and score is not None and row["baseline"] is not None:
        delta = score - row["baseline"]  # a reverted round does not have to send how much it missed by
    return Round(
        round_id=row["round_id"],
        run_id=row["run_id"] or "",
        project=row["project"],
        client=row["client"] or "",
        agent=row["agent"] or "",
        model=row["model"] or "",
        started=started,
        last_stage=_last_stage(row, has_outcome),
        outcome=_outcome(row["failure_mode"], kept_at, reverted_at, asked_at - ended),
        score=score,
        delta=delta,
        is_better=is_improvement(goal, delta),
        cost_usd=row["cost_usd"],
        # A log says when a round was, not how long it took.
        duration_s=None if row["is_imported"] else max(0.0, (ended - started).total_seconds()),
        errors=row["errors"],
        git_sha=row["git_sha"] or "",
        is_estimated=bool(row["is_estimated"]),
        value=value,
    )


def _outcome(failure: str | None, kept_at: datetime | None, reverted_at: datetime | None, age: timedelta) -> str:
    if kept_at and (not reverted_at or kept_at >= reverted_at):
        return "kept"
    if reverted_at:
        return "crashed" if (failure or "").lower() in _CRASHES else "reverted"
    return "running" if age < RUNNING else "lost"


def _last_stage(row: dict, has_outcome: bool) -> str:
    if has_outcome:
        return "decided"
    return (
        "scored"
        if row["n_scored"]
        else "applied"
        if row["n_applied"]
        else "proposed"
        if row["n_proposed"]
        else "started"
    )


def _verdict(rows: tuple[Round, ...], is_cut: bool) -> str:
    if not rows:
        return "No rounds in this window."
    outcomes = Counter(row.outcome for row in rows)
    parts = [
        f"{outcomes[name]:,} {name}" for name in ("kept", "reverted", "crashed", "running", "lost") if outcomes[name]
    ]
    said = f"{counted(len(rows), 'round')}: {', '.join(parts)}."
    return f"The newest {said}" if is_cut else said
