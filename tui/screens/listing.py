"""A screen around one list: searching, sorting, and the line above the list that says what is shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

from tui.history import Change
from tui.messages import Failed, Told
from tui.screens.boards import BoardsScreen
from tui.screens.searching import Searching
from tui.sheets import Sheet
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Sorting, Table
from tui.widgets.statusbar import Line

EXPORT = "export"


class ListScreen(Searching, BoardsScreen):
    """Subclasses have a `Line` with the id `title` and a `list` that a `Table` paints."""

    @property
    def list(self) -> RowList:
        raise NotImplementedError

    @property
    def table(self) -> Table:
        return cast(Table, self.list.painter)

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

    def action_sort(self) -> None:
        from tui.screens.chooser import Chooser, sort_choices

        self.app.push_screen(Chooser("Sort by", lambda _: sort_choices(self.table), needs_scope=False), self._sort_by)

    @property
    def table_name(self) -> str:
        """What its sorting is remembered by; empty where it is not."""
        return self.KEYS

    def sort_as_left(self, table: Table, name: str = "") -> None:
        """Sort a table as it was when the desk was left, where it still has that column."""
        title, descending = self.desk.sorts.get(name or self.table_name, ("", False))
        if any(column.title == title for column in table.sortable):
            table.sorting = Sorting(title, descending)

    def _sort_by(self, title: object) -> None:
        if not isinstance(title, str):
            return
        rows, name, before = self.list, self.table_name, self.table.sorting
        self.table.sort_by(title)
        after = self.table.sorting
        assert after is not None
        self.desk.did(
            Change(
                f"sort by {title}, {'descending' if after.descending else 'ascending'}",
                partial(self._sort, rows, name, before),
                partial(self._sort, rows, name, after),
                lambda: self.is_attached,
            )
        )
        self._sort(rows, name, after)

    def _sort(self, rows: RowList, name: str, sorting: Sorting | None) -> None:
        cast(Table, rows.painter).sorting = sorting
        if sorting is None:
            self.desk.sorts.pop(name, None)
            for answer in tuple(self._answers.values()):
                self.show_answer(answer)  # in the order in which they were answered
        else:
            if name:
                self.desk.sorts[name] = (sorting.title, sorting.descending)
            rows.sort()
        self.say_title()

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
