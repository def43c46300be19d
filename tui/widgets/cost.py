"""Cost per kept round: what a project paid for each, against the time before, and where the dollars are counted."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from queries.views import drill
from queries.views.cost import CostLine, CostPerKept
from queries.views.timeline import Mark
from tui.palette import Palette
from tui.widgets.aligned import Column, listed, measured, name_room
from tui.widgets.blocks import gathered, grouped, mean, slots, spark, told
from tui.widgets.formats import cost_change, counted, paid
from tui.widgets.strips import Cell, cell, clipped, linked, more, painted, said, verdict

_SHORTEST = 9  # cells of a course over time, and of its heading


def paint_cost(
    view: CostPerKept, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()
) -> list[Strip]:
    """At most `height` strips of `width` cells; the last names the source of the dollars wherever there are two."""
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if not view.lines or room <= 0:
        return painted(head, [], width, height)
    source = clipped(((f"from {said(view.source, palette)}", palette.dim),), width, palette)
    shown = min(len(view.lines), room - 1)
    if 0 < shown < len(view.lines):
        hidden = more(len(view.lines) - shown, width, palette)
        source = clipped((*hidden, ("; ", palette.dim), *source), width, palette)
    columns = _columns(view, shown, width, palette)
    if happened:
        columns = told(columns, view.buckets, happened, palette)
    rows = listed(columns, width, room, palette, foot=[source], tells=bool(happened))
    return painted(head, rows, width, height)


def _columns(view: CostPerKept, shown: int, width: int, palette: Palette) -> list[Column]:
    lines = view.lines[:shown]
    return [
        Column([cell(said(line.project, palette), palette.text) for line in lines], least=name_room(width)),
        measured(
            [
                linked(paid(line.per_kept_usd, palette, palette.strong), drill.kept_rounds(line.project))
                for line in lines
            ],
            "per kept",
        ),
        Column([cost_change(line.per_kept_usd, line.per_kept_before_usd, palette) for line in lines], rank=1),
        measured(
            [
                linked(paid(line.per_kept_before_usd, palette, palette.dim), drill.kept_rounds(line.project).before())
                for line in lines
            ],
            "before",
            5,
        ),
        measured(
            [linked(paid(line.spent_usd, palette), drill.decided_rounds(line.project)) for line in lines], "spent", 3
        ),
        measured([linked(counted(line.kept, palette), drill.kept_rounds(line.project)) for line in lines], "kept", 4),
        Column(
            draw=lambda cells: [_course(line, view.buckets, cells, palette) for line in lines],
            heading="over time",
            least=_SHORTEST,
            most=4 * len(view.buckets),
            step=max(1, len(view.buckets)),
            rank=2,
        ),
    ]


def _course(line: CostLine, buckets: Sequence[str], cells: int, palette: Palette) -> Cell:
    """Dollars per kept round by bucket, from zero, so that half the height is half the price."""
    shape = slots(len(buckets), cells)
    prices = {bucket: price for bucket, price, _ in line.points}
    values = gathered([prices.get(name) for name in buckets], shape, mean)
    high = max((value for value in values if value is not None), default=0.0)
    behind = [drill.decided_rounds(line.project, names) for names in grouped(buckets, shape)]
    return spark(values, 0.0, high, shape, palette.accent, palette, behind=behind)[0]
