"""What goes to PostHog and what comes back: placeholders as JSON, a response as the same rows that the embedded store
gives for the same events. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from queries.backend import QueryRefused, QueryResult
from queries.local.hogql.clock import parse_instant
from queries.local.hogql.types import elements
from queries.remote_errors import PostHogFailed
from workspace.errors import LoopdeskError
from workspace.text import plain

_EPOCH_US = 1_000_000
_LIMIT = re.compile(r"\bLIMIT\s+(\d{1,9})\s*\Z", re.IGNORECASE)
_MOST_ROWS = 50_000  # PostHog answers no more, whatever a text asks for
Cell = Callable[[object], object]


def wire_values(values: Mapping[str, object], types: Mapping[str, str]) -> dict[str, object]:
    """PostHog binds `values` as constants of JSON's types, so a time travels as text: ISO 8601 in UTC with
    microseconds, for `toDateTime({since})` to read. A time without a zone is UTC, as in the embedded store.

    Raises `QueryRefused` for a value that is not of its type."""
    return {name: _wire_value(name, value, types.get(name, "")) for name, value in values.items()}


def wire_time(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def own_limit(text: str) -> int | None:
    """The LIMIT that a text ends with, which PostHog names in no answer: its `limit` is that of a text without one."""
    found = _LIMIT.search(text)
    return min(int(found[1]), _MOST_ROWS) if found else None


def answer(body: object, *, text: str, timezone: str, backend: str, now: datetime, elapsed_ms: float) -> QueryResult:
    """PostHog's 200 to `text` as a result. `timezone` is used where the response names none; `asked_at` is when PostHog
    computed the rows, which is earlier than `now` where they come from its cache.

    Raises `PostHogFailed` for a body that is no answer to a HogQLQuery."""
    if not isinstance(body, dict):
        raise _no_answer("it is no object")
    if isinstance(body.get("error"), str) and body["error"] and not body.get("results"):
        raise QueryRefused(plain(body["error"], 300))
    rows, columns = body.get("results"), body.get("columns")
    if not isinstance(rows, list) or not isinstance(columns, list) or not all(isinstance(row, list) for row in rows):
        raise _no_answer("it has no list of rows and columns")
    if any(len(row) != len(columns) for row in rows):
        raise _no_answer("its rows and columns do not fit together")
    zone_name, zone = _zone(body.get("timezone"), timezone)
    types = _types(body.get("types"), len(columns))
    cells = [cell_reader(type, zone) for type in types]
    limit = body.get("limit")
    return QueryResult(
        columns=tuple(map(str, columns)),
        types=types,
        rows=tuple(tuple(read(value) for read, value in zip(cells, row, strict=True)) for row in rows),
        timezone=zone_name,
        backend=backend,
        asked_at=_refreshed(body, now),
        elapsed_ms=elapsed_ms,
        has_more=body.get("hasMore") is True,
        limit=limit if type(limit) is int else own_limit(text),
    )


@lru_cache(maxsize=512)
def cell_reader(type: str, zone: tzinfo) -> Cell:
    """Reads one cell of a ClickHouse type: times get the offset of their type's zone, else of `zone`; NaN and infinity
    are None; a Decimal, which PostHog writes as text, is a number."""
    head, _, rest = type.partition("(")
    inside = rest[:-1]
    if head in ("Nullable", "LowCardinality"):
        return cell_reader(inside, zone)
    if head in ("DateTime", "DateTime64"):
        named = inside.split("'")[1] if inside.count("'") == 2 else ""
        return _time_reader(_zone_of(named) or zone)
    if head.startswith(("Float", "Decimal", "BFloat")):
        return _number
    if head == "Bool":
        return lambda value: bool(value) if isinstance(value, int) else value
    if head == "Array":
        each = cell_reader(inside, zone)
        return lambda value: [each(part) for part in value] if isinstance(value, list) else value
    if head == "Tuple":
        parts = [cell_reader(_unnamed(part), zone) for part in elements(inside)]
        return lambda value: (
            [part(item) for part, item in zip(parts, value, strict=True)]
            if isinstance(value, list) and len(value) == len(parts)
            else value
        )
    return lambda value: value


def _wire_value(name: str, value: object, type: str) -> object:
    if isinstance(value, datetime):
        return wire_time(value)
    if value is None or isinstance(value, bool):
        return value
    if type == "DateTime":
        found = parse_instant(str(value), "UTC")
        if found is None:
            raise QueryRefused(f"{plain(value, 60)!r} is not a time for {{{name}}}")
        return wire_time(datetime.fromtimestamp(found // _EPOCH_US, UTC).replace(microsecond=found % _EPOCH_US))
    try:
        if type == "Float64":
            value = float(value)  # type: ignore[arg-type]
        elif type == "Int64":
            value = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise QueryRefused(f"{plain(value, 60)!r} is not a number for {{{name}}}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise QueryRefused(f"{value} cannot be the value of {{{name}}}")
    if isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_wire_value(name, part, "") for part in value]
    return str(value).encode("utf-8", "replace").decode()


def _types(found: object, count: int) -> tuple[str, ...]:
    """`[[name, type], ...]`, or the types alone; unknown ones leave their cells as they are."""
    if not isinstance(found, list) or len(found) != count:
        return ("",) * count
    return tuple(str(pair[1]) if isinstance(pair, list) and len(pair) == 2 else str(pair) for pair in found)


def _zone(named: object, fallback: str) -> tuple[str, ZoneInfo]:
    found = _zone_of(named) if isinstance(named, str) else None
    return (str(named), found) if found else (fallback, ZoneInfo(fallback))


@lru_cache(maxsize=64)
def _zone_of(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _time_reader(zone: tzinfo) -> Cell:
    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(zone).isoformat()
        except (ValueError, OverflowError):
            return value

    return read


def _number(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _refreshed(body: dict, now: datetime) -> datetime:
    if body.get("is_cached") is True and isinstance(body.get("last_refresh"), str):
        try:
            found = datetime.fromisoformat(body["last_refresh"])
            return min(found if found.tzinfo else found.replace(tzinfo=UTC), now)
        except ValueError:
            pass
    return now


def _no_answer(why: str) -> LoopdeskError:
    return PostHogFailed(
        f"PostHog answered, but not to the query: {why}",
        "Something else may have answered in its place, or this PostHog is of another age",
        "Check POSTHOG_HOST",
    )


def _unnamed(part: str) -> str:
    """A tuple's element may have a name before its type."""
    name, found, type = part.partition(" ")
    return type if found and "(" not in name else part
