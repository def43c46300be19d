"""The rows of a change on the line API: numbers and sign in the margin, code in inks, remarks below their lines."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from engine.diff import Diff, FileChange, Hunk
from queries.views.words import counted
from tui import syntax
from tui.diffrows import LONGEST, Laid, Remark, Row, counts, headline, hunk_words, laid, printable, sizes
from tui.palette import Palette
from tui.widgets.rowlist import MARGIN, RowList
from tui.widgets.strips import Run, cells_wide, in_ascii, strip, wrap
from workspace.text import plain, plain_lines

_MOST_REMARK_LINES = 40
_BLOCKS = 512  # of inked lines that are kept
_TWO_NUMBERS = 70  # cells from which old and new numbers both stand in the margin
_SIDEWAYS = 24  # cells of one step to the side
_TONES = {"bad": "bad", "warn": "warn", "text": "accent"}


class DiffPainter:
    """A `RowPainter`. `lexers` are by the place of a file; a block of lines is read when one of it is painted."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.laid = Laid(Diff("", "", ()))
        self.folded: Collection[int] = ()
        self.lexers: Mapping[int, Any] = {}
        self.remarks: Sequence[int] = ()
        """How many each file has."""
        self.offset = 0
        self._blocks: dict[tuple[int, int, int], dict[int, list[syntax.Inked]]] = {}
        self._new: dict[tuple[int, int], list[int]] = {}
        """Of each hunk, the places of the lines that the new side has."""
        self._digits = 3

    def show(self, found: Laid, folded: Collection[int]) -> None:
        is_other = found.diff is not self.laid.diff
        self.laid, self.folded = found, folded
        if is_other:
            self._blocks.clear()
            self._new.clear()
            ends = (
                max(h.old_start + h.old_count, h.new_start + h.new_count) for f in found.diff.files for h in f.hunks
            )
            self._digits = max(3, len(str(max(ends, default=0))))

    def header(self, width: int) -> Strip | None:
        return None

    def lead(self, width: int) -> int:
        """The margin of a line: its numbers and its sign."""
        return min(width, self._margin(width))

    def _margin(self, width: int) -> int:
        return (2 if width >= _TWO_NUMBERS else 1) * (self._digits + 1) + 2

    def sorted(self, rows: Sequence[Row]) -> Sequence[Row]:
        return rows

    def text(self, row: Row) -> str:
        if row.kind == "line":
            line = self.laid.line(row)
            return printable(line)[0] if line else ""
        if row.kind == "file":
            return headline(self.laid.diff.files[row.file])
        return hunk_words(self._hunk(row)) if row.kind == "hunk" else row.text

    def paint(self, row: Row, width: int) -> Strip:
        if row.kind == "line":
            return self._line(row, width)
        runs = {"file": self._file, "hunk": self._hunk_runs, "remark": self._remark}.get(row.kind, self._said)(
            row, width
        )
        return strip([(self._spelled(text), style) for text, style in runs], width)

    def _spelled(self, text: str) -> str:
        return in_ascii(text) if self.palette.ascii else text

    # Heads

    def _file(self, row: Row, width: int) -> list[Run]:
        palette, file = self.palette, self.laid.diff.files[row.file]
        mark = ("+" if palette.ascii else "▸") if row.file in self.folded else ("-" if palette.ascii else "▾")
        tail = size_runs(file, self.remarks[row.file] if row.file < len(self.remarks) else 0, palette)
        room = width - cells_wide(tail) - 4
        path = clip_path(self._spelled(headline(file)), room, palette)
        return [(f"{mark} ", palette.dim), (path, palette.strong), ("  ", palette.dim), *tail]

    def _hunk(self, row: Row) -> Hunk:
        return self.laid.diff.files[row.file].hunks[row.hunk]

    def _hunk_runs(self, row: Row, width: int) -> list[Run]:
        return [(hunk_words(self._hunk(row)), self.palette.dim)]

    def _said(self, row: Row, width: int) -> list[Run]:
        return [(" " * self._margin(width), self.palette.dim), (row.text, self.palette.dim)]

    def _remark(self, row: Row, width: int) -> list[Run]:
        palette = self.palette
        ink = getattr(palette, _TONES.get(row.tone, "accent"))
        bar = "|" if palette.ascii else "┃"
        indent = " " * max(0, self._margin(width) - 2)
        return [(f"{indent}{bar} {row.text[: row.lead]}", ink), (row.text[row.lead :], palette.text)]

    # Lines of code

    def _line(self, row: Row, width: int) -> Strip:
        palette, line = self.palette, self.laid.line(row)
        assert line is not None
        size = self._digits
        old, new = (str(one) if one is not None else "" for one in (line.old, line.new))
        numbers = f"{old:>{size}} {new:>{size}} " if width >= _TWO_NUMBERS else f"{new or old:>{size}} "
        margin = {"+": palette.added, "-": palette.removed}.get(line.sign, palette.dim)
        shown, mark = printable(line)
        runs = self._inked(row, shown) if line.sign != "-" else [(shown, palette.dim)]
        if palette.ascii:
            runs = [(in_ascii(text), style) for text, style in runs]
        tail: list[Run] = [(f"  ({mark})", palette.warn)] if mark else []
        room = max(0, width - self._margin(width))
        code = sideways(runs, tail, self.offset, room, palette)
        front = strip([(f"{numbers}{line.sign}", margin), (" ", palette.text)], width - room)
        return Strip.join([front, code])

    def _inked(self, row: Row, shown: str) -> list[Run]:
        reader = self.lexers.get(row.file)
        if reader is None or not shown.strip():
            return [(shown, self.palette.text)]
        place = bisect_left(self._positions(row), row.at)
        key = (row.file, row.hunk, place // syntax.BLOCK)
        if key not in self._blocks:
            if len(self._blocks) >= _BLOCKS:
                self._blocks.clear()
            self._blocks[key] = self._read(reader, row, place // syntax.BLOCK)
        return [(text, ink(name, self.palette)) for name, text in self._blocks[key][row.at]]

    def _positions(self, row: Row) -> list[int]:
        key = (row.file, row.hunk)
        if key not in self._new:
            self._new[key] = [at for at, line in enumerate(self._hunk(row).lines) if line.sign != "-"]
        return self._new[key]

    def _read(self, reader: Any, row: Row, block: int) -> dict[int, list[syntax.Inked]]:
        places = self._positions(row)[block * syntax.BLOCK : (block + 1) * syntax.BLOCK]
        lines = self._hunk(row).lines
        return dict(zip(places, syntax.inked(reader, [printable(lines[at])[0] for at in places]), strict=True))


def ink(name: str, palette: Palette) -> Style:
    series = palette.series
    return {
        "keyword": palette.strong,
        "string": series[2 % len(series)],
        "name": palette.focus,
        "comment": palette.dim,
    }.get(name, palette.text)


def sideways(runs: Sequence[Run], tail: Sequence[Run], offset: int, room: int, palette: Palette) -> Strip:
    """The part of a line from `offset` on in exactly `room` cells; an ellipsis says that more follows."""
    whole = Strip([Segment(text, style) for text, style in (*runs, *tail) if text])
    long = whole.cell_length - offset > room
    part = whole.crop(offset, offset + room - long) if room > 0 else Strip([])
    if long and room > 0:
        part = Strip.join([part, Strip([Segment(palette.glyphs.ellipsis, palette.dim)])])
    return part.adjust_cell_length(room, palette.text).simplify()


def size_runs(file: FileChange, remarks: int, palette: Palette) -> list[Run]:
    """`+12 −3  2 remarks`."""
    added, removed = sizes(file)
    runs: list[Run] = []
    for text, style in ((added, palette.good), (removed, palette.bad)):
        if text:
            runs.append((f" {text}" if runs else text, style))
    if remarks:
        runs.append((f"  {counted(remarks, 'remark')}", palette.warn))
    return runs


def clip_path(path: str, room: int, palette: Palette) -> str:
    """Cut at its beginning: a path says its name at its end."""
    if cell_len(path) <= room:
        return path
    while path and cell_len(path) > room - 1:
        path = path[1:]
    return palette.glyphs.ellipsis + path if room > 0 else ""


class DiffList(RowList):
    """A change. Folding a file leaves its head."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        self.diff_painter = DiffPainter(palette)
        self.diff: Diff | None = None
        self.remarks: Sequence[Remark] = ()
        self.folded: frozenset[int] = frozenset()
        super().__init__(self.diff_painter, empty="Reading…", id=id)

    def show_diff(self, diff: Diff, remarks: Sequence[Remark], lexers: Mapping[int, Any]) -> None:
        """The cursor stays at its path and line, where these still are."""
        at = self.at
        if diff is not self.diff:
            self.folded = frozenset()
        self.diff, self.remarks = diff, tuple(remarks)
        painter = self.diff_painter
        painter.lexers, painter.remarks = lexers, counts(diff, remarks)
        self._lay()
        self.empty = "It changes nothing."
        first = self.laid.starts["file"][0] if not at and not self.laid.starts["remark"] and self.rows else 0
        self.go(self.laid.near(*at) if at else first, repaint=True)

    @property
    def laid(self) -> Laid:
        return self.diff_painter.laid

    @property
    def row(self) -> Row | None:
        found = self.current
        return found if isinstance(found, Row) else None

    @property
    def file(self) -> int | None:
        """The place of the file that the cursor is in; None above all of them."""
        row = self.row
        return row.file if row is not None and row.file >= 0 else None

    @property
    def at(self) -> tuple[str, int | None] | None:
        """The path and the line on the new side that the cursor is at: a remark is at the line above it, and a line
        that is gone at the next that is there."""
        row, diff = self.row, self.diff
        if row is None or row.file < 0 or diff is None:
            return None
        place = self.cursor
        while place > 0 and self.rows[place].kind == "remark":
            place -= 1
        found: int | None = None
        row = self.rows[place]
        if row.kind == "line":
            lines = diff.files[row.file].hunks[row.hunk].lines
            new = (line.new for line in (*lines[row.at :], *lines[row.at :: -1]) if line.new is not None)
            found = next(new, None)
        return diff.files[row.file].path, found

    def _lay(self) -> None:
        if self.diff is None:
            return
        room = max(20, self.size.width - MARGIN - self.diff_painter.lead(self.size.width - MARGIN) - 2)
        palette = self.palette

        def wrapped(text: str) -> list[str]:
            lines = [piece for line in plain_lines(text) for piece in wrap(line, room, _MOST_REMARK_LINES, palette)]
            return lines[:_MOST_REMARK_LINES] or [""]

        self.diff_painter.show(laid(self.diff, self.remarks, self.folded, wrapped), self.folded)
        self.rows = self._all = self.laid.rows
        self._texts = None
        self._strips.clear()

    def on_resize(self) -> None:
        at = self.at
        self._lay()
        if at is not None:
            self.cursor = self.laid.near(*at)
        super().on_resize()

    # Going

    def step(self, kind: str, step: int) -> bool:
        """To the next or previous file, hunk or remark; it stands at the top where it is out of sight."""
        found = self.laid.step(kind, self.cursor, step)
        if found is not None:
            self.show_at(found)
        return found is not None

    def show_at(self, place: int) -> None:
        """Put the cursor there; what begins out of sight, or low, is read from the top of the screen."""
        top, visible = self.top, max(1, self._visible)
        if not top <= place < top + visible * 2 // 3:
            self.top = max(0, min(place - 1, len(self.rows) - visible))
        self.go(place, repaint=self.top != top)

    def go_to_file(self, file: int) -> None:
        self.show_at(self.laid.of_file(file))

    def fold(self, files: Collection[int]) -> None:
        """Those that are folded from now on; the cursor stays in its file."""
        file = self.file
        at = self.at
        self.folded = frozenset(files)
        self._lay()
        place = 0
        if file is not None and at is not None:
            place = self.laid.of_file(file) if file in self.folded else self.laid.near(*at)
        self.cursor = max(0, min(place, len(self.rows) - 1))
        self._bring_into_view()
        self.repaint()
        self.post_message(self.Moved())

    def sideways(self, step: int) -> None:
        painter = self.diff_painter
        offset = max(0, min(painter.offset + step * _SIDEWAYS, LONGEST))
        if offset != painter.offset:
            painter.offset = offset
            self.repaint()


class FileTable:
    """Paints the files of a change, one a row: a mark, the name, how many lines."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.remarks: Sequence[int] = ()

    def header(self, width: int) -> Strip | None:
        return None

    def lead(self, width: int) -> int:
        return min(width, 2)

    def sorted(self, rows: Sequence[int]) -> Sequence[int]:
        return rows

    def text(self, row: tuple[int, FileChange]) -> str:
        return headline(row[1])

    def paint(self, row: tuple[int, FileChange], width: int) -> Strip:
        palette, (place, file) = self.palette, row
        mark = {"added": "A", "deleted": "D", "renamed": "R", "copied": "C", "retyped": "T"}.get(file.status, "M")
        tail = size_runs(file, 0, palette)
        if place < len(self.remarks) and self.remarks[place]:
            tail.append((f" !{self.remarks[place]}", palette.warn))
        tail = [(in_ascii(text) if palette.ascii else text, style) for text, style in tail]
        room = width - cells_wide(tail) - 3
        path = plain(file.path, 300)
        path = clip_path(in_ascii(path) if palette.ascii else path, room, palette)
        gap = " " * max(1, room - cell_len(path) + 1)
        return strip([(f"{mark} ", palette.dim), (path, palette.text), (gap, palette.dim), *tail], width)


class FileList(RowList):
    """The files of a change; its cursor follows the change's."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        self.table = FileTable(palette)
        super().__init__(self.table, empty="", id=id)

    def show_files(self, diff: Diff, remarks: Sequence[int]) -> None:
        self.table.remarks = remarks
        self._strips.clear()
        self.show(list(enumerate(diff.files)))

    def follow(self, file: int | None) -> None:
        if file is not None and file != self.cursor:
            self.go(file)
