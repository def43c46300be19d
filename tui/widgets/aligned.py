"""Aligned columns in a pane. What does not fit is left out column by column, the least important first, so that a
number is shown whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style

from tui.palette import Palette
from tui.widgets.strips import Cell, Run, cells_wide, clipped, fitted, spaced

_SPACE = Style()


@dataclass(frozen=True, slots=True)
class Column:
    """One cell a row. `rank` 0 is dropped last; of the others the highest goes first.

    `least` > 0 lets text be clipped down to that many cells. `draw` makes the cells once their width is known: what the
    other columns leave between `least` and `most`, in multiples of `step` as soon as there is one. `unit` follows every
    value where there are no headings.
    """

    cells: Sequence[Cell] = ()
    heading: str = ""
    unit: str = ""
    right: bool = False
    rank: int = 0
    least: int = 0
    most: int = 0
    step: int = 1
    draw: Callable[[int], Sequence[Cell]] | None = None


def measured(cells: Sequence[Cell], name: str, rank: int = 0) -> Column:
    """Numbers, right-aligned, named above them or behind each."""
    return Column(cells, heading=name, unit=name, right=True, rank=rank)


@dataclass(frozen=True, slots=True)
class Placed:
    """A column and where it stands."""

    column: Column
    start: int
    width: int


_Sized = tuple[Column, int]
"""A column and the cells that its widest text takes."""


def name_room(width: int) -> int:
    """The cells that a project's name keeps where columns compete: enough to tell projects apart."""
    return max(8, min(12, width // 4))


def place(columns: Sequence[Column], width: int, *, headings: bool = False) -> list[Placed]:
    """The columns that fit into `width`, with their places. Columns without any text take none."""
    sized = [(column, _natural(column, headings)) for column in columns]
    kept = [one for one in sized if one[0].draw or one[1]]
    dropped: list[_Sized] = []
    gap = 2 if width >= 50 else 1
    while len(kept) > 1 and not _fits(kept, width, gap):
        last = max(kept, key=lambda one: one[0].rank)
        # Of columns that must stay, the first is the one that says what the row is about.
        last = last if last[0].rank else kept[-1]
        kept.remove(last)
        dropped.append(last)
    # A wide column went: a narrow one that went before it may find room again.
    for one in reversed(dropped):
        with_it = [other for other in sized if other in kept or other is one]
        kept = with_it if _fits(with_it, width, gap) else kept
    placed, start = [], 0
    for (column, _), wide in zip(kept, _widths(kept, width, gap), strict=True):
        placed.append(Placed(column, start, wide))
        start += wide + gap
    return placed


def _fits(kept: Sequence[_Sized], width: int, gap: int) -> bool:
    return sum(_least(one) for one in kept) + gap * (len(kept) - 1) <= width


def _widths(kept: Sequence[_Sized], width: int, gap: int) -> list[int]:
    widths = [min(width, _least(one)) for one in kept]
    spare = width - sum(widths) - gap * (len(widths) - 1)
    texts = [(index, natural) for index, (column, natural) in enumerate(kept) if not column.draw]
    pictures = [(index, column.most) for index, (column, _) in enumerate(kept) if column.draw]
    # What the row is about first, then texts of ordinary length, then pictures, then texts of any length.
    turns = [(index, min(natural, width * 2 // 5)) for index, natural in texts if index == 0]
    turns += [(index, min(natural, width // 4)) for index, natural in texts]
    for index, wanted in [*turns, *pictures, *texts]:
        grown = widths[index] + max(0, min(spare, wanted - widths[index]))
        step = kept[index][0].step
        grown = max(widths[index], grown - grown % step) if grown >= step else grown
        spare -= grown - widths[index]
        widths[index] = grown
    return widths


def table(placed: Sequence[Placed], palette: Palette, *, headings: bool = False) -> list[list[Run]]:
    """One line a row, after a dim line of headings where they are wanted."""
    drawn = [_cells(spot, palette, headings) for spot in placed]
    lines = [_line(row, placed, palette) for row in zip(*drawn, strict=True)]
    if headings:
        lines.insert(0, _line([((spot.column.heading, palette.dim),) for spot in placed], placed, palette))
    return lines


def _cells(spot: Placed, palette: Palette, headings: bool) -> Sequence[Cell]:
    column = spot.column
    if column.draw:
        return column.draw(spot.width)
    if headings or not column.unit:
        return column.cells
    return [(*cell, (f" {column.unit}", palette.dim)) if cells_wide(cell) else cell for cell in column.cells]


def _line(row: Sequence[Cell], placed: Sequence[Placed], palette: Palette) -> list[Run]:
    runs: list[Run] = []
    end = 0
    for cell, spot in zip(row, placed, strict=True):
        parts = clipped(cell, spot.width, palette)
        size = cells_wide(parts)
        start = spot.start + (spot.width - size if spot.column.right else 0)
        if size:
            runs += [(" " * (start - end), _SPACE), *parts]
            end = start + size
    return runs


def _natural(column: Column, headings: bool) -> int:
    widest = max((cells_wide(cell) for cell in column.cells), default=0)
    if headings:
        return max(widest, cell_len(column.heading))
    return widest + (1 + cell_len(column.unit) if column.unit else 0)


def _least(sized: _Sized) -> int:
    column, natural = sized
    if column.draw:
        return column.least
    return min(natural, column.least) if column.least else natural


def listed(
    columns: Sequence[Column],
    width: int,
    room: int,
    palette: Palette,
    foot: Sequence[list[Run]] = (),
    *,
    tells: bool = False,
) -> list[list[Run]]:
    """A table in at most `room` lines, with headings where there is a line for them and units where there is not, and
    under it the lines of `foot`, set apart where there is room for that too. `tells`: the last row says what happened
    in the courses above it, and stands right under them."""
    count = len(columns[0].cells) - tells
    room -= len(foot)
    # A line of headings and one of calm under the verdict come before calm above the foot.
    apart: list[list[Run]] = [[]] if foot and count and room > count + 2 + tells else []
    room -= len(apart)
    headings = room > count > 0
    lines = table(place(columns, width, headings=headings), palette, headings=headings)
    last = [lines.pop()] if tells else []
    last = last if any(last) and room > count + headings else []  # its column may have found no room
    rows = [*lines[:headings], *spaced(lines[headings:], room - headings - len(last))]
    return [*fitted(rows, width, room - len(last), palette), *last, *apart, *foot]
