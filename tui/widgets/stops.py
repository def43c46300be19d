"""Stop reasons: how often each, in which projects; what broke is marked, and runs that never said are named."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from queries.views.stops import Stop, Stops
from tui.palette import Palette
from tui.widgets.aligned import Column, listed
from tui.widgets.blocks import bar
from tui.widgets.formats import counted, paid
from tui.widgets.strips import Cell, Run, cell, flow, painted, said, verdict

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
        Column([counted(stop.count, palette, palette.strong) for stop in reasons], heading="runs", right=True),
        Column(
            draw=lambda cells: [
                cell(bar(stop.count / most, cells, palette), palette.bad if stop.is_bad else palette.accent)
                for stop in reasons
            ],
            least=_BAR,
            most=_LONGEST_BAR,
            rank=4,
        ),
        Column(
            [counted(stop.before, palette, palette.dim) for stop in reasons],
            heading="before",
            unit="before",
            right=True,
            rank=3,
        ),
        Column(
            [_projects(stop.projects, palette) for stop in reasons],
            heading="projects",
            least=max(12, width // 5),
            rank=1,
        ),
        Column(
            [counted(stop.rounds, palette, palette.dim) for stop in reasons],
            heading="rounds",
            unit="rounds",
            right=True,
            rank=6,
        ),
        Column([paid(stop.cost_usd, palette, palette.dim) for stop in reasons], heading="cost", right=True, rank=5),
    ]


def _reason(stop: Stop, palette: Palette) -> Cell:
    mark, style = (palette.glyphs.fail, palette.bad) if stop.is_bad else (palette.glyphs.ok, palette.dim)
    return ((f"{mark} ", style), (said(stop.reason, palette), palette.bad if stop.is_bad else palette.text))


def _projects(projects: Sequence[tuple[str, int]], palette: Palette) -> Cell:
    """A count only where a project stopped so more than once."""
    named = (said(name, palette) + (f" {count:,}" if count > 1 else "") for name, count in projects)
    return cell(", ".join(named), palette.dim)


def _unfinished(view: Stops, width: int, room: int, palette: Palette) -> list[list[Run]]:
    """Runs without a reason; as many lines as leave the reasons theirs."""
    if not view.unfinished:
        return []
    spare = max(1, room - len(view.reasons))
    first = f"{palette.glyphs.ring} no reason given: "
    names = [cell(said(name, palette), palette.text) for name in view.unfinished]
    return flow([((first, palette.warn), *names[0]), *names[1:]], width, min(spare, 3), palette)
