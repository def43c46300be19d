"""The embedded PostHog on the wire: the real SDK, hostile bodies, wrong keys, web pages."""

from __future__ import annotations

import gzip
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from posthog import Posthog

from tests.conftest import Served
from tests.events import batch, event


def post(url: str, body: bytes | object, **headers: str) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def stored(served: Served) -> list[tuple]:
    connection = sqlite3.connect(served.events_db)
    try:
        return connection.execute("SELECT event, p_project, p_score FROM events ORDER BY timestamp").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("gzipped", [False, True])
def test_the_real_sdk_delivers(serve: Callable[..., Served], gzipped: bool):
    served = serve()
    client = Posthog(served.project_key, host=served.url, gzip=gzipped)
    for number in range(250):
        client.capture("round_scored", distinct_id="a:b:c", properties={"project": "autoagent", "score": number})
    client.shutdown()
    assert len(stored(served)) == 250
    assert stored(served)[0][:2] == ("round_scored", "autoagent")


@pytest.mark.parametrize("path", ["/batch/", "/batch", "/i/v0/e/", "/e/", "/capture/"])
def test_every_capture_path_answers_as_posthog_does(path: str, serve: Callable[..., Served]):
    served = serve()
    assert post(served.url + path, batch([event("round_started")], served.project_key)) == (200, '{"status":"Ok"}')
    assert len(stored(served)) == 1


def test_a_single_event_needs_no_batch(serve: Callable[..., Served]):
    served = serve()
    assert post(served.url + "/capture/", {**event("round_started"), "api_key": served.project_key})[0] == 200
    assert len(stored(served)) == 1


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "Could not decode"),
        (b"\xff\xfe", 400, "Could not decode"),
        (b"[" * 100_000, 400, "Could not decode"),
        (b'{"batch":[{"event":"x","distinct_id":"a","properties":{"score":NaN}}]}', 400, "NaN is not JSON"),
        ({"batch": []}, 400, "empty"),
        ({"batch": [{"event": "", "distinct_id": "a"}]}, 400, "no name"),
        ({"batch": [{"event": "x"}]}, 400, "no distinct_id"),
        ({"batch": ["x"]}, 400, "not an object"),
        ({"batch": {"event": "x"}}, 400, "not a list"),
        (7, 400, "neither an event nor a batch"),
    ],
)
def test_a_broken_body_is_refused_in_a_sentence(body, status: int, reason: str, serve: Callable[..., Served]):
    served = serve()
    code, text = post(served.url + "/batch/", body)
    assert code == status
    assert reason in text
    assert stored(served) == []


@pytest.mark.parametrize(
    ("key", "reason"),
    [("", "not provided"), ("phc_wrong", "prints the right one"), ("phx_personal", "This is a personal key")],
)
def test_a_wrong_key_is_told_which_one_is_right(key: str, reason: str, serve: Callable[..., Served]):
    served = serve()
    code, text = post(served.url + "/batch/", batch([event("round_started")], key))
    assert code == 401
    assert reason in text
    assert stored(served) == []


def test_a_small_body_that_unpacks_to_gigabytes_is_stopped(serve: Callable[..., Served]):
    served = serve()
    code, text = post(served.url + "/batch/", gzip.compress(b" " * 30_000_000), **{"Content-Encoding": "gzip"})
    assert (code, "larger than" in text) == (413, True)


def test_a_body_that_is_cut_off_is_refused(serve: Callable[..., Served]):
    served = serve()
    whole = gzip.compress(json.dumps(batch([event("round_started")], served.project_key)).encode())
    assert post(served.url + "/batch/", whole[:-10], **{"Content-Encoding": "gzip"})[0] == 400


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_web_page_cannot_send_events(headers: dict, serve: Callable[..., Served]):
    served = serve()
    assert post(served.url + "/batch/", batch([event("round_started")], served.project_key), **headers)[0] in (403, 421)
    assert stored(served) == []


def test_readiness(serve: Callable[..., Served]):
    with urllib.request.urlopen(serve().url + "/_readiness", timeout=10) as response:
        assert response.status == 200


def ask(served: Served, text: str, key: str | None = None, **values: object) -> tuple[int, dict]:
    body = {"query": {"kind": "HogQLQuery", "query": text, "values": values}}
    authorization = f"Bearer {served.personal_key if key is None else key}"
    code, answer = post(served.url + "/api/projects/@current/query/", body, Authorization=authorization)
    return code, json.loads(answer)


def test_a_query_is_answered_in_posthogs_shape(serve: Callable[..., Served]):
    served = serve()
    post(served.url + "/batch/", batch([event("round_scored", score=0.5)], served.project_key))
    code, answer = ask(
        served, "SELECT event, toFloat(properties.score) AS score FROM events WHERE event = {name}", name="round_scored"
    )
    assert code == 200
    assert answer["results"] == [["round_scored", 0.5]]
    assert answer["columns"] == ["event", "score"]
    assert answer["types"] == [["event", "String"], ["score", "Nullable(Float64)"]]
    assert (answer["hasMore"], answer["limit"], answer["error"]) == (False, 100, None)


def test_a_query_that_is_not_hogql_is_posthogs_400(serve: Callable[..., Served]):
    code, answer = ask(serve(), "SELECT nosuchfunction(1)")
    assert code == 400
    assert (answer["type"], answer["code"], answer["attr"]) == ("validation_error", "invalid_input", None)
    assert "nosuchfunction" in answer["detail"]


@pytest.mark.parametrize(
    ("key", "detail"),
    [("", "not provided"), ("phc_project", "Queries need the personal key"), ("phx_wrong", "invalid")],
)
def test_a_query_needs_the_personal_key(key: str, detail: str, serve: Callable[..., Served]):
    code, answer = ask(serve(), "SELECT 1", key=key)
    assert (code, answer["type"]) == (401, "authentication_error")
    assert detail in answer["detail"]


def test_a_query_body_of_another_shape_is_refused(serve: Callable[..., Served]):
    served = serve()
    headers = {"Authorization": f"Bearer {served.personal_key}"}
    for body in (b"{", [], {"query": "SELECT 1"}, {"query": {"kind": "TrendsQuery"}}):
        assert post(served.url + "/api/projects/1/query/", body, **headers)[0] == 400
