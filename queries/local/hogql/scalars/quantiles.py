"""Quantiles of values that were gathered (`accumulators.Sorted`): ordered, and packed as one blob."""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Sequence


def interpolated(ordered: Sequence[float], level: float) -> float:
    """ClickHouse's `quantile`: linear between the two values around place (n - 1) * level."""
    place = (len(ordered) - 1) * level
    below = int(place)
    low = ordered[below]
    high = ordered[min(below + 1, len(ordered) - 1)]
    return low if low == high else low + (high - low) * (place - below)


def quantile(packed: bytes | None, level: float, how: str) -> float | None:
    """`how` is "between" (`quantile`) or "exact" (`quantileExact`: one of the values). None where there are none."""
    ordered = marshal.loads(packed) if packed else []
    if not ordered:
        return None
    if how == "between":
        return interpolated(ordered, level)
    return ordered[min(int(level * len(ordered)), len(ordered) - 1)]


def quantiles(packed: bytes | None, levels: str) -> str:
    ordered = marshal.loads(packed) if packed else []
    return json.dumps([interpolated(ordered, level) if ordered else None for level in json.loads(levels)])


FUNCTIONS: dict[str, tuple[int, Callable]] = {"hq_quantile": (3, quantile), "hq_quantiles": (2, quantiles)}
