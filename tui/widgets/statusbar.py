"""The last line of every screen: where we are on the left, what can be pressed on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

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
        self._message = ""

    def say(self, context: Sequence[str], keys: Sequence[tuple[str, str]], message: str = "") -> None:
        """`context` is in order of importance; a message stands in its place until the next key."""
        told = (tuple(context), tuple(keys), message)
        if told != (self._where, self._hints, self._message):
            self._where, self._hints, self._message = told
            self.refresh()

    @property
    def text(self) -> str:
        """What stands there, for tests and screen readers."""
        return self.render_line(0).text

    def render_line(self, y: int) -> Strip:
        palette = cast("Desk", self.app).palette
        left, right = status_runs(self._where, self._hints, self._message, self.size.width, palette)
        gap = max(0, self.size.width - cells_wide(left) - cells_wide(right))
        return strip([*left, (" " * gap, palette.dim), *right], self.size.width).apply_style(self.rich_style)


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


def status_runs(
    context: Sequence[str], keys: Sequence[tuple[str, str]], message: str, width: int, palette: Palette
) -> tuple[list[Run], list[Run]]:
    """Left and right part. Keys give way from the left, so that help and quit stay longest; then context does."""
    if message:
        return [(clip(" " + said(message, palette), width, palette), palette.strong)], []
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
