"""The six boards as PostHog's insights. Pure.

Shapes are PostHog's query nodes. A funnel counts rounds, not agents: several agents work on one round, and one agent on
hundreds. The cost of a proposal is in its round's cost already, so it is never added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STAGES = ("round_started", "proposal_generated", "proposal_applied", "round_scored", "round_kept")
_LAST = {"date_from": "-30d"}
MOST_DIMENSIONS = 50  # series of one chart; PostHog asks a question for each


@dataclass(frozen=True, slots=True)
class Board:
    """`key` stays the same for ever: by it a board that is there already is known again."""

    key: str
    name: str
    asks: str
    query: Mapping[str, object]


def boards(dimensions: Sequence[str]) -> tuple[Board, ...]:
    """`dimensions` are names of `dim_*` properties as they were found; without any there is no board of them."""
    names = sorted(set(dimensions))
    dims = [_series("round_scored", "avg", name, name.removeprefix("dim_")) for name in names[:MOST_DIMENSIONS]]
    cut = f" The first {MOST_DIMENSIONS} of {len(names)}." if len(names) > MOST_DIMENSIONS else ""
    found = [
        Board("round_funnel", "Round funnel", "Where do rounds drop off?", _insight(
            "FunnelsQuery",
            [_series(name) for name in _STAGES],
            breakdownFilter={"breakdown": "project", "breakdown_type": "event"},
            funnelsFilter={
                "funnelAggregateByHogQL": "properties.round_id",
                "funnelOrderType": "ordered",
                "funnelVizType": "steps",
                "funnelWindowInterval": 12,
                "funnelWindowIntervalUnit": "hour",
            },
        )),
        # A validation loss is better when it is lower: the best of a day is drawn both ways.
        Board("score_trend", "Score by day", "Do scores get better? (Losses: read the lowest.)", _trend(
            [_series("round_scored", "max", "score", "highest"), _series("round_scored", "min", "score", "lowest")],
            "ActionsLineGraph", by="project",
        )),
        Board("cost_per_kept", "Cost per kept round", "What did a kept round cost? Source: the rounds.", _trend(
            [_endings(), _series("round_kept")], "ActionsLineGraph", formula="A/B",
        )),
        Board("escalations", "Escalations", "How often did a round need a larger model?", _trend(
            [_series("model_escalated")], "ActionsBar", by="to_model",
        )),
        Board("stop_reasons", "Stop reasons", "Why did nights end?", _trend(
            [_series("stop_triggered")], "ActionsBar", by="reason",
        )),
    ]  # fmt: skip
    if dims:
        # A table of PostHog's has one figure a series, for the whole time; lines say when.
        asks = f"Which dimensions are weak, and when?{cut}"
        found.insert(2, Board("dimension_heatmap", "Dimensions by day", asks, _trend(dims, "ActionsLineGraph")))
    return tuple(found)


def _series(event: str, math: str = "total", of: str = "", name: str = "") -> dict[str, object]:
    node: dict[str, object] = {"kind": "EventsNode", "event": event, "name": event, "math": math}
    if of:
        node["math_property"] = of
    return node | ({"custom_name": name} if name else {})


def _endings() -> dict[str, object]:
    """Every round's cost, however it ended, as one series."""
    nodes = [_series(name, "sum", "cost_usd") for name in ("round_kept", "round_reverted")]
    return {
        "kind": "GroupNode", "operator": "OR", "nodes": nodes, "name": "Rounds that ended",
        "math": "sum", "math_property": "cost_usd",
    }  # fmt: skip


def _trend(series: Sequence[object], display: str, *, by: str = "", formula: str = "") -> dict[str, object]:
    filter = {"display": display} | ({"formula": formula} if formula else {})
    more: dict[str, object] = {"breakdownFilter": {"breakdowns": [{"property": by, "type": "event"}]}} if by else {}
    return _insight("TrendsQuery", series, interval="day", trendsFilter=filter, **more)


def _insight(kind: str, series: Sequence[object], **more: object) -> dict[str, object]:
    return {"kind": "InsightVizNode", "source": {"kind": kind, "series": list(series), "dateRange": _LAST, **more}}
