"""A labelled set in two halves: one to read while writing rules, one to be scored on and never read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

Half = Literal["tuning", "held-out"]
HALVES: tuple[Half, ...] = ("tuning", "held-out")


def half_of(corpus: str, key: str) -> Half:
    """By a hash salted with the corpus, so that a case never moves whatever is added beside it."""
    return HALVES[hashlib.sha256(f"{corpus}/{key}".encode("utf-8", "surrogatepass")).digest()[0] & 1]


def family(problem: str, near: Mapping[str, str | None]) -> str:
    """The problem at the end of the near-misses, so that a near-miss is judged beside what it nearly is. Of near-misses
    in a circle it is the first by name."""
    seen = [problem]
    while above := near.get(seen[-1]):
        if above in seen:
            return min(seen[seen.index(above) :])
        seen.append(above)
    return seen[-1]
