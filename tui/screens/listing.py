"""A screen around one list: searching, sorting, and the line above the list that says what is shown."""

from __future__ import annotations

from pathlib import Path

from tui.messages import Failed, Told
from tui.screens.boards import BoardsScreen
from tui.screens.searching import Searching
from tui.screens.sorting import Sortable
from tui.sheets import Sheet
from tui.widgets.rowlist import RowList
from tui.widgets.statusbar import Line

EXPORT = "export"


class ListScreen(Sortable, Searching, BoardsScreen):
    """Subclasses have a `Line` with the id `title` and a `list` that a `Table` paints."""

    @property
    def list(self) -> RowList:
        raise NotImplementedError

    def sheet(self) -> Sheet | None:
        """What the list shows, for a file; None while nothing is known."""
        raise NotImplementedError

    def title_parts(self) -> tuple[str, str]:
        """What the screen is, and a sentence about what it shows."""
        raise NotImplementedError

    def say_title(self) -> None:
        title, sentence = self.title_parts()
        rows = self.list
        if rows.query_text and rows.is_filtered:
            sentence = f"{len(rows.rows):,} of {rows.total:,} rows contain “{rows.query_text}”. Esc shows all."
        elif rows.query_text:
            sentence = f"{sentence} n and N go to rows with “{rows.query_text}”."
        self.query_one("#title", Line).say(title, sentence)

    def action_back(self) -> None:
        if self.list.is_filtered:
            self.take_filter_off()
        else:
            self.leave()

    def leave(self) -> None:
        """Where Esc goes when there is no filter to take off."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.desk.action_go("morning")

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.list.search(text, filtered=filtered)
        self.say_title()

    def show_unsorted(self) -> None:
        for answer in tuple(self._answers.values()):
            self.show_answer(answer)

    # Exporting

    def action_export(self) -> None:
        from tui.screens.chooser import Chooser, export_choices

        shown = self.sheet()
        if shown is not None:
            chooser = Chooser("Export", lambda _: export_choices(shown), needs_scope=False)
            self.app.push_screen(chooser, lambda kind: self._export(shown, kind))

    def _export(self, shown: Sheet, kind: object) -> None:
        from tui import sheets

        if isinstance(kind, str):
            self.desk.work.load(self, EXPORT, lambda: sheets.write(Path.cwd(), shown, kind))

    def on_told(self, message: Told) -> None:
        if message.job != EXPORT:
            super().on_told(message)
        elif self.desk.work.accept(self, message):
            self.say(f"Written: {message.found}")

    def on_failed(self, message: Failed) -> None:
        if message.job != EXPORT:
            super().on_failed(message)
        elif self.desk.work.accept(self, message):
            self.say(str(message.error))
