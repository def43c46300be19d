"""The boards about scoring: weak dimensions by client, regressions per run, scorer versions compared."""

from __future__ import annotations

from collections.abc import Mapping

from queries.boards import BEFORE, NOW, Board
from queries.gallery import dimensions, regressions, scorers

BOARDS: Mapping[str, Board] = {
    "dimensions": Board(
        "Lowest dimensions by client",
        (("dimension_heatmap", NOW), ("dimension_heatmap", BEFORE)),
        lambda window, found: dimensions.dimensions(window, dimensions.ROUNDS, *found),
    ),
    "dimensions_cases": Board(
        "Lowest dimensions of eval cases",
        (("case_dimensions", NOW), ("case_dimensions", BEFORE)),
        lambda window, found: dimensions.dimensions(window, dimensions.CASES, *found),
    ),
    "regressions": Board(
        "Regressions per run",
        (("run_regressions", NOW), ("run_cases", NOW), ("run_regressions", BEFORE), ("run_cases", BEFORE)),
        lambda window, found: regressions.regressions(window, *found),
    ),
    "scorers": Board(
        "Scorer versions",
        (("scorer_versions", NOW), ("scorer_mix", NOW)),
        lambda window, found: scorers.scorers(window, *found),
    ),
}
SIBLINGS: Mapping[str, str] = {"dimensions": "dimensions_cases", "dimensions_cases": "dimensions"}
