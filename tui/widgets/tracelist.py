"""The rows of a trace as a list: folds and filters decide which are shown, and a row is made when it is painted."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual.geometry import Region
from textual.strip import Strip

from queries.traces import Trace
from queries.views.trace.export import cells, count, duration, offset
from queries.views.trace.rows import Row, key, row
from queries.views.trace.shown import Folds, Wanted, following, lowered, matches, place_of, visible
from queries.views.trace.tree import Tree
from queries.views.words import money
from tui.palette import Palette
from tui.widgets.formats import spelled
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import GAP, Column, Table, fitting
from tui.widgets.strips import Run, clip, said, strip

BAR = 8  # cells


class Rows(Sequence):
    """The shown rows, each made when it is asked for."""

    def __init__(self, tree: Tree, numbers: Sequence[int]) -> None:
        self.tree, self.numbers = tree, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [row(self.tree, number) for number in self.numbers[place]]
        return row(self.tree, self.numbers[place])


class TraceTable(Table[Row]):
    """A table whose rows are set in by blanks."""

    def paint(self, row: Row, width: int) -> Strip:
        palette = self.palette
        runs: list[Run] = []
        for column, size in fitting(self.columns, width):
            text, style = column.cell(row, palette)
            blank = min(len(text) - len(text.lstrip()), size)
            text = " " * blank + clip(said(text, palette), size - blank, palette)
            missing = " " * max(0, size - cell_len(text))
            runs += [(missing + text if column.right else text + missing, style), (" " * GAP, style)]
        return strip(runs, width)


class TraceList(RowList):
    """`show_trace` puts a trace in, or the same one with more events: the cursor stays on its row."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(TraceTable(columns(palette, self), palette), empty="Asking…", id=id)
        self.trace: Trace | None = None
        self.folds = Folds()
        self.wanted = Wanted()
        self.lowered: Sequence[str] | None = None
        """What a search looks through; made when it is first needed."""
        self._numbers: array[int] = array("i")
        self._painted_width = 0

    # What is shown

    def show_trace(self, trace: Trace | None, *, fresh: bool = False) -> None:
        """`fresh` is another round: its cursor starts at the top, folds and filters are kept."""
        before = self.row_number
        chosen = key(self.trace.tree, before) if self.trace and before is not None and not fresh else None
        self.trace, self.lowered = trace, None
        if trace is None:
            self._numbers, self.rows, self._all = array("i"), (), ()
            self.cursor = self.top = 0
            self.repaint()
            return
        if fresh:
            self.cursor = self.top = 0
        self._rebuild(_row_of(trace.tree, chosen, before or 0) if chosen is not None else 0)

    def choose(self, folds: Folds, wanted: Wanted) -> None:
        """What was chosen another time, before there are rows."""
        self.folds, self.wanted, self.is_filtered = folds, wanted, bool(wanted)

    def fold(self, folds: Folds) -> None:
        self.folds = folds
        self._rebuild()

    def want(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.query_text, self.is_filtered = wanted.text.casefold() or self.query_text, bool(wanted)
        self._rebuild()

    def search(self, text: str, *, filtered: bool) -> None:
        """As in every list, but what stands above a match stays."""
        self.query_text = text.casefold()
        self.want(Wanted(self.wanted.kinds, self.wanted.errors_only, self.query_text if filtered else ""))

    @property
    def row_number(self) -> int | None:
        """The number of the row under the cursor in its tree."""
        return self._numbers[self.cursor] if self.cursor < len(self._numbers) else None

    @property
    def total(self) -> int:
        return len(self.trace.tree) if self.trace else 0

    def show_row(self, number: int) -> None:
        """Put the cursor on a row, unfolding what hides it; one that is filtered away, on what it stands under."""
        if self.trace is None:
            return
        tree = self.trace.tree
        if not self.wanted and not self.is_shown(number):
            self.folds = self.folds.opened(tree, number)
            self._rebuild(number)
            return
        self.go(place_of(self._numbers, tree, number))

    def near(self, number: int) -> None:
        """Put the cursor on a row, or on what it is folded under."""
        if self.trace is not None:
            self.go(place_of(self._numbers, self.trace.tree, number))

    def is_shown(self, number: int) -> bool:
        return _is_in(self._numbers, number)

    def next_row(self, is_wanted: Callable[[Tree, int], bool]) -> bool:
        """To the next row that is wanted, also one that is folded away; False where there is none."""
        here = self.row_number
        if self.trace is None or here is None:
            return False
        tree = self.trace.tree
        found = following(tree, here, lambda number: is_wanted(tree, number))
        if found is None:
            return is_wanted(tree, here)
        if self.wanted and not self.is_shown(found):
            self.want(Wanted())
        self.show_row(found)
        return True

    def texts(self) -> Sequence[str]:
        if self.lowered is None and self.trace is not None:
            self.lowered = lowered(self.trace.tree)
        return self.lowered or ()

    def action_match(self, step: int) -> None:
        if not self.query_text or self.trace is None or self.row_number is None:
            return
        found = matches(
            self.trace.tree, Wanted(self.wanted.kinds, self.wanted.errors_only, self.query_text), self.texts
        )
        if not found:
            return
        here = bisect_left(found, self.row_number)
        is_on = here < len(found) and found[here] == self.row_number
        at = here + 1 if step > 0 and is_on else here if step > 0 else here - 1
        self.show_row(found[at % len(found)])

    def _rebuild(self, number: int | None = None) -> None:
        if self.trace is None:
            return
        tree = self.trace.tree
        number = self.row_number if number is None else number
        painted = self._painted()
        self._numbers = visible(tree, self.folds, self.wanted, self.texts)
        self.rows = self._all = Rows(tree, self._numbers)
        self.empty = f"No row is of {self.wanted.said}." if self.wanted else "No events."
        self.cursor = place_of(self._numbers, tree, number or 0) if self._numbers else 0
        self._bring_into_view()
        self._strips.clear()
        now = self._painted()
        for y in range(self.size.height):
            if y >= len(painted) or painted[y] != now[y]:
                self.refresh(Region(0, y, self.size.width, 1))
        self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        if self._painted_width != self.size.width:  # laid out anew, and not told of it yet
            self._strips.clear()
            self._painted_width = self.size.width
        return super().render_line(y)

    def _painted(self) -> list[Strip]:
        """What stands there: more events change few of the lines."""
        return [self.render_line(y) for y in range(self.size.height)]


def _is_in(numbers: Sequence[int], number: int) -> bool:
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


def _row_of(tree: Tree, chosen: bytes, near: int) -> int:
    """Rows move little when events arrive: look where it was first, then further and further away."""
    count = len(tree)
    for distance in range(max(near + 1, count - near)):
        for number in {near + distance, near - distance}:
            if 0 <= number < count and key(tree, number) == chosen:
                return number
    return min(near, count - 1)


def columns(palette: Palette, rows: TraceList) -> tuple[Column[Row], ...]:
    """`offset | bar | kind | label | duration | tokens | cost | mark`; a narrow list leaves out tokens, then cost."""
    closed, opened = ("+", "-") if palette.ascii else ("▸", "▾")
    glyphs = palette.glyphs

    def label(one: Row, palette: Palette) -> Run:
        fold = " "
        if one.children and rows.trace is not None:
            fold = closed if not rows.wanted and rows.folds.is_folded(rows.trace.tree, one.number) else opened
        return f"{'  ' * min(max(0, one.depth - 1), 12)}{fold} {one.label}", palette.text

    def bar(one: Row, palette: Palette) -> Run:
        if rows.trace is None:
            return "", palette.dim
        start, end = cells(rows.trace.tree, one.number, BAR)
        return " " * start + glyphs.bars[-1] * (end - start), palette.accent

    def kind(one: Row, palette: Palette) -> Run:
        return one.kind, palette.bad if one.is_error else palette.text

    def mark(one: Row, palette: Palette) -> Run:
        if not one.marks:
            return "", palette.text
        if one.is_error:
            return f"{glyphs.fail} {one.marks[0]}" + ("" if len(one.marks) == 1 else glyphs.ellipsis), palette.bad
        if one.has_passed and len(one.marks) == 1:
            return f"{glyphs.ok} {one.marks[0]}", palette.text
        return spelled(f"? {one.marks[0]}", palette), palette.warn

    def cost(one: Row, palette: Palette) -> Run:
        return (money(one.cost_usd) if one.cost_usd is not None else ""), palette.text

    return (
        Column("offset", 8, lambda r, p: (spelled(offset(r.offset_s), p), p.text), right=True),
        Column("bar", BAR, bar, rank=3),
        Column("kind", 11, kind),
        Column("what", 20, label, grows=True),
        Column("took", 7, lambda r, p: (duration(r.duration_s), p.text), right=True, rank=2),
        Column("tokens", 6, lambda r, p: (count(r.tokens), p.text), right=True, rank=6),
        Column("cost", 7, cost, right=True, rank=5),
        Column("mark", 11, mark, rank=1),
    )
