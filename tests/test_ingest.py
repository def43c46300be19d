"""What is stored of an event, and what is refused."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.local.ingest import EventRejected, to_row
from queries.local.schema import HOT_PROPERTIES
from queries.local.store import Store
from tests.conftest import NOW
from tests.events import event


@pytest.fixture
def store(tmp_path: Path):
    store = Store.open(tmp_path / "events.db")
    yield store
    store.close()


def hot(wire: dict) -> dict:
    return dict(zip(HOT_PROPERTIES, to_row(wire, now=NOW).hot, strict=True))


def test_an_event_without_an_id_gets_one_that_begins_with_the_time_of_arrival() -> None:
    made = [UUID(to_row({"event": "e", "distinct_id": "d"}, now=NOW).uuid) for _ in range(2)]
    assert made[0] != made[1]
    assert {(uuid.version, uuid.int >> 80) for uuid in made} == {(7, int(NOW.timestamp() * 1000))}


def test_a_resent_event_is_stored_once(store: Store):
    batch = [event("round_started", key=number) for number in range(3)]
    assert store.ingest(batch).stored == 3
    again = store.ingest([*batch, event("round_started", key=9), event("round_started", key=9)])
    assert (again.stored, again.duplicates) == (1, 4)
    assert store.connection.execute("SELECT count(*) FROM events").fetchone() == (4,)


def test_one_bad_event_does_not_take_the_others_with_it(store: Store):
    bad = {**event("round_started", key=1), "uuid": "not-a-uuid"}
    result = store.ingest([event("round_started", key=2), bad])
    assert (result.stored, result.rejected) == (1, ("its uuid is not a UUID",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event": ""}, "no event name"),
        ({"distinct_id": None}, "no distinct_id"),
        ({"properties": [1]}, "not an object"),
        ({"properties": {"plan": "x" * 1_000_001}}, "larger than 1,000,000 bytes"),
        ({"properties": {"score": float("nan")}}, "not JSON compliant"),
    ],
)
def test_an_event_that_cannot_be_stored_says_why(change: dict, reason: str):
    with pytest.raises(EventRejected, match=reason):
        to_row({**event("round_scored"), **change}, now=NOW)


def test_hot_columns_hold_what_posthog_would_show():
    shown = hot(
        event(
            "round_scored",
            ok=True,
            reason='said "no"\n',
            tool="",
            target=None,
            git_sha=7,
            score=0.5,
            delta="0.1",
            cost_usd=3,
        )
    )
    assert (shown["ok"], shown["reason"], shown["tool"], shown["target"]) == ("true", 'said \\"no\\"\\n', "", None)
    assert (shown["git_sha"], shown["score"], shown["delta"], shown["cost_usd"]) == ("7", 0.5, "0.1", 3)


def test_an_integer_too_large_for_the_file_is_kept_as_its_digits():
    assert hot(event("round_scored", score=2**70))["score"] == str(2**70)


def test_dimensions_go_to_the_long_table(store: Store):
    store.ingest([event("round_scored", dim_naming=0.5, dim_tests=1, dim_note="high", dim_flag=True, dim_text="1.5")])
    assert store.connection.execute("SELECT dim, value FROM dims ORDER BY dim").fetchall() == [
        ("dim_flag", 1.0),
        ("dim_naming", 0.5),
        ("dim_tests", 1.0),
        ("dim_text", 1.5),
    ]


def test_prompts_are_kept_apart_from_the_event(store: Store):
    store.ingest([event("$ai_generation", **{"$ai_input": [{"role": "user", "content": "hi"}], "$ai_model": "m"})])
    body, payload = store.connection.execute(
        "SELECT properties, payload FROM bodies JOIN ai_payloads USING (id)"
    ).fetchone()
    assert "$ai_input" not in json.loads(body)
    assert json.loads(payload) == {"$ai_input": [{"role": "user", "content": "hi"}]}


def moment(wire: dict, **arguments: object) -> timedelta:
    """The stored time minus NOW."""
    stored = to_row(wire, now=NOW, **arguments).timestamp  # type: ignore[arg-type]
    return timedelta(microseconds=stored - int(NOW.timestamp() * 1e6))


def test_the_senders_clock_is_corrected_by_sent_at():
    assert moment(event("x"), skew=timedelta(hours=-3)) == timedelta(hours=-3)


@pytest.mark.parametrize(
    "timestamp", [None, "yesterday", {}, (NOW + timedelta(days=2)).isoformat(), "0001-01-01", True]
)
def test_a_time_that_cannot_be_right_becomes_the_time_of_arrival(timestamp: object):
    assert moment({**event("x"), "timestamp": timestamp}) == timedelta(0)


def test_a_naive_time_is_utc():
    assert moment({**event("x"), "timestamp": "2026-11-20T07:00:00"}) == timedelta(minutes=-12)


def test_events_are_deleted_with_all_that_belongs_to_them(store: Store):
    first, second = event("round_scored", key=1, dim_a=1), event("round_scored", key=2, dim_a=2)
    store.ingest([first, second])
    assert store.delete([first["uuid"]]) == 1
    for table in ("bodies", "events", "dims"):
        assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    name=st.text(),
    distinct_id=JSON,
    timestamp=JSON,
    properties=st.dictionaries(st.text() | st.sampled_from(HOT_PROPERTIES), JSON),
)
def test_whatever_json_comes_is_stored_whole_or_refused(name, distinct_id, timestamp, properties):
    wire = {"event": name, "distinct_id": distinct_id, "timestamp": timestamp, "properties": properties}
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "events.db")
        found = store.ingest([wire], now=NOW)
        stored = store.connection.execute("SELECT properties FROM bodies JOIN events USING (id)").fetchall()
        store.close()
    assert found.stored + len(found.rejected) == 1
    assert len(stored) == found.stored
    assert all(isinstance(json.loads(text), dict) for (text,) in stored)
