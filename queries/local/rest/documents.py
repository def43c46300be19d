"""A request's JSON, read so that nothing in it can break what comes after: no NaN, no endless nesting, no half
characters."""

from __future__ import annotations

import json
import math

from queries.local.rest.problems import Problem, invalid, unreadable

MAX_BODY_BYTES = 2 * 1024 * 1024  # PostHog's limit for a single event; ours for these requests
MAX_DEPTH = 64


def parse_object(text: bytes) -> dict:
    """A JSON object; an empty text is an empty one. Raises `Problem` with PostHog's 400."""
    if len(text) > MAX_BODY_BYTES:
        raise Problem(413, "invalid_request", "too_large", f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    if not text.strip():
        return {}
    try:
        found = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if _is_too_deep(found):
            raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
        if b"\\u" in text:
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise unreadable(f"JSON parse error - {error}") from error
    if not isinstance(found, dict):
        raise invalid(f"Invalid data. Expected a dictionary, but got {type(found).__name__}.")
    return found


def _is_too_deep(found: object) -> bool:
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, list | dict)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number
