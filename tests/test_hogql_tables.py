"""The tables beside `events`: `posthog.ai_events` with its typed columns, persons, and the person of an event."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from queries.local.backend import LocalBackend
from queries.local.hogql.errors import HogQLError
from queries.local.store import Store
from tests.conftest import NOW
from tests.events import event

ANN = "11111111-1111-4111-8111-111111111111"
GENERATION = {
    "$ai_trace_id": "round-1", "$ai_span_id": "s2", "$ai_parent_id": "s1", "$ai_session_id": "night", "$ai_model": "m1",
    "$ai_provider": "anthropic", "$ai_input": [{"role": "user", "content": 'say "hi"\n'}],
    "$ai_output_choices": ["hi"],
    "$ai_input_tokens": 12, "$ai_output_tokens": "7", "$ai_total_cost_usd": 0.25, "$ai_latency": 1.5,
    "$ai_is_error": True, "$ai_error": "boom", "$ai_tools": "none", "score": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBackend]:
    folder = tmp_path_factory.mktemp("tables")
    folder.chmod(0o700)
    store = Store.open(folder / "events.db")
    wire = [
        event("$ai_generation", **GENERATION),
        {**event("$ai_span", key=1, **{"$ai_trace_id": "round-1", "$ai_span_name": "plan"}), "distinct_id": "nobody"},
        event("round_scored", score=0.5),
        event("$pageview"),
    ]
    assert not store.ingest(wire, now=NOW).rejected
    # What the server writes for `$identify`; two distinct ids of one person.
    store.connection.execute("DELETE FROM persons")  # those that came with the events have one id each
    for distinct_id in ("autoagent:internal:coder", "ann@example.com"):
        store.connection.execute('INSERT INTO persons VALUES (?, ?, 1000000, \'{"name":"Ann"}\')', (distinct_id, ANN))
    asking = LocalBackend(store.path, "Europe/Berlin", now=lambda: NOW)
    yield asking
    asking.close()
    store.close()


def rows(backend: LocalBackend, text: str) -> list[list]:
    return [list(row) for row in backend.query(text).rows]


def test_the_columns_of_a_generation_are_typed(backend: LocalBackend) -> None:
    text = (
        "SELECT trace_id, span_id, parent_id, session_id, model, provider, input_tokens, output_tokens, total_tokens, "
        "total_cost_usd, latency, is_error, error FROM posthog.ai_events WHERE event = '$ai_generation'"
    )
    found = backend.query(text)
    assert list(found.rows[0]) == [
        "round-1", "s2", "s1", "night", "m1", "anthropic", 12, 7, None, 0.25, 1.5, 1, "boom"]  # fmt: skip
    types = dict(zip(found.columns, found.types, strict=True))
    assert types["input_tokens"] == "Nullable(Int64)" and types["latency"] == "Nullable(Float64)"
    assert types["is_error"] == "UInt8" and types["trace_id"] == "Nullable(String)"


def test_only_ai_events_are_in_it(backend: LocalBackend) -> None:
    text = "SELECT event, is_error, span_name, input FROM ai_events ORDER BY event"
    assert [row[:3] for row in rows(backend, text)] == [["$ai_generation", 1, None], ["$ai_span", 0, "plan"]]


def test_prompts_are_json_text_and_gone_after_their_retention(backend: LocalBackend) -> None:
    text = "SELECT input, output_choices, tools, properties.$ai_input FROM ai_events WHERE trace_id = 'round-1' AND {w}"
    generation = text.replace("{w}", "event = '$ai_generation'")
    prompt = '[{"role":"user","content":"say \\"hi\\"\\n"}]'
    assert rows(backend, generation) == [[prompt, '["hi"]', "none", prompt]]
    assert rows(backend, "SELECT properties.$ai_input FROM events WHERE event = '$ai_generation'") == [[None]]
    assert rows(backend, text.replace("{w}", "event = '$ai_span'")) == [[None, None, None, None]]


def test_a_trace_is_found_by_a_property_that_is_no_column(backend: LocalBackend) -> None:
    text = (
        "SELECT a.properties.score, JSONExtractString(a.input, 1, 'content') FROM posthog.ai_events AS a "
        "WHERE a.is_error = 1"
    )
    assert rows(backend, text) == [["1", 'say "hi"\n']]


def test_ai_events_can_be_joined_and_grouped(backend: LocalBackend) -> None:
    text = (
        "SELECT e.event, count(), countIf(a.is_error = 1), max(a.input_tokens) FROM events AS e "
        "LEFT JOIN posthog.ai_events AS a ON a.uuid = e.uuid GROUP BY e.event ORDER BY e.event"
    )
    assert rows(backend, text) == [
        ["$ai_generation", 1, 1, 12], ["$ai_span", 1, 0, None], ["$pageview", 1, 0, None], ["round_scored", 1, 0, None]
    ]  # fmt: skip


def test_star_of_ai_events_has_every_column(backend: LocalBackend) -> None:
    found = backend.query("SELECT * FROM posthog.ai_events")
    assert len(found.columns) == len(set(found.columns)) > 35
    assert {"uuid", "timestamp", "trace_id", "input_state", "output", "time_to_first_token"} <= set(found.columns)


def test_a_person_is_one_row_however_many_ids_he_has(backend: LocalBackend) -> None:
    assert rows(backend, "SELECT id, properties.name, toUnixTimestamp(created_at) FROM persons") == [[ANN, "Ann", 1]]
    text = "SELECT distinct_id, person_id FROM person_distinct_ids ORDER BY distinct_id"
    assert rows(backend, text) == [["ann@example.com", ANN], ["autoagent:internal:coder", ANN]]


def test_an_event_knows_its_person_where_there_is_one(backend: LocalBackend) -> None:
    text = (
        "SELECT event, person_id, person.id, person.properties.name, person.properties['name'], events.person.id "
        "FROM events WHERE event LIKE '$ai_%' ORDER BY event"
    )
    assert rows(backend, text) == [["$ai_generation", ANN, ANN, "Ann", "Ann", ANN], ["$ai_span", *[None] * 5]]


def test_persons_group_their_events(backend: LocalBackend) -> None:
    text = "SELECT e.person.properties.name AS name, count() FROM events AS e GROUP BY name ORDER BY name"
    assert rows(backend, text) == [["Ann", 3], [None, 1]]
    joined = (
        "SELECT p.properties.name, count() FROM events AS e JOIN person_distinct_ids AS d "
        "ON d.distinct_id = e.distinct_id JOIN persons AS p ON p.id = d.person_id GROUP BY p.properties.name"
    )
    assert rows(backend, joined) == [["Ann", 3]]


@pytest.mark.parametrize("text", ["SELECT person FROM events", "SELECT person.secret FROM events",
                                  "SELECT event FROM events WHERE person.id.x = 'a'"])  # fmt: skip
def test_what_a_person_has_not_is_refused(text: str, backend: LocalBackend) -> None:
    with pytest.raises(HogQLError, match="Unable to resolve field: person"):
        backend.query(text)


@pytest.mark.parametrize("table", ["compiled", "objects", "cursors", "imported_rows", "sqlite_master"])
def test_the_connection_itself_reads_only_what_belongs_to_queries(table: str, backend: LocalBackend) -> None:
    with backend._borrowed() as lane, pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
        lane.connection.execute(f"SELECT * FROM {table}").fetchall()
    with backend._borrowed() as lane:
        for name in ("events", "bodies", "dims", "ai_payloads", "persons"):
            lane.connection.execute(f"SELECT * FROM {name}").fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM events",
        "ATTACH ':memory:' AS x",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('x')",
        "CREATE TEMP TABLE x (a)",
        "VACUUM INTO 'x'",
    ],
)
def test_the_connection_itself_cannot_do_anything_else(sql: str, backend: LocalBackend) -> None:
    with pytest.raises(sqlite3.DatabaseError), backend._borrowed() as lane:
        lane.connection.execute(sql).fetchall()
