"""A screen around one list: searching, sorting, and the line above the list that says what is shown."""

from __future__ import annotations

from typing import cast

from textual import events

from tui.screens.boards import BoardsScreen
from tui.widgets.filterbar import Prompt
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Table
from tui.widgets.statusbar import Line


class ListScreen(BoardsScreen):
    """Subclasses have a `Line` with the id `title` and a `list` that a `Table` paints."""

    def __init__(self) -> None:
        super().__init__()
        self._prompt: Prompt | None = None
        """What is being typed after `/`, while it is."""

    @property
    def list(self) -> RowList:
        raise NotImplementedError

    @property
    def table(self) -> Table:
        return cast(Table, self.list.painter)

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

    # Search: rows are left out while typing; Enter keeps that, Esc shows all and lets n and N go from match to match.

    def action_search(self) -> None:
        self._prompt = Prompt()
        self._say_prompt()

    def capture(self, key: str, character: str | None) -> bool:
        if self._prompt is None:
            return False
        if key == "enter":
            self._prompt = None
            self.say("")
        elif key in ("escape", "ctrl+c"):
            self._prompt = None
            self.say("")
            self._search("", filtered=False)
        elif self._prompt.press(key, character):
            self._search(self._prompt.text, filtered=True)
            self._say_prompt()
        return True

    def on_paste(self, event: events.Paste) -> None:
        if self._prompt is not None:
            self._prompt.insert(event.text)
            self._search(self._prompt.text, filtered=True)
            self._say_prompt()

    def action_back(self) -> None:
        if self.list.is_filtered:
            self._search(self.list.query_text, filtered=False)
        else:
            self.leave()

    def leave(self) -> None:
        """Where Esc goes when there is no filter to take off."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.desk.action_go("morning")

    def _search(self, text: str, *, filtered: bool) -> None:
        self.list.search(text, filtered=filtered)
        self.say_title()

    def _say_prompt(self) -> None:
        if self._prompt is not None:
            self.say(f"/{self._prompt.text}_   Enter keeps the filter, Esc takes it off")

    def action_sort(self) -> None:
        from tui.screens.chooser import Chooser, sort_choices

        self.app.push_screen(Chooser("Sort by", lambda _: sort_choices(self.table), needs_scope=False), self._sort_by)

    def _sort_by(self, title: object) -> None:
        if isinstance(title, str):
            self.table.sort_by(title)
            self.list.sort()
            self.say_title()
