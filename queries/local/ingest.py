"""One event as PostHog's SDKs send it -> the rows of `schema.py`. Pure: the clock is an argument.

Rules follow PostHog's capture and ingestion (event time from `sent_at`, limits, dropped invalid uuids, what a model
call cost, the issue of an exception), with one deliberate difference: `uuid` is a strict key here, so an event that is
sent again is stored once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from uuid import UUID

from queries.local import exceptions
from queries.local.hogql.scalars.documents import normal
from queries.local.persons import PersonChange, change_of
from queries.local.prices import PRICED_EVENTS, Prices, cost_properties
from queries.local.schema import DIMENSION_PREFIX, HEAVY_PROPERTIES, HOT_PROPERTIES, TEXT_PROPERTIES
from queries.local.texts import clean, encode, storable
from queries.local.times import event_time, microseconds

MAX_EVENT_BYTES = 1_000_000  # PostHog discards larger ones (Kafka's message limit)
MAX_AI_EVENT_BYTES = 8 * 1024 * 1024  # PostHog's limit for an event of the AI lane
MAX_DISTINCT_ID = 200
_INT64 = 2**63
_random_bits = SystemRandom().getrandbits
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_PLACES = {name: place for place, name in enumerate(HOT_PROPERTIES)}
_WORDS = len(TEXT_PROPERTIES)
_PERSON_PROPERTIES = ("$set", "$set_once", "$unset")
# PostHog makes text of these, and drops what is no scalar.
_TRACE_IDS = ("$ai_trace_id", "$ai_session_id", "$ai_span_id", "$ai_parent_id", "$ai_generation_id")


class EventRejected(ValueError):
    """Why one event cannot be stored, as a clause. `code` is the word that PostHog's v1 answer has for it."""

    def __init__(self, reason: str, code: str = "invalid_event") -> None:
        super().__init__(reason)
        self.code = code


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
    person: PersonChange | None = None


def to_row(
    event: Mapping[str, object],
    *,
    now: datetime,
    skew: timedelta = timedelta(0),
    limit: int = MAX_EVENT_BYTES,
    prices: Prices | None = None,
    keep_prompts: bool = True,
    is_complete: bool = False,
) -> Row:
    """`skew` is the server's clock minus the sender's; `limit` is in bytes; without `prices` a model call gets no cost.
    An event that `is_complete` comes from a PostHog, which has put in what its pipeline adds.

    Raises `EventRejected`.
    """
    name = event.get("event")
    if not isinstance(name, str) or not name.strip():
        raise EventRejected("it has no event name", "missing_event_name")
    properties = event.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise EventRejected("its properties are not an object")
    try:
        properties = properties if is_complete else _completed(name, event, properties, prices)
        text, payload = _texts(properties, limit)
        at = event_time(
            event.get("timestamp"), event.get("offset"), now, timedelta(0) if _trusts_clock(properties) else skew
        )
        return Row(
            uuid=_uuid(event.get("uuid"), now),
            event=clean(name)[:MAX_DISTINCT_ID],
            timestamp=microseconds(at),
            distinct_id=_distinct_id(event, properties),
            properties=text,
            hot=_hot(properties),
            dims=_dims(properties),
            payload=payload if keep_prompts else None,
            person=change_of(name, properties),
        )
    except (RecursionError, TypeError, UnicodeEncodeError) as error:
        raise EventRejected(f"its properties cannot be stored ({error})") from error
    except ValueError as error:
        raise error if isinstance(error, EventRejected) else EventRejected(str(error)) from error


def _completed(
    name: str, event: Mapping[str, object], properties: Mapping[str, object], prices: Prices | None
) -> Mapping[str, object]:
    """The properties with what PostHog's pipeline adds to them."""
    more: dict[str, object] = {}
    for key in _PERSON_PROPERTIES:
        beside = event.get(key)
        if beside:
            within = properties.get(key)
            more[key] = {**beside, **within} if isinstance(beside, dict) and isinstance(within, dict) else beside
    if name.startswith("$ai_"):
        properties = _with_text_ids(properties)
        if name in PRICED_EVENTS and prices is not None:
            more |= cost_properties(properties, prices)
    elif name == exceptions.EXCEPTION:
        more |= exceptions.issue_properties(properties)
    return {**properties, **more} if more else properties


def _with_text_ids(properties: Mapping[str, object]) -> Mapping[str, object]:
    """Also without `$ai_usage`, the provider's raw figures, which PostHog takes off."""
    odd = [key for key in _TRACE_IDS if key in properties and not isinstance(properties[key], str)]
    if not odd and "$ai_usage" not in properties:
        return properties
    texts = {key: _as_text(properties[key]) for key in odd if isinstance(properties[key], bool | int | float)}
    return {key: value for key, value in properties.items() if key not in odd and key != "$ai_usage"} | texts


def _trusts_clock(properties: Mapping[str, object]) -> bool:
    return properties.get("$ignore_sent_at") in (True, "true", 1)


def _uuid(value: object, now: datetime) -> str:
    if value is None:
        # Version 7, in the order of arrival: the index on ids then grows at its end only.
        bits = microseconds(now) // 1000 << 80 | _random_bits(80)
        return str(UUID(int=bits & ~(0xF << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62))
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise EventRejected("its uuid is not a UUID", "invalid_uuid") from None


def _distinct_id(event: Mapping[str, object], properties: Mapping[str, object]) -> str:
    value = event.get("distinct_id")
    if value is None:
        value = properties.get("distinct_id")
    if value is None or value == "":
        raise EventRejected("it has no distinct_id", "missing_distinct_id")
    return clean(value if isinstance(value, str) else encode(value))[:MAX_DISTINCT_ID]


def _texts(properties: Mapping[str, object], limit: int) -> tuple[str, str | None]:
    """The stored JSON without the heavy properties, and those as JSON of their own."""
    heavy = {key: properties[key] for key in HEAVY_PROPERTIES if key in properties}
    light = {key: value for key, value in properties.items() if key not in heavy} if heavy else properties
    text = storable(encode(light))
    payload = storable(encode(heavy)) if heavy else None
    size = len(text) + len(payload or "")
    if size * 4 > limit and len(text.encode()) + len((payload or "").encode()) > limit:
        raise EventRejected(f"it is larger than {limit:,} bytes", "event_too_big")
    return text, payload


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
        return storable(encode(value)[1:-1])
    return storable(normal(encode(value)) or "")


def _as_number(value: object) -> object:
    if isinstance(value, float) or (type(value) is int and -_INT64 <= value < _INT64):
        return value
    return _as_text(value)


def _dims(properties: Mapping[str, object]) -> tuple[tuple[str, float], ...]:
    names = [name for name in properties if name.startswith(DIMENSION_PREFIX)]
    # Two names that become one by cleaning are one: a second row of it would refuse the whole batch.
    return tuple({clean(name): value for name in names if (value := _as_float(properties[name])) is not None}.items())


def _as_float(value: object) -> float | None:
    """A dimension as `JSONExtract(properties, dim, 'Nullable(Float64)')` reads it: numbers in text count, true is 1."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
