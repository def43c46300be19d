"""Why nights stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

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
    """`unfinished` are runs of the window that never said why they stopped."""

    reasons: tuple[Stop, ...]
    unfinished: tuple[str, ...]
    verdict: str


# Words in a stop reason that mean something broke, in the dialects of the loops.
_BAD = ("crash", "error", "exception", "fail", "kill", "oom", "panic", "abort")


def stops(now: QueryResult, before: QueryResult, runs: QueryResult) -> Stops:
    """From `stop_reasons`' rows of both spans and `runs`' rows of the window."""
    rows, earlier = records(now), records(before)
    reasons = sorted({_reason(row) for row in rows}, key=lambda reason: (-_count(rows, reason), reason))
    found = tuple(_stop(reason, rows, earlier) for reason in reasons)
    open_runs = [row for row in records(runs) if not row["stops"]]
    unfinished = tuple(_run_name(row) for row in sorted(open_runs, key=lambda row: (row["project"], row["since"])))
    return Stops(found, unfinished, _verdict(found, unfinished))


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


def _verdict(found: tuple[Stop, ...], unfinished: tuple[str, ...]) -> str:
    if not found and not unfinished:
        return "No run ended in this window."
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
    return "; ".join(said) + "."
