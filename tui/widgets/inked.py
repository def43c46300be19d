"""A widget that draws lines of its own."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Inked(Widget, inherit_bindings=False):
    """Asks once a repaint for the style that its lines stand on. Textual works it out from all ancestors whenever it is
    asked; for every line, that is a fifth of painting a screen."""

    _ink: Style | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        self._ink = None
        return super().render_lines(crop)

    @property
    def rich_style(self) -> Style:
        if self._ink is None:
            self._ink = super().rich_style
        return self._ink
