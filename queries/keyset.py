"""Reading a long stretch of events page by page, each page from behind the last event of the one before.

PostHog refuses OFFSET to personal keys. A page that is too heavy is asked for again with half the rows and half the
time; it grows again when that goes well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from queries.backend import Backend, QueryResult, QueryTimedOut
from queries.cursor import Place
from queries.remote_answer import wire_time
from queries.remote_errors import AnswerTooLarge, PostHogFailed

MOST_ROWS = 10_000
_FEWEST_ROWS = 10
_PAGES_A_STRETCH = 4
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=30)

# What a text needs besides its own conditions, followed by LIMIT and a number. `toString`: ClickHouse sorts UUIDs by
# their second half first, and the order must be the one that the condition speaks of.
BEHIND = """timestamp >= toDateTime({after}) AND timestamp < toDateTime({until})
  AND (timestamp > toDateTime({after}) OR toString(uuid) > {last})"""
IN_ORDER = "ORDER BY timestamp, toString(uuid)"


@dataclass(frozen=True, slots=True)
class Page:
    """`rows` by column name, in order; everything before `place` has now been read."""

    rows: tuple[Mapping[str, object], ...]
    place: Place


def pages(
    backend: Backend,
    text: str,
    values: Mapping[str, object],
    start: Place,
    end: datetime,
    *,
    most_rows: int = MOST_ROWS,
    width: timedelta = timedelta(days=1),
) -> Iterator[Page]:
    """From behind `start` up to, not including, `end`. `text` has `BEHIND` and `IN_ORDER` in it, gives `timestamp` and
    `uuid`, and ends before its LIMIT. Raises what `Backend.query` does, and `PostHogFailed` for rows out of order."""
    place, rows = start, most_rows
    while place.at < end:
        until = min(place.at + width, end)
        given = {**values, "after": wire_time(place.at), "last": place.uuid, "until": wire_time(until)}
        try:
            result = backend.query(f"{text}\nLIMIT {rows:d}", given)
        except (QueryTimedOut, AnswerTooLarge):
            if rows <= _FEWEST_ROWS and width <= _SHORTEST:
                raise
            rows, width = max(rows // 2, _FEWEST_ROWS), max(width / 2, _SHORTEST)
            continue
        page = _page(result, place, until, is_full=len(result.rows) >= rows)
        yield page
        # A page costs the server all events of its stretch, not only those it gives: a few pages a stretch are right.
        if len(result.rows) >= rows:
            width = max((page.place.at - place.at) * _PAGES_A_STRETCH, _SHORTEST)
        elif len(result.rows) < rows // _PAGES_A_STRETCH:
            width = min(width * _PAGES_A_STRETCH, _LONGEST)
        place = page.place
        rows = min(rows * 2, most_rows)


def _page(result: QueryResult, start: Place, until: datetime, *, is_full: bool) -> Page:
    found = tuple(dict(zip(result.columns, row, strict=True)) for row in result.rows)
    place = start
    for row in found:
        behind = _place(row)
        # A server that pages wrongly would be asked for ever, or events would be lost.
        if not place < behind or behind.at >= until:
            raise PostHogFailed(
                "PostHog's page of events is not in the order that was asked for",
                "Going on could leave events out",
                "Check POSTHOG_HOST; something may answer in PostHog's place",
            )
        place = behind
    return Page(found, place if is_full else Place(until))


def _place(row: Mapping[str, object]) -> Place:
    try:
        return Place(datetime.fromisoformat(str(row["timestamp"])).astimezone(UTC), str(row["uuid"]))
    except (KeyError, ValueError, OverflowError):
        raise PostHogFailed(
            "PostHog's page of events has no times and ids", do="Check POSTHOG_HOST and the project"
        ) from None
