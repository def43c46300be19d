"""A few lines under a list that say everything about the chosen row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.strips import Run, cells_wide, flow, said, strip

if TYPE_CHECKING:
    from tui.desk import Desk


class Detail(Widget, can_focus=False):
    """Groups of parts, each group on lines of its own, no part ever broken; only what changed is repainted."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._groups: tuple[tuple[str, ...], ...] = ()
        self._lines: list[list[Run]] | None = None

    def say(self, groups: Sequence[Sequence[str]]) -> None:
        self._groups = tuple(tuple(group) for group in groups)
        if self._lines is None:  # nothing is known to be on screen: paint all of it
            self.refresh()
            return
        before, self._lines = self._lines, self._wrapped()
        for y in range(self.size.height):
            old, new = self._at(before, y), self._at(self._lines, y)
            if old != new:
                self.refresh(Region(0, y, max(cells_wide(old), cells_wide(new)) + self.styles.padding.left, 1))

    def on_resize(self) -> None:
        self._lines = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if self._lines is None:
            self._lines = self._wrapped()
        return strip(self._at(self._lines, y), self.size.width).apply_style(self.rich_style)

    def _wrapped(self) -> list[list[Run]]:
        palette, width, height = cast("Desk", self.app).palette, max(1, self.size.width), self.size.height
        between = "  " if palette.ascii else " · "
        lines: list[list[Run]] = []
        for group in self._groups:
            parts = [((said(part, palette), palette.text),) for part in group]
            lines += flow(parts, width, height - len(lines), palette, between)
        # One ink for parts and what stands between them: this is repainted with every step of the cursor.
        return [[("".join(text for text, _ in line), palette.text)] for line in lines]

    @staticmethod
    def _at(lines: list[list[Run]], y: int) -> list[Run]:
        return lines[y] if y < len(lines) else []
