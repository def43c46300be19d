"""Small steps every view takes: rows as records, a score's direction, the buckets of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from queries.backend import QueryResult
from queries.views.window import Window

UNNAMED = "(unnamed)"


def records(result: QueryResult) -> list[dict]:
    """Rows by column name; a missing project is given a name, so that its rounds are counted rather than lost."""
    return [record(result, row) for row in result.rows]


def record(result: QueryResult, row: Sequence) -> dict:
    """One row of `records`."""
    found = dict(zip(result.columns, row, strict=True))
    if "project" in found and not found["project"]:
        found["project"] = UNNAMED
    return found


def best_of(goal: str, row: Mapping) -> float | None:
    """The better end of a row's `highest` and `lowest`."""
    return row["lowest"] if goal == "min" else row["highest"]


def better(goal: str, one: float | None, other: float | None) -> float | None:
    """The better of two scores; None counts as no score."""
    scores = [value for value in (one, other) if value is not None]
    return (min(scores) if goal == "min" else max(scores)) if scores else None


def is_improvement(goal: str, change: float | None) -> bool | None:
    """Whether a change of score is for the better; None where nothing changed or nothing is known."""
    if not change:
        return None
    return (change < 0) if goal == "min" else (change > 0)


def goal_of(value: object) -> str:
    """`max` is the default: a score has a direction even where nobody sent it."""
    return "min" if value == "min" else "max"


def instant(value: str | None) -> datetime | None:
    """A cell that holds a time; ClickHouse's zero time (1970) means that there was none."""
    if not value:
        return None
    found = datetime.fromisoformat(value)
    return None if found.year <= 1970 else found


def bucket_of(moment: datetime, window: Window, zone: str) -> str:
    """The bucket that a moment is in, spelled as the questions' `bucket` column spells it."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d" if window.bucket == "day" else "%Y-%m-%d %H:00:00")


def buckets(window: Window, zone: str) -> tuple[str, ...]:
    """Every bucket of the window in order."""
    step = timedelta(hours=6) if window.bucket == "day" else timedelta(minutes=15)
    names: dict[str, None] = {}
    moment, end = window.span.since.astimezone(UTC), window.span.until.astimezone(UTC)
    # Steps of real time, named in local time: a day of 23 or 25 hours comes out right.
    while moment < end:
        names[bucket_of(moment, window, zone)] = None
        moment += step
    if window.span.since < window.span.until:
        names[bucket_of(window.span.until - timedelta(microseconds=1), window, zone)] = None
    return tuple(names)
