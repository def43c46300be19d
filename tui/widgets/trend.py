"""The score trend: a sparkline a project, its best score, and whether it beats the time before by the goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.strip import Strip

from queries.views import drill
from queries.views.timeline import Mark
from queries.views.trend import Line, Trend
from tui.palette import Palette
from tui.widgets.aligned import Column, name_room, place, table
from tui.widgets.blocks import Slots, axis, gathered, grouped, happened_row, marks, slots, spark
from tui.widgets.formats import score_change, scored
from tui.widgets.strips import Cell, Run, cell, fitted, linked, painted, said, verdict

_BESIDE = 56  # cells; a narrower pane puts the sparkline under its numbers where it can
_IN_WORDS = 72  # cells; from here on `better` and `worse` are written out
_SHORTEST = 8
_WIDEST = 96
_TALLEST = 3
_SHA = 7


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the height allows: lines a sparkline, blank lines between projects, rows of deploy marks, an axis, and a row
    of what happened over it; without one of its own it stands on the axis."""

    rows: int
    is_spaced: bool
    has_marks: bool
    has_axis: bool
    tells: bool


def paint_trend(view: Trend, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()) -> list[Strip]:
    """At most `height` strips of `width` cells."""
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if not view.lines or room <= 0:
        return painted(head, [], width, height)
    is_below = width < _BESIDE and room >= 2 * len(view.lines)
    body = (_below if is_below else _beside)(view, happened, width, room, palette)
    return painted(head, fitted(body, width, room, palette), width, height)


def _below(view: Trend, happened: Sequence[Mark], width: int, room: int, palette: Palette) -> list[list[Run]]:
    plan = _plan(view, happened, room, lines=2)
    shape = slots(len(view.buckets), width)
    body: list[list[Run]] = []
    for index, text in enumerate(table(place(_columns(view, width, palette), width), palette)):
        picture = _pictures(view, index, shape, plan, palette)
        space, picture = (picture[:1], picture[1:]) if index and plan.is_spaced else ([], picture)
        body += [list(row) for row in [*space, text, *picture]]
    return [*body, *(list(row) for row in _foot(view, happened, shape, plan, palette, width))]


def _beside(view: Trend, happened: Sequence[Mark], width: int, room: int, palette: Palette) -> list[list[Run]]:
    def draw(plan: _Plan, cells: int) -> list[Cell]:
        shape = slots(len(view.buckets), cells)
        rows = [row for index in range(len(view.lines)) for row in _pictures(view, index, shape, plan, palette)]
        return [*rows, *_foot(view, happened, shape, plan, palette)]

    plan = _plan(view, happened, room, lines=1)
    step = max(1, len(view.buckets))
    picture = Column(draw=lambda cells: draw(plan, cells), least=_SHORTEST, most=_WIDEST, step=step, rank=2)
    texts = _columns(view, width, palette)
    placed = place([*(_spread(column, view, plan) for column in texts), picture], width)
    if all(spot.column is not picture for spot in placed):
        placed = place(texts, width)
    return table(placed, palette)


def _foot(
    view: Trend, happened: Sequence[Mark], shape: Slots, plan: _Plan, palette: Palette, width: int = 0
) -> list[Cell]:
    """Under all projects: what happened, and when."""
    rows = [tuple(happened_row(happened, view.buckets, shape, palette, width))] if plan.tells else []
    on_axis = () if plan.tells else happened
    return [*rows, tuple(axis(view.buckets, shape, palette, on_axis))] if plan.has_axis else rows


def _columns(view: Trend, width: int, palette: Palette) -> list[Column]:
    lines, in_words = view.lines, width >= _IN_WORDS
    return [
        Column([cell(said(line.project, palette), palette.text) for line in lines], least=name_room(width)),
        Column([cell(line.goal, palette.dim) for line in lines], rank=3),
        Column([linked(scored(line.best, palette, palette.strong), drill.of_line(line)) for line in lines], right=True),
        Column([score_change(line.change, line.is_better, palette, in_words=in_words) for line in lines], rank=1),
    ]


def _spread(column: Column, view: Trend, plan: _Plan) -> Column:
    """The column's cells on the ground lines of the sparklines, where the ink is."""
    cells: list[Cell] = []
    for index, one in enumerate(column.cells):
        above = plan.rows - 1 + (1 if index and plan.is_spaced else 0)
        cells += [()] * above + [one] + [()] * _mark_rows(view, index, plan)
    return Column(cells + [()] * (plan.has_axis + plan.tells), right=column.right, rank=column.rank, least=column.least)


def _pictures(view: Trend, index: int, shape: Slots, plan: _Plan, palette: Palette) -> list[Cell]:
    """The rows of one project: a blank one before it, its sparkline, its deploys."""
    line = view.lines[index]
    best = {point.bucket: point.best for point in line.points}
    values = gathered([best.get(name) for name in view.buckets], shape, min if line.goal == "min" else max)
    known = [value for value in values if value is not None]
    style = palette.series[index % len(palette.series)]
    behind = [drill.of_line(line, names) for names in grouped(view.buckets, shape)]
    chart = spark(values, min(known, default=0), max(known, default=0), shape, style, palette, plan.rows, behind)
    space: list[Cell] = [()] if index and plan.is_spaced else []
    deploys = [tuple(_marks(view, line, shape, palette))] * _mark_rows(view, index, plan)
    return [*space, *chart, *deploys]


def _mark_rows(view: Trend, index: int, plan: _Plan) -> int:
    return int(plan.has_marks and any(mark.project == view.lines[index].project for mark in view.marks))


def _marks(view: Trend, line: Line, shape: Slots, palette: Palette) -> list[Run]:
    order = {name: place for place, name in enumerate(view.buckets)}
    places = [
        (shape.of(order[mark.bucket]), said(mark.git_sha, palette)[:_SHA], drill.of_mark(mark))
        for mark in view.marks
        if mark.project == line.project and mark.bucket in order
    ]
    return marks(places, shape.width, palette)


def _plan(view: Trend, happened: Sequence[Mark], room: int, lines: int) -> _Plan:
    """Spends the spare lines in the order of what they tell: deploys, the axis, what happened, calm, height."""
    projects = len(view.lines)
    spare = room - lines * projects
    marked = sum(any(mark.project == line.project for mark in view.marks) for line in view.lines)
    has_marks = 0 < marked <= spare
    spare -= marked if has_marks else 0
    has_axis = spare >= 1
    tells = bool(happened) and spare >= 2
    spare -= 2 + tells  # the axis, and the blank line under the verdict
    is_spaced = spare >= projects - 1 > 0
    spare -= projects - 1 if is_spaced else 0
    rows = min(_TALLEST, 1 + max(0, spare) // projects)
    return _Plan(rows, is_spaced, has_marks, has_axis, tells)
