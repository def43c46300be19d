"""JSON text as ClickHouse's JSONExtract functions read it, and as PostHog shows an event's properties."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import lru_cache

from queries.local.hogql.scalars.arrays import dump
from queries.local.hogql.scalars.numbers import number_text, to_float, to_int

_MISSING = object()


@lru_cache(maxsize=8)
def _load(document: str) -> object:
    # A query reads several keys of one event: keep its last few documents.
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return _MISSING


def json_raw(document: str | None, *path: object) -> str | None:
    """The JSON text at a path, NULL where nothing is there."""
    if document is None:
        return None
    found = _load(document)
    for step in path:
        found = _below(found, step)
    return None if found is _MISSING else dump(found)


def _below(value: object, step: object) -> object:
    if isinstance(step, str):
        return value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
    if not isinstance(step, int) or not isinstance(value, list | dict) or not 0 < abs(step) <= len(value):
        return _MISSING
    items = list(value.values()) if isinstance(value, dict) else value
    return items[step - 1 if step > 0 else step]


def normal(raw: str | None) -> str | None:
    """JSON text with numbers as ClickHouse writes them: `1.0` is `1`, `1e+20` is all digits."""
    if raw is None or raw[:1] == '"' or not any(letter in raw for letter in ".eE"):
        return raw
    return _written(_load(raw)) if raw[0] in "-0123456789" else _rewritten(raw)


def _written(value: object) -> str:
    if isinstance(value, float):
        return number_text(value) or ""
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump(key)}:{_written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return dump(value)


def _rewritten(raw: str) -> str:
    found = _load(raw)
    try:
        return raw if found is _MISSING else _written(found)
    except RecursionError:
        return raw


def unquote(raw: str | None) -> str | None:
    """A property as PostHog shows it: JSON null is NULL, one quote is taken off each end, escapes stay."""
    if raw is None or raw == "null":
        return None
    return raw[1:-1] if raw[0] == '"' else normal(raw)


def json_as(raw: str | None, type: str) -> object:
    """JSON text as a ClickHouse type, NULL where it does not fit. `strict` is for JSONExtractFloat and JSONExtractInt,
    which do not take booleans."""
    if raw is None or raw == "null":
        return None
    return _convert(_load(raw), type)


def _convert(value: object, type: str) -> object:
    if value is None or value is _MISSING:
        return None
    kind, _, rest = type.partition("(")
    if kind.startswith("strict "):
        return None if isinstance(value, bool) else _convert(value, kind.removeprefix("strict "))
    if kind == "String":
        return value if isinstance(value, str) else _written(value)
    if kind == "Array":
        if not isinstance(value, list):
            return None
        inner = rest[:-1]
        name = inner.removeprefix("Nullable(").removesuffix(")") if inner.startswith("Nullable(") else inner
        empty = None if inner.startswith("Nullable(") else [] if name.startswith("Array") else _EMPTY.get(name, 0)
        items = [_convert(part, name) for part in value]
        # A list of which nothing fits is no list at all; NULL fits where NULL may be.
        if not any(
            item is not None or (empty is None and part is None) for item, part in zip(items, value, strict=True)
        ):
            return None
        return dump([json.loads(item) if name.startswith("Array") and isinstance(item, str) else
                     empty if item is None else item for item in items])  # fmt: skip
    if kind == "Bool":
        return _truth(value)
    if not isinstance(value, str | int | float):
        return None
    if kind == "Float64":
        return to_float(value)
    number = to_int(value) if isinstance(value, str) else value
    number = to_float(value) if number is None else number
    least = 0 if kind == "UInt64" else -(2**63)
    return int(number) if number is not None and math.isfinite(number) and least <= number < 2**63 else None


_EMPTY = {"String": "", "Float64": 0.0}


def _truth(value: object) -> int | None:
    """As `JSONExtract(..., 'Bool')`, which takes numbers and what it can read as one byte."""
    if isinstance(value, str):
        found = to_float(value)
        return int(found >= 1) if found is not None and 0 <= found < 256 else None
    if not isinstance(value, int | float):
        return None
    return int(value >= 1) if 0 <= value < 256 else None


def json_bool(raw: str | None) -> int:
    """`JSONExtractBool`: booleans, and whole numbers other than 0."""
    found = None if raw is None else _load(raw)
    return int(isinstance(found, int) and found != 0)


def json_items(raw: str | None) -> str:
    found = None if raw is None else _load(raw)
    return dump([_written(part) for part in found]) if isinstance(found, list) else "[]"


def json_keys(raw: str | None) -> str:
    found = None if raw is None else _load(raw)
    return dump(list(found)) if isinstance(found, dict) else "[]"


def json_length(raw: str | None) -> int:
    found = None if raw is None else _load(raw)
    return len(found) if isinstance(found, dict | list) else 0


def json_type(raw: str | None) -> str:
    found = None if raw is None else _load(raw)
    if isinstance(found, bool):
        return "Bool"
    if isinstance(found, int):
        return "Int64" if found < 2**63 else "UInt64"
    names = {float: "Double", str: "String", list: "Array", dict: "Object"}
    return names.get(type(found), "Null")


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_json_raw": (-1, json_raw),
    "hq_normal": (1, normal),
    "hq_unquote": (1, unquote),
    "hq_json_as": (2, json_as),
    "hq_json_bool": (1, json_bool),
    "hq_json_items": (1, json_items),
    "hq_json_keys": (1, json_keys),
    "hq_json_length": (1, json_length),
    "hq_json_type": (1, json_type),
}
