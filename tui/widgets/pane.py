"""A pane: its title, then its board painted from the answer, or words that say why there is none.

A cursor goes through the numbers that lead somewhere; it is on none of them until an arrow key puts it there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from queries import boards
from queries.boards import Answer
from queries.views.timeline import Mark
from queries.views.words import bucket_label
from tui.palette import Palette
from tui.widgets import spots
from tui.widgets.inked import Inked
from tui.widgets.strips import Run, cells_wide, clip, indented, said, strip, wrap
from workspace.errors import LoopdeskError
from workspace.text import plain

if TYPE_CHECKING:
    from queries.views.drill import Drill
    from tui.desk import Desk

Painter = Callable[..., list[Strip]]
"""(view, width, height, palette) -> at most `height` strips of `width` cells. One with a time line takes marks too, and
is given them where there are any."""


class BoardPane(Inked, can_focus=True, inherit_bindings=False):
    """Draws what it is told and asks nobody. Line 0 is the title; the rest is the painter's."""

    class Clicked(Message):
        def __init__(self, pane: BoardPane) -> None:
            super().__init__()
            self.pane = pane

    class Pointed(Message):
        """The cursor was put on a spot, or on none, by something else than `step`."""

        def __init__(self, spot: spots.Placed | None) -> None:
            super().__init__()
            self.spot = spot

    def __init__(
        self,
        board: str,
        painter: Painter,
        answer: Answer | None = None,
        marks: Sequence[Mark] = (),
        *,
        has_title: bool = True,
    ) -> None:
        super().__init__(id=board)
        self._titles = int(has_title)
        self.board = board
        self.title = boards.title(board)
        self.source = ""
        """Where its figures come from, behind the title: for a board that has them from one of several places."""
        self.answer = answer
        self.marks = tuple(marks)
        """What happened within the answer's window."""
        self.problem: LoopdeskError | None = None
        self.remark = ""
        """A sentence before the answer, where it is not quite the one that was asked for."""
        self.letter = ""
        """The key that jumps here, while the screen waits for one."""
        self.spot: spots.Placed | None = None
        """The number under the cursor."""
        self._painter = painter
        self._lines: list[Strip] | None = None
        self._spots: list[spots.Placed] = []
        self._painted_for: Size | None = None

    @property
    def palette(self) -> Palette:
        return cast("Desk", self.app).palette

    def show(self, answer: Answer, marks: Sequence[Mark] = ()) -> None:
        """An answer that says the same as the one on screen repaints nothing."""
        same = self.answer is not None and self.answer.view == answer.view and not self.problem
        same = same and self.marks == tuple(marks)
        noted = self._note
        self.answer, self.marks, self.problem = answer, tuple(marks), None
        if not same:
            self.repaint()
        elif self._note != noted:
            self._repaint_title()

    def show_marks(self, marks: Sequence[Mark]) -> None:
        if self.marks != tuple(marks):
            self.marks = tuple(marks)
            self.repaint()

    def fail(self, problem: LoopdeskError) -> None:
        """Says what happened; an answer that is already here stays below it, with its age."""
        self.problem = problem
        self.repaint()

    def clear(self) -> None:
        """Forget the answer: it was to another question."""
        self.answer = self.problem = None
        self.repaint()

    def name_it(self, title: str, remark: str) -> None:
        if (title, remark) != (self.title, self.remark):
            changed = remark != self.remark
            self.title, self.remark = title, remark
            if changed:
                self.repaint()
            else:
                self._repaint_title()

    def say_source(self, source: str) -> None:
        if source != self.source:
            self.source = source
            self._repaint_title()

    def show_title(self, shown: bool) -> None:
        if self._titles != shown:
            self._titles = int(shown)
            self.repaint()

    def draw_with(self, painter: Painter) -> None:
        if painter is not self._painter:
            self._painter = painter
            if self.answer is not None:
                self.repaint()

    def mark(self, letter: str) -> None:
        self.letter = letter
        self._repaint_title()

    def repaint(self) -> None:
        self._lines = None
        self.refresh()

    def wanted_height(self, width: int, most: int) -> int:
        """Lines that the board would fill at this width, title included."""
        return min(most, self._titles + len(self._body(width, most - self._titles)))

    def render_line(self, y: int) -> Strip:
        lines = self._painted()
        line = lines[y] if y < len(lines) else Strip.blank(self.size.width)
        if self.spot and self.spot.y == y and self.has_focus:
            line = _pointed(line, self.spot, self.palette)
        return line.apply_style(self.rich_style)

    def _painted(self) -> list[Strip]:
        if self._lines is None or self._painted_for != self.size:
            self._painted_for = self.size
            head = [self._title_strip()] if self._titles else []
            body = self._body(self.size.width, self.size.height - self._titles)
            self._spots = spots.found(body, self._titles, 0)
            self._lines = [*head, *body]
            # Other figures may have moved what the cursor stands on.
            before = self.spot
            self.spot = next((s for s in self._spots if before and s.target == before.target), None)
        return self._lines

    # The cursor

    def action_move(self, step: int) -> None:
        if self.step(0, step):
            self.post_message(self.Pointed(self.spot))

    def step(self, right: int, down: int) -> bool:
        """To the next number in a direction; from the first line of them up to none. False past the edge."""
        self._painted()
        there = spots.towards(self._spots, self.spot, right, down)
        # Above the first line of numbers stands the title, where there is one.
        is_title = there is None and self.spot is not None and down < 0 and self._titles
        if there is None and not is_title:
            return False
        self.point_at(there)
        return True

    def point_first(self) -> None:
        self._painted()
        self.point_at(self._spots[0] if self._spots else None)

    def point_at(self, spot: spots.Placed | None) -> None:
        before, self.spot = self.spot, spot
        for one in (before, spot):
            if one:
                self.refresh(Region(one.start, one.y, one.width, 1))

    # Textual repaints a widget whole when focus comes or goes; here only the marker in the title changes.

    def on_focus(self, event: events.Focus) -> None:
        event.prevent_default()
        self.has_focus = True
        self._repaint_title()
        if not self._titles:
            self.point_first()  # nothing else would say where the focus is
            self.post_message(self.Pointed(self.spot))

    def on_blur(self, event: events.Blur) -> None:
        event.prevent_default()
        self.has_focus = False
        self.point_at(None)
        self._repaint_title()

    def on_click(self, event: events.Click) -> None:
        spot = next((s for s in self._spots if s.y == event.y and 0 <= event.x - s.start < s.width), None)
        self.point_at(spot)
        self.post_message(self.Pointed(spot))
        if event.chain == 2:
            self.post_message(self.Clicked(self))

    def _repaint_title(self) -> None:
        if not self._titles:
            return
        if self._lines and self._painted_for == self.size:
            self._lines[0] = self._title_strip()
            self.refresh(Region(0, 0, self.size.width, 1))
        else:  # it was hidden, and has no size until it is laid out
            self.repaint()

    def _title_strip(self) -> Strip:
        width, palette = self.size.width, self.palette
        head: list[Run] = [*self._marker(palette), (said(self.title, palette), palette.title)]
        room = width - cells_wide(head)
        if self.source and room > 12:
            head.append((clip(f"  from {said(self.source, palette)}", room - 2, palette), palette.dim))
            room = width - cells_wide(head)
        note = clip(said(self._note, palette), room - 2, palette) if room > 6 else ""
        gap = " " * max(0, room - cell_len(note))
        note_style = palette.warn if self.problem else palette.dim
        return strip([*head, (gap, palette.text), (note, note_style)], width)

    def _marker(self, palette: Palette) -> list[Run]:
        if self.letter:
            return [(self.letter, palette.selected), (" ", palette.text)]
        mark = (">" if palette.ascii else "▸") if self.has_focus else " "
        return [(f"{mark} ", palette.focus)]

    @property
    def _note(self) -> str:
        """What a person must know about the answer's age and completeness; usually nothing."""
        if self.answer is None:
            return ""
        if self.problem:
            return f"stale, as of {cast('Desk', self.app).clock_time(self.answer.asked_at)}"
        main = self.answer.results[0]
        if main.has_more or main.is_cut:
            return f"only the first {len(main.rows):,} rows"
        return ""

    def _body(self, width: int, height: int) -> list[Strip]:
        if height <= 0 or width <= 2:
            return []
        # Indented by the marker's width, so that titles and sentences stand under each other.
        lines = self._words(width - 2, height)
        if self.answer is not None and height > len(lines):
            marks = (self.marks,) if self.marks else ()
            lines += self._painter(self.answer.view, width - 2, height - len(lines), self.palette, *marks)
        return [indented(line, 2) for line in lines]

    def _words(self, width: int, height: int) -> list[Strip]:
        palette = self.palette
        texts: list[Run]
        if self.problem is None and self.answer is None:
            texts = [("Asking" + palette.glyphs.ellipsis, palette.dim)]
        elif self.problem is None:
            texts = [(self.remark, palette.warn)] if self.remark else []
            height = min(height, 2)
        elif self.answer is not None:
            # The title says that it is stale; a low pane keeps its lines for the answer.
            texts = [(str(self.problem), palette.warn)]
            height = 2 if height > 4 else 0
        else:
            parts = (self.problem.what, self.problem.means, self.problem.do)
            styles = (palette.warn, palette.text, palette.text)
            texts = [(text, style) for text, style in zip(parts, styles, strict=True) if text]
        lines: list[Strip] = []
        for text, style in texts:
            for line in wrap(said(text, palette), width, height - len(lines), palette):
                lines.append(strip([(line, style)], width))
        return lines[:height]


def spot_words(spot: spots.Placed | None, key: str) -> str:
    """What `key` would open, for the status line."""
    if spot is None:
        return ""
    if isinstance(spot.target, Mark):
        return f"{bucket_label(spot.target.bucket)}  {plain(spot.target.label)}{f': {key} compares' if key else ''}."
    says = cast("Drill", spot.target).says
    return f"{says[0].upper()}{says[1:]}{f': {key} shows them' if key else ''}."


def _pointed(line: Strip, spot: spots.Placed, palette: Palette) -> Strip:
    """The line with the spot's cells highlighted."""
    end = spot.start + spot.width
    chosen = [Segment(text, palette.selected) for text, _, _ in line.crop(spot.start, end)]
    return Strip.join([line.crop(0, spot.start), Strip(chosen, spot.width), line.crop(end)])
