"""The round funnel: a bar a stage, what was lost on the way to it, and in words where most was lost."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from queries.views import drill
from queries.views.funnel import Funnel, Stage
from tui.palette import Palette
from tui.widgets.aligned import Column, listed, place
from tui.widgets.blocks import bar
from tui.widgets.formats import count_change, counted, shared
from tui.widgets.strips import Cell, Run, cell, flow, linked, painted, said, verdict

_BAR = 8  # cells; a shorter bar tells nothing that the numbers do not
_LONGEST_BAR = 60


def paint_funnel(view: Funnel, width: int, height: int, palette: Palette) -> list[Strip]:
    """At most `height` strips of `width` cells. Where there is no room for a row a stage, the stages become a chain."""
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if not any(stage.rounds for stage in view.stages):
        return painted(head, [], width, height)
    columns = _columns(view, width, palette)
    has_bars = any(spot.column.draw for spot in place(columns, width))
    if room < len(view.stages) or not has_bars:
        chain = flow(_chain(view, palette), width, room, palette, between=f" {palette.glyphs.arrow} ")
        return painted(head, chain, width, height)
    return painted(head, listed(columns, width, room, palette), width, height)


def _columns(view: Funnel, width: int, palette: Palette) -> list[Column]:
    stages = view.stages
    worst = "worst drop" if width >= 50 else "worst"
    return [
        Column([cell(said(stage.name, palette), palette.text) for stage in stages]),
        Column(
            draw=lambda cells: [_bar(stage, view, cells, palette) for stage in stages],
            least=max(_BAR, width // 4),
            most=60,
            rank=1,
        ),
        Column([_rounds(stage, palette) for stage in stages], heading="rounds", right=True),
        Column([_share(stage, view, palette) for stage in stages], heading="passed", right=True),
        Column([cell(worst if stage.name == view.worst else "", palette.bad) for stage in stages], rank=2),
        Column(
            [count_change(stage.rounds, stage.before, palette, matters=stage.name == "kept") for stage in stages],
            heading="change",
            right=True,
            rank=3,
        ),
        Column([_before(stage, palette) for stage in stages], heading="before", right=True, rank=4),
    ]


def _rounds(stage: Stage, palette: Palette) -> Cell:
    return linked(counted(stage.rounds, palette, palette.strong), drill.reached(stage) if stage.rounds else None)


def _bar(stage: Stage, view: Funnel, cells: int, palette: Palette) -> Cell:
    """The rounds that arrived, then as shade those that the stage before still had."""
    if stage.rounds is None:
        return cell("not sent", palette.dim)
    most = max(other.rounds or 0 for other in view.stages)
    arrived = bar(stage.rounds / most, cells, palette)
    previous = bar(_previous(stage, view.stages) / most, cells, palette)
    lost = palette.glyphs.lost * (len(previous) - len(arrived))
    return ((arrived, palette.accent), (lost, palette.bad if stage.name == view.worst else palette.dim))


def _previous(stage: Stage, stages: Sequence[Stage]) -> int:
    earlier = [other.rounds for other in stages[: stages.index(stage)] if other.rounds is not None]
    return earlier[-1] if earlier else stage.rounds or 0


def _share(stage: Stage, view: Funnel, palette: Palette) -> Cell:
    if stage.share is None:
        return cell("", palette.dim)
    text = shared(stage.share, palette, palette.bad if stage.name == view.worst else palette.dim)
    return linked(text, drill.lost(stage))


def _before(stage: Stage, palette: Palette) -> Cell:
    text = cell("" if stage.before is None else f"{stage.before:,}", palette.dim)
    return linked(text, drill.reached(stage).before() if stage.before else None)


def _chain(view: Funnel, palette: Palette) -> list[Cell]:
    parts: list[Cell] = []
    for stage in view.stages:
        name: Run = (f"{said(stage.name, palette)} ", palette.dim)
        if stage.rounds is None:
            parts.append((name, ("not sent", palette.dim)))
        elif stage.name == view.worst:
            parts.append((name, *_rounds(stage, palette), *linked(cell(" worst drop", palette.bad), drill.lost(stage))))
        else:
            parts.append((name, *_rounds(stage, palette)))
    return parts
