"""Which painter draws which board."""

from __future__ import annotations

from collections.abc import Mapping

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
# Boards over time, which have a line chart as well where there is room.
CHARTED = ("trend", "cost", "escalations")
