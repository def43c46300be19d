"""Sorting by a column, for a screen around one table; how it was sorted is remembered, and can be undone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from tui.history import Change
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Sorting, Table

if TYPE_CHECKING:
    from tui.screens.base import BaseScreen
else:
    BaseScreen = object


class Sortable(BaseScreen):
    """For a screen whose `list` a `Table` paints."""

    @property
    def list(self) -> RowList:
        raise NotImplementedError

    @property
    def table(self) -> Table:
        return cast(Table, self.list.painter)

    def say_title(self) -> None:
        raise NotImplementedError

    def show_unsorted(self) -> None:
        """Show the rows in the order in which they were answered."""
        raise NotImplementedError

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
            self.show_unsorted()
        else:
            if name:
                self.desk.sorts[name] = (sorting.title, sorting.descending)
            rows.sort()
        self.say_title()
