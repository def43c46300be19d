"""What a board's figures leave out, in words: the share of events without a property, and what a limit cut off."""

from __future__ import annotations

from collections.abc import Sequence

from queries.backend import QueryResult


def shares(whole: int, noun: str, parts: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """`12 % of requests name no model`, a sentence for each of `parts` (how many, what they lack) that is not 0."""
    return tuple(f"{_percent(part / whole)} of {noun} {lacks}." for part, lacks in parts if part and whole)


def cut(found: QueryResult, noun: str) -> tuple[str, ...]:
    """A sentence where the question's limit was reached. `noun` is of many."""
    return (f"Only {len(found.rows):,} {noun} were read: there are more.",) if found.is_cut else ()


def _percent(share: float) -> str:
    if share < 0.01:
        return "Under 1 %"
    return f"{share * 100:.0f} %" if share == 1 else f"{min(99, round(share * 100))} %"
