"""Journal: what the desk did, one row a deed, over whatever screen it was asked for on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual.widget import Widget

from queries.views.words import counted
from tui.journal import Note, newest_first
from tui.messages import Failed, Told
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.screens.searching import Searching
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Column, Table
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run

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


def columns(clock_time: Callable[..., str]) -> tuple[Column[Note], ...]:
    def at(note: Note, palette: Palette) -> Run:
        return clock_time(note.at, seconds=True), palette.text

    return (
        Column("when", 19, at),
        Column("where", 12, lambda note, palette: (note.place, palette.dim), rank=1),
        Column("what", 30, lambda note, palette: (note.said, palette.text), grows=True),
    )
