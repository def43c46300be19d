"""Escalations: which bigger models were asked for, how often, when and why."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from queries.views import drill
from queries.views.escalations import Escalations, Target
from queries.views.timeline import Mark
from tui.palette import Palette
from tui.widgets.aligned import Column, measured, name_room, place, table
from tui.widgets.blocks import gathered, grouped, slots, tally, told
from tui.widgets.formats import counted
from tui.widgets.strips import Cell, Run, cell, fitted, flow, linked, painted, said, spaced, verdict

_SHORTEST = 14  # cells; a night by the hour
_REASONS = 3
_INDENT = "  "
_WHY = "why"


def paint_escalations(
    view: Escalations, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()
) -> list[Strip]:
    """At most `height` strips of `width` cells."""
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if room <= 0:
        return painted(head, [], width, height)
    if not view.targets:
        calm = f"{palette.glyphs.ok} No loop asked for a bigger model."
        return painted(head, [[(calm, palette.dim)]] if len(calm) <= width else [], width, height)
    columns = _columns(view, width, palette)
    headings = room > len(view.targets)
    tells = bool(happened) and room > headings + len(view.targets)
    if tells:
        columns = told(columns, view.buckets, happened, palette)
    placed = place(columns, width, headings=headings)
    rows = table(placed, palette, headings=headings)
    last = [rows.pop()] if tells else []
    room -= tells
    says_why = any(spot.column.heading == _WHY for spot in placed)
    if not says_why and room >= headings + 2 * len(view.targets):
        rows = [*rows[:headings], *_with_reasons(rows[headings:], view.targets, width, palette)]
        return painted(head, [*rows, *last], width, height)
    rows = [*rows[:headings], *spaced(rows[headings:], room - headings)]
    return painted(head, [*fitted(rows, width, room, palette), *last], width, height)


def _with_reasons(
    rows: Sequence[list[Run]], targets: Sequence[Target], width: int, palette: Palette
) -> list[list[Run]]:
    """Under each model why it was asked for, where the columns had no room to say it."""
    lines: list[list[Run]] = []
    for row, target in zip(rows, targets, strict=True):
        reasons = _reasons(target, palette)
        indented = [[(_INDENT, palette.dim), *line] for line in flow(reasons, width - len(_INDENT), 1, palette)]
        lines += [row, *indented]
    return lines


def _columns(view: Escalations, width: int, palette: Palette) -> list[Column]:
    targets = view.targets
    high = max((count for target in targets for count in target.by_bucket), default=0)
    return [
        Column(
            [cell(said(target.to_model, palette), palette.text) for target in targets],
            heading="to model",
            least=name_room(width) + 2,
        ),
        Column(
            [linked(counted(target.count, palette, palette.strong), drill.of_target(target)) for target in targets],
            heading="now",
            right=True,
        ),
        measured([_before(target, palette) for target in targets], "before", 1),
        Column(
            draw=lambda cells: [_course(target, view.buckets, high, cells, palette) for target in targets],
            heading="when",
            least=min(_SHORTEST, len(view.buckets)),
            most=3 * len(view.buckets),
            step=max(1, len(view.buckets)),
            rank=2,
        ),
        Column(
            [_joined(_reasons(target, palette), palette) for target in targets],
            heading=_WHY,
            least=max(12, width // 4),
            rank=3,
        ),
        Column(
            [_joined(_projects(target, palette), palette) for target in targets],
            heading="from",
            least=max(10, width // 5),
            rank=4,
        ),
    ]


def _before(target: Target, palette: Palette) -> Cell:
    text = counted(target.before, palette, palette.dim)
    return linked(text, drill.of_target(target).before() if target.before else None)


def _course(target: Target, buckets: Sequence[str], high: int, cells: int, palette: Palette) -> Cell:
    shape = slots(len(buckets), cells)
    counts = [value or 0 for value in gathered(target.by_bucket, shape, sum)]
    behind = [drill.escalated(target.to_model, buckets=names) for names in grouped(buckets, shape)]
    return tally(counts, max(high, *counts, 1), shape, palette.accent, palette, behind)


def _reasons(target: Target, palette: Palette) -> list[Cell]:
    return [
        linked(cell(f"{said(name, palette)} {count:,}", palette.dim), drill.escalated(target.to_model, reason=name))
        for name, count in target.reasons[:_REASONS]
    ]


def _projects(target: Target, palette: Palette) -> list[Cell]:
    return [
        linked(cell(f"{said(name, palette)} {count:,}", palette.dim), drill.escalated(target.to_model, project=name))
        for name, count in target.projects[:_REASONS]
    ]


def _joined(parts: Sequence[Cell], palette: Palette) -> Cell:
    """`plateau 5, timeout 1`"""
    runs: list[Run] = []
    for part in parts:
        runs += [(", ", palette.dim), *part] if runs else part
    return tuple(runs)
