"""Journal: what the desk did, one row a deed, over whatever screen it was asked for on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len
from textual import events
from textual.widget import Widget

from queries.views.words import counted
from tui.journal import Note, newest_first
from tui.messages import Failed, Told
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.screens.searching import Searching
from tui.widgets.detail import Detail
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Column, Table
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, said

EARLIER = "earlier"


class JournalScreen(Searching, BaseScreen):
    KEYS = "journal"
    CSS_PATH = "../styles/journal.tcss"
    AUTO_FOCUS = "#journal"

    def __init__(self) -> None:
        super().__init__()
        self._earlier: tuple[Note, ...] = ()

    def content(self) -> Iterable[Widget]:
        yield Line(id="title")
        table: Table[Note] = Table(columns(self.desk.clock_time), self.desk.palette)
        yield RowList(table, empty="Nothing was done yet.", id="journal")
        yield Detail(id="whole")

    def on_mount(self) -> None:
        self.noted()
        self.desk.work.load(self, EARLIER, self.desk.journal.earlier)

    def on_unmount(self) -> None:
        self.desk.work.cancel(self)

    def on_told(self, message: Told) -> None:
        if self.desk.work.accept(self, message):
            self._earlier = message.found
            self.noted()

    def on_failed(self, message: Failed) -> None:
        if self.desk.work.accept(self, message):
            self.say(str(message.error))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._say_whole)

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        self._say_whole()

    def _say_whole(self) -> None:
        """The line under the cursor with all its words, for which a narrow list has no room."""
        note, detail, palette = self.list.current, self.query_one(Detail), self.desk.palette
        width = max(1, detail.size.width)
        lines = folded(said(note.said, palette), width) if isinstance(note, Note) else []
        detail.say([(line,) for line in lines])

    @property
    def list(self) -> RowList:
        return self.query_one("#journal", RowList)

    def noted(self) -> None:
        """Something was done meanwhile: the cursor stays on its row, unless it is on the newest."""
        rows = self.list
        chosen = rows.current if rows.cursor else None
        rows.show(newest_first(self.desk.journal.own, self._earlier), keep=lambda note: note is chosen)
        self._say_title()

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.list.search(text, filtered=filtered)
        self._say_title()

    def _say_title(self) -> None:
        rows = self.list
        sentence = f"{counted(rows.total, 'line')}, the newest first."
        if rows.is_filtered:
            sentence = f"{len(rows.rows):,} of {rows.total:,} lines contain “{rows.query_text}”. Esc shows all."
        self.query_one("#title", Line).say("Journal", sentence)

    def action_back(self) -> None:
        if self.list.is_filtered:
            self.take_filter_off()
        else:
            self.dismiss()

    def long_text(self) -> str | None:
        shown = [f"{self.desk.clock_time(note.at, seconds=True)}  {note.said}" for note in self.list.rows]
        return "\n".join(shown) or None

    def action_copy(self) -> None:
        note = self.list.current
        if isinstance(note, Note):
            self.say(self.desk.copy(f"{self.desk.clock_time(note.at, seconds=True)}\t{note.said}", "the line"))

    def context(self) -> Sequence[str]:
        return self.desk.context(None)


def folded(text: str, width: int) -> list[str]:
    """All of the text in lines of at most `width` cells: at blanks, and inside words that are longer, as paths are."""
    lines: list[str] = []
    while text:
        head = text[: _fitting(text, width)]
        blank = head.rfind(" ")
        if len(head) < len(text) and blank > width // 2:
            head = head[: blank + 1]
        lines.append(head.rstrip())
        text = text[len(head) :].lstrip()
    return lines


def _fitting(text: str, width: int) -> int:
    """How many characters find room; at least one, be it wider than the line."""
    cells = 0
    for place, char in enumerate(text):
        cells += cell_len(char)
        if cells > width:
            return max(1, place)
    return len(text)


def columns(clock_time: Callable[..., str]) -> tuple[Column[Note], ...]:
    def at(note: Note, palette: Palette) -> Run:
        return clock_time(note.at, seconds=True), palette.text

    return (
        Column("when", 19, at),
        Column("where", 12, lambda note, palette: (note.place, palette.dim), rank=1),
        Column("what", 30, lambda note, palette: (note.said, palette.text), grows=True),
    )
