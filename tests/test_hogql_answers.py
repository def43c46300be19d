"""The same answers as ClickHouse: each text of the corpus over events with every nasty value, and around the moments at
which clocks move, in several zones. The expected rows were written by chdb; where it is installed it is asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from queries.catalog import catalog
from queries.local.hogql.compiler import compile_query
from tests.hogql_corpus import ZONES, clock_events, clock_queries, events, queries
from tests.hogql_oracle import CLOCKS_EXPECTED, EXPECTED, Oracle
from tests.hogql_store import Asked, compiled, family, rows_of

QUERIES, CLOCKS = queries(), clock_queries()
_LATER = datetime(2027, 6, 1, tzinfo=UTC)  # when every tick has been


@cache
def expected(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    asked = Asked(tmp_path_factory.mktemp("hogql") / "events.db", events())
    yield asked
    asked.store.close()


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    asked = Asked(tmp_path_factory.mktemp("clocks") / "events.db", clock_events(), _LATER)
    yield asked
    asked.store.close()


def _chdb() -> None:
    if find_spec("chdb") is None:
        pytest.skip("chdb is not installed (extra: oracle)")


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    _chdb()
    return Oracle()


@pytest.fixture(scope="module")
def clock_oracle() -> Oracle:
    _chdb()
    return Oracle(clock_events())


def test_the_corpus_is_large_and_each_text_is_named_once() -> None:
    assert len(QUERIES) >= 400 and len(CLOCKS) >= 40
    assert set(expected(EXPECTED)) == set(QUERIES) and set(expected(CLOCKS_EXPECTED)) == set(CLOCKS)


@pytest.mark.parametrize("name", QUERIES)
def test_answers_are_those_that_clickhouse_gave(name: str, corpus: Asked) -> None:
    text = QUERIES[name]
    assert rows_of(text, corpus.answer(text)) == rows_of(text, expected(EXPECTED)[name]["rows"])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", CLOCKS)
def test_times_are_clickhouses_in_every_zone(name: str, zone: str, clocks: Asked) -> None:
    text = CLOCKS[name]
    assert rows_of(text, clocks.answer(text, zone=zone)) == rows_of(text, expected(CLOCKS_EXPECTED)[name][zone]["rows"])


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - {"casts"}))  # PostHog's casts give NULL, ClickHouse's raise
def test_types_are_those_that_clickhouse_gave(name: str) -> None:
    types = expected(EXPECTED)[name]["types"]
    assert [family(type) for type in compiled(QUERIES[name]).types] == [family(type) for type in types]


@pytest.mark.parametrize("name", QUERIES)
def test_stored_answers_are_chdbs_own(name: str, oracle: Oracle) -> None:
    text = QUERIES[name]
    assert rows_of(text, oracle.ask(text)["rows"]) == rows_of(text, expected(EXPECTED)[name]["rows"])


@pytest.mark.parametrize("name", CLOCKS)
def test_stored_times_are_chdbs_own(name: str, clock_oracle: Oracle) -> None:
    text = CLOCKS[name]
    for zone in ZONES:
        stored = expected(CLOCKS_EXPECTED)[name][zone]["rows"]
        assert rows_of(text, clock_oracle.ask(text, zone=zone)["rows"]) == rows_of(text, stored)


@pytest.mark.parametrize("name", catalog.names())
def test_every_question_of_the_catalog_is_answered(name: str, corpus: Asked) -> None:
    question = catalog.load(name)
    given: dict = {"since": "2026-03-01T00:00:00Z", "until": "2026-05-01T00:00:00Z"}
    given |= {"id": "R", "id_end": "S", "uuids": [], "dim": "dim_naming"}
    values = {key: (question.types[key], value) for key, value in question.values(given).items()}
    rows = corpus.answer(question.text, values)
    compiled = compile_query(question.text, question.types)
    assert [column.name for column in question.columns] == list(compiled.columns)
    assert all(len(row) == len(question.columns) for row in rows)
