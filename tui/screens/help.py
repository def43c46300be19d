"""Help: the keys of the screen it was opened on, the most particular first."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.keymap import SCOPES, Keymap
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.widgets.reader import Reader
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, said


class HelpScreen(BaseScreen, ModalScreen):
    KEYS = "help"
    CSS_PATH = "../styles/help.tcss"
    AUTO_FOCUS = "#help"

    def __init__(self, screen: str) -> None:
        super().__init__()
        self._about = screen

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield Reader(id="help")

    def on_mount(self) -> None:
        self.query_one("#title", Line).say("Keys", "Change them under [keys] in config.toml.")
        self.query_one(Reader).show(help_lines(self.desk.keys, self._about, self.desk.palette))


def help_lines(keys: Keymap, screen: str, palette: Palette) -> list[list[Run]]:
    """A heading a scope, a line a verb."""
    verbs = [(verb, said(keys.spelled(verb), palette)) for verb in keys.on(screen) if keys.spelled(verb)]
    wide = max((len(spelled) for _, spelled in verbs), default=0)
    lines: list[list[Run]] = []
    scope = ""
    for verb, spelled in verbs:
        if verb.scope != scope:
            scope = verb.scope
            lines += [[], [(SCOPES[scope], palette.title)]] if lines else [[(SCOPES[scope], palette.title)]]
        lines.append([(f"{spelled:>{wide}}", palette.strong), ("  ", palette.text), (verb.help, palette.text)])
    return lines
