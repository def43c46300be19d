"""A dialog that says what is about to happen, and asks once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from queries.views.trace.detail import Line as Said
from tui.screens.base import BaseScreen
from tui.widgets.statusbar import Line
from tui.widgets.tracedetail import TraceDetail
from workspace.text import plain


class ConfirmScreen(BaseScreen, ModalScreen):
    """Ends with whether it was confirmed. `sentences` are printed one below the other."""

    KEYS = "confirm"
    CSS_PATH = "../styles/confirm.tcss"
    AUTO_FOCUS = "#sentences"

    def __init__(self, title: str, sentences: Sequence[str]) -> None:
        super().__init__()
        self._title, self._sentences = title, tuple(sentences)

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield TraceDetail(id="sentences")

    def on_mount(self) -> None:
        keys = self.desk.keys
        yes, no = keys.key("confirm", self.KEYS), keys.key("refuse", self.KEYS)
        self.query_one("#title", Line).say(self._title, f"{yes} does it, {no} does not.")
        self.query_one(TraceDetail).say([Said("text", plain(sentence)) for sentence in self._sentences])

    def action_confirm(self) -> None:
        self.dismiss(True)

    def action_back(self) -> None:
        self.dismiss(False)
