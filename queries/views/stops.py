"""Why nights stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from queries.backend import QueryResult
from queries.views.answers import records
from queries.views.words import counted, listed


@dataclass(frozen=True, slots=True)
class Stop:
    """One reason. `is_bad` for a crash, an error or a kill switch rather than a planned end."""

    reason: str
    count: int
    before: int
    projects: tuple[tuple[str, int], ...]
    rounds: int | None
    cost_usd: float | None
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Stops:
    """`unfinished` are runs of the window that never said why they stopped; `running` started a round a short while ago
    and may still say it. `unfinished_ids` are the run ids of `unfinished`, in its order."""

    reasons: tuple[Stop, ...]
    unfinished: tuple[str, ...]
    running: tuple[str, ...]
    verdict: str
    unfinished_ids: tuple[str, ...] = ()


RUNNING = timedelta(hours=1)  # since its last round began
# Words in a stop reason that mean something broke, in the dialects of the loops.
_BAD = ("crash", "error", "exception", "fail", "kill", "oom", "panic", "abort")


def stops(now: QueryResult, before: QueryResult, open_runs: QueryResult) -> Stops:
    """From `stop_reasons`' rows of both spans and `unfinished_runs`' rows of the window."""
    rows, earlier = records(now), records(before)
    reasons = sorted({_reason(row) for row in rows}, key=lambda reason: (-_count(rows, reason), reason))
    found = tuple(_stop(reason, rows, earlier) for reason in reasons)
    runs = [(row, _is_running(row, open_runs.asked_at)) for row in records(open_runs)]
    unfinished = tuple(_run_name(row) for row, is_running in runs if not is_running)
    running = tuple(_run_name(row) for row, is_running in runs if is_running)
    ids = tuple(row["run_id"] for row, is_running in runs if not is_running)
    return Stops(found, unfinished, running, _verdict(found, unfinished, running), ids)


def _is_running(run: dict, asked_at: datetime) -> bool:
    return asked_at - datetime.fromisoformat(run["last_at"]) < RUNNING


def _reason(row: dict) -> str:
    return row["reason"] or "(no reason)"


def _count(rows: list[dict], reason: str) -> int:
    return sum(row["stops"] for row in rows if _reason(row) == reason)


def _stop(reason: str, rows: list[dict], earlier: list[dict]) -> Stop:
    mine = [row for row in rows if _reason(row) == reason]
    projects: Counter[str] = Counter()
    for row in mine:
        projects[row["project"]] += row["stops"]
    return Stop(
        reason=reason,
        count=_count(rows, reason),
        before=_count(earlier, reason),
        projects=tuple(projects.most_common()),
        rounds=_sum(mine, "rounds_completed", int),
        cost_usd=_sum(mine, "total_cost_usd", float),
        is_bad=any(word in reason.lower() for word in _BAD),
    )


def _sum(rows: list[dict], column: str, kind: type):
    values = [row[column] for row in rows if row[column] is not None]
    return kind(sum(values)) if values else None


def _run_name(row: dict) -> str:
    return f"{row['project']}/{row['client']}" if row["client"] else row["project"]


def _verdict(found: tuple[Stop, ...], unfinished: tuple[str, ...], running: tuple[str, ...]) -> str:
    if not found and not unfinished:
        return f"{listed(running)} still running." if running else "No run ended in this window."
    said = []
    bad = [stop for stop in found if stop.is_bad]
    if bad:
        said.append(f"{listed([project for project, _ in bad[0].projects])} stopped on {bad[0].reason}")
    good = [stop for stop in found if not stop.is_bad]
    if good:
        most = good[0]
        said.append(f"{counted(sum(stop.count for stop in good), 'run')} ended as planned, most on {most.reason}")
    if unfinished:
        said.append(f"{listed(unfinished)} never said why {'it' if len(unfinished) == 1 else 'they'} stopped")
    if running:
        said.append(f"{listed(running)} still running")
    return "; ".join(said) + "."
