"""Lines to read and scroll: help, a query's text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from tui.widgets.rowlist import RowList
from tui.widgets.strips import Run, strip


class RunPainter:
    """Rows are lines of runs already."""

    def header(self, width: int) -> Strip | None:
        return None

    def paint(self, row: list[Run], width: int) -> Strip:
        return strip(row, width)

    def lead(self, width: int) -> int:
        return 0

    def text(self, row: list[Run]) -> str:
        return "".join(text for text, _ in row)

    def sorted(self, rows: Sequence[list[Run]]) -> Sequence[list[Run]]:
        return rows


class Reader(RowList):
    """A list without a cursor: the keys of a list scroll it."""

    has_cursor = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(RunPainter(), empty="", id=id)

    def action_move(self, step: int) -> None:
        self.scroll_rows(step)

    def action_page(self, pages: int) -> None:
        self.scroll_rows(pages * max(1, self.size.height - 1))

    def action_edge(self, side: int) -> None:
        self.scroll_rows(side * len(self.rows))
