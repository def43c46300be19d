"""Did the best score get better?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from queries.backend import QueryResult
from queries.views.answers import best_of, better, bucket_of, buckets, goal_of, is_improvement, records
from queries.views.window import Window
from queries.views.words import listed, score, size


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of one line. `best` follows the line's goal; `running` is the best so far within the window."""

    bucket: str
    best: float
    running: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Line:
    """One project. `change` is best minus best before; `is_better` whether that is an improvement by the goal."""

    project: str
    goal: str
    points: tuple[Point, ...]
    best: float
    best_before: float | None
    change: float | None
    is_better: bool | None


@dataclass(frozen=True, slots=True)
class DeployMark:
    """`git_sha` of a project's own code, and the bucket in which it was first seen."""

    project: str
    git_sha: str
    bucket: str


@dataclass(frozen=True, slots=True)
class Trend:
    """`buckets` are all buckets of the window in order, also those without rounds."""

    buckets: tuple[str, ...]
    lines: tuple[Line, ...]
    marks: tuple[DeployMark, ...]
    verdict: str


def trend(window: Window, now: QueryResult, before: QueryResult, shas: QueryResult, shas_before: QueryResult) -> Trend:
    """From `score_trend`'s rows of both spans, and `git_shas`' rows of both for the marks."""
    names = buckets(window, now.timezone)
    earlier = _by_project(records(before))
    lines = tuple(
        _line(project, goal, rows, earlier.get((project, goal), []))
        for (project, goal), rows in sorted(_by_project(records(now)).items())
    )
    marks = deploy_marks(records(shas), records(shas_before), window, now.timezone)
    return Trend(names, lines, marks, _verdict(lines, window.compared_with))


def _by_project(rows: list[dict]) -> dict[tuple[str, str], list[dict]]:
    found: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for row in rows:
        found[row["project"], goal_of(row["goal"])].append(row)
    return found


def _line(project: str, goal: str, rows: list[dict], earlier: list[dict]) -> Line:
    points: list[Point] = []
    running = None
    # One bucket may come in two rows, where a goal was sent in some rounds and left to its default in others.
    merged: dict[str, tuple[float, int]] = {}
    for row in rows:
        best, rounds = merged.get(row["bucket"], (None, 0))
        merged[row["bucket"]] = (better(goal, best, best_of(goal, row)), rounds + row["rounds"])  # type: ignore[assignment]
    for bucket, (best, rounds) in merged.items():
        running = better(goal, running, best)
        points.append(Point(bucket, best, running, rounds))  # type: ignore[arg-type]
    best_before = None
    for row in earlier:
        best_before = better(goal, best_before, best_of(goal, row))
    best = points[-1].running
    change = None if best_before is None else best - best_before
    return Line(project, goal, tuple(points), best, best_before, change, is_improvement(goal, change))


def deploy_marks(shas: list[dict], earlier: list[dict], window: Window, zone: str) -> tuple[DeployMark, ...]:
    """Where a project's `git_sha` changed within the window. Its first sha is a mark only if the earlier span ended
    on another one."""
    last_before = {row["project"]: row["git_sha"] for row in earlier}
    marks = []
    current: dict[str, str] = dict(last_before)
    for row in sorted(shas, key=lambda row: row["first_seen"]):
        project, sha = row["project"], row["git_sha"]
        if project in current and current[project] != sha:
            seen = datetime.fromisoformat(row["first_seen"])
            marks.append(DeployMark(project, sha, bucket_of(seen, window, zone)))
        current[project] = sha
    return tuple(marks)


def _verdict(lines: tuple[Line, ...], compared_with: str) -> str:
    if not lines:
        return "No round was scored in this window."
    if len(lines) == 1:
        return f"{_said(lines[0], compared_with)}."
    groups = [
        ("Better", [line for line in lines if line.is_better]),
        ("Worse", [line for line in lines if line.is_better is False]),
    ]
    said = [f"{word}: {', '.join(map(_moved, _largest_first(group)))}." for word, group in groups if group]
    still = [line.project for line in lines if line.change is not None and not line.change]
    if still:
        said.append(f"Unchanged: {listed(still)}.")
    return " ".join(said) or f"{', '.join(_said(line, '') for line in lines)}; nothing earlier to compare with."


def _largest_first(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: -abs(line.change or 0.0))


def _moved(line: Line) -> str:
    return f"{line.project} by {size(line.change or 0.0)}"


def _said(line: Line, compared_with: str) -> str:
    best = f"{line.project} {score(line.best)}"
    if line.change is None:
        return best
    if not line.change:
        return f"{best}, unchanged"
    return f"{best}, {size(line.change)} {'better' if line.is_better else 'worse'} than {compared_with}"
