"""The nearest of many signals: the search against the matrix product alone, which nothing can be faster than."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.table import show
from engine.embedding import Lexical
from engine.nearest import Nearest

_SIZES = (1_000, 10_000, 100_000)
_TURNS = 50
_TEXT = "autoagent: score fell from 0.8155 to 0.7621 over 51 rounds; plateau of the planner at git 45ba6d6"


def run() -> None:
    rows = []
    for size in _SIZES:
        vectors = np.random.default_rng(1).standard_normal((size, Lexical.dimensions)).astype(np.float32)
        nearest = Nearest(Lexical.dimensions)
        for number, vector in enumerate(vectors):
            nearest.put(str(number), vector)
        for count in (1, 4):
            asked = vectors[:count]
            floor = _best(lambda v=vectors, a=asked: a @ v.T)
            found = _best(lambda n=nearest, a=asked: n.search(a))
            rows.append((f"{size:,}", str(count), f"{found:.2f}", f"{floor:.2f}", f"{found / floor:.2f}"))
    columns = ("signals", "asked at once", "search ms", "product alone ms", "ratio")
    show("Search by vector, best of 50", columns, rows)
    each = _best(lambda: Lexical().embed([_TEXT] * 100)) / 100
    show("Lexical vectors", ("text", "µs each"), [(f"{len(_TEXT)} characters", f"{each * 1000:.0f}")])


def _best(call: Callable[[], object]) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(_TURNS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken) * 1000
