"""Rows as the sources' questions answer them, made by hand: nights of a loop that behaves, and what departs from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from engine.sources.source import Evidence

NOW = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)  # the night of 19 November is the last one
EVENING = datetime(2026, 11, 19, 22, tzinfo=UTC)
NEVER = "1970-01-01T00:00:00+00:00"
QUESTIONS = (
    "round_history", "run_stops", "exception_issues", "dimension_regressions", "dimension_heatmap", "model_calls",
    "router_anomalies", "round_variants",
)  # fmt: skip


def evidence(*, now: datetime = NOW, blamed: Iterable[tuple[str, str]] = (), **answers: Iterable[dict]) -> Evidence:
    found = {name: tuple(answers.get(name, ())) for name in QUESTIONS}
    return Evidence(now, "UTC", 18, found, blame=lambda rounds: frozenset(blamed))


def night(
    rounds: int = 40,
    *,
    ago: int = 0,
    project: str = "loop",
    client: str = "one",
    goal: str = "max",
    kept: Callable[[int], bool] = lambda number: number % 6 == 5,
    cost: float | None = 0.05,
    sha: str = "aaaaaaa",
    minutes: float = 5,
    start: datetime | None = None,
    **more: object,
) -> list[dict]:
    """One run. A kept round is 0.01 better than its baseline, another one a little worse. `more` are columns, given as
    values or as functions of the round's number."""
    begin = start or EVENING - timedelta(days=ago)
    sign = -1 if goal == "min" else 1
    best = 0.5
    found = []
    for number in range(rounds):
        at = begin + timedelta(minutes=minutes * number)
        end = (at + timedelta(minutes=minutes * 0.9)).isoformat()
        gain = 0.01 if kept(number) else -0.005 - 0.001 * (number % 4)
        score = best + sign * gain
        row = {
            "round_id": f"{project}-{client}-{begin:%d%H%M}-{number:03d}",
            "run_id": f"run-{project}-{client}-{begin:%d%H%M}",
            "project": project,
            "client": client,
            "started": at.isoformat(),
            "ended": end,
            "n_started": 1,
            "n_proposed": 1,
            "n_applied": 1,
            "n_scored": 1,
            "kept_at": end if kept(number) else NEVER,
            "reverted_at": NEVER if kept(number) else end,
            "failure_mode": None if kept(number) else "no_improvement",
            "goal": goal,
            "highest": score,
            "lowest": score,
            "quality": 0.9,
            "delta": sign * gain if kept(number) else None,
            "baseline": best,
            "cost_usd": None if cost is None else cost * (1 + 0.02 * (number % 5)),
            "git_sha": sha,
            "scorer_version": "v1",
            "escalated_to": None,
            "is_estimated": 0,
        }
        row |= {name: value(number) if callable(value) else value for name, value in more.items()}
        if kept(number):
            best = score
        found.append(row)
    return found


def nights(count: int = 4, rounds: int = 40, *, before_last: int = 0, **more: object) -> list[dict]:
    """`count` nights that behave, the last of them `before_last` nights before the last one."""
    return [row for ago in range(count) for row in night(rounds, ago=ago + before_last, **more)]  # type: ignore[arg-type]


UNSCORED = {"n_scored": 0, "highest": None, "lowest": None, "delta": None}


def stop(reason: str, *, ago: int = 0, run: str = "", client: str = "one", **more: object) -> dict:
    at = EVENING - timedelta(days=ago) + timedelta(hours=5)
    run_id = run or f"run-loop-{client}-{EVENING - timedelta(days=ago):%d%H%M}"
    return {
        "run_id": run_id,
        "project": "loop",
        "client": client,
        "at": at.isoformat(),
        "reason": reason,
        "rounds_completed": 40.0,
        "total_cost_usd": 2.0,
        "final_best_score": 0.6,
        **more,
    }


def thrown(*, times: int = 1, unhandled: int = 1, ago: int = 0, client: str = "one", **more: object) -> dict:
    at = (EVENING - timedelta(days=ago) + timedelta(hours=4)).isoformat()
    return {
        "project": "loop",
        "client": client,
        "fingerprint": "f00d",
        "issue_id": "an-issue",
        "type": "OutOfMemoryError",
        "value": "out of memory",
        "unhandled": unhandled,
        "occurrences": times,
        "first_at": at,
        "last_at": at,
        "last_round_id": "a-round",
        "last_run_id": f"run-loop-{client}-{EVENING - timedelta(days=ago):%d%H%M}",
        "last_git_sha": "aaaaaaa",
        **more,
    }


def calls(ago: int, *, calls: int = 200, errors: int = 1, latency: float = 8.0, per_token: float = 0.02) -> dict:
    day = EVENING - timedelta(days=ago)
    return {
        "day": day.date().isoformat(),
        "project": "loop",
        "client": "one",
        "model": "haiku",
        "calls": calls,
        "errors": errors,
        "latency_s": latency,
        "per_token_s": per_token,
        "last_at": day.isoformat(),
    }


def anomaly(*, ago: int = 0, times: int = 1) -> dict:
    return {
        "project": "loop",
        "client": "one",
        "type": "slow_responses",
        "user_id": "coder",
        "task_type": "proposal",
        "recommendation": "look again",
        "times": times,
        "last_at": (EVENING - timedelta(days=ago)).isoformat(),
        "last_run_id": "a-run",
    }


def dimensions(ago: int, **averages: float) -> list[dict]:
    day = (EVENING - timedelta(days=ago)).date().isoformat()
    return [
        {"bucket": day, "project": "loop", "client": "one", "dim": f"dim_{name}", "average": value, "rounds": 20}
        for name, value in averages.items()
    ]


def regressed(row: dict, dim: str = "naming") -> dict:
    return {
        "round_id": row["round_id"],
        "project": row["project"],
        "client": row["client"],
        "dim": dim,
        "at": row["ended"],
        "git_sha": row["git_sha"],
        "prior_score": 0.8,
        "new_score": 0.7,
        "delta": -0.1,
    }
