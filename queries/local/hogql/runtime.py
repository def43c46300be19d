"""What compiled statements need from the connection that runs them, and how values go in and come out."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from queries.local.hogql import accumulators, scalars
from queries.local.hogql.clock import DAY, has_whole_hours, parse_instant, steady, to_date
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.scalars.complaints import Complaints
from queries.local.hogql.types import elements

# No event is larger than 1 MB; a list gathered over many may be.
MAX_CELL_BYTES = 50_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def register(connection: sqlite3.Connection) -> Complaints:
    """Give `connection` every function and aggregate that the printer uses, and bounds on what they may make. Takes
    about a millisecond. What a function refused is to be read from the returned complaints."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
    complaints = Complaints()
    for name, (arity, function) in scalars.FUNCTIONS.items():
        if name in scalars.CAREFUL:
            function = complaints.hearing(function)
        connection.create_function(name, arity, function, deterministic=True)
    for name, (arity, aggregate) in accumulators.AGGREGATES.items():
        connection.create_aggregate(name, arity, accumulators.heard(aggregate, complaints))
    return complaints


def clock_values(now: datetime, tz: str) -> dict[str, object]:
    """What every statement may refer to: the time, the project's zone and, for arithmetic, its offsets around now."""
    us = _instant(now)
    around = steady(tz, us // DAY)
    known = {"now": us, "tz": tz, "tz_hours": int(has_whole_hours(tz))}
    return known | {f"tz_{field.name}": getattr(around, field.name) for field in fields(around)}


def bind(value: object, type: str) -> object:
    """A placeholder's value as SQLite holds its type. A datetime without a zone and a text without an offset are UTC.

    Raises `HogQLError` for a value that is not of the type."""
    if value is None:
        return None
    try:
        return _bound(value, type)
    except (ValueError, TypeError, OverflowError):
        raise HogQLError(f"{value!r} is not a value of type {type}") from None


def _bound(value: object, type: str) -> object:
    if type == "DateTime":
        return _instant(value)
    if type == "Array(String)":
        if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
            raise ValueError
        return json.dumps([str(part) for part in value], ensure_ascii=False)
    if type == "String":
        return str(value).replace("\0", "").encode("utf-8", "replace").decode()
    if type == "Float64":
        return float(value)  # type: ignore[arg-type]
    number = int(value)  # type: ignore[call-overload]
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return int(bool(number)) if type == "Bool" else number


def _instant(value: object) -> int:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND
    if isinstance(value, date):
        return _instant(datetime(value.year, value.month, value.day))
    found = parse_instant(str(value), "UTC")
    if found is None:
        raise ValueError
    return found


def decode(value: object, type: str, tz: str | tzinfo) -> object:
    """One cell as a JSON value. A DateTime is ISO 8601 with the offset of `tz`, unless its type names a zone."""
    return decoder(type, tz)(value)


@lru_cache(maxsize=256)
def decoder(type: str, tz: str | tzinfo) -> Callable[[object], object]:
    """`decode` for many cells of one type."""
    head, _, rest = type.partition("(")
    inside = rest[:-1]
    if head == "Nullable":
        return decoder(inside, tz)
    if head in ("DateTime", "DateTime64"):
        named = inside.split("'")[1] if "'" in inside else tz
        return _datetime_decoder(ZoneInfo(named) if isinstance(named, str) else named)
    if head == "Date":
        return lambda value: None if value is None else to_date(value).isoformat()  # type: ignore[arg-type]
    if head == "Bool":
        return lambda value: None if value is None else bool(value)
    if head in ("Float64", "Decimal"):
        return _finite
    if head == "Array":
        each = decoder(inside, tz)
        return lambda value: None if value is None else [each(part) for part in _load(value)]
    if head == "Tuple":
        parts = [decoder(part, tz) for part in elements(inside)]
        return lambda value: (
            None if value is None else [part(item) for part, item in zip(parts, _load(value), strict=True)]
        )
    return lambda value: value


def decoded(cells: Sequence, type: str, tz: str | tzinfo) -> Sequence:
    """`decode` for a column, which mostly is what it should be already: no call a cell, then."""
    head = type.removeprefix("Nullable(").partition("(")[0].rstrip(")")
    if head in _AS_STORED or (head == "Float64" and _all_finite(cells)):
        return cells
    return tuple(map(decoder(type, tz), cells))


def _all_finite(cells: Sequence) -> bool:
    try:
        return math.isfinite(math.fsum(filter(None, cells)))
    except (ValueError, OverflowError, TypeError):  # infinities of both signs, a sum too large, text
        return False


_AS_STORED = frozenset({"String", "UUID", "Int64", "UInt64", "Int32", "UInt8"})


def _datetime_decoder(zone: tzinfo) -> Callable[[object], object]:
    def read(value: object) -> object:
        if value is None:
            return None
        try:
            return (_EPOCH + timedelta(microseconds=value)).astimezone(zone).isoformat()  # type: ignore[arg-type]
        except OverflowError:
            return None

    return read


def _finite(value: object) -> object:
    if value is None:
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else None


def _load(value: object) -> list:
    return json.loads(value) if isinstance(value, str) else list(value)  # type: ignore[call-overload]
