"""The boards about the model router: quality, spend, anomalies, teams."""

from __future__ import annotations

from collections.abc import Mapping

from queries.boards import BEFORE, NOW, Board
from queries.gallery.anomalies import anomaly_reverts
from queries.gallery.quality import quality, quality_of_rounds
from queries.gallery.spending import GENERATIONS, spend
from queries.gallery.teams import teams


def _both(question: str) -> tuple[tuple[str, str], ...]:
    return ((question, NOW), (question, BEFORE))


BOARDS: Mapping[str, Board] = {
    "quality": Board("Quality by task and model", (("router_quality", NOW),), lambda _, found: quality(*found)),
    "quality_rounds": Board(
        "Quality by task and model, of rounds", (("round_quality", NOW),), lambda _, found: quality_of_rounds(*found)
    ),
    "spend": Board("Spend by task", _both("router_spend"), lambda window, found: spend(window, *found)),
    "spend_generations": Board(
        "Spend by task, of model calls",
        _both("generation_spend"),
        lambda window, found: spend(window, *found, source=GENERATIONS),
    ),
    "anomaly_reverts": Board(
        "Reverts after anomalies",
        (("anomaly_times", NOW), ("revert_hours", NOW)),
        lambda window, found: anomaly_reverts(window, *found),
    ),
    "teams": Board("Team summaries", (("team_summaries", NOW),), lambda window, found: teams(window, *found)),
}

# The same figures from the events of another sender. They are never added.
SIBLINGS: Mapping[str, str] = {
    "quality": "quality_rounds",
    "quality_rounds": "quality",
    "spend": "spend_generations",
    "spend_generations": "spend",
}
