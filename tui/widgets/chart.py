"""Line charts by plotext, with the same contract as the other painters. Imported only once live answers are there.

The figure keeps its state: without `clear_figure` each drawing would add its lines to the last one's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.color import Color
from rich.style import Style
from textual.strip import Strip
from textual_plotext import Plot

from queries.views import drill
from queries.views.cost import CostPerKept
from queries.views.escalations import Escalations
from queries.views.timeline import Mark
from queries.views.trend import Trend
from queries.views.words import bucket_label, money, score
from tui.palette import Palette
from tui.widgets.blocks import flag
from tui.widgets.formats import score_change
from tui.widgets.pane import Painter
from tui.widgets.strips import Run, cell, flow, linked, painted, said, strip, verdict
from tui.widgets.trend import paint_trend

Points = Sequence[float | None]
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_COLOUR = re.compile(r"38;(2;\d+;\d+;\d+|5;\d+)")
_LEAST = 6  # lines a chart needs to be worth more than a sparkline
_TICKS = 5
_TOLD = 3  # lines of what happened


def chart_trend(view: Trend, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()) -> list[Strip]:
    """A figure a project, because scores of two projects share no scale: every bucket's best as a dot, the best so
    far as a line, and a vertical line where the project's code changed and where something happened."""
    head = verdict(view.verdict, width, height, palette)
    at = {bucket: place for place, bucket in enumerate(view.buckets)}
    told = _told(happened, at, width, palette)
    room = (height - len(head) - len(told)) // len(view.lines) - 2 if view.lines else 0
    if room < _LEAST:
        return paint_trend(view, width, height, palette, happened)
    strips = painted(head, [], width, height)
    for place, line in enumerate(view.lines):
        marks = [mark for mark in view.marks if mark.project == line.project and mark.bucket in at]
        best: list[float | None] = [None] * len(view.buckets)
        so_far = list(best)
        for point in line.points:
            if point.bucket in at:
                best[at[point.bucket]], so_far[at[point.bucket]] = point.best, point.running
        style = palette.series[place % len(palette.series)]
        change = score_change(line.change, line.is_better, palette, in_words=True)
        title: list[Run] = [(f"{said(line.project, palette)} ", palette.title)]
        title += linked(cell(score(line.best), palette.strong), drill.of_line(line))
        title += [("  ", palette.text), *change]
        for mark in marks:
            title += [("  | ", palette.dim)]
            title += linked(cell(said(mark.git_sha[:7], palette), palette.dim), drill.of_mark(mark))
        strips += [strip([], width), strip(title, width)]
        standing = [*_flags(happened, at, palette), *((at[mark.bucket], None) for mark in marks)]
        strips += _figure(view.buckets, [(_carried(so_far), style)], standing, width, room, palette, best)
    return strips + [strip(line, width) for line in told]


def chart_cost(
    view: CostPerKept, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()
) -> list[Strip]:
    """Dollars per kept round of each project and bucket."""
    at = {bucket: place for place, bucket in enumerate(view.buckets)}
    lines = []
    for line in view.lines:
        points: list[float | None] = [None] * len(view.buckets)
        for bucket, per_kept, _ in line.points:
            if bucket in at:
                points[at[bucket]] = per_kept
        if any(point is not None for point in points):
            lines.append((line.project, money(line.per_kept_usd), points))
    return _painted(view.verdict, view.buckets, lines, width, height, palette, happened)


def chart_escalations(
    view: Escalations, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()
) -> list[Strip]:
    """Escalations to each model and bucket."""
    lines = [(target.to_model, str(target.count), list(target.by_bucket)) for target in view.targets]
    return _painted(view.verdict, view.buckets, lines, width, height, palette, happened)


PAINTERS: Mapping[str, Painter] = {"trend": chart_trend, "cost": chart_cost, "escalations": chart_escalations}


def _carried(points: Points) -> list[float | None]:
    """A best-so-far line holds its value between its first and its last point."""
    last = max((place for place, point in enumerate(points) if point is not None), default=-1)
    carried: list[float | None] = []
    for place, point in enumerate(points):
        held = carried[-1] if carried and place <= last else None
        carried.append(point if point is not None else held)
    return carried


