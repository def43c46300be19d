"""What stands over the rows of a screen of sections: sentences about all of it, then the sections' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.strip import Strip
from textual.widget import Widget

from tui.palette import Palette
from tui.widgets.strips import Run, cells_wide, clip, said, strip

if TYPE_CHECKING:
    from tui.desk import Desk


class Head(Widget, can_focus=False):
    """As high as what it has to say."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[list[Run]] = []

    def say(self, lines: list[list[Run]]) -> None:
        if lines != self._lines:
            if len(lines) != len(self._lines):
                self.styles.height = max(1, len(lines))
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        runs = self._lines[y] if y < len(self._lines) else []
        return strip([("  ", _palette(self).text), *runs], self.size.width).apply_style(self.rich_style)


class Names(Widget, can_focus=False):
    """The sections with the number of their rows, the shown one in brackets."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: tuple[str, list[tuple[str, int]], dict[str, str], str] = ("", [], {}, "")

    def say(self, shown: str, names: list[tuple[str, int]], letters: dict[str, str], sentence: str) -> None:
        """`sentence` stands at the end, where there is room."""
        told = (shown, names, dict(letters), sentence)
        if told != self._said:
            self._said = told
            self.refresh()

    def render_line(self, y: int) -> Strip:
        palette = _palette(self)
        shown, names, letters, sentence = self._said
        runs: list[Run] = [(" ", palette.text)]
        for name, count in names:
            letter = letters.get(name, "")
            number = f" {count:,}" if count else ""
            runs.append((f"{letter} " if letter else "", palette.focus))
            if name == shown:
                runs.append((f"[{name}{number}]", palette.title))
            else:
                runs.append((f" {name}{number} ", palette.text if count else palette.dim))
        if sentence:
            room = self.size.width - cells_wide(runs) - 3
            runs.append(("   " + clip(said(sentence, palette), room, palette), palette.text))
        return strip(runs, self.size.width).apply_style(self.rich_style)


def _palette(widget: Widget) -> Palette:
    return cast("Desk", widget.app).palette
