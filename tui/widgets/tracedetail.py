"""Everything about the row under the cursor, wrapped to the room there is, to be scrolled and read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from rich.cells import cell_len, split_text
from textual.geometry import Region
from textual.strip import Strip

from queries.views.trace.detail import Line
from tui.palette import Palette
from tui.widgets.reader import Reader
from tui.widgets.strips import Run, said

_MOST = 20_000  # wrapped lines


class TraceDetail(Reader):
    """Wraps its lines again when its width changes."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()

    def say(self, lines: Sequence[Line]) -> None:
        """New lines, from their top; only those that differ are painted anew."""
        self._lines = lines
        before, self.top, self.cursor = self._painted(), 0, 0
        self.rows = self._all = self._wrapped()
        self._strips.clear()
        for y, now in enumerate(self._painted()):
            if y >= len(before) or before[y] != now:
                self.refresh(Region(0, y, self.size.width, 1))

    def _painted(self) -> list[Strip]:
        return [self.render_line(y) for y in range(self.size.height)]

    def on_resize(self) -> None:
        self.show(self._wrapped())

    def _wrapped(self) -> list[list[Run]]:
        width = max(8, self.size.width - 3)
        runs = ([run] for line in self._lines for run in wrapped(line, width, self.palette))
        return list(islice(runs, _MOST))


def wrapped(line: Line, width: int, palette: Palette) -> list[Run]:
    """The line in pieces of at most `width` cells, broken at blanks where there are any; further ones are set in as far
    as the first is."""
    style = {
        "heading": palette.strong,
        "name": palette.text,
        "text": palette.text,
        "dim": palette.dim,
        "bad": palette.warn,
        "good": palette.good,
    }[line.tone]
    text = _said(line.text, palette)
    indent = " " * min(len(text) - len(text.lstrip()), width // 2)
    found: list[Run] = []
    at, front = 0, ""
    while True:
        ahead = front + text[at : at + 2 * width]
        if cell_len(ahead) <= width:
            return [*found, (ahead, style)]
        piece = split_text(ahead, width)[0]
        blank = piece.rfind(" ")
        if blank > len(front) + width // 3:
            piece = piece[: blank + 1]
        found.append((piece.rstrip(), style))
        at += max(1, len(piece) - len(front))
        while text[at : at + 1] == " ":
            at += 1
        front = indent


def _said(text: str, palette: Palette) -> str:
    """The lines are printable already; ASCII where the palette asks for it, blanks in front kept."""
    if text.isascii():
        return text
    blank = len(text) - len(text.lstrip())
    pieces = (text[at : at + 900] for at in range(blank, len(text), 900))
    return " " * blank + "".join(_piece(piece, palette) for piece in pieces)


def _piece(piece: str, palette: Palette) -> str:
    left, right = piece[: len(piece) - len(piece.lstrip())], piece[len(piece.rstrip()) :]
    return left + said(piece, palette) + right if piece.strip() else piece
