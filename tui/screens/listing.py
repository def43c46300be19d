"""A screen around one list: searching, sorting, and the line above the list that says what is shown."""

from __future__ import annotations

from tui.screens.exporting import Exporting
from tui.screens.searching import Searching
from tui.screens.sorting import Sortable
from tui.widgets.rowlist import RowList
from tui.widgets.statusbar import Line


class ListScreen(Sortable, Searching, Exporting):
    """Subclasses have a `Line` with the id `title` and a `list` that a `Table` paints."""

    @property
    def list(self) -> RowList:
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
