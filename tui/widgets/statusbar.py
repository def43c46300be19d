"""The last line of every screen: where we are on the left, what can be pressed on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len, split_text
from textual.strip import Strip
from textual.widget import Widget

from tui.palette import Palette
from tui.widgets.strips import Run, cells_wide, clip, said, strip

if TYPE_CHECKING:
    from tui.desk import Desk


class StatusBar(Widget, can_focus=False):
    """Repaints only when what it says has changed."""

    def __init__(self) -> None:
        super().__init__()
        self._where: tuple[str, ...] = ()
        self._hints: tuple[tuple[str, str], ...] = ()
        self._message = self._elsewhere = ""

    def say(
        self, context: Sequence[str], keys: Sequence[tuple[str, str]], message: str = "", elsewhere: str = ""
    ) -> None:
        """`context` is in order of importance; a message stands in its place until the next key. `elsewhere` is the key
        that shows all of a message for which there is no room."""
        told = (tuple(context), tuple(keys), message, elsewhere)
        if told != (self._where, self._hints, self._message, self._elsewhere):
            self._where, self._hints, self._message, self._elsewhere = told
            self.refresh()

    @property
    def text(self) -> str:
        """What stands there, for tests and screen readers."""
        return self.render_line(0).text

    def render_line(self, y: int) -> Strip:
        palette = cast("Desk", self.app).palette
        width = self.size.width
        if self._message:
            left, right = message_runs(self._message, self._elsewhere, width, palette)
        else:
            left, right = status_runs(self._where, self._hints, width, palette)
        gap = max(0, width - cells_wide(left) - cells_wide(right))
        return strip([*left, (" " * gap, palette.dim), *right], width).apply_style(self.rich_style)


class Line(Widget, can_focus=False):
    """A title and a sentence on one line."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = self._sentence = ""

    def say(self, title: str, sentence: str = "") -> None:
        if (title, sentence) != (self._title, self._sentence):
            self._title, self._sentence = title, sentence
            self.refresh()

    def render_line(self, y: int) -> Strip:
        palette = cast("Desk", self.app).palette
        title = said(self._title, palette)
        room = self.size.width - cells_wide([(title, palette.title)]) - 5
        sentence = clip(said(self._sentence, palette), room, palette)
        runs: list[Run] = [
            ("  ", palette.text),
            (title, palette.title),
            ("   ", palette.text),
            (sentence, palette.text),
        ]
        return strip(runs, self.size.width).apply_style(self.rich_style)


def message_runs(message: str, elsewhere: str, width: int, palette: Palette) -> tuple[list[Run], list[Run]]:
    """A message on the whole line. One that is too long keeps its beginning and its end, which is where a path says
    its name, and the key that shows all of it."""
    text = " " + said(message, palette)
    if cell_len(text) <= width:
        return [(text, palette.strong)], []
    hint: list[Run] = _hints([(elsewhere, "all of it")], palette) if elsewhere else []
    return [(clip_middle(text, width - cells_wide(hint) - 1, palette), palette.strong)], hint


def clip_middle(text: str, width: int, palette: Palette) -> str:
    """At most `width` cells, of which two thirds are the beginning."""
    if cell_len(text) <= width:
        return text
    room = max(0, width - 1)
    head = split_text(text, room - room // 3)[0]
    # A character of two cells that does not fit is left out, on either side.
    tail = text[len(text) - room // 3 :]
    while cell_len(tail) > room // 3:
        tail = tail[1:]
    return head + palette.glyphs.ellipsis + tail if width > 0 else ""


def status_runs(
    context: Sequence[str], keys: Sequence[tuple[str, str]], width: int, palette: Palette
) -> tuple[list[Run], list[Run]]:
    """Left and right part. Keys give way from the left, so that help and quit stay longest; then context does."""
    between = "  " if palette.ascii else " · "
    left: list[Run] = []
    for part in context:
        more: list[Run] = [(between if left else " ", palette.dim), (said(part, palette), palette.text)]
        if cells_wide([*left, *more]) > width - (0 if not left else 8):
            break
        left += more
    if not left and context:
        left = [(clip(" " + said(context[0], palette), width, palette), palette.text)]
    shown = list(keys)
    while shown and cells_wide(_hints(shown, palette)) + 2 > width - cells_wide(left):
        shown.pop(0)
    return left, _hints(shown, palette)


def _hints(keys: Sequence[tuple[str, str]], palette: Palette) -> list[Run]:
    runs: list[Run] = []
    for key, word in keys:
        runs += [(f" {said(key, palette) or key} ", palette.strong), (f"{word} ", palette.dim)]
    return runs
