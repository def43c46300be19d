"""Typing after `/`: rows are left out while typing; Enter keeps that, Esc shows all and lets n and N go on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual import events

from tui.history import Change
from tui.journal import Passing
from tui.widgets.filterbar import Prompt
from tui.widgets.rowlist import RowList

if TYPE_CHECKING:
    from tui.screens.base import BaseScreen
else:
    BaseScreen = object


class Searching(BaseScreen):
    """For a screen around a list; it says what a search does."""

    prompt: Prompt | None = None
    """What is being typed, while it is."""

    _before = ("", False)
    """What was searched for, and whether it left rows out, when the prompt was opened."""

    def search_for(self, text: str, *, filtered: bool) -> None:
        raise NotImplementedError

    def searched(self) -> RowList:
        """The list that a search is about."""
        found = getattr(self, "list", None)
        return found if isinstance(found, RowList) else self.query(RowList).first()

    def take_filter_off(self) -> None:
        """Show all rows again; the text stays, so that n and N go on."""
        self._before = self._search
        self.search_for(self.searched().query_text, filtered=False)
        self._searched_for()

    @property
    def _search(self) -> tuple[str, bool]:
        rows = self.searched()
        return rows.query_text, rows.is_filtered

    def _searched_for(self) -> None:
        """A search was kept or taken off: that can be undone. It is no news for the journal."""
        before, after = self._before, self._search
        if before == after or not (before[1] or after[1]):
            return
        what = f"only rows with “{after[0]}”" if after[1] else "all rows"
        back, again = (partial(self.search_for, text, filtered=filtered) for text, filtered in (before, after))
        self.desk.history.did(Change(what, back, again, lambda: self.is_attached))

    def action_search(self) -> None:
        self._before = self._search
        self.prompt = Prompt()
        self._say_prompt()

    def capture(self, key: str, character: str | None) -> bool:
        if self.prompt is None:
            return super().capture(key, character)
        if key == "enter":
            self.prompt = None
            self.say("")
            self._searched_for()
        elif key in ("escape", "ctrl+c"):
            self.prompt = None
            self.say("")
            self.search_for("", filtered=False)
            self._searched_for()
        elif self.prompt.press(key, character):
            self.search_for(self.prompt.text, filtered=True)
            self._say_prompt()
        return True

    def on_paste(self, event: events.Paste) -> None:
        if self.prompt is not None:
            self.prompt.insert(event.text)
            self.search_for(self.prompt.text, filtered=True)
            self._say_prompt()

    def _say_prompt(self) -> None:
        if self.prompt is not None:
            self.say(Passing(f"/{self.prompt.text}_   Enter keeps the filter, Esc takes it off"))
