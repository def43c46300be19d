"""Last night in one line a project."""

from __future__ import annotations

from dataclasses import dataclass

from queries.backend import QueryResult
from queries.views.answers import UNNAMED, best_of, goal_of, is_improvement, records
from queries.views.window import Window
from queries.views.words import counted, listed


@dataclass(frozen=True, slots=True)
class ProjectNight:
    """One project in the window. None means that nobody sent it, never 0.

    `is_better` is by the project's own goal; `missing` are the shares (0..1) of events without a common property.
    """

    project: str
    goal: str
    rounds: int
    kept: int | None
    best: float | None
    change: float | None
    is_better: bool | None
    spent_usd: float | None
    per_kept_usd: float | None
    escalations: int
    stopped: str
    missing: tuple[tuple[str, float], ...] = ()
    git_shas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Headline:
    projects: tuple[ProjectNight, ...]
    rounds: int
    verdict: str


_COMMON = ("client", "run_id", "round_id", "agent", "git_sha")


def headline(window: Window, now: QueryResult, before: QueryResult) -> Headline:
    """From `headline`'s rows of both spans, one project a line."""
    earlier = {row["project"]: row for row in records(before)}
    projects = tuple(_project(row, earlier.get(row["project"])) for row in records(now))
    rounds = sum(project.rounds for project in projects)
    return Headline(projects, rounds, _verdict(projects, rounds, window.compared_with))


def _project(row: dict, earlier: dict | None) -> ProjectNight:
    goal = goal_of(row["goal"])
    best = best_of(goal, row)
    best_before = best_of(goal, earlier) if earlier else None
    change = best - best_before if best is not None and best_before is not None else None
    spent = row["spent_usd"] if row["priced"] else None
    kept = row["kept"] if row["outcomes"] else None
    missing = [(name, row[f"no_{name}"] / row["events"]) for name in _COMMON if row[f"no_{name}"]]
    if row["project"] == UNNAMED:
        missing.insert(0, ("project", 1.0))
    return ProjectNight(
        project=row["project"],
        goal=goal,
        rounds=row["rounds"],
        kept=kept,
        best=best,
        change=change,
        is_better=is_improvement(goal, change),
        spent_usd=spent,
        per_kept_usd=spent / kept if spent is not None and kept else None,
        escalations=row["escalations"],
        stopped=row["stopped"] or "",
        missing=tuple(missing),
        git_shas=tuple(sorted(row["git_shas"] or ())),
    )


def _verdict(projects: tuple[ProjectNight, ...], rounds: int, compared_with: str) -> str:
    if not rounds:
        return "No rounds in this window."
    improved = [project.project for project in projects if project.is_better]
    worse = [project.project for project in projects if project.is_better is False]
    said = []
    if improved:
        said.append(f"{listed(improved)} improved on {compared_with}")
    if worse:
        said.append(f"{listed(worse)} fell behind{'' if improved else f' {compared_with}'}")
    if not said:
        compared = any(project.change is not None for project in projects)
        said.append(f"Nothing changed on {compared_with}" if compared else "Nothing earlier to compare with")
    kept = [project.kept for project in projects if project.kept is not None]
    counted_rounds = f"{counted(rounds, 'round')}, {sum(kept):,} kept" if kept else counted(rounds, "round")
    return f"{'; '.join(said)}. {counted_rounds}."
