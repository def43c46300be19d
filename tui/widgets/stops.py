"""Stop reasons: how often each, in which projects; what broke is marked, and runs that never said are named."""

from __future__ import annotations

from textual.strip import Strip

from queries.views import drill
from queries.views.stops import Stop, Stops
from tui.palette import Palette
from tui.widgets.aligned import Column, listed, measured
from tui.widgets.blocks import bar
from tui.widgets.formats import counted, paid
from tui.widgets.strips import Cell, Run, cell, flow, linked, painted, said, verdict

_BAR = 6
_LONGEST_BAR = 40


def paint_stops(view: Stops, width: int, height: int, palette: Palette) -> list[Strip]:
    """At most `height` strips of `width` cells."""
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if room <= 0 or not (view.reasons or view.unfinished):
        return painted(head, [], width, height)
    unfinished = _unfinished(view, width, room, palette)
    return painted(head, listed(_columns(view, width, palette), width, room, palette, foot=unfinished), width, height)


def _columns(view: Stops, width: int, palette: Palette) -> list[Column]:
    reasons = view.reasons
    most = max([1, *(stop.count for stop in reasons)])
    return [
        Column([_reason(stop, palette) for stop in reasons], heading="  reason", least=max(16, width // 3)),
        Column(
            [linked(counted(stop.count, palette, palette.strong), drill.of_stop(stop)) for stop in reasons],
            heading="runs",
            right=True,
        ),
        Column(
            draw=lambda cells: [
                cell(bar(stop.count / most, cells, palette), palette.bad if stop.is_bad else palette.accent)
                for stop in reasons
            ],
            least=_BAR,
            most=_LONGEST_BAR,
            rank=4,
        ),
        measured([_before(stop, palette) for stop in reasons], "before", 3),
        Column(
            [_projects(stop, palette) for stop in reasons],
            heading="projects",
            least=max(12, width // 5),
            rank=1,
        ),
        measured([counted(stop.rounds, palette, palette.dim) for stop in reasons], "rounds", 6),
        Column([paid(stop.cost_usd, palette, palette.dim) for stop in reasons], heading="cost", right=True, rank=5),
    ]


def _reason(stop: Stop, palette: Palette) -> Cell:
    mark, style = (palette.glyphs.fail, palette.bad) if stop.is_bad else (palette.glyphs.ok, palette.dim)
    return ((f"{mark} ", style), (said(stop.reason, palette), palette.bad if stop.is_bad else palette.text))


def _before(stop: Stop, palette: Palette) -> Cell:
    text = counted(stop.before, palette, palette.dim)
    return linked(text, drill.of_stop(stop).before() if stop.before else None)


def _projects(stop: Stop, palette: Palette) -> Cell:
    """A count only where a project stopped so more than once."""
    parts: list[Run] = []
    for name, count in stop.projects:
        text = said(name, palette) + (f" {count:,}" if count > 1 else "")
        parts += [(", ", palette.dim)] if parts else []
        parts += linked(cell(text, palette.dim), drill.stopped(stop.reason, name))
    return tuple(parts)


def _unfinished(view: Stops, width: int, room: int, palette: Palette) -> list[list[Run]]:
    """Runs without a reason; as many lines as leave the reasons theirs."""
    if not view.unfinished:
        return []
    spare = max(1, room - len(view.reasons))
    first = f"{palette.glyphs.ring} no reason given: "
    names = [
        linked(cell(said(name, palette), palette.text), drill.of_run(name, run_id))
        for name, run_id in zip(view.unfinished, view.unfinished_ids or [""] * len(view.unfinished), strict=True)
    ]
    return flow([((first, palette.warn), *names[0]), *names[1:]], width, min(spare, 3), palette)
