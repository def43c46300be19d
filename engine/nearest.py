"""Vectors by id in one matrix that grows: which are nearest to others, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.embedding import Vectors

_FIRST = 256  # rows; then twice as many whenever it is full
# Cosines are compared to so many parts: single precision gives equal vectors not quite equal ones, by where they lie.
_PARTS = 10_000
_BLOCK = 100


@dataclass(frozen=True, slots=True)
class Near:
    """`similarity` is the cosine, -1..1."""

    id: str
    similarity: float


class Nearest:
    """Unit vectors; an id that is put again takes its new vector."""

    def __init__(self, dimensions: int) -> None:
        self._vectors = np.zeros((_FIRST, dimensions), dtype=np.float32)
        self._ids: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, id: str, vector: Vectors) -> None:
        place = self._places.setdefault(id, len(self._ids))
        if place == len(self._ids):
            self._ids.append(id)
            if place == len(self._vectors):
                self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[place] = vector

    def search(self, vectors: Vectors, top: int = 10, since: int = 0) -> list[list[Near]]:
        """For each row of `vectors` the nearest `top`, the most similar first, of equal ones the last that was put;
        `since` leaves out so many that came first. All rows are one product with the matrix, and fifty rows take
        hardly longer than five."""
        count = min(top, len(self._ids) - since)
        if count <= 0:
            return [[] for _ in vectors]
        similarities = vectors.astype(np.float32, copy=False) @ self._vectors[since : len(self._ids)].T
        return [self._first(row, count, since) for row in similarities]

    def search_on(self, before: Sequence[Near], vector: Vectors, since: int, top: int = 10) -> list[Near]:
        """What `search` gives now, from what it gave for this vector when there were `since`."""
        (after,) = self.search(vector[None], top, since)
        return sorted([*after, *before], key=lambda near: -np.rint(near.similarity * _PARTS))[:top]

    def similarities(self, ids: Sequence[str], vector: Vectors) -> dict[str, float]:
        """The cosine of each that is known, the same wherever it lies."""
        places = [self._places[id] for id in ids if id in self._places]
        # Summed row by row in double precision: a matrix product may sum in another order in another row.
        found = (self._vectors[places].astype(np.float64) * vector.astype(np.float64)).sum(axis=1)
        return {self._ids[place]: value for place, value in zip(places, found.tolist(), strict=True)}

    def _first(self, row: Vectors, count: int, since: int) -> list[Near]:
        likely = _likely(row, count)
        parts = np.rint(row[likely] * np.float32(_PARTS))
        last = np.partition(parts, len(parts) - count)[len(parts) - count]
        above = np.flatnonzero(parts > last)
        # There may be thousands of the same text.
        equal = np.flatnonzero(parts == last)[len(above) - count :]
        chosen = sorted((*above.tolist(), *equal.tolist()), key=lambda place: (-parts[place], -place))
        return [Near(self._ids[since + place], float(row[place])) for place in likely[chosen].tolist()]


def _likely(row: Vectors, count: int) -> NDArray[np.intp]:
    """Where the `count` greatest are, and few others: the greatest of every block is found much faster than an order
    of all."""
    blocks = len(row) // _BLOCK
    if blocks < count:
        return np.arange(len(row))
    greatest = row[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
    least = np.partition(greatest, blocks - count)[blocks - count]
    return np.flatnonzero(row >= least - 1 / _PARTS)
