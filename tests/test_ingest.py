"""What is stored of an event, and what is refused."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.local.ingest import EventRejected, to_row
from queries.local.prices import Price, Prices
from queries.local.retention import cutoff, keeps_prompts
from queries.local.schema import HOT_PROPERTIES
from queries.local.store import CHUNK, Store
from tests.conftest import NOW
from tests.events import event
from workspace.errors import LoopdeskError


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
        ({"properties": {"$ai_input": "x" * 1_000_001}}, "larger than 1,000,000 bytes"),
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


def test_half_a_character_in_a_dimensions_name_costs_no_event(store: Store):
    names = [f"dim_{half}" for half in ("\ud800", "\udfff")]
    odd = event("round_scored", key=1, **dict(zip(names, (0.5, 0.25), strict=True)))
    assert store.ingest([event("round_scored", key=2), odd]).stored == 2
    assert store.connection.execute("SELECT dim, value FROM dims").fetchall() == [("dim_?", 0.25)]


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


def test_a_time_that_is_corrected_to_before_1971_becomes_the_time_of_arrival():
    wire = {"event": "e", "distinct_id": "d", "timestamp": "1972-01-01T00:00:00Z"}
    assert (
        to_row(wire, now=NOW, skew=-timedelta(days=3650)).timestamp
        == to_row(wire | {"timestamp": None}, now=NOW).timestamp
    )


def test_a_sender_may_say_that_its_times_are_right():
    assert moment(event("x", **{"$ignore_sent_at": True}), skew=timedelta(hours=-3)) == timedelta(0)


@pytest.mark.parametrize(
    ("offset", "before"),
    [(1500, timedelta(seconds=1.5)), (0, timedelta(0)), (1e300, timedelta(0)), ("x", timedelta(0))],
)
def test_a_browser_sends_how_long_ago_it_was(offset: object, before: timedelta):
    assert moment({**event("x"), "timestamp": None, "offset": offset}, skew=timedelta(hours=9)) == -before


def test_a_naive_time_is_utc():
    assert moment({**event("x"), "timestamp": "2026-11-20T07:00:00"}) == timedelta(minutes=-12)


def test_events_are_deleted_with_all_that_belongs_to_them(store: Store):
    first, second = event("round_scored", key=1, dim_a=1), event("round_scored", key=2, dim_a=2)
    store.ingest([first, second])
    assert store.delete([first["uuid"]]) == 1
    for table in ("bodies", "events", "dims"):
        assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_a_model_call_gets_its_cost_and_its_ids_as_text(store: Store):
    sent = {"$ai_model": "gpt-4o-mini", "$ai_input_tokens": 1_000_000, "$ai_output_tokens": 0}
    store.ingest([event("$ai_generation", **sent, **{"$ai_trace_id": 7, "$ai_parent_id": [1], "$ai_usage": {"a": 1}})])
    (text,) = store.connection.execute("SELECT properties FROM bodies").fetchone()
    (cost,) = store.connection.execute("SELECT `p_$ai_total_cost_usd` FROM events").fetchone()
    kept = json.loads(text)
    assert (cost, kept["$ai_cost_model_source"], kept["$ai_trace_id"]) == (0.15, "manual", "7")
    assert not kept.keys() & {"$ai_parent_id", "$ai_usage"}


def test_the_stores_own_prices_come_before_the_packaged_ones(tmp_path: Path):
    table = Prices([Price("gpt-4o-mini", "me", 2.0, 0.0)])
    store = Store.open(tmp_path / "events.db", prices=table)
    store.ingest([event("$ai_embedding", **{"$ai_model": "gpt-4o-mini", "$ai_input_tokens": 3})])
    assert store.connection.execute("SELECT `p_$ai_total_cost_usd` FROM events").fetchone() == (6.0,)
    store.close()


def test_an_exception_gets_its_issue(store: Store):
    store.ingest([event("$exception", **{"$exception_list": [{"type": "ValueError", "value": "bad"}]})])
    (text,) = store.connection.execute("SELECT properties FROM bodies").fetchone()
    assert json.loads(text).keys() >= {"$exception_fingerprint", "$exception_issue_id"}


def test_person_properties_beside_the_event_are_its_own(store: Store):
    sent = event("x", **{"$set": {"plan": "pro"}})
    store.ingest([{**sent, "$set": {"plan": "free", "seats": 2}, "$set_once": {"first": 1}}])
    (text,) = store.connection.execute("SELECT properties FROM bodies").fetchone()
    assert json.loads(text)["$set"] == {"plan": "pro", "seats": 2}
    assert json.loads(text)["$set_once"] == {"first": 1}


def test_a_large_batch_leaves_room_for_other_writers(store: Store, tmp_path: Path):
    other = Store.open(store.path)
    other.connection.execute("PRAGMA busy_timeout = 0")
    seen = []

    def between(statement: str) -> None:
        if statement == "COMMIT":
            seen.append(len(other.connection.execute("SELECT 1 FROM bodies").fetchall()))

    store.connection.set_trace_callback(between)
    assert store.ingest([event("round_started", key=number) for number in range(2 * CHUNK + 1)]).stored == 2 * CHUNK + 1
    assert seen == [0, CHUNK, 2 * CHUNK]
    other.close()


def payloads(store: Store) -> int:
    return store.connection.execute("SELECT count(*) FROM ai_payloads").fetchone()[0]


def prompt(key: object) -> dict:
    return event("$ai_generation", key=key, **{"$ai_input": "hi"})


def test_prompts_are_forgotten_and_their_events_are_not(store: Store):
    for days in (0, 29, 31, 40):
        store.ingest([prompt((days, n)) for n in range(700)], now=NOW - timedelta(days=days))
    assert store.forget_payloads(cutoff(NOW, 30)) == 1400
    assert store.forget_payloads(cutoff(NOW, 30)) == 0
    assert payloads(store) == 1400
    assert store.connection.execute("SELECT count(*) FROM events").fetchone() == (2800,)


def test_without_days_no_prompt_is_kept(tmp_path: Path, store: Store):
    store.ingest([prompt(1)], now=NOW)
    assert store.forget_payloads(cutoff(NOW + timedelta(seconds=1), 0)) == 1
    assert not keeps_prompts(0) and keeps_prompts(1)
    silent = Store.open(store.path, keep_prompts=False)
    silent.ingest([prompt(2)])
    assert payloads(silent) == 0
    silent.close()


def test_a_retention_of_ages_forgets_nothing(store: Store):
    store.ingest([prompt(1)], now=NOW)
    assert store.forget_payloads(cutoff(NOW, 10**9)) == 0


def test_compacting_gives_the_space_of_forgotten_prompts_back(store: Store):
    store.ingest([event("$ai_generation", key=n, **{"$ai_input": "x" * 100_000}) for n in range(50)], now=NOW)
    store.forget_payloads(NOW + timedelta(days=1))
    assert store.vacuum() > 4_000_000
    assert store.connection.execute("SELECT count(*) FROM events").fetchone() == (50,)


def test_compacting_says_when_the_disk_has_no_room_for_it(store: Store, monkeypatch: pytest.MonkeyPatch):
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 10, 0))
    with pytest.raises(LoopdeskError, match="MB of free space, and the disk has 0 MB"):
        store.vacuum()


def test_a_full_disk_is_not_ready(store: Store, monkeypatch: pytest.MonkeyPatch):
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 10, 1_000_000))
    with pytest.raises(LoopdeskError, match="is full"):
        store.check_writable()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_store_whose_file_was_taken_away_is_not_ready(store: Store, replaced: bool):
    store.check_writable()
    store.path.rename(store.path.with_name("elsewhere"))
    if replaced:
        store.path.write_bytes(b"")
    with pytest.raises(LoopdeskError, match="moved or replaced"):
        store.check_writable()


def test_a_damaged_store_is_not_ready(store: Store):
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with store.path.open("r+b") as file:
        file.write(b"x" * 4096)
    with pytest.raises(LoopdeskError, match="is damaged"):
        store.check_writable()


def test_a_store_that_is_being_written_is_ready(store: Store):
    with store.transaction():
        store.connection.execute("DELETE FROM compiled")
        store.check_writable()


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
