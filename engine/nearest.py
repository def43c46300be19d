"""Vectors by id in one matrix that grows: which are nearest to others, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from engine.embedding import Vectors

_FIRST = 256  # rows; then twice as many whenever it is full
# Single precision can swap two that are as near as each other: whoever is this close to the last place is compared
# again in double precision, so that the order never depends on where a vector lies in the matrix.
_CLOSE = 1e-5


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

    @classmethod
    def of_blobs(cls, rows: Iterable[tuple[str, bytes]], dimensions: int) -> Nearest:
        """From stored blobs of this many dimensions, in the order of `rows`."""
        found = cls(dimensions)
        kept = list(rows)
        found._ids = [id for id, _ in kept]
        found._places = {id: place for place, id in enumerate(found._ids)}
        if kept:
            joined = b"".join(blob for _, blob in kept)
            found._vectors = np.frombuffer(joined, dtype="<f4").reshape(len(kept), dimensions).astype(np.float32)
        return found

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, id: str, vector: Vectors) -> None:
        place = self._places.setdefault(id, len(self._ids))
        if place == len(self._ids):
            self._ids.append(id)
            if place == len(self._vectors):
                self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[place] = vector

    def search(self, vectors: Vectors, top: int = 10) -> list[list[Near]]:
        """For each row of `vectors` the nearest `top`, the most similar first, equal ones by id. All rows are one
        product with the matrix."""
        if not self._ids:
            return [[] for _ in vectors]
        similarities = vectors.astype(np.float32, copy=False) @ self._vectors[: len(self._ids)].T
        return [self._first(row, vector, top) for row, vector in zip(similarities, vectors, strict=True)]

    def similarities(self, ids: Sequence[str], vector: Vectors) -> dict[str, float]:
        """The cosine of each that is known."""
        places = [self._places[id] for id in ids if id in self._places]
        return {self._ids[place]: value for place, value in zip(places, self._exact(places, vector), strict=True)}

    def _first(self, row: Vectors, vector: Vectors, top: int) -> list[Near]:
        count = min(top, len(row))
        last = np.partition(row, len(row) - count)[len(row) - count]
        places = np.flatnonzero(row >= last - _CLOSE).tolist()
        exact = zip(places, self._exact(places, vector), strict=True)
        found = [Near(self._ids[place], value) for place, value in exact]
        return sorted(found, key=lambda near: (-near.similarity, near.id))[:top]

    def _exact(self, places: Sequence[int], vector: Vectors) -> list[float]:
        # Summed row by row: a matrix product may sum in another order in another row.
        return (self._vectors[places].astype(np.float64) * vector.astype(np.float64)).sum(axis=1).tolist()
