"""Which rounds were handed to a bigger model, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import counted


@dataclass(frozen=True, slots=True)
class Target:
    """Escalations to one model. `by_bucket` has one count per bucket of the window."""

    to_model: str
    count: int
    before: int
    projects: tuple[tuple[str, int], ...]
    reasons: tuple[tuple[str, int], ...]
    by_bucket: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Escalations:
    buckets: tuple[str, ...]
    targets: tuple[Target, ...]
    total: int
    before: int
    verdict: str


def escalations(window: Window, now: QueryResult, before: QueryResult) -> Escalations:
    """From `escalations`' rows of both spans, the most used target first."""
    rows, earlier = records(now), records(before)
    names = buckets(window, now.timezone)
    models = sorted({_model(row) for row in rows}, key=lambda model: (-_total(rows, model), model))
    targets = tuple(
        Target(
            to_model=model,
            count=_total(rows, model),
            before=_total(earlier, model),
            projects=_counts(rows, model, "project"),
            reasons=_counts(rows, model, "reason"),
            by_bucket=tuple(
                sum(row["escalations"] for row in rows if _model(row) == model and row["bucket"] == name)
                for name in names
            ),
        )
        for model in models
    )
    total, then = sum(row["escalations"] for row in rows), sum(row["escalations"] for row in earlier)
    return Escalations(names, targets, total, then, _verdict(targets, total, then, window.compared_with))


def _model(row: dict) -> str:
    return row["to_model"] or "(no target named)"


def _total(rows: list[dict], model: str) -> int:
    return sum(row["escalations"] for row in rows if _model(row) == model)


def _counts(rows: list[dict], model: str, column: str) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for row in rows:
        if _model(row) == model:
            found[row[column] or "(no reason)"] += row["escalations"]
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _verdict(targets: tuple[Target, ...], total: int, before: int, compared_with: str) -> str:
    if not total:
        return f"No escalations; {before} {compared_with}." if before else "No escalations."
    top = targets[0]
    project, count = top.projects[0]
    said = f"{counted(total, 'escalation')}, {before or 'none'} {compared_with}; "
    return f"{said}{'all' if count == total else 'most'} to {top.to_model} from {project}."
