"""Columns of a table: which fit a width, how a row is painted, what is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual.strip import Strip

from tui.palette import Palette
from tui.widgets.strips import Run, clip, said, strip

Row = TypeVar("Row")
GAP = 2  # cells between columns


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """`cell` gives text and its style. Columns with the highest `rank` are left out first.

    `order` is what the column is sorted by, None for a value that is missing; `descending` is its natural direction.
    """

    title: str
    width: int
    cell: Callable[[Row, Palette], Run]
    order: Callable[[Row], object] | None = None
    right: bool = False
    rank: int = 0
    descending: bool = False
    grows: bool = False
    """Takes what is left of the width."""
    most: int = 0
    """Takes of what is left up to this width, before those that take all."""


@dataclass(frozen=True, slots=True)
class Sorting:
    """By the column of this title."""

    title: str
    descending: bool


class Table(Generic[Row]):
    """A `RowPainter` for rows with columns. `sorting` is shown by a mark in the header."""

    def __init__(self, columns: Sequence[Column[Row]], palette: Palette, sorting: Sorting | None = None) -> None:
        self.columns = tuple(columns)
        self.palette = palette
        self.sorting = sorting

    def header(self, width: int) -> Strip:
        palette = self.palette
        runs: list[Run] = []
        for column, size in fitting(self.columns, width):
            mark = ""
            if self.sorting and self.sorting.title == column.title:
                mark = palette.glyphs.down if self.sorting.descending else palette.glyphs.up
            title = clip(said(column.title, palette), size - len(mark), palette)
            text = f"{mark}{title}" if column.right else f"{title}{mark}"
            runs.append((_aligned(text, size, column.right), palette.dim))
            runs.append((" " * GAP, palette.dim))
        return strip(runs, width)

    def paint(self, row: Row, width: int) -> Strip:
        palette = self.palette
        runs: list[Run] = []
        for column, size in fitting(self.columns, width):
            text, style = column.cell(row, palette)
            runs.append((_aligned(clip(said(text, palette), size, palette), size, column.right), style))
            runs.append((" " * GAP, style))
        return strip(runs, width)

    def lead(self, width: int) -> int:
        return min(width, next((size for _, size in fitting(self.columns, width)), 0))

    def text(self, row: Row) -> str:
        return " ".join(column.cell(row, self.palette)[0] for column in self.columns)

    def tsv(self, row: Row) -> str:
        """All columns, tab separated, for the clipboard."""
        return "\t".join(column.cell(row, self.palette)[0] for column in self.columns)

    def sorted(self, rows: Sequence[Row]) -> Sequence[Row]:
        """By the sorting, rows without a value last in either direction; stable."""
        column = next((c for c in self.columns if self.sorting and c.title == self.sorting.title), None)
        if column is None or column.order is None or self.sorting is None:
            return rows
        order = column.order
        known = [row for row in rows if order(row) is not None]
        missing = [row for row in rows if order(row) is None]
        return sorted(known, key=order, reverse=self.sorting.descending) + missing  # type: ignore[arg-type]

    def sort_by(self, title: str) -> None:
        """By the column's natural direction; the same column again turns round."""
        column = next(column for column in self.columns if column.title == title)
        again = self.sorting is not None and self.sorting.title == title
        descending = not self.sorting.descending if again and self.sorting else column.descending
        self.sorting = Sorting(title, descending)

    @property
    def sortable(self) -> tuple[Column[Row], ...]:
        return tuple(column for column in self.columns if column.order is not None)


@lru_cache(maxsize=64)
def fitting(columns: tuple[Column, ...], width: int) -> tuple[tuple[Column, int], ...]:
    """The columns that there is room for, with their widths; the first always stays, cut if it must be."""
    chosen = list(columns)
    while len(chosen) > 1 and _total(chosen) > width:
        last = max(range(len(chosen)), key=lambda place: (chosen[place].rank, place))
        del chosen[last]
    spare = max(0, width - _total(chosen))
    sizes = [column.width for column in chosen]
    for place, column in enumerate(chosen):
        more = min(spare, max(0, column.most - column.width))
        sizes[place] += more
        spare -= more
    growing = sum(column.grows for column in chosen)
    sizes = [size + (spare // growing if column.grows else 0) for size, column in zip(sizes, chosen, strict=True)]
    if len(chosen) == 1:
        sizes[0] = min(sizes[0], width)
    return tuple(zip(chosen, sizes, strict=True))


def _total(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _aligned(text: str, size: int, right: bool) -> str:
    blank = " " * max(0, size - cell_len(text))
    return blank + text if right else text + blank
