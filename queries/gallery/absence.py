"""What the figures of a sheet leave out, as its notes say it."""

from __future__ import annotations

from collections.abc import Iterator

from queries.views.words import share


def absence(missing: int, whole: int, nouns: str, what: str) -> Iterator[str]:
    """`12 % of the calls name no model.`; nothing where nothing is missing."""
    if missing > 0:
        part = missing / whole
        said = "All" if part == 1 else "Under 1 % of" if part < 0.005 else f"{share(min(part, 0.99))} of"
        yield f"{said} the {nouns} {what}."
