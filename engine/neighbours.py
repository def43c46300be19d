"""Signals of the last 30 days that are in reports, as grouping finds them: by structural key and by vector in memory,
everything else in `inbox.db`."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from engine.embedding import Embedder, blob
from engine.instants import stored
from engine.model import Signal
from engine.nearest import Near, Nearest
from engine.reading import OWN_WORD
from engine.rows import SIGNAL_COLUMNS, signal_of
from engine.store import Store
from engine.structure import structure

if TYPE_CHECKING:
    from engine.embedding import Vectors

WITHIN = timedelta(days=30)
TOP = 10
_FILLED_AGAIN = timedelta(days=1)  # old ones leave, and those that came again return
_READABLE = "safety IN ('passed', 'released')"
_OBSERVED = f"NOT {OWN_WORD}"  # as the index has it


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A signal in a report. `found_by` names the searches that found it; `similarity` is its cosine to the asked."""

    id: str
    signal: Signal
    report_id: str
    found_by: tuple[str, ...]
    similarity: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was nearest to each of a signal's vectors when there were `among`."""

    vectors: Vectors
    found: Sequence[Sequence[Near]]
    among: int


class Neighbours:
    """Filled once from the stored vectors. Vectors of another embedder are made anew, some at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._nearest = Nearest(embedder.dimensions)
        self._keyed: dict[tuple[str, ...], deque[str]] = defaultdict(lambda: deque(maxlen=TOP))
        self._filled_at: datetime | None = None

    def refresh(self, store: Store, now: datetime, most: int = 500) -> int:
        """Take in what is stored, then give up to `most` signals that have no vector of this embedder theirs; how many.

        A signal that was revised has lost its vector.
        """
        if self._filled_at is None or abs(now - self._filled_at) >= _FILLED_AGAIN:
            self._fill(store, now)
            self._filled_at = now
        rows = store.connection.execute(
            f"SELECT id, {SIGNAL_COLUMNS} FROM signals WHERE is_placed = 1 AND embedded_by = '' AND {_OBSERVED} "
            f"AND {_READABLE} AND occurred_at >= ? ORDER BY occurred_at, id LIMIT ?",
            (stored(now - WITHIN), most),
        ).fetchall()
        signals = [(id, signal_of(rest)) for id, *rest in rows]
        if signals:
            vectors = self.embedder.embed([signal.content for _, signal in signals])
            with store.transaction("place"):
                for (id, _), vector in zip(signals, vectors, strict=True):
                    store.embedded(id, blob(vector), self.embedder.name)
            for (id, signal), vector in zip(signals, vectors, strict=True):
                self.add(id, signal, vector)
        return len(signals)

    def add(self, id: str, signal: Signal, vector: Vectors) -> None:
        """It is in a report now."""
        self._nearest.put(id, vector)
        for key in structure(signal).searched_by():
            newest = self._keyed[_spelled(key)]
            if id not in newest:
                newest.append(id)

    def prepare(self, vectors: Sequence[Vectors]) -> list[Prepared]:
        """Search for several signals at once; `around` adds what came since. Each has its own vector first, then its
        queries'."""
        if not vectors:
            return []
        found = iter(self._nearest.search(np.concatenate(vectors), TOP))
        return [Prepared(mine, [next(found) for _ in mine], len(self._nearest)) for mine in vectors]

    def around(self, store: Store, signal: Signal, prepared: Prepared, now: datetime) -> tuple[list[Neighbour], int]:
        """What is near, the most similar first, and how many searches there were."""
        found: dict[str, list[str]] = defaultdict(list)
        keys = list(structure(signal).searched_by())
        for key in keys:
            for id in self._keyed.get(_spelled(key), ()):
                if key[0] not in found[id]:
                    found[id].append(key[0])
        for number, (vector, before) in enumerate(zip(prepared.vectors, prepared.found, strict=True)):
            for near in self._nearest.search_on(before, vector, prepared.among, TOP):
                found[near.id].append(f"query {number}" if number else "its own text")
        similarities = self._nearest.similarities(list(found), prepared.vectors[0])
        rows = store.connection.execute(
            f"SELECT signals.id, report_signals.report_id, {SIGNAL_COLUMNS} FROM json_each(?) "
            "JOIN signals ON signals.id = json_each.value "
            "JOIN report_signals ON signal_id = signals.id AND left_at IS NULL "
            f"WHERE {_READABLE} AND occurred_at >= ?",
            (json.dumps(list(found)), stored(now - WITHIN)),
        )
        neighbours = [
            Neighbour(id, signal_of(rest), report_id, tuple(found[id]), similarities.get(id, 0.0))
            for id, report_id, *rest in rows
        ]
        neighbours.sort(key=lambda one: (-one.similarity, one.id))
        return neighbours, len(keys) + len(prepared.vectors)

    def _fill(self, store: Store, now: datetime) -> None:
        self._keyed.clear()
        self._nearest = Nearest(self.embedder.dimensions)
        is_own = "embedded_by = ? AND length(embedding) = ?"
        own = (self.embedder.name, 4 * self.embedder.dimensions)
        others = f"FROM signals WHERE embedded_by != '' AND NOT ({is_own})"
        if store.connection.execute(f"SELECT 1 {others} LIMIT 1", own).fetchone():
            with store.transaction("place"):
                store.connection.execute(
                    f"UPDATE signals SET embedding = NULL, embedded_by = '' WHERE id IN (SELECT id {others})", own
                )
        # In the order in which they were placed, so that equal ones are found as before.
        placed = store.connection.execute(
            f"SELECT id, embedding, {SIGNAL_COLUMNS} FROM signals JOIN report_signals ON signal_id = id AND "
            f"left_at IS NULL WHERE {is_own} AND occurred_at >= ? ORDER BY placed_at, occurred_at, id",
            (*own, stored(now - WITHIN)),
        )
        for id, vector, *rest in placed:
            self.add(id, signal_of(rest), np.frombuffer(vector, dtype="<f4"))


def _spelled(key: tuple[str, tuple[str, ...]]) -> tuple[str, ...]:
    name, values = key
    return name, *values
