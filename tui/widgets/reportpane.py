"""One report to read: lines that wrap, and in the tab of signals a cursor that goes from card to card."""

from __future__ import annotations

from engine.inbox import StoredSignal
from queries.views.trace.detail import Line
from tui.reporttabs import Page
from tui.widgets.inboxlist import refresh_changed
from tui.widgets.strips import Run
from tui.widgets.tracedetail import TraceDetail, wrapped


class ReportPane(TraceDetail):
    """Keeps its place when the same page is read anew."""

    has_cursor = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._page = Page(())
        self._cards: list[int] = []
        """The rows that the cards begin with."""

    def show_page(self, page: Page, *, is_same: bool = False) -> None:
        """`is_same`: what was there, told anew; else it is read from its top."""
        if page == self._page and is_same:
            return
        before = self._painted()
        self._page, self._lines = page, page.lines
        self.rows = self._all = self._wrapped()
        self._strips.clear()
        self.has_cursor = bool(self._cards)
        if is_same:
            self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
            self.top = max(0, min(self.top, len(self.rows) - self._visible))
        else:
            self.top = 0
            self.cursor = self._cards[0] if self._cards else 0
        refresh_changed(self, before, self._painted())

    @property
    def page(self) -> Page:
        return self._page

    @property
    def card(self) -> StoredSignal | None:
        """What the card under the cursor is about."""
        place = sum(row <= self.cursor for row in self._cards) - 1
        return self._page.cards[place][1] if place >= 0 else None

    def action_move(self, step: int) -> None:
        if not self._cards:
            super().action_move(step)
            return
        place = sum(row <= self.cursor for row in self._cards) - 1
        target = self._cards[max(0, min(place + step, len(self._cards) - 1))]
        if target == self.cursor:
            self.scroll_rows(step)  # the rest of the last card, or what stands above the first
        else:
            self.go(target)

    def scroll_rows(self, lines: int) -> None:
        super().scroll_rows(lines)
        if self._cards:
            seen = [row for row in self._cards if row <= self.cursor] or self._cards[:1]
            self.cursor = seen[-1]

    def _wrapped(self) -> list[list[Run]]:
        width = max(8, self.size.width - 3)
        starts = {line for line, _ in self._page.cards}
        rows: list[list[Run]] = []
        self._cards = []
        for place, line in enumerate(self._lines):
            if place in starts:
                self._cards.append(len(rows))
            rows += [[run] for run in wrapped(Line(*line), width, self.palette)]
        return rows
