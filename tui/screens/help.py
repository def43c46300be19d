"""Help: what is in focus and its keys, then the screen's, then those of everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.help_texts import TEXTS, HelpText, Mark
from tui.keymap import Keymap
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.verbs import REACHABLE, SCOPES
from tui.widgets.reader import Reader
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, said, wrap

_SIGN = 12  # cells for a mark
_MOST = 12  # lines of one sentence


class HelpScreen(BaseScreen, ModalScreen):
    """`topics` are texts or keys of `TEXTS`, what is in focus first."""

    KEYS = "help"
    CSS_PATH = "../styles/help.tcss"
    AUTO_FOCUS = "#help"

    def __init__(self, screen: str, topics: Sequence[str | HelpText] = ()) -> None:
        super().__init__()
        self._about, self._topics = screen, topics

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield Reader(id="help")

    def on_mount(self) -> None:
        self.query_one("#title", Line).say("Help and keys", "Keys are changed under [keys] in config.toml.")

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        reader = self.query_one(Reader)
        width = max(20, reader.size.width - 3)
        reader.show(help_lines(self.desk.keys, self._about, self.desk.palette, self._topics, width))


def help_lines(
    keys: Keymap, screen: str, palette: Palette, topics: Sequence[str | HelpText] = (), width: int = 80
) -> list[list[Run]]:
    """The first topic, the keys of the screen's most particular scope, the other topics, the other scopes."""
    texts = [
        topic if isinstance(topic, HelpText) else TEXTS[topic]
        for topic in topics
        if isinstance(topic, HelpText) or topic in TEXTS
    ]
    scopes = REACHABLE[screen]
    blocks = [
        *(_words(text, palette, width) for text in texts[:1]),
        _keys(keys, screen, scopes[0], palette),
        *(_words(text, palette, width) for text in texts[1:]),
        *(_keys(keys, screen, scope, palette) for scope in scopes[1:]),
    ]
    return [line for block in blocks if block for line in ([], *block)][1:]


def _words(text: HelpText, palette: Palette, width: int) -> list[list[Run]]:
    lines: list[list[Run]] = [[(text.title, palette.title)]]
    lines += [[(line, palette.text)] for line in wrap(said(text.answers, palette), width, _MOST, palette)]
    return [*lines, *(line for mark in text.marks for line in _mark(mark, palette, width))]


def _mark(mark: Mark, palette: Palette, width: int) -> list[list[Run]]:
    sign, style = spelled_mark(mark, palette), getattr(palette, mark.ink)
    assert isinstance(style, Style)
    found: list[list[Run]] = []
    for line in wrap(said(mark.means, palette), width - _SIGN, _MOST, palette):
        shown = "" if found else sign
        blank = " " * (_SIGN - 2 - cell_len(shown))
        found.append([("  ", palette.text), (shown, style), (blank, palette.text), (line, palette.text)])
    return found


def spelled_mark(mark: Mark, palette: Palette) -> str:
    """As it stands on the screen of this palette."""
    glyphs = palette.glyphs
    if mark.sign == "sparks":
        return "".join(glyphs.sparks[::3])
    if mark.sign == "focus":
        return ">" if palette.ascii else "▸"
    if mark.sign == "██":
        return glyphs.bars[-1] * 2
    return said(" ".join(getattr(glyphs, word, word) for word in mark.sign.split(" ")), palette)


def _keys(keys: Keymap, screen: str, scope: str, palette: Palette) -> list[list[Run]]:
    """A heading, and a line a verb; all scopes of a screen have their keys in one column."""
    verbs = [(verb, said(keys.spelled(verb), palette)) for verb in keys.on(screen) if keys.spelled(verb)]
    wide = max((len(spelled) for _, spelled in verbs), default=0)
    lines: list[list[Run]] = [
        [(f"{spelled:>{wide}}", palette.strong), ("  ", palette.text), (verb.help, palette.text)]
        for verb, spelled in verbs
        if verb.scope == scope
    ]
    return [[(f"Keys: {SCOPES[scope]}", palette.title)], *lines] if lines else []
