"""A sheet: its sentence, a table whose cells may be bars and courses over time, then what the figures leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from queries.gallery import sheet
from queries.gallery.sheet import Row, Sheet, Tone, Unit, Value
from queries.views.timeline import Mark
from queries.views.words import in_short, lasting, money, score, score_in_column, share, signed_in_column
from tui.palette import Palette
from tui.widgets.aligned import Column, Placed, name_room, place, table
from tui.widgets.blocks import Slots, axis, bar, gathered, happened_row, mean, slots, spark
from tui.widgets.formats import spelled, unknown
from tui.widgets.strips import Cell, Linked, Run, cell, linked, more, painted, said, verdict, wrap

_FEW = 3  # rows, or two and how many more, that come before anything beside them
_TALLEST = 3  # lines of a course
_SHORTEST, _EACH = 18, 4  # cells of a course, and of one of its buckets at most
_LEAST_BAR, _MOST_BAR = 8, 20
_BOTH = 110  # cells; in fewer a course says more than a bar
_NOTE_LINES = 2
_BAR_RANK = 1000  # a bar says again what the number beside it says

_SPELLED: Mapping[Unit, Callable[[float], str]] = {
    Unit.COUNT: lambda value: f"{value:,.0f}" if value == int(value) else score(value),
    Unit.SHARE: share,
    Unit.SCORE: score_in_column,
    Unit.CHANGE: signed_in_column,
    Unit.USD: money,
    Unit.SECONDS: lasting,
    Unit.TOKENS: in_short,
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the height allows: rows, lines of a course, and which lines stand beside them."""

    rows: int
    hidden: int
    notes: int
    has_headings: bool
    has_axis: bool
    has_marks: bool
    tall: int = 1
    is_spaced: bool = False
    is_apart: bool = False
    """A blank line above the notes."""


def paint_sheet(view: Sheet, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()) -> list[Strip]:
    """At most `height` strips of `width` cells. `happened` is marked beside the sheet's own marks."""
    own = {(mark.bucket, mark.label) for mark in view.marks}
    view = replace(view, marks=(*view.marks, *(one for one in happened if (one.bucket, one.label) not in own)))
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if room <= 0 or width <= 0:
        return painted(head, [], width, height)
    if not view.rows:
        return painted(head, _notes(view, width, room, palette), width, height)
    notes = len(_notes(view, width, room, palette))
    plan = _plan(view, room, notes, has_course=True)
    placed = place(_columns(view, plan, width, palette), width, headings=plan.has_headings)
    if not _has_course(placed):  # none found room: the lines under them are for something else
        plan = _plan(view, room, notes, has_course=False)
        placed = place(_columns(view, plan, width, palette), width, headings=plan.has_headings)
    body = table(placed, palette, headings=plan.has_headings)
    if plan.hidden:
        body.append(more(plan.hidden, width, palette))
    foot = _notes(view, width, plan.notes, palette)
    return painted(head, [*body, *([[]] * plan.is_apart), *foot], width, height)


def _notes(view: Sheet, width: int, lines: int, palette: Palette) -> list[list[Run]]:
    """In at most so many lines; one that is cut ends in an ellipsis."""
    found: list[list[Run]] = []
    for note in view.notes:
        room = min(_NOTE_LINES, lines - len(found))
        found += [[(line, palette.dim)] for line in (wrap(said(note, palette), width, room, palette) if room else ())]
    return found


