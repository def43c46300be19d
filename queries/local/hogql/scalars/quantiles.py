"""Quantiles of values that were gathered (`accumulators.Sorted`): ordered, and packed as one blob.

The blob is what `array` says of its numbers, after the letter of their type; it never leaves the process.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence


def pack(values: Iterable[float]) -> bytes:
    ordered = sorted(values)
    try:
        return b"q" + array("q", ordered).tobytes()
    except TypeError:  # a number that is not whole
        return b"d" + array("d", ordered).tobytes()


def _unpacked(packed: bytes | None) -> Sequence[float]:
    return array(chr(packed[0]), packed[1:]) if packed else ()


def interpolated(ordered: Sequence[float], level: float) -> float:
    """ClickHouse's `quantile`: linear between the two values around place (n - 1) * level."""
    place = (len(ordered) - 1) * level
    below = int(place)
    low = ordered[below]
    high = ordered[min(below + 1, len(ordered) - 1)]
    return low if low == high else low + (high - low) * (place - below)


def quantile(packed: bytes | None, level: float, how: str) -> float | None:
    """`how` is "between" (`quantile`) or "exact" (`quantileExact`: one of the values). None where there are none."""
    ordered = _unpacked(packed)
    if not ordered:
        return None
    if how == "between":
        return interpolated(ordered, level)
    return ordered[min(int(level * len(ordered)), len(ordered) - 1)]


def quantiles(packed: bytes | None, levels: str) -> str:
    ordered = _unpacked(packed)
    return json.dumps([interpolated(ordered, level) if ordered else None for level in json.loads(levels)])


FUNCTIONS: dict[str, tuple[int, Callable]] = {"hq_quantile": (3, quantile), "hq_quantiles": (2, quantiles)}
