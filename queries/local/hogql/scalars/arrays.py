"""Arrays as JSON text. NULL in, NULL out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from queries.local.hogql.scalars.complaints import Complaint, whole
from queries.local.hogql.scalars.numbers import number_text

_MAX_ITEMS = 100_000  # of what range and arrayWithConstant make


def dump(items: object) -> str:
    """JSON text. Infinity has none, so it is null there, as in every answer."""
    try:
        return _encode(items)
    except ValueError:
        return _encode(_finite(items))


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _finite(value: object) -> object:
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_array(function: Callable[..., object]) -> Callable[..., object]:
    """Decode the arguments that are arrays, encode a result that is one."""

    def run(*args: object) -> object:
        if None in args:
            return None
        found = function(*(json.loads(arg) if isinstance(arg, str) else arg for arg in args))
        return dump(found) if isinstance(found, list) else found

    return run


def at(values: str | None, place: int | None) -> object:
    if values is None or not place:
        return None
    items = json.loads(values)
    if abs(place) > len(items):
        return None
    found = items[place - 1 if place > 0 else place]
    return dump(found) if isinstance(found, list | dict) else found


def join(values: str | None, separator: str | None = "") -> str | None:
    if values is None or separator is None:
        return None
    return separator.join(number_text(item) or "" for item in json.loads(values) if item is not None)


def repeat(count: int | None, item: str) -> str:
    whole((count or 0) * len(item), 10 * _MAX_ITEMS, "The array")
    return dump(json.loads(item) * max(0, count or 0))


def span(*bounds: int | None) -> str:
    """`range(end)`, `range(start, end)`, `range(start, end, step)`."""
    if None in bounds:
        return "[]"
    if len(bounds) == 3 and not bounds[2]:
        raise Complaint("The step of range is 0")
    numbers = range(*bounds)  # type: ignore[arg-type]
    whole(len(numbers), _MAX_ITEMS, "The array of range")
    return dump(list(numbers))


def _key(item: object) -> str:
    return dump(item)


def distinct(items: list) -> list:
    found: dict[str, object] = {}
    for item in items:
        if item is not None:
            found.setdefault(_key(item), item)
    return list(found.values())


def uniq(items: list) -> int:
    """NULL counts as a value."""
    return len(set(map(_key, items)))


def compact(items: list) -> list:
    return [item for place, item in enumerate(items) if place == 0 or item != items[place - 1]]


def cut(items: list, offset: int, length: int | None = None) -> list:
    first = offset - 1 if offset > 0 else max(len(items) + offset, 0)
    if length is None:
        return items[first:]
    return items[first : first + length] if length >= 0 else items[first:length]


def flatten(items: list) -> list:
    return [part for item in items for part in (flatten(item) if isinstance(item, list) else [item])]


def cum_sum(items: list) -> list:
    total, found = 0, []
    for item in items:
        total += item or 0
        found.append(total)
    return found


def difference(items: list) -> list:
    pairs = zip(items, items[:1] + items[:-1], strict=True)
    return [None if item is None or before is None else item - before for item, before in pairs]


def intersect(a: list, b: list) -> list:
    there = set(map(_key, b))
    return distinct([item for item in a if _key(item) in there])


def has_any(a: list, b: list) -> bool:
    return not set(map(_key, a)).isdisjoint(map(_key, b))


def has_all(a: list, b: list) -> bool:
    return set(map(_key, a)) >= set(map(_key, b))


def zipped(*arrays: list) -> list:
    if len(set(map(len, arrays))) > 1:
        raise Complaint("arrayZip needs arrays of one length")
    return [list(items) for items in zip(*arrays, strict=True)]


def concat(*arrays: list) -> list:
    return [item for items in arrays for item in items]


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_at": (2, at),
    "hq_join": (-1, join),
    "hq_range": (-1, span),
    "hq_array_repeat": (2, repeat),
    "hq_array_reverse": (1, _with_array(lambda items: items[::-1])),
    "hq_array_distinct": (1, _with_array(distinct)),
    "hq_array_uniq": (1, _with_array(uniq)),
    "hq_array_compact": (1, _with_array(compact)),
    "hq_array_slice": (-1, _with_array(cut)),
    "hq_array_pop_back": (1, _with_array(lambda items: items[:-1])),
    "hq_array_pop_front": (1, _with_array(lambda items: items[1:])),
    "hq_array_flatten": (1, _with_array(flatten)),
    "hq_array_cum_sum": (1, _with_array(cum_sum)),
    "hq_array_difference": (1, _with_array(difference)),
    "hq_array_intersect": (2, _with_array(intersect)),
    "hq_array_has_any": (2, _with_array(has_any)),
    "hq_array_has_all": (2, _with_array(has_all)),
    "hq_array_concat": (-1, _with_array(concat)),
    "hq_array_zip": (-1, _with_array(zipped)),
}
