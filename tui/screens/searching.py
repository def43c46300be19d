"""Typing after `/`: rows are left out while typing; Enter keeps that, Esc shows all and lets n and N go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from tui.journal import Passing
from tui.widgets.filterbar import Prompt

if TYPE_CHECKING:
    from tui.screens.base import BaseScreen
else:
    BaseScreen = object


class Searching(BaseScreen):
    """For a screen around a list; it says what a search does."""

    prompt: Prompt | None = None
    """What is being typed, while it is."""

    def search_for(self, text: str, *, filtered: bool) -> None:
        raise NotImplementedError

    def action_search(self) -> None:
        self.prompt = Prompt()
        self._say_prompt()

    def capture(self, key: str, character: str | None) -> bool:
        if self.prompt is None:
            return super().capture(key, character)
        if key == "enter":
            self.prompt = None
            self.say("")
        elif key in ("escape", "ctrl+c"):
            self.prompt = None
            self.say("")
            self.search_for("", filtered=False)
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
