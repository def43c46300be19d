"""A list of rows on the line API: data, painter and scrolling apart; 100,000 rows cost as little as ten.

The cursor is a marker and the highlighted beginning of its row, so that a step repaints a few cells of two lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tui.palette import Palette
from tui.widgets.inked import Inked
from tui.widgets.strips import said, wrap

if TYPE_CHECKING:
    from tui.desk import Desk

MARGIN = 2  # cells for the marker, left of every row
_CACHED_STRIPS = 4000


class RowPainter(Protocol):
    """Turns a row into a line. `width` leaves out the margin."""

    def header(self, width: int) -> Strip | None:
        """The line above the rows, or None for a list without one."""
        ...

    def paint(self, row: Any, width: int) -> Strip: ...

    def lead(self, width: int) -> int:
        """How many cells at the start of a row are highlighted under the cursor."""
        ...

    def text(self, row: Any) -> str:
        """Everything in the row that a search may find."""
        ...

    def sorted(self, rows: Sequence[Any]) -> Sequence[Any]: ...


class RowList(Inked, can_focus=True, inherit_bindings=False):
    """Shows `rows` with `painter`. Scrolls by half pages at its edges: over a slow line, one long repaint in twenty
    steps is calmer than twenty."""

    class Moved(Message):
        """The row under the cursor is another one, or none."""

    class Clicked(Message):
        """A row was clicked twice."""

    has_cursor = True

    def __init__(self, painter: RowPainter, *, empty: str = "Nothing here.", id: str | None = None) -> None:
        super().__init__(id=id)
        self.painter = painter
        self.rows: Sequence = ()
        self.cursor = 0
        self.top = 0
        self.empty = empty
        self.query_text = ""
        """What is searched for; rows that contain it are matches."""
        self.is_filtered = False
        """Whether only matches are shown."""
        self._all: Sequence = ()
        self._texts: list[str] | None = None
        self._strips: dict[int, Strip] = {}
        self._strips_width = 0

    # Data

    def show(self, rows: Sequence, *, keep: Callable[[Any], bool] | None = None) -> None:
        """New rows; the cursor goes to the first row that is to be kept, else stays on its line."""
        self._all, self._texts = rows, None
        self._apply(keep)

    def sort(self) -> None:
        """The painter's order has changed: the cursor stays on its row."""
        chosen = self.current
        self.show(self.painter.sorted(self._all), keep=lambda row: row is chosen)

    def search(self, text: str, *, filtered: bool) -> None:
        """Look for `text`, without regard to case; `filtered` leaves only the rows that contain it."""
        self.query_text, self.is_filtered = text.casefold(), filtered and bool(text)
        chosen = self.current
        self._apply(lambda row: row is chosen)

    @property
    def current(self) -> object | None:
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def total(self) -> int:
        """Rows with and without a filter."""
        return len(self._all)

    def _apply(self, keep: Callable[[Any], bool] | None) -> None:
        if self.is_filtered:
            self.rows = [
                row for row, text in zip(self._all, self._searchable(), strict=True) if self.query_text in text
            ]
        else:
            self.rows = self._all
        if keep is not None:
            self.cursor = next((place for place, row in enumerate(self.rows) if keep(row)), self.cursor)
        self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
        self._bring_into_view()
        self.repaint()
        self.post_message(self.Moved())

    def _searchable(self) -> list[str]:
        if self._texts is None:
            self._texts = [self.painter.text(row).casefold() for row in self._all]
        return self._texts

    # Moving

    def action_move(self, step: int) -> None:
        self.go(self.cursor + step)

    def action_page(self, pages: int) -> None:
        step, top = pages * max(1, self._visible), self.top
        self.top = max(0, min(top + step, len(self.rows) - self._visible))
        self.go(self.cursor + step, repaint=self.top != top)

    def action_edge(self, side: int) -> None:
        self.go(0 if side < 0 else len(self.rows) - 1)

    def action_match(self, step: int) -> None:
        """To the next row that contains the searched text, going round at the end."""
        if not self.query_text or not self.rows:
            return
        count = len(self.rows)
        text = self.painter.text
        for distance in range(1, count + 1):
            place = (self.cursor + step * distance) % count
            if self.is_filtered or self.query_text in text(self.rows[place]).casefold():
                self.go(place)
                return

    def go(self, place: int, *, repaint: bool = False) -> None:
        """Put the cursor on a row and bring it into view."""
        before, top = self.cursor, self.top
        self.cursor = max(0, min(place, len(self.rows) - 1))
        self._bring_into_view()
        if repaint or self.top != top:
            self._refresh_rows()
        elif self.cursor != before:
            self._refresh_lead(before)
            self._refresh_lead(self.cursor)
        if self.cursor != before:
            self.post_message(self.Moved())

    def _bring_into_view(self) -> None:
        visible = max(1, self._visible)
        if self.cursor < self.top:
            self.top = self.cursor - visible // 2 if self.top - self.cursor == 1 else self.cursor
        elif self.cursor >= self.top + visible:
            self.top = self.cursor - visible // 2
        self.top = max(0, min(self.top, len(self.rows) - visible))

    @property
    def _heading(self) -> int:
        return 1 if self.painter.header(max(0, self.size.width - MARGIN)) is not None else 0

    @property
    def _visible(self) -> int:
        return max(0, self.size.height - self._heading)

    def _refresh_rows(self) -> None:
        """All but the header, which says the same whichever rows are shown."""
        self.refresh(Region(0, self._heading, self.size.width, self._visible))

    def _refresh_lead(self, place: int) -> None:
        lead = MARGIN + self.painter.lead(self.size.width - MARGIN)
        self.refresh(Region(0, place - self.top + self._heading, lead, 1))

    # Painting

    @property
    def palette(self) -> Palette:
        return cast("Desk", self.app).palette

    def repaint(self) -> None:
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width - MARGIN
        if width <= 0:
            return Strip.blank(self.size.width)
        heading = self._heading
        if y < heading:
            line = Strip.join([Strip.blank(MARGIN), self.painter.header(width) or Strip.blank(width)])
        else:
            line = self._row(self.top + y - heading, width)
        return line.apply_style(self.rich_style)

    def _row(self, place: int, width: int) -> Strip:
        if place >= len(self.rows):
            text = self._empty_line(place, width) if not self.rows else ""
            line = f"{' ' * MARGIN}{text}" if text else ""
            return Strip([Segment(line, self.palette.dim)]).adjust_cell_length(width + MARGIN)
        if width != self._strips_width:  # its news may come after a line was asked for
            self._strips.clear()
            self._strips_width = width
        if place not in self._strips:
            if len(self._strips) > _CACHED_STRIPS:
                self._strips.clear()
            self._strips[place] = self.painter.paint(self.rows[place], width)
        row = self._strips[place]
        if place != self.cursor or not self.has_cursor:
            return Strip.join([Strip.blank(MARGIN), row])
        marker = Segment(">" if self.palette.ascii else "▸", self.palette.focus)
        lead = self.painter.lead(width)
        begun = Strip([Segment(row.crop(0, lead).text, self.palette.selected)], lead)
        return Strip.join([Strip([marker, Segment(" ")], MARGIN), begun, row.crop(lead)])

    def _empty_line(self, place: int, width: int) -> str:
        """What happened and what to do may need more than one line; a sentence cut in half helps nobody."""
        lines = wrap(said(self.empty, self.palette), width, max(1, self._visible), self.palette)
        return lines[place] if place < len(lines) else ""

    def on_resize(self) -> None:
        self._strips.clear()
        self._bring_into_view()

    def on_focus(self, event: events.Focus) -> None:
        event.prevent_default()  # nothing of a list looks different with the focus
        self.has_focus = True

    def on_blur(self, event: events.Blur) -> None:
        event.prevent_default()
        self.has_focus = False

    def on_mouse_scroll_down(self) -> None:
        self.scroll_rows(3)

    def on_mouse_scroll_up(self) -> None:
        self.scroll_rows(-3)

    def on_click(self, event: events.Click) -> None:
        place = self.top + event.y - self._heading
        if event.y >= self._heading and place < len(self.rows):
            self.go(place)
            if event.chain == 2:
                self.post_message(self.Clicked())

    def scroll_rows(self, lines: int) -> None:
        """Move the window over the rows; the cursor stays inside it."""
        top = max(0, min(self.top + lines, len(self.rows) - self._visible))
        if top != self.top:
            self.top = top
            self.cursor = max(top, min(self.cursor, top + self._visible - 1))
            self._refresh_rows()
            self.post_message(self.Moved())
