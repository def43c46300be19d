"""Property values as text and truth, as PostHog's flags service compares them (posthog-python feature_flags.py)."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def text_of(value: object) -> str:
    """Text as it is, anything else as compact JSON with sorted keys."""
    return value if isinstance(value, str) else _json(value)


def lowered(value: object) -> str:
    """Only ASCII letters: the flags service does not fold others where it looks for a part of a text."""
    return text_of(value).translate(_ASCII_LOWER)


def number_of(value: object) -> float | None:
    """A finite number, also when it is written as text; None for anything else, booleans too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def is_boolean(value: object) -> bool:
    """Whether `value` says true or false, also as text or as a list of nothing else."""
    if isinstance(value, list):
        return all(map(is_boolean, value))
    return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))


def is_true(value: object) -> bool:
    if isinstance(value, list):
        return all(map(is_true, value))
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _json(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_json, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, float):
        return _float(value)
    return json.dumps(value, ensure_ascii=False)


def _float(value: float) -> str:
    # As Rust prints it: small numbers in full, an exponent with its sign and no padding.
    text = repr(value)
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    if -6 < int(exponent) < 0:
        return format(Decimal(text), "f")
    return f"{mantissa}e{int(exponent):+d}"
