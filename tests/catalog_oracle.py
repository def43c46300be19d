"""What ClickHouse answers to every question of the catalog over a simulated night: `python -m tests.catalog_oracle`
writes `catalog_expected.json`, which the tests compare with the embedded store's rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from queries.boards import parameters
from queries.catalog import catalog
from queries.simulator import simulate
from queries.views import window as windows
from queries.views.filters import Filters
from tests.hogql_corpus import ZONE
from tests.hogql_oracle import Oracle, comparable

EXPECTED = Path(__file__).with_name("catalog_expected.json")
# The morning after the clocks went forward in ZONE: the night has a missing hour.
MORNING = datetime(2026, 3, 29, 7, 12, tzinfo=UTC)
# Question -> what is asked besides the night: filters are part of every text.
FILTERS = {"": Filters(), " of one client": Filters("gtm-autoresearch", "moss-cosmetics")}


@cache
def weekend() -> list[dict]:
    batches = simulate(2, until=MORNING, tz=ZoneInfo(ZONE), nights=2)
    return [event for batch in batches for event in batch]


def asked() -> dict[str, tuple[catalog.Question, dict[str, object]]]:
    """Every question with its values, by a name for the two together."""
    night = windows.night(MORNING, ZONE)
    found = {}
    for name in catalog.names():
        question = catalog.load(name)
        for suffix, filters in FILTERS.items():
            given = parameters(night, night.span, filters, "")
            found[name + suffix] = (question, question.values(given))
    return found


def rows_of(rows: list) -> list:
    return [[comparable(cell) for cell in row] for row in rows]


def answers(oracle: Oracle) -> dict[str, list]:
    return {name: rows_of(oracle.ask(question.text, values)["rows"]) for name, (question, values) in asked().items()}


if __name__ == "__main__":
    found = answers(Oracle(weekend()))
    lines = (f"{json.dumps(name)}: {json.dumps(rows, ensure_ascii=False)}" for name, rows in found.items())
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
