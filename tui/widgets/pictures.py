"""Which painter draws which board."""

from __future__ import annotations

from collections.abc import Mapping

from queries.boards import BOARDS
from tui.widgets.cost import paint_cost
from tui.widgets.escalations import paint_escalations
from tui.widgets.funnel import paint_funnel
from tui.widgets.headline import paint_headline
from tui.widgets.heatmap import paint_heatmap
from tui.widgets.pane import Painter
from tui.widgets.stops import paint_stops
from tui.widgets.trend import paint_trend

PAINTERS: Mapping[str, Painter] = {
    "headline": paint_headline,
    "funnel": paint_funnel,
    "trend": paint_trend,
    "heatmap": paint_heatmap,
    "cost": paint_cost,
    "escalations": paint_escalations,
    "stops": paint_stops,
}


def painter(board: str) -> Painter | None:
    """None for a board that is a list of rows and nothing else."""
    if board in PAINTERS or board in BOARDS:
        return PAINTERS.get(board)
    from tui.widgets.sheet import paint_sheet

    return paint_sheet


# Boards over time, which have a line chart as well where there is room.
CHARTED = ("trend", "cost", "escalations")
