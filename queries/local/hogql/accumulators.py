"""Aggregates that SQLite lacks. Each skips rows in which an argument is NULL, as ClickHouse does."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from queries.local.hogql.scalars.complaints import Complaints, whole
from queries.local.hogql.scalars.quantiles import pack

_MAX_BYTES = 50_000_000
_MAX_VALUES = 5_000_000


def heard(aggregate: Any, complaints: Complaints) -> Any:
    """`aggregate`, whose complaints are kept. Only those that remember every value can have any."""
    if aggregate not in (Sorted, Top):
        return aggregate
    return type(aggregate.__name__, (aggregate,), {"step": complaints.hearing(aggregate.step)})


class _ArgExtreme:
    __slots__ = ("key", "value")

    def __init__(self) -> None:
        self.key: object = None
        self.value: object = None

    def finalize(self) -> object:
        return self.value


class ArgMax(_ArgExtreme):
    """The value beside the greatest key; of equal keys the first row's."""

    __slots__ = ()

    def step(self, value: object, key: object) -> None:
        if value is None or key is None:
            return
        if self.key is None or key > self.key:  # type: ignore[operator]
            self.key, self.value = key, value


class ArgMin(_ArgExtreme):
    __slots__ = ()

    def step(self, value: object, key: object) -> None:
        if value is None or key is None:
            return
        if self.key is None or key < self.key:  # type: ignore[operator]
            self.key, self.value = key, value


class Sorted:
    """All values in order, packed for `scalars.quantiles`: SQLite runs equal aggregates once, so several quantiles of a
    column gather it once."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)
            if len(self.values) > _MAX_VALUES:
                whole(len(self.values), _MAX_VALUES, "What a quantile has to remember")

    def finalize(self) -> bytes:
        return pack(self.values)


class Top:
    """The most frequent values; equally frequent ones in the order they came."""

    __slots__ = ("count", "seen", "size")

    def __init__(self) -> None:
        self.seen: Counter[object] = Counter()
        self.count = self.size = 0

    def step(self, value: object, count: int) -> None:
        self.count = count
        if value is not None:
            self.seen[value] += 1
            if self.seen[value] == 1:
                self.size += 100 + (len(value) if isinstance(value, str) else 0)
                whole(self.size, _MAX_BYTES, "What topK has to remember")

    def finalize(self) -> str:
        return json.dumps([value for value, _ in self.seen.most_common(self.count)], ensure_ascii=False)


class _Moments:
    """Welford's running mean and spread: exact enough where a sum of squares is not."""

    __slots__ = ("count", "mean", "spread")

    def __init__(self) -> None:
        self.count, self.mean, self.spread = 0, 0.0, 0.0

    def step(self, value: float | None) -> None:
        if value is None:
            return
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self.spread += off * (value - self.mean)

    def variance(self, less: int) -> float | None:
        return self.spread / (self.count - less) if self.count > less else None


def _spread(less: int, root: bool) -> type:
    class Spread(_Moments):
        __slots__ = ()

        def finalize(self) -> float | None:
            found = self.variance(less)
            return math.sqrt(found) if root and found is not None else found

    return Spread


class _Pairs:
    __slots__ = ("count", "mean_x", "mean_y", "xx", "xy", "yy")

    def __init__(self) -> None:
        self.count = 0
        self.mean_x = self.mean_y = self.xx = self.xy = self.yy = 0.0

    def step(self, x: float | None, y: float | None) -> None:
        if x is None or y is None:
            return
        self.count += 1
        off_x, off_y = x - self.mean_x, y - self.mean_y
        self.mean_x += off_x / self.count
        self.mean_y += off_y / self.count
        self.xx += off_x * (x - self.mean_x)
        self.yy += off_y * (y - self.mean_y)
        self.xy += off_x * (y - self.mean_y)


class Corr(_Pairs):
    __slots__ = ()

    def finalize(self) -> float | None:
        return self.xy / math.sqrt(self.xx * self.yy) if self.xx * self.yy > 0 else None


class CovarPop(_Pairs):
    __slots__ = ()

    def finalize(self) -> float | None:
        return self.xy / self.count if self.count else None


class CovarSamp(_Pairs):
    __slots__ = ()

    def finalize(self) -> float | None:
        return self.xy / (self.count - 1) if self.count > 1 else None


class AvgWeighted:
    __slots__ = ("total", "weight")

    def __init__(self) -> None:
        self.total = self.weight = 0.0

    def step(self, value: float | None, weight: float | None) -> None:
        if value is not None and weight is not None:
            self.total += value * weight
            self.weight += weight

    def finalize(self) -> float | None:
        return self.total / self.weight if self.weight else None


AGGREGATES: dict[str, tuple[int, Callable]] = {
    "hq_arg_max": (2, ArgMax),
    "hq_arg_min": (2, ArgMin),
    "hq_sorted": (1, Sorted),
    "hq_top": (2, Top),
    "hq_stddev_pop": (1, _spread(0, root=True)),
    "hq_stddev_samp": (1, _spread(1, root=True)),
    "hq_var_pop": (1, _spread(0, root=False)),
    "hq_var_samp": (1, _spread(1, root=False)),
    "hq_corr": (2, Corr),
    "hq_covar_pop": (2, CovarPop),
    "hq_covar_samp": (2, CovarSamp),
    "hq_avg_weighted": (2, AvgWeighted),
}
