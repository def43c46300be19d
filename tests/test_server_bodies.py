"""The bodies that server SDKs, browsers and curl send, and how each is packed."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from queries.local.bodies import BadRequest, Packing, unpacked
from tests.conftest import NOW, Served
from tests.events import batch, event
from tests.wire import names, properties, rows, send

FORM = "application/x-www-form-urlencoded"


def browsers(served: Served, name: str = "$pageview", **more: object) -> dict:
    """As posthog-js has it: the key and the id among the properties, and how long ago instead of when."""
    inner = {"token": served.project_key, "distinct_id": "018f-browser", "$lib": "web", "project": "autoagent"}
    return {"uuid": "0190a0c0-0000-7000-8000-000000000001", "event": name, "properties": inner, "offset": 2000, **more}


PACKED = {
    "gzip": (lambda text: gzip.compress(text), {"Content_Encoding": "gzip"}),
    "deflate": (lambda text: zlib.compress(text), {"Content_Encoding": "deflate"}),
    "zstd": (lambda text: zstandard.compress(text), {"Content_Encoding": "zstd"}),
}


@pytest.mark.parametrize("name", PACKED)
def test_each_content_encoding_is_unpacked(name: str, serve: Callable[..., Served]):
    served = serve()
    pack, headers = PACKED[name]
    body = pack(json.dumps(batch([event("round_started")], served.project_key)).encode())
    assert send(served.url + "/batch/", body, **headers).status == 200
    assert names(served) == ["round_started"]
    # ... and stopped at the limit, and when it is cut off, and when it is something else.
    assert send(served.url + "/batch/", pack(b" " * 30_000_000), **headers).status == 413
    assert send(served.url + "/batch/", body[:-9], **headers).status == 400
    assert send(served.url + "/batch/", b"not packed", **headers).status == 400


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "\xe9"])
def test_another_encoding_is_refused_with_those_that_work(encoding: str, serve: Callable[..., Served]):
    reply = send(serve().url + "/batch/", b"x", Content_Encoding=encoding)
    assert (reply.status, "send gzip, deflate, zstd or none" in reply.text) == (415, True)


def test_a_zstd_frame_may_not_claim_gigabytes_of_memory():
    parameters = zstandard.ZstdCompressionParameters(window_log=30, strategy=zstandard.STRATEGY_FAST)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = compressor.compress(b"{}") + compressor.flush()
    with pytest.raises(BadRequest, match="Could not unpack the zstd body"):
        unpacked(body, Packing(encoding="zstd"))


@pytest.mark.parametrize(
    ("query", "content_type", "pack"),
    [
        ("?compression=gzip-js", "text/plain", gzip.compress),
        ("?compression=gzip", "text/plain", gzip.compress),
        ("", "text/plain", gzip.compress),
        ("?compression=base64", FORM, lambda text: b"data=" + urllib.parse.quote_plus(base64.b64encode(text)).encode()),
        ("", FORM, lambda text: b"data=" + base64.b64encode(text) + b"&compression=base64"),
        ("", FORM, lambda text: b"data=" + urllib.parse.quote_plus(text).encode()),
        ("?compression=base64", "text/plain", base64.b64encode),
        ("?compression=base64", "application/json", lambda text: text),
        ("", FORM, lambda text: text),
        ("?ip=1&_=1700000000000&ver=1.2", "text/plain;charset=UTF-8", lambda text: text),
    ],
)
@pytest.mark.parametrize("shape", [lambda sent: sent, lambda sent: [sent], lambda sent: {"batch": [sent]}])
def test_a_browsers_bodies_are_understood(query: str, content_type: str, pack, shape, serve: Callable[..., Served]):
    served = serve(clock=lambda: NOW)
    text = json.dumps(shape(browsers(served, **{"$set": {"näme": "ä+/?"}}))).encode()
    assert send(f"{served.url}/e/{query}", pack(text), Content_Type=content_type).status == 200
    (kept,) = properties(served)
    assert kept["$set"] == {"näme": "ä+/?"}
    assert rows(served, "SELECT distinct_id, timestamp FROM events") == [
        ("018f-browser", int((NOW - timedelta(seconds=2)).timestamp() * 1e6))
    ]


@pytest.mark.parametrize(
    ("query", "content_type", "body", "status"),
    [
        ("?compression=lz64", "text/plain", b"abc", 415),
        ("?compression=gzip-js", "text/plain", b"abc", 400),
        ("?compression=base64", "text/plain", b"%%%", 400),
        ("", FORM, b"datum=abc", 400),
        ("", FORM, b"data=" + b"&a=1" * 100, 400),
        ("", FORM, b"\xff\xfe", 400),
        ("", "text/plain", b"\x1f\x8b", 400),
    ],
)
def test_a_browsers_broken_body_is_refused(query: str, content_type: str, body: bytes, status: int, serve):
    served = serve()
    assert send(f"{served.url}/e/{query}", body, Content_Type=content_type).status == status
    assert names(served) == []


def test_a_beacon_wants_no_answer(serve: Callable[..., Served]):
    served = serve()
    reply = send(served.url + "/e/?beacon=1", browsers(served))
    assert (reply.status, reply.text) == (204, "")
    assert names(served) == ["$pageview"]
    assert send(served.url + "/e/?beacon=1", b"{").status == 400


def test_engage_is_an_identify(serve: Callable[..., Served]):
    served = serve()
    body = {"$token": served.project_key, "$distinct_id": "ada", "$set": {"plan": "pro"}}
    assert send(served.url + "/engage/", body).status == 200
    assert rows(served, "SELECT event, distinct_id FROM events") == [("$identify", "ada")]
    assert rows(served, "SELECT distinct_id, properties FROM persons") == [("ada", '{"plan":"pro"}')]


def test_events_of_two_keys_are_refused(serve: Callable[..., Served]):
    served = serve()
    other = browsers(served)
    other["properties"] = {**other["properties"], "token": "phc_other"}
    reply = send(served.url + "/e/", [browsers(served), other])
    assert (reply.status, "different API keys" in reply.text) == (401, True)
    assert names(served) == []


def test_a_token_that_is_no_text_is_refused(serve: Callable[..., Served]):
    assert send(serve().url + "/e/", {"api_key": 7, "event": "x", "distinct_id": "a"}).status == 401


def test_the_body_that_posthog_node_sends(serve: Callable[..., Served]):
    served = serve(clock=lambda: NOW)
    body = {
        "api_key": served.project_key,
        "batch": [
            {
                "distinct_id": "agent-1",
                "event": "round_started",
                "type": "capture",
                "library": "posthog-node",
                "library_version": "5.9.0",
                "uuid": "0190a0c0-0000-7000-8000-000000000002",
                "timestamp": "2026-11-20T07:10:00.000Z",
                "properties": {"$lib": "posthog-node", "$geoip_disable": True, "project": "autoagent"},
            }
        ],
        "sent_at": "2026-11-20T07:11:00.000Z",
    }
    assert send(served.url + "/batch/", gzip.compress(json.dumps(body).encode()), Content_Encoding="gzip").status == 200
    at = datetime(2026, 11, 20, 7, 11, tzinfo=UTC)
    assert rows(served, "SELECT timestamp FROM events") == [(int(at.timestamp() * 1e6),)]


def test_history_keeps_its_times(serve: Callable[..., Served]):
    served = serve(clock=lambda: NOW)
    at = NOW - timedelta(days=400)
    body = {
        **batch([event("old", at=at)], served.project_key, NOW - timedelta(hours=5)),
        "historical_migration": True,
    }
    assert send(served.url + "/batch/", body).status == 200
    assert rows(served, "SELECT timestamp FROM events") == [(int(at.timestamp() * 1e6),)]


def test_the_querys_time_of_sending_is_used_where_the_body_has_none(serve: Callable[..., Served]):
    served = serve(clock=lambda: NOW)
    sent = int((NOW - timedelta(hours=1)).timestamp() * 1000)
    body = {**event("x", at=NOW - timedelta(hours=1, minutes=1)), "api_key": served.project_key}
    assert send(f"{served.url}/e/?_={sent}", body).status == 200
    assert rows(served, "SELECT timestamp FROM events") == [(int((NOW - timedelta(minutes=1)).timestamp() * 1e6),)]


@pytest.mark.parametrize("path", ["/batch", "/i/v0/e", "/e", "/capture", "/track", "/engage", "/i/v0/ai/batch"])
def test_every_path_is_there_with_and_without_a_slash(path: str, serve: Callable[..., Served]):
    served = serve()
    for number, slash in enumerate(("", "/")):
        sent = event("$ai_span", key=number)
        reply = send(served.url + path + slash, batch([sent], served.project_key))
        assert (reply.status, reply.json) == (200, {"status": "Ok"})
    assert len(names(served)) == 2


def generation(size: int = 1, **more: object) -> dict:
    return event("$ai_generation", **{"$ai_model": "gpt-5", "$ai_input": "x" * size, **more})


def test_the_ai_lane_takes_larger_events(serve: Callable[..., Served]):
    served = serve()
    body = batch([generation(5_000_000)], served.project_key)
    assert send(served.url + "/batch/", body).status == 200
    assert names(served) == []
    assert send(served.url + "/i/v0/ai/batch/", body).status == 200
    assert names(served) == ["$ai_generation"]
    assert send(served.url + "/i/v0/ai/batch/", batch([generation(9_000_000)], served.project_key)).status == 200
    assert names(served) == ["$ai_generation"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [(event("round_scored"), "is no $ai_ event"), (event("$ai_embedding"), "has no $ai_model")],
)
def test_what_the_ai_lane_does_not_take_loses_its_batch(other: dict, reason: str, serve: Callable[..., Served]):
    served = serve()
    reply = send(served.url + "/i/v0/ai/batch/", batch([generation(), other], served.project_key))
    assert (reply.status, reply.text) == (400, f"An event of the AI lane {reason}")
    assert names(served) == []


def test_multipart_is_refused_with_what_to_send_instead(serve: Callable[..., Served]):
    reply = send(serve().url + "/i/v0/ai", b"--x", Content_Type="multipart/form-data; boundary=x")
    assert (reply.status, "/i/v0/ai/batch/" in reply.text) == (415, True)