def _painted(
    sentence: str,
    buckets: Sequence[str],
    lines: Sequence[tuple[str, str, Points]],
    width: int,
    height: int,
    palette: Palette,
    happened: Sequence[Mark],
) -> list[Strip]:
    head = verdict(sentence, width, height, palette)
    if not lines:
        return painted(head, [], width, height)
    legend = flow(_legend(lines, palette), width, 2, palette, "  ")
    at = {bucket: place for place, bucket in enumerate(buckets)}
    told = _told(happened, at, width, palette)
    room = height - len(head) - 1 - len(legend) - len(told)
    if room < _LEAST:
        return painted(head, [*legend, *told], width, height)
    strips = painted([*head, [], *legend], [], width, height - room)
    inked = [(points, palette.series[place % len(palette.series)]) for place, (_, _, points) in enumerate(lines)]
    strips += _figure(buckets, inked, _flags(happened, at, palette), width, room, palette)
    return strips + [strip(line, width) for line in told]


def _flags(happened: Sequence[Mark], at: Mapping[str, int], palette: Palette) -> list[tuple[int, Style | None]]:
    return [(at[mark.bucket], palette.warn) for mark in happened if mark.bucket in at]


def _told(happened: Sequence[Mark], at: Mapping[str, int], width: int, palette: Palette) -> list[list[Run]]:
    """Under the figures, in order of time: when, and what; each leads to what it changed."""
    parts = []
    for mark in happened:
        if mark.bucket in at:
            when, what = f" {bucket_label(mark.bucket)} ", said(mark.label, palette)
            parts.append(linked((*flag(palette), (when, palette.dim), (what, palette.text)), mark))
    return flow(parts, width, _TOLD, palette, "   ")


def _legend(lines: Sequence[tuple[str, str, Points]], palette: Palette) -> list[tuple[Run, ...]]:
    """Names stand here rather than in the figure, whose own legend hides the lines."""
    parts: list[tuple[Run, ...]] = []
    for place, (name, value, _) in enumerate(lines):
        series = palette.series[place % len(palette.series)]
        label = f" {said(name, palette)} "
        parts.append(((palette.glyphs.dot, series), (label, palette.text), (value, palette.strong)))
    return parts


def _figure(
    buckets: Sequence[str],
    lines: Sequence[tuple[Points, Style]],
    marks: Sequence[tuple[int, Style | None]],
    width: int,
    height: int,
    palette: Palette,
    dots: Points = (),
) -> list[Strip]:
    plot = Plot()
    plot.clear_figure()
    plot.plotsize(width, height)
    plot._set_size(width, height)
    plot.theme("clear")
    plot.frame(False)
    for at, ink in marks:
        plot.vline(at, color=_colour(ink) if ink else None)
    for points, style in lines:
        xs, ys = _known(points)
        plot.plot(xs, ys, marker="*" if palette.ascii else "braille", color=_colour(style))
    if any(dot is not None for dot in dots):
        xs, ys = _known(dots)
        plot.scatter(xs, ys, marker="o" if palette.ascii else palette.glyphs.dot, color=_colour(lines[0][1]))
    last = len(buckets) - 1
    ticks = sorted({round(last * step / (_TICKS - 1)) for step in range(_TICKS)}) if last > 0 else [0]
    plot.xlim(0, max(1, last))
    plot.xticks([float(tick) for tick in ticks], [bucket_label(buckets[tick]) for tick in ticks])
    return [_strip(line, width, palette) for line in plot.build().splitlines()[:height]]


def _known(points: Points) -> tuple[list[int], list[float]]:
    known = [(x, y) for x, y in enumerate(points) if y is not None]
    return [x for x, _ in known], [y for _, y in known]


def _strip(line: str, width: int, palette: Palette) -> Strip:
    """A line of plotext's output: its colours stay, what it leaves plain gets the palette's quiet ink."""
    runs: list[Run] = []
    ink = palette.dim
    for place, piece in enumerate(_SGR.split(line)):
        if place % 2:
            colour = _COLOUR.fullmatch(piece)
            ink = Style(color=_parsed(colour[1])) if colour else palette.dim
        elif piece:
            runs.append((piece, ink))
    return strip(runs, width)


def _parsed(parameters: str) -> Color:
    numbers = [int(number) for number in parameters.split(";")]
    return Color.from_rgb(*numbers[1:]) if numbers[0] == 2 else Color.from_ansi(numbers[1])


def _colour(style: Style) -> tuple[int, int, int] | int | str:
    """The palette's colour as plotext takes it."""
    colour = style.color
    if colour is None or colour.is_default:
        return "default"
    if colour.triplet:
        red, green, blue = colour.triplet
        return red, green, blue
    return colour.number or 0
