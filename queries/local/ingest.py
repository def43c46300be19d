"""One event as PostHog's SDKs send it -> the rows of `schema.py`. Pure: the clock is an argument.

Rules follow PostHog's capture and ingestion (event time from `sent_at`, limits, dropped invalid uuids), with one
deliberate difference: `uuid` is a strict key here, so an event that is sent again is stored once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from queries.local.hogql.scalars.documents import normal
from queries.local.schema import DIMENSION_PREFIX, HEAVY_PROPERTIES, HOT_PROPERTIES, TEXT_PROPERTIES

MAX_EVENT_BYTES = 1_000_000  # PostHog discards larger ones (Kafka's message limit)
MAX_DISTINCT_ID = 200
MAX_FUTURE = timedelta(hours=23)  # a later timestamp is a broken clock: PostHog takes the time of arrival
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_PLACES = {name: place for place, name in enumerate(HOT_PROPERTIES)}
_WORDS = len(TEXT_PROPERTIES)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class EventRejected(ValueError):
    """Why one event cannot be stored, as a clause."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event, ready for the store. `hot` is in the order of `schema.HOT_PROPERTIES`; times are microseconds UTC."""

    uuid: str
    event: str
    timestamp: int
    distinct_id: str
    properties: str
    hot: tuple[object, ...]
    dims: tuple[tuple[str, float], ...]
    payload: str | None


def to_row(event: Mapping[str, object], *, now: datetime, skew: timedelta = timedelta(0)) -> Row:
    """`skew` is the server's clock minus the sender's. Raises `EventRejected`."""
    name = event.get("event")
    if not isinstance(name, str) or not name.strip():
        raise EventRejected("it has no event name")
    properties = event.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise EventRejected("its properties are not an object")
    try:
        text, payload = _texts(properties)
        row = Row(
            uuid=_uuid(event.get("uuid")),
            event=_clean(name)[:MAX_DISTINCT_ID],
            timestamp=microseconds(_event_time(event.get("timestamp"), now, skew)),
            distinct_id=_distinct_id(event, properties),
            properties=text,
            hot=_hot(properties),
            dims=_dims(properties),
            payload=payload,
        )
    except (RecursionError, TypeError, UnicodeEncodeError) as error:
        raise EventRejected(f"its properties cannot be stored ({error})") from error
    except ValueError as error:
        raise error if isinstance(error, EventRejected) else EventRejected(str(error)) from error
    return row


def microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def clock_skew(sent_at: object, now: datetime) -> timedelta:
    """Server time minus sender time by the batch's `sent_at`; zero where it is absent or unreadable."""
    sent = parse_time(sent_at)
    return now - sent if sent else timedelta(0)


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time, or seconds or milliseconds since the epoch, as an aware UTC datetime; None on anything else."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _event_time(value: object, now: datetime, skew: timedelta) -> datetime:
    sent = parse_time(value)
    if sent is None or sent.year < 1971 or sent.year > 9000:
        return now
    adjusted = sent + skew
    return now if adjusted > now + MAX_FUTURE else adjusted


def _uuid(value: object) -> str:
    if value is None:
        return str(uuid4())
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise EventRejected("its uuid is not a UUID") from None


def _distinct_id(event: Mapping[str, object], properties: Mapping[str, object]) -> str:
    value = event.get("distinct_id")
    if value is None:
        value = properties.get("distinct_id")
    if value is None or value == "":
        raise EventRejected("it has no distinct_id")
    return _clean(value if isinstance(value, str) else _encode(value))[:MAX_DISTINCT_ID]


def _clean(text: str) -> str:
    """SQLite text holds neither NUL nor half a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _texts(properties: Mapping[str, object]) -> tuple[str, str | None]:
    """The stored JSON without the heavy properties, and those as JSON of their own."""
    heavy = {key: properties[key] for key in HEAVY_PROPERTIES if key in properties}
    light = {key: value for key, value in properties.items() if key not in heavy} if heavy else properties
    text = _storable(_encode(light))
    if len(text) * 4 > MAX_EVENT_BYTES and len(text.encode()) > MAX_EVENT_BYTES:
        raise EventRejected(f"it is larger than {MAX_EVENT_BYTES:,} bytes")
    return text, _storable(_encode(heavy)) if heavy else None


def _storable(text: str) -> str:
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")


def _hot(properties: Mapping[str, object]) -> tuple[object, ...]:
    # An event has a dozen of the hot properties, not all of them: look only at those that are there.
    values: list[object] = [None] * len(_PLACES)
    for name in properties.keys() & _PLACES.keys():
        place = _PLACES[name]
        values[place] = (_as_text if place < _WORDS else _as_number)(properties[name])
    return tuple(values)


def _as_text(value: object) -> str | None:
    """What PostHog's untyped property access shows: the JSON text with its outer quotes off, escapes kept, and numbers
    as ClickHouse writes them."""
    if value is None:
        return None
    if isinstance(value, str):
        if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
            return value
        return _storable(_encode(value)[1:-1])
    return _storable(normal(_encode(value)) or "")


def _as_number(value: object) -> object:
    if isinstance(value, float) or (type(value) is int and -_INT64 <= value < _INT64):
        return value
    return _as_text(value)


def _dims(properties: Mapping[str, object]) -> tuple[tuple[str, float], ...]:
    names = [name for name in properties if name.startswith(DIMENSION_PREFIX)]
    return tuple((_clean(name), value) for name in names if (value := _as_float(properties[name])) is not None)


def _as_float(value: object) -> float | None:
    """A dimension as `JSONExtract(properties, dim, 'Nullable(Float64)')` reads it: numbers in text count, true is 1."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
