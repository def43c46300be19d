"""Where on a pane the numbers stand that lead somewhere, and which of them is next in a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.strip import Strip

from tui.widgets.strips import spots_of


@dataclass(frozen=True, slots=True)
class Placed:
    """A spot of line `y`, in cells."""

    y: int
    start: int
    width: int
    target: object


def found(lines: Sequence[Strip], y: int, indent: int) -> list[Placed]:
    """The spots of these lines, the first of which is line `y`, in reading order."""
    return [
        Placed(y + line, indent + spot.start, spot.width, spot.target)
        for line, strip in enumerate(lines)
        for spot in spots_of(strip)
    ]


def towards(spots: Sequence[Placed], here: Placed | None, right: int, down: int) -> Placed | None:
    """The next spot that way; from nowhere, the first one below. None past the edge."""
    if here is None:
        return spots[0] if spots and down > 0 else None
    if right:
        beside = [spot for spot in spots if spot.y == here.y and (spot.start - here.start) * right > 0]
        return min(beside, key=lambda spot: abs(spot.start - here.start), default=None)
    ahead = [spot for spot in spots if (spot.y - here.y) * down > 0]
    if not ahead:
        return None
    line = min(ahead, key=lambda spot: abs(spot.y - here.y)).y
    middle = here.start + here.width / 2
    return min((spot for spot in ahead if spot.y == line), key=lambda spot: abs(spot.start + spot.width / 2 - middle))