def _plan(view: Sheet, room: int, notes: int, *, has_course: bool) -> _Plan:
    """Spends the lines in the order of what they tell: a few rows, headings, a note, the axis, marks, the other rows
    and notes, calm, height."""
    count = len(view.rows)
    has_course = has_course and bool(view.buckets) and any(column.unit is Unit.COURSE for column in view.columns)
    left = room - min(count, _FEW)
    wanted = (1, bool(notes), has_course, has_course and bool(view.marks))
    spent = list(accumulate(map(int, wanted)))
    headings, note, axis, marked = (bool(want) and spent[place] <= left for place, want in enumerate(wanted))
    left = room - headings - note - axis - marked
    hidden = count - max(0, left - 1) if count > left else 0
    # One line says how much is left out; where there is but one line, it is a row.
    rows, hidden = (count - hidden, hidden) if count - hidden > 0 else (min(count, left), 0)
    left -= rows + bool(hidden)
    further = min(max(0, left), max(0, notes - note))
    left -= further + 1  # and the blank line under the verdict
    plan = _Plan(rows, hidden, note + further, headings, axis, marked)
    if hidden or left <= 0:
        return plan
    is_apart = bool(plan.notes)
    left -= is_apart
    is_spaced = left >= count - 1 > 0
    left -= count - 1 if is_spaced else 0
    tall = min(_TALLEST, 1 + max(0, left) // count) if axis else 1
    return replace(plan, tall=tall, is_spaced=is_spaced, is_apart=is_apart)


def _columns(view: Sheet, plan: _Plan, width: int, palette: Palette) -> list[Column]:
    rows = view.rows[: plan.rows]
    leads = _leading(view)
    found: list[Column] = []
    # A word belongs to what is always shown, so it stands behind the last of that.
    word_after = max((at for at, column in enumerate(view.columns) if not column.rank), default=0)
    for at, column in enumerate(view.columns):
        values = [row.cells[at] if at < len(row.cells) else None for row in rows]
        if column.unit is Unit.COURSE:
            if view.buckets:
                found.append(_course_column(view, column, values, plan, palette))
        else:
            cells = [_cell(value, column.unit, palette, is_first=not at) for value in values]
            if at == leads:
                cells = [linked(one, row.drill) for one, row in zip(cells, rows, strict=True)]
            found.append(_text_column(column, cells, plan, width, palette, is_first=not at))
            if column.unit is Unit.SHARE and (width >= _BOTH or not view.buckets):
                found.append(_bars(values, plan, palette))
        if at == word_after and any(row.word for row in rows):
            words = [cell(said(row.word, palette), _ink(row, palette)) for row in rows]
            found.append(Column(_lines(words, plan), rank=1))
    return found


def _leading(view: Sheet) -> int:
    """The column whose cells open what is behind a row: its first number that is always shown, else its name."""
    always = [at for at, column in enumerate(view.columns) if not column.rank]
    return next((at for at in always if view.columns[at].unit not in (Unit.TEXT, Unit.COURSE)), 0)


def _text_column(
    column: sheet.Column, cells: Sequence[Cell], plan: _Plan, width: int, palette: Palette, *, is_first: bool
) -> Column:
    is_text = column.unit is Unit.TEXT
    heading = said(column.heading, palette)
    return Column(
        _lines(cells, plan),
        heading=heading,
        unit="" if is_text else heading,
        right=not is_text,
        rank=2 * column.rank,
        least=_least(column, width, is_first=is_first) if is_text else 0,
    )


def _least(column: sheet.Column, width: int, *, is_first: bool) -> int:
    """Cells of a text. What tells rows apart is worth more than one more column."""
    if is_first:
        return max(name_room(width), min(24, width // 3))
    return max(8, width // 6) if column.rank else max(8, min(18, width // 4))


def _cell(value: Value, unit: Unit, palette: Palette, *, is_first: bool) -> Cell:
    if value is None or isinstance(value, tuple):
        return unknown(palette)
    if isinstance(value, str) or unit not in _SPELLED:
        return cell(said(value, palette), palette.text if is_first else palette.dim)
    if value != value or value in (float("inf"), float("-inf")):
        return unknown(palette)
    return cell(spelled(_SPELLED[unit](value), palette), palette.text)


def _ink(row: Row, palette: Palette) -> Style:
    return {Tone.GOOD: palette.good, Tone.BAD: palette.bad}.get(row.tone, palette.text)


def _bars(values: Sequence[Value], plan: _Plan, palette: Palette) -> Column:
    def draw(cells: int) -> list[Cell]:
        bars = [bar(value, cells, palette) if isinstance(value, int | float) else "" for value in values]
        return _lines([cell(text, palette.accent) for text in bars], plan)

    return Column(draw=draw, least=_LEAST_BAR, most=_MOST_BAR, rank=_BAR_RANK)


def _course_column(view: Sheet, column: sheet.Column, values: Sequence[Value], plan: _Plan, palette: Palette) -> Column:
    def draw(cells: int) -> list[Cell]:
        shape = slots(len(view.buckets), cells)
        lines: list[Cell] = []
        for at, value in enumerate(values):
            lines += [()] * (plan.is_spaced and at > 0)
            lines += _course(value, shape, plan.tall, palette)
        if plan.has_marks:
            lines.append(tuple(_marks(view, shape, cells, palette)))
        if plan.has_axis:
            lines.append(tuple(axis(view.buckets, shape, palette)))
        return lines

    count, heading = len(view.buckets), said(column.heading, palette)
    return Column(
        draw=draw,
        heading=heading,
        least=max(min(_SHORTEST, count), cell_len(heading) if plan.has_headings else 0),
        most=_EACH * count,
        step=count,
        rank=2 * column.rank,
    )


def _course(value: Value, shape: Slots, tall: int, palette: Palette) -> list[Cell]:
    """From zero, so that half the height is half as much; a course far above zero from its own lowest value."""
    course = value if isinstance(value, tuple) else ()
    values = gathered(course, shape, mean)
    known = [one for one in values if one is not None]
    if not known:
        return [*[()] * (tall - 1), unknown(palette)]
    low, high = min(known), max(known)
    low = 0.0 if 0 <= 2 * low <= high else low
    return spark(values, low, high if high != low or low else 1.0, shape, palette.accent, palette, tall)


def _marks(view: Sheet, shape: Slots, cells: int, palette: Palette) -> list[Run]:
    """Only what an annotation stands behind leads somewhere."""
    runs = happened_row(view.marks, view.buckets, shape, palette, cells)
    return [
        (str(text), style)
        if isinstance(text, Linked) and isinstance(text.target, Mark) and not text.target.annotations
        else (text, style)
        for text, style in runs
    ]


def _lines(cells: Sequence[Cell], plan: _Plan) -> list[Cell]:
    """The cells on the ground lines of the courses, where the ink is, with nothing beside marks and axis."""
    lines: list[Cell] = []
    for at, one in enumerate(cells):
        lines += [()] * ((plan.is_spaced and at > 0) + plan.tall - 1)
        lines.append(one)
    return [*lines, *[()] * (plan.has_axis + plan.has_marks)]


def _has_course(placed: Sequence[Placed]) -> bool:
    return any(spot.column.draw and spot.column.rank < _BAR_RANK for spot in placed)
