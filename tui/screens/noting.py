"""A dialog to write a note in: one line at once, more of it in the person's own editor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import events
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from queries.views.trace.detail import Line as Said
from tui.journal import Passing
from tui.screens.base import BaseScreen
from tui.widgets.filterbar import Prompt
from tui.widgets.statusbar import Line
from tui.widgets.tracedetail import TraceDetail
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

LONGEST = 4_000  # characters; the engine takes as many


class NoteScreen(BaseScreen, ModalScreen):
    """Ends with the text, or None where it was left. `sentences` say what becomes of it; it begins with `text`."""

    KEYS = "note"
    CSS_PATH = "../styles/confirm.tcss"
    AUTO_FOCUS = "#sentences"

    def __init__(self, title: str, sentences: Sequence[str], *, text: str = "", is_optional: bool = False) -> None:
        super().__init__()
        self._title, self._sentences, self._is_optional = title, tuple(sentences), is_optional
        self._prompt = Prompt(text[:LONGEST], longest=LONGEST)

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield TraceDetail(id="sentences")

    def on_mount(self) -> None:
        self.query_one("#title", Line).say(self._title, "Optional." if self._is_optional else "")
        self._show()

    def capture(self, key: str, character: str | None) -> bool:
        if not self._prompt.press(key, character):
            return False
        self._show()
        return True

    def on_paste(self, event: events.Paste) -> None:
        self._take(f"{self._prompt.text}{event.text}")

    def _take(self, text: str) -> None:
        """Text of several lines, as it was pasted or left in the editor."""
        whole = "\n".join(plain_lines(text)).strip("\n")
        self._prompt.text = whole[:LONGEST]
        self._show()
        if len(whole) > LONGEST:
            self.say(Passing(f"Only the first {LONGEST:,} of {len(whole):,} characters were taken."))

    def _show(self) -> None:
        lines = [Said("dim", plain(sentence)) for sentence in self._sentences]
        typed = f"{self._prompt.text}_".split("\n")
        self.query_one(TraceDetail).say([*lines, Said("text", ""), *(Said("heading", line) for line in typed)])

    def action_write(self) -> None:
        from tui.editor import edited

        try:
            found = edited(self.desk, f"{self._prompt.text}\n")
        except LoopdeskError as error:
            self.say(str(error))
        else:
            self._take(found if found is not None else self._prompt.text)

    def action_send(self) -> None:
        text = self._prompt.text.strip()
        if text or self._is_optional:
            self.dismiss(text)
        else:
            self.say(Passing("There is no text yet."))

    def action_back(self) -> None:
        self.dismiss(None)
