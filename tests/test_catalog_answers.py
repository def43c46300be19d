"""Every question of the catalog, over a simulated night with a missing hour, gives the rows that ClickHouse gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from queries.local.backend import LocalBackend
from queries.local.store import Store
from tests.catalog_oracle import EXPECTED, MORNING, alike, answers, asked, everything, rows_of
from tests.hogql_corpus import ZONE
from tests.hogql_oracle import Oracle

ASKED = asked()
# The night has nothing for them; what they are asked besides has.
_ELSEWHERE = ("exception_issues", "round_variants", "finetune_batches", "rounds_after_anomaly", "rounds_of_agent")


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBackend]:
    path: Path = tmp_path_factory.mktemp("catalog") / "events.db"
    store = Store.open(path)
    assert store.ingest(everything(), now=MORNING).rejected == ()
    store.close()
    backend = LocalBackend(path, ZONE, now=lambda: MORNING)
    yield backend
    backend.close()


@pytest.mark.parametrize("name", ASKED)
def test_a_question_gives_clickhouses_rows(name: str, backend: LocalBackend):
    question, values = ASKED[name]
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[name]
    found = rows_of([list(row) for row in backend.query(question.text, values, question.types).rows])
    assert _sorted_sets(alike(question, found)) == _sorted_sets(expected)
    assert found or " of one client" in name or "unfinished" in name or name in _ELSEWHERE


def test_the_stored_rows_are_chdbs_own():
    if find_spec("chdb") is None:
        pytest.skip("chdb is not installed (extra: oracle)")
    stored = json.loads(EXPECTED.read_text(encoding="utf-8"))
    found = answers(Oracle(everything()))
    assert {name: _sorted_sets(rows) for name, rows in found.items()} == {
        name: _sorted_sets(rows) for name, rows in stored.items()
    }


def _sorted_sets(rows: list) -> list:
    """`groupUniqArray` promises no order."""
    return [[sorted(cell) if isinstance(cell, list) else cell for cell in row] for row in rows]
