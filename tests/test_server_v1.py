"""PostHog's v1 capture and the SDK's lanes: the real SDK, then what it never sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import posthog.capture_v1
import posthog.request
import pytest
from posthog import Posthog

from queries.local.store import Store
from tests.conftest import NOW, Served
from tests.wire import Reply, names, properties, rows, send
from workspace.errors import LoopdeskError

PATH = "/i/v1/analytics/events"


def one(name: str = "round_started", **more: object) -> dict[str, Any]:
    return {
        "event": name,
        "uuid": str(uuid4()),
        "distinct_id": "a:b:c",
        "timestamp": NOW.isoformat(),
        "options": {},
        "properties": {"project": "autoagent"},
        **more,
    }


def send_v1(served: Served, events: object, path: str = PATH, headers: dict | None = None, **body: object) -> Reply:
    named = {
        "Authorization": f"Bearer {served.project_key}",
        "PostHog_Sdk_Info": "posthog-python/7.91.1",
        "PostHog_Attempt": "1",
        "PostHog_Request_Id": "11111111-2222-3333-4444-555555555555",
        "PostHog_Request_Timestamp": NOW.isoformat(),
        **(headers or {}),
    }
    wire = {"created_at": NOW.isoformat(), "batch": events, **body}
    return send(served.url + path, wire, **{name: value for name, value in named.items() if value is not None})


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate", "zstd"])
def test_the_real_sdk_delivers_by_v1(compression: str, serve: Callable[..., Served]):
    served, failed = serve(), []
    client = Posthog(
        served.project_key,
        host=served.url,
        capture_mode="v1",
        capture_compression=compression,
        on_error=lambda error, batch: failed.append(error),
    )
    for number in range(150):
        client.capture("round_scored", distinct_id="a:b:c", properties={"project": "autoagent", "score": number})
    client.capture("bye", distinct_id="x", properties={"$process_person_profile": False, "$session_id": "s1"})
    client.set(distinct_id="a:b:c", properties={"plan": "pro"})
    client.shutdown()
    assert failed == []
    assert sorted(names(served)) == ["$set", "bye", *["round_scored"] * 150]
    (bye,) = [kept for kept in properties(served) if "$session_id" in kept]
    assert (bye["$lib"], bye["$session_id"], bye["$process_person_profile"]) == ("posthog-python", "s1", False)
    assert rows(served, "SELECT distinct_id, properties FROM persons") == [("a:b:c", '{"plan":"pro"}')]


@pytest.mark.parametrize("mode", ["v0", "v1"])
def test_the_real_sdks_ai_lane_delivers(mode: str, serve: Callable[..., Served]):
    served, failed = serve(), []
    client = Posthog(
        served.project_key,
        host=served.url,
        capture_mode=mode,
        enable_full_ai_capture=True,
        on_error=lambda error, batch: failed.append(error),
    )
    tokens = {"$ai_input_tokens": 1_000_000, "$ai_output_tokens": 0}
    large = {"$ai_model": "claude-haiku-4-5", "$ai_input": "x" * 3_000_000, **tokens}
    client.capture_ai("$ai_generation", distinct_id="a", properties=large)
    client.capture_ai("$ai_trace", distinct_id="a", properties={"$ai_trace_id": "t"})
    client.capture("round_scored", distinct_id="a")
    client.shutdown()
    assert failed == []
    assert sorted(names(served)) == ["$ai_generation", "$ai_trace", "round_scored"]
    assert rows(served, "SELECT `p_$ai_total_cost_usd` FROM events WHERE event = '$ai_generation'") == [(1.0,)]
    assert rows(served, "SELECT length(payload) > 3000000 FROM ai_payloads") == [(1,)]


def test_the_real_sdk_is_told_which_events_were_dropped(serve: Callable[..., Served]):
    served, failed = serve(), []
    client = Posthog(
        served.project_key, host=served.url, capture_mode="v1", on_error=lambda error, batch: failed.append(error)
    )
    client.capture("good", distinct_id="a")
    client.capture("bad", distinct_id="")
    client.capture(" ", distinct_id="a")
    client.shutdown()
    assert names(served).count("good") == 1
    assert [details for error in failed for _, details in error.drops] == ["missing_event_name"]


class Skewed:
    """A machine whose clock is off by `skew`, and the real SDK on it: it stamps `sent_at` by that clock."""

    def __init__(self, served: Served, mode: str, skew: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
        self._client = Posthog(served.project_key, host=served.url, capture_mode=mode, sync_mode=True)
        self._skew, self._patch = skew, monkeypatch

    def capture(self, event: str, at: datetime, delivered: datetime) -> None:
        told = delivered + self._skew

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return told

        for module in (posthog.request, posthog.capture_v1):
            self._patch.setattr(module, "datetime", Clock)
        self._client.capture(
            event, distinct_id="a", timestamp=at + self._skew, properties={"round_id": "r1", "$ai_trace_id": "r1"}
        )


@pytest.mark.parametrize("mode", ["v0", "v1"])
def test_machines_with_wrong_clocks_make_one_ordered_trace(
    mode: str, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
):
    arrival = [NOW]
    served = serve(clock=lambda: arrival[0])
    fast = Skewed(served, mode, timedelta(minutes=37), monkeypatch)
    slow = Skewed(served, mode, timedelta(hours=-2), monkeypatch)
    story = ["round_started", "step.plan", "proposal_generated", "proposal_applied", "round_scored", "round_kept"]
    # Each happens ten seconds after the other, on one machine and the other in turn, and is delivered later, the last
    # ones first.
    happened = [NOW + timedelta(seconds=10 * place) for place in range(len(story))]
    for place in reversed(range(len(story))):
        arrival[0] = happened[place] + timedelta(seconds=90 - place)
        (fast if place % 2 else slow).capture(story[place], happened[place], arrival[0])
    found = rows(served, "SELECT event, timestamp FROM events WHERE p_round_id = 'r1' ORDER BY timestamp")
    assert found == [(name, int(at.timestamp() * 1e6)) for name, at in zip(story, happened, strict=True)]


def test_each_event_has_its_result_and_the_request_its_id(serve: Callable[..., Served]):
    served = serve(clock=lambda: NOW)
    good, nameless = one(), one("")
    unknown, odd = one(distinct_id=None), one(uuid="not-a-uuid")
    naive, huge = one("naive", timestamp="2026-11-20T07:00:00"), one(properties={"plan": "x" * 1_100_000})
    reply = send_v1(served, [good, nameless, unknown, odd, naive, huge])
    assert reply.status == 200
    assert reply.json["results"] == {
        good["uuid"]: {"result": "ok"},
        nameless["uuid"]: {"result": "drop", "details": "missing_event_name"},
        unknown["uuid"]: {"result": "drop", "details": "missing_distinct_id"},
        "not-a-uuid": {"result": "drop", "details": "invalid_uuid"},
        naive["uuid"]: {"result": "warning", "details": "invalid_timestamp"},
        huge["uuid"]: {"result": "drop", "details": "event_too_big"},
    }
    assert reply.headers["PostHog-Request-Id"] == "11111111-2222-3333-4444-555555555555"
    assert "Retry-After" not in reply.headers
    assert sorted(names(served)) == ["naive", "round_started"]


def test_options_become_the_properties_that_v0_has(serve: Callable[..., Served]):
    served = serve(clock=lambda: NOW)
    options = {"cookieless_mode": True, "process_person_profile": False, "product_tour_id": "t"}
    late = {"PostHog_Request_Timestamp": (NOW - timedelta(hours=1)).isoformat()}
    fixed = one("fixed", options={"disable_skew_correction": True})
    assert send_v1(served, [one("moved", options=options, window_id="w"), fixed], headers=late).status == 200
    moved, _ = properties(served)
    assert {
        "$cookieless_mode": True,
        "$process_person_profile": False,
        "$product_tour_id": "t",
    }.items() <= moved.items()
    assert moved["$window_id"] == "w"
    times = rows(served, "SELECT event, timestamp FROM events ORDER BY timestamp")
    assert times == [
        ("fixed", int(NOW.timestamp() * 1e6)),
        ("moved", int((NOW + timedelta(hours=1)).timestamp() * 1e6)),
    ]


def test_the_v1_ai_lane_drops_what_it_does_not_take(serve: Callable[..., Served]):
    served = serve()
    good = one("$ai_span")
    other, large = one("round_started"), one("$ai_trace", properties={"$ai_input_state": "x" * 9_000_000})
    reply = send_v1(served, [good, other, large], path="/i/v1/ai/events")
    assert reply.json["results"] == {
        good["uuid"]: {"result": "ok"},
        other["uuid"]: {"result": "drop", "details": "misrouted_event"},
        large["uuid"]: {"result": "drop", "details": "ai_event_too_big"},
    }
    assert names(served) == ["$ai_span"]


def test_a_full_disk_asks_for_the_events_again(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch):
    served = serve()
    with monkeypatch.context() as full:
        full.setattr(Store, "ingest", _full)
        sent = one()
        reply = send_v1(served, [sent])
        assert reply.json["results"] == {sent["uuid"]: {"result": "retry", "details": "not_persisted"}}
        assert reply.headers["Retry-After"] == "1"
    assert send_v1(served, [sent]).json["results"] == {sent["uuid"]: {"result": "ok"}}
    assert names(served) == ["round_started"]


def _full(*_arguments: object, **_named: object) -> None:
    raise LoopdeskError("The disk is full")


@pytest.mark.parametrize(
    ("headers", "batch", "status", "error"),
    [
        ({"Authorization": None}, [one()], 401, "invalid_api_token"),
        ({"Authorization": "Basic abc"}, [one()], 401, "invalid_api_token"),
        ({"Authorization": "Bearer phc_wrong"}, [one()], 401, "invalid_api_token"),
        ({"PostHog_Sdk_Info": None}, [one()], 400, "missing_required_headers"),
        ({"PostHog_Attempt": None}, [one()], 400, "missing_required_headers"),
        ({"Content_Type": "text/plain"}, [one()], 415, "unsupported_content_type"),
        ({"Content_Encoding": "br"}, [one()], 415, "unsupported_encoding"),
        ({}, [], 400, "empty_batch"),
        ({}, {}, 400, "request_parsing_error"),
        ({}, ["x"], 400, "request_parsing_error"),
        ({}, [one(uuid=None)], 400, "request_parsing_error"),
        ({}, [one(properties=[1])], 400, "request_parsing_error"),
        ({}, [one(options={"cookieless_mode": "yes"})], 400, "request_parsing_error"),
        ({}, [one(properties={"x": "y" * 21_000_000})], 413, "payload_too_large"),
    ],
)
def test_a_refused_request_has_posthogs_error(headers: dict, batch: object, status: int, error: str, serve):
    served = serve()
    reply = send_v1(served, batch, headers=headers)
    assert (reply.status, reply.json["error"]) == (status, error)
    assert set(reply.json) == {"error", "error_description", "error_uri"}
    assert reply.headers["PostHog-Request-Id"]
    assert names(served) == []


def test_a_body_that_is_not_json_is_refused(serve: Callable[..., Served]):
    served = serve()
    headers = {
        "Authorization": f"Bearer {served.project_key}",
        **dict.fromkeys(("PostHog_Sdk_Info", "PostHog_Attempt", "PostHog_Request_Id"), "1"),
        "PostHog_Request_Timestamp": datetime.now(UTC).isoformat(),
    }
    for body in (b"{", json.dumps([1]).encode(), b"7"):
        assert send(served.url + PATH, body, **headers).json["error"] == "request_parsing_error"


def test_readiness_fails_while_nothing_can_be_stored(serve: Callable[..., Served], tmp_path: Path):
    served = serve()
    assert send(served.url + "/_readiness", method="GET").text == "ok"
    served.events_db.rename(tmp_path / "elsewhere.db")
    reply = send(served.url + "/_readiness", method="GET")
    assert (reply.status, "moved or replaced" in reply.text) == (503, True)
    assert send(served.url + "/_liveness", method="GET").status == 200
    body = {"api_key": served.project_key, **one()}
    assert send(served.url + "/e/", body).status == 503
