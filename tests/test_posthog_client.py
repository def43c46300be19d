"""The drop-in client: the real SDK against a scripted host that is down, slow, wrong or full on request."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import math
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from ulid import ULID

from observability import posthog_client
from observability.posthog_client import Client, Settings, Spool, TrackingError, carry, spool_folder
from tests.conftest import Served

ROOT = Path(__file__).resolve().parents[1]


class Host:
    """A PostHog on loopback. `answer` decides the status of each body; what was answered with 200 is in `taken`."""

    def __init__(self) -> None:
        self.answer: Callable[[dict], int] = lambda body: 200
        self.taken: list[dict] = []
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                document = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
                if self.path.startswith("/flags"):  # tests/test_client_flags.py is about these
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(b'{"flags": {}}')
                    return
                host.requests.append(document)
                host.headers.append({**self.headers, "path": self.path})
                status = host.answer(document)
                if status == 200:
                    host.taken.extend(document["batch"])
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b'{"status":"Ok"}' if status == 200 else b"refused by the script")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def down(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def named(self, event: str) -> list[dict[str, Any]]:
        return [taken["properties"] for taken in self.taken if taken["event"] == event]


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.down()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def start(host: Host, spool: Path) -> Iterator[Callable[..., Client]]:
    """Starts a client of the loop `autoagent`; keywords replace its settings."""
    started: list[Client] = []

    def make(**changes: Any) -> Client:
        usual = {"api_key": "phc_test", "host": host.url, "project": "autoagent", "git_sha": "c0ffee", "spool": spool}
        started.append(Client(Settings(**(usual | changes))))
        return started[-1]

    yield make
    for client in started:
        client.shutdown(1)


def spooled(folder: Path) -> list[dict]:
    texts = (path.read_text() for path in sorted(folder.glob("*.jsonl")))
    return [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]


def identities(events: list[dict]) -> list[tuple]:
    return sorted((event["uuid"], event["timestamp"], event["event"]) for event in events)


def in_a_process(code: str, host: Host, spool: Path, **environment: str) -> subprocess.Popen[str]:
    said = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "POSTHOG_API_KEY": "phc_test",
        "POSTHOG_HOST": host.url,
        "AUTORESEARCH_PROJECT": "autoagent",
        "AUTORESEARCH_GIT_SHA": "c0ffee",
        "LOOPDESK_SPOOL": str(spool),
        **environment,
    }
    code = f"from observability import posthog_client as ph\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", code], env=said, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


# Settings and identity


def test_the_environment_names_the_loop():
    found = Settings.from_environment(
        {
            "POSTHOG_API_KEY": " phc_abc\n",
            "POSTHOG_HOST": "http://localhost:8377",
            "POSTHOG_PROJECT_ID": "42",
            "AUTORESEARCH_PROJECT": "autoagent",
            "LOOPDESK_SPOOL": "/tmp/spool",
            "LOOPDESK_STRICT": "1",
        }
    )
    assert found == Settings(
        "phc_abc", "http://localhost:8377", "42", "autoagent", "internal", "", Path("/tmp/spool"), True
    )
    assert "phc_abc" not in repr(found)


def test_importing_the_file_loads_only_the_standard_library(host: Host, spool: Path):
    process = in_a_process("import sys; print({'posthog', 'ulid', 'requests'} & sys.modules.keys())", host, spool)
    assert process.communicate()[0].strip() == "set()"
    assert not spool.exists()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.local/state/loopdesk/spool"),
        ("linux", {"HOME": "/h", "XDG_STATE_HOME": "/state"}, "/state/loopdesk/spool"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/loopdesk/spool"),
    ],
)
def test_the_spool_is_in_the_platforms_state_folder(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert spool_folder().as_posix() == expected


def test_an_agent_has_a_distinct_id_of_project_client_and_role(start: Callable[..., Client]):
    assert start(client="acme").agent_id("critic") == "autoagent:acme:critic"


def test_git_sha_is_the_commit_of_the_code_and_its_absence_is_no_failure(
    start: Callable[..., Client], host: Host, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(posthog_client, "find_git_sha", lambda: "5eed")
    known = start(git_sha="")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")  # no git
    unknown = start(git_sha="")
    for client in (known, unknown):
        client.track("round_started")
        assert client.flush()  # each has a thread that sends
    assert [properties.get("git_sha") for properties in host.named("round_started")] == ["5eed", None]


# What is sent


def test_events_go_through_the_sdk_to_batch_compressed(start: Callable[..., Client], host: Host):
    client = start()
    uuid = client.track("round_started", agent="coder", round_id="R1", model="small", notes=None)
    assert client.flush()
    assert host.headers[0]["path"] == "/batch/"
    assert host.headers[0]["Content-Encoding"] == "gzip"
    assert host.headers[0]["User-Agent"].startswith("posthog-python/")
    assert host.requests[0]["api_key"] == "phc_test"
    (event,) = host.taken
    assert (event["uuid"], event["event"], event["distinct_id"]) == (uuid, "round_started", "autoagent:internal:coder")
    common = {"project": "autoagent", "client": "internal", "agent": "coder", "round_id": "R1", "git_sha": "c0ffee"}
    assert common.items() <= event["properties"].items()
    assert event["properties"]["model"] == "small"
    assert "notes" not in event["properties"]


CORE = {
    "round_started": {"model": "small", "diff_lines": 4, "baseline_score": 0.5, "n_prior_rounds": 7},
    "proposal_generated": {"prompt_tokens": 10, "completion_tokens": 20, "cost_usd": 0.01, "latency_ms": 5.5},
    "proposal_applied": {"target": "a.py", "diff_bytes": 30, "apply_latency_ms": 2.0},
    "round_scored": {
        "score": 0.6, "score_goal": "min", "scorer_version": "3", "scorer_variant": "b", "quality_score": 0.9,
    },
    "round_kept": {"delta": 0.1, "new_best": True, "cost_usd": 0.02},
    "round_reverted": {"failure_mode": "worse", "cost_usd": 0.02, "regressed_dimensions": ["tone"]},
    "model_escalated": {"from_model": "small", "to_model": "large", "stall_rounds": 5, "reason": "plateau"},
    "stop_triggered": {
        "reason": "budget", "rounds_completed": 9, "total_cost_usd": 1.5, "final_best_score": 0.7,
    },
    "finetune_batch_published": {"batch_id": "b1", "n_examples": 64, "r2_key": "sets/b1", "target_model": "small"},
}  # fmt: skip


@pytest.mark.parametrize("event", CORE)
def test_a_core_event_carries_its_properties_and_any_other(start: Callable[..., Client], host: Host, event: str):
    client = start(strict=True)
    getattr(client, event)(**CORE[event], agent="judge", round_id="R1", mood="calm")
    assert client.flush()
    (properties,) = host.named(event)
    assert (CORE[event] | {"agent": "judge", "round_id": "R1", "mood": "calm"}).items() <= properties.items()


def test_dimensions_become_one_float_each(start: Callable[..., Client], host: Host):
    client = start()
    client.round_scored(0.5, dimensions={"clarity": 1, "dim_tone": 0.25})
    assert client.flush()
    sent = {name: value for name, value in host.named("round_scored")[0].items() if name.startswith("dim_")}
    assert sent == {"dim_clarity": 1.0, "dim_tone": 0.25}
    assert all(type(value) is float for value in sent.values())


def test_long_texts_are_cut_at_their_limits(start: Callable[..., Client], host: Host):
    client = start()
    long = "x" * 5000
    client.step_plan(long)
    client.step_retry("flaky", attempt=2, prior_error=long)
    client.step_tool("grep", lambda text: None, {"text": long})
    client.eval_suite("style", n_cases=1).case("c1", dim="tone", score=1.0, rationale=long)
    client.track("step.observation", value=long)
    assert client.flush()
    lengths = {
        name: len(properties[name])
        for properties in (event["properties"] for event in host.taken)
        for name in ("plan", "prior_error", "args_json", "rationale", "value")
        if name in properties
    }
    assert lengths == {"plan": 500, "prior_error": 400, "args_json": 2000, "rationale": 800, "value": 5000}


def test_a_tools_call_and_return_share_a_step_id(start: Callable[..., Client], host: Host):
    client = start()
    with client.run(), client.round_(agent="coder"):
        assert client.step_tool("add", lambda a, b: f"sum {a + b}", {"a": 1, "b": 2}, timeout_ms=100) == "sum 3"
        client.step_tool("add", lambda: None)
    assert client.flush()
    called, returned = host.named("step.tool_called"), host.named("step.tool_returned")
    assert [call["step_id"] for call in called] == [back["step_id"] for back in returned]
    assert called[0]["step_id"] != called[1]["step_id"]
    assert ULID.from_str(called[0]["step_id"])
    assert (called[0]["tool"], called[0]["args_json"], called[0]["timeout_ms"]) == ("add", '{"a": 1, "b": 2}', 100)
    assert (returned[0]["tool"], returned[0]["ok"], returned[0]["result_bytes"]) == ("add", True, 5)
    assert returned[0]["latency_ms"] >= 0
    assert "error" not in returned[0]


def test_a_tool_that_fails_is_told_and_its_exception_goes_on(start: Callable[..., Client], host: Host):
    client = start()

    def broken() -> None:
        raise RuntimeError("no such table: " + "x" * 1000)

    with pytest.raises(RuntimeError, match="no such table"):
        client.step_tool("query", broken)
    assert client.flush()
    (returned,) = host.named("step.tool_returned")
    assert returned["ok"] is False
    assert returned["error"].startswith("RuntimeError: no such table")
    assert len(returned["error"]) == 400
    assert returned["step_id"] == host.named("step.tool_called")[0]["step_id"]


async def test_an_async_tool_is_told_when_it_is_done(start: Callable[..., Client], host: Host):
    client = start()

    async def fetch(n: int) -> bytes:
        await asyncio.sleep(0)
        if n < 0:
            raise ValueError("negative")
        return b"x" * n

    assert await client.step_tool("fetch", fetch, {"n": 3}) == b"xxx"
    with pytest.raises(ValueError, match="negative"):
        await client.step_tool("fetch", fetch, {"n": -1})
    assert client.flush()
    assert [(back["ok"], back["result_bytes"]) for back in host.named("step.tool_returned")] == [(True, 3), (False, 0)]


def test_whatever_a_tool_takes_and_gives_the_loop_goes_on(start: Callable[..., Client], host: Host):
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("not telling")

        __repr__ = __str__

    circle: list = []
    circle.append(circle)
    client = start()
    for value in (Odd(), circle, object(), {("a", 1): 2}, math.nan, "\ud800", Path("a"), b"\xff", {1, 2}):
        assert client.step_tool("echo", lambda value: value, {"value": value}) is value
        client.step_observation("echo", value)
    assert client.flush()
    assert len(host.named("step.tool_returned")) == 9
    json.dumps(host.taken, ensure_ascii=False, allow_nan=False).encode()  # no half characters, no NaN


def test_every_step_has_a_name_and_an_id(start: Callable[..., Client], host: Host):
    client = start()
    ids = [
        client.step_plan("try a shorter prompt", next_action="edit", confidence=0.7),
        client.step_observation("scorer", 0.8, delta_from_last=0.1),
        client.step_reflection("worse", issues=["tone"], retry=True),
        client.step_retry("timeout", attempt=2, prior_error="TimeoutError"),
    ]
    assert client.flush()
    told = [(event["event"], event["properties"]["step_id"]) for event in host.taken]
    assert told == list(zip(["step.plan", "step.observation", "step.reflection", "step.retry"], ids, strict=True))


def test_an_eval_case_that_got_worse_is_a_regression_in_the_suites_direction(start: Callable[..., Client], host: Host):
    client = start(strict=True)
    suite = client.eval_suite("prices", n_cases=3, scorer_version="2", score_goal="min")
    suite.case("better", dim="loss", score=0.2, prior_score=0.5, passed=True)
    suite.case("worse", dim="loss", score=0.5, prior_score=0.25, passed=False, rationale="rounding")
    suite.case("new", dim="loss", score=0.5)
    assert client.flush()
    (run,) = host.named("eval.run")
    assert (run["suite"], run["n_cases"], run["scorer_version"]) == ("prices", 3, "2")
    assert [case["case_id"] for case in host.named("eval.case")] == ["better", "worse", "new"]
    (regression,) = host.named("eval.regression")
    expected = {"case_id": "worse", "dim": "loss", "prior_score": 0.25, "new_score": 0.5, "delta": 0.25}
    assert (expected | {"suite_id": run["suite_id"]}).items() <= regression.items()


# Numbers


@pytest.mark.parametrize(
    ("told", "sent"),
    [("$0.042", 0.042), ("1,234.50 USD", 1234.5), (" 3 ", 3.0), ("0,042", None), ("cheap", None), ("", None),
     (math.nan, None), (math.inf, None), ("nan", None), (True, 1.0), ([1], None)],
)  # fmt: skip
def test_what_is_no_number_is_an_error_in_development_and_corrected_or_left_out_at_night(
    start: Callable[..., Client], host: Host, caplog: pytest.LogCaptureFixture, told: object, sent: float | None
):
    with pytest.raises(TrackingError, match="cost_usd"):
        start(strict=True).round_kept(cost_usd=told)
    client = start()
    for _ in range(3):
        assert client.round_kept(cost_usd=told, delta=0.5)
    assert client.flush()
    assert [properties.get("cost_usd") for properties in host.named("round_kept")] == [sent] * 3
    assert [record.message.partition(":")[0] for record in caplog.records] == ["round_kept"]  # once


@pytest.mark.parametrize("name", ["score", "quality_score", "dim_tone", "total_cost", "latency_ms", "delta"])
def test_scores_money_and_times_must_be_numbers_by_any_name(start: Callable[..., Client], name: str):
    with pytest.raises(TrackingError, match=name):
        start(strict=True).track("custom", **{name: "a lot"})


def test_numbers_of_other_libraries_are_numbers(start: Callable[..., Client], host: Host):
    from decimal import Decimal
    from fractions import Fraction

    client = start(strict=True)
    client.track("custom", score=Fraction(1, 4), cost_usd=Decimal("0.5"), latency_ms=7)
    assert client.flush()
    (properties,) = host.named("custom")
    assert (properties["score"], properties["cost_usd"], properties["latency_ms"]) == (0.25, 0.5, 7)


@pytest.mark.parametrize(("told", "sent"), [("minimize", "min"), ("MAX", "max"), ("up", None)])
def test_a_scores_direction_is_min_or_max(start: Callable[..., Client], host: Host, told: str, sent: str | None):
    with pytest.raises(TrackingError, match="score_goal"):
        start(strict=True).round_scored(1.0, score_goal=told)
    client = start()
    client.round_scored(1.0, score_goal=told)
    assert client.flush()
    assert host.named("round_scored")[0].get("score_goal") == sent


# Runs, rounds and traces


def test_everything_in_a_round_inherits_its_ids_and_its_trace(start: Callable[..., Client], host: Host):
    client = start()
    with client.run() as run_id:
        client.track("before")
        with client.round_(agent="coder") as round_id:
            client.step_plan("edit")
            client.track("judged", agent="judge")
            # As PostHog's model wrappers do it: with a trace id of their own making, and no distinct id.
            client.sdk.capture("$ai_generation", properties={"$ai_trace_id": "made-up", "$ai_model": "small"})
        client.track("after")
    client.track("outside")
    assert client.flush()
    events = {event["event"]: event for event in host.taken}
    assert ULID.from_str(run_id) < ULID.from_str(round_id)
    for name, agent in [("step.plan", "coder"), ("judged", "judge"), ("$ai_generation", "coder")]:
        ids = {"run_id": run_id, "round_id": round_id, "$ai_trace_id": round_id, "agent": agent, "git_sha": "c0ffee"}
        assert ids.items() <= events[name]["properties"].items()
        assert events[name]["distinct_id"] == f"autoagent:internal:{agent}"
    for name in ("before", "after"):
        assert events[name]["properties"]["run_id"] == run_id
        assert "round_id" not in events[name]["properties"]
    assert "run_id" not in events["outside"]["properties"]


def test_a_round_id_that_is_named_is_the_trace_too(start: Callable[..., Client], host: Host):
    client = start()
    with client.round_():
        client.track("late", round_id="EARLIER")
    assert client.flush()
    assert host.named("late")[0]["$ai_trace_id"] == "EARLIER"


def test_an_exception_ends_its_round_as_a_crash_and_goes_on(start: Callable[..., Client], host: Host):
    client = start()
    with client.run() as run_id, client.round_() as outer:
        with pytest.raises(ZeroDivisionError), client.round_(agent="coder") as inner:
            _ = 1 / 0
        client.track("next")
    assert client.flush()
    (crash,) = host.named("round_reverted")
    expected = {"round_id": inner, "run_id": run_id, "failure_mode": "crash", "agent": "coder"}
    assert expected.items() <= crash.items()
    assert crash["error"] == "ZeroDivisionError: division by zero"
    assert host.named("next")[0]["round_id"] == outer


def test_a_round_that_has_its_verdict_gets_no_second_one(start: Callable[..., Client], host: Host):
    client = start()
    with pytest.raises(KeyError), client.round_():
        with client.round_():
            client.track("inner")
        client.round_kept(delta=0.1)
        raise KeyError("afterwards")
    assert client.flush()
    assert [event["event"] for event in host.taken] == ["inner", "round_kept"]


async def test_rounds_in_tasks_do_not_mix(start: Callable[..., Client], host: Host):
    client = start()

    async def round_of(agent: str) -> str:
        with client.round_(agent=agent) as round_id:
            for _ in range(3):
                await asyncio.sleep(0)
                client.track("tick", expected=round_id)
            await asyncio.gather(*(asyncio.to_thread(client.track, "tick", expected=round_id) for _ in range(2)))
        return round_id

    with client.run() as run_id:
        rounds = await asyncio.gather(*map(round_of, "abc"))
    assert client.flush()
    ticks = host.named("tick")
    assert Counter(tick["round_id"] for tick in ticks) == dict.fromkeys(rounds, 5)
    assert all(tick["round_id"] == tick["expected"] == tick["$ai_trace_id"] for tick in ticks)
    assert {tick["run_id"] for tick in ticks} == {run_id}


def test_a_round_is_carried_into_threads(start: Callable[..., Client], host: Host):
    client = start()
    together = threading.Barrier(4)

    def work(number: int) -> None:
        together.wait(60)  # all four are inside at once
        client.track("tick", number=number)

    with ThreadPoolExecutor(4) as pool, client.round_() as round_id:
        list(pool.map(carry(work), range(4)))
    assert client.flush()
    ticks = host.named("tick")
    assert {tick["round_id"] for tick in ticks} == {round_id}
    assert sorted(tick["number"] for tick in ticks) == [0, 1, 2, 3]


def test_the_functions_of_the_module_share_one_client_from_the_environment(
    host: Host, spool: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {
        "POSTHOG_API_KEY": "phc_test",
        "POSTHOG_HOST": host.url,
        "AUTORESEARCH_PROJECT": "gtm",
        "AUTORESEARCH_CLIENT": "acme",
        "LOOPDESK_SPOOL": str(spool),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(posthog_client, "_default", None)
    with posthog_client.run(), posthog_client.round_(agent="planner") as round_id:
        posthog_client.round_scored(0.5)
        posthog_client.step_tool("noop", lambda: None)
    assert posthog_client.flush()
    posthog_client.shutdown()
    assert {(event["distinct_id"], event["properties"]["round_id"]) for event in host.taken} == {
        ("gtm:acme:planner", round_id)
    }


# Redaction

SECRETS = {
    "sk-ant-api03-abcdefgh12345678": "use {}",
    "sk-abcdefghijklmnopqrstuvwx": "key {} works",
    "phx_abcdefghijklmnop": "with {}",
    "ghp_abcdefghijklmnopqrst0123": "https://x:{}@github.com/a/b",
    "AKIAABCDEFGHIJKLMNOP": "aws {}",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4": "jwt {}",
    "abc.def-123456": '{{"Authorization": "Bearer {}"}}',
    "dXNlcjpwYXNz": "authorization: basic {}",
    "s3cr3t": "postgres://bob:{}@db/x",
    "hunter22": "password={}",
    "correct horse battery": "'password': '{}'",
    "abcd1234wxyz": "https://example.org/?token={}&page=2",
    "MIIEvQIBADAN": "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "MIIEvQIBADAM": "-----BEGIN PRIVATE KEY-----\n{}",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_taken_out_wherever_it_is_before_it_is_written_or_sent(
    start: Callable[..., Client], host: Host, spool: Path, secret: str
):
    text = SECRETS[secret].format(secret)
    client = start()
    host.down()
    with client.round_(agent=text):
        client.step_plan(text)
        client.step_tool("curl", lambda header: header, {"header": text})
        client.sdk.capture("$ai_generation", properties={"$ai_input": [{"content": [{"text": text}]}], text: 1})
    client.flush()
    (written,) = (path.read_text() for path in spool.glob("*.jsonl"))
    assert secret not in written and json.dumps(secret)[1:-1] not in written
    host.up()
    assert client.flush()
    assert len(host.taken) == 4
    assert secret not in json.dumps(host.taken)


def test_a_secret_is_not_half_left_by_cutting_the_text(start: Callable[..., Client], host: Host):
    client = start()
    client.step_plan("x" * 480 + " sk-ant-api03-abcdefgh12345678")
    assert client.flush()
    assert "sk-ant" not in host.taken[0]["properties"]["plan"]


def test_values_are_known_for_secrets_by_their_names(start: Callable[..., Client], host: Host):
    client = start()
    headers = {"X-Api-Key": "q", "Cookie": "r", "Accept": "json", "password": 12345, "input_tokens": 5, "secret": ""}
    client.track("custom", request={"headers": [headers]})
    assert client.flush()
    told = host.named("custom")[0]["request"]["headers"][0]
    assert told == {
        "X-Api-Key": "[redacted]", "Cookie": "[redacted]", "Accept": "json", "password": "[redacted]",
        "input_tokens": 5, "secret": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["prompt_tokens: 1234567", "the bearer of bad news", "sk-learn-compatible-estimators", "http://localhost:8377/a@b",
     "01M7WPFKH4F9KMJE4QJ2EWV7GT at 88e37bb972e7363e3ee0702809e9ea9d36ef512f", "token=None"],
)  # fmt: skip
def test_ordinary_text_is_left_alone(start: Callable[..., Client], host: Host, text: str):
    client = start()
    client.step_plan(text)
    assert client.flush()
    assert host.named("step.plan")[0]["plan"] == text


def test_a_client_adds_rules_of_its_own(start: Callable[..., Client], host: Host):
    client = start()
    client.add_redaction(r"(?i)acme (\w+)", r"[customer] \1")
    client.add_redaction(r"[0-9a-f-]{36}")
    client.track("custom", notes={"who": "ACME Corp asked"})
    with pytest.raises(posthog_client.re.error):
        client.add_redaction(r"(open")
    with pytest.raises(posthog_client.re.error):
        client.add_redaction(r"a", r"\7")
    assert client.flush()
    assert host.named("custom")[0]["notes"] == {"who": "[customer] Corp asked"}
    assert len(host.taken[0]["uuid"]) == 36


def test_event_ids_are_uuids_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(1_767_225_600, 1_767_225_700))
    monkeypatch.setattr("time.time_ns", lambda: next(seconds) * 1_000_000_000)
    monkeypatch.setattr("time.time", lambda: next(seconds))
    made = [UUID(posthog_client.new_uuid()) for _ in range(20)]
    assert made == sorted(set(made))
    assert {(uuid.version, uuid.variant) for uuid in made} == {(7, RFC_4122)}
    assert made[0].int >> 80 == 1_767_225_600_000


def test_a_tracked_event_has_an_id_that_sorts_by_time(start: Callable[..., Client], host: Host):
    client = start()
    assert UUID(client.track("round_started")).version == 7
    assert client.flush() and UUID(host.taken[0]["uuid"]).version == 7


def test_an_event_too_large_for_posthog_gives_up_its_largest_property(start: Callable[..., Client], host: Host):
    client = start()
    client.track("custom", transcript="é" * 1_000_000, notes="kept")
    assert client.flush()
    properties = host.named("custom")[0]
    assert properties["transcript"] == "[left out: 6,000,002 bytes]"
    assert properties["notes"] == "kept"


# A host that is down, slow or refuses


def test_a_dead_host_loses_nothing_and_the_next_start_sends_all_of_it_once(
    start: Callable[..., Client], host: Host, spool: Path
):
    host.down()
    first = start()
    for number in range(250):
        first.track("round_scored", score=number)
    first.shutdown()
    kept = spooled(spool)
    assert [event["properties"]["score"] for event in kept] == list(range(250))
    host.up()
    second = start()
    second.track("round_started")
    assert second.flush()
    second.shutdown()
    start().shutdown()
    resent = [event for event in host.taken if event["event"] == "round_scored"]
    assert identities(resent) == identities(kept)
    assert len(host.taken) == 251
    assert list(spool.iterdir()) == []


def test_spool_files_and_their_folder_are_private(start: Callable[..., Client], host: Host, spool: Path):
    host.down()
    start().track("round_started")
    (file,) = spool.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700


def test_the_same_process_delivers_when_its_host_is_back(
    start: Callable[..., Client], host: Host, caplog: pytest.LogCaptureFixture
):
    host.down()
    client = start()
    for number in range(3):
        client.track("round_scored", score=number)
        assert not client.flush()
    assert client._delivery._failures >= 3  # each makes the next pause longer
    host.up()
    assert client.flush()
    assert [properties["score"] for properties in host.named("round_scored")] == [0, 1, 2]
    assert [("cannot be reached" in record.message) for record in caplog.records] == [True]  # said once


@pytest.mark.parametrize("status", [204, 408, 429, 500, 503])
def test_what_was_not_answered_with_200_is_sent_again(start: Callable[..., Client], host: Host, status: int):
    answers = [200, status]
    host.answer = lambda body: answers[-1]
    client = start()
    client.track("round_started")
    assert not client.flush()
    answers.pop()
    assert client.flush()
    assert len(host.taken) == 1
    assert host.requests[0]["batch"] == host.requests[-1]["batch"]


def test_a_wrong_key_is_said_once_and_mending_it_delivers(
    start: Callable[..., Client], host: Host, caplog: pytest.LogCaptureFixture
):
    host.answer = lambda body: 200 if body["api_key"] == "phc_right" else 401
    wrong = start(api_key="phc_wrong")
    for _ in range(3):
        wrong.track("round_started")
        assert not wrong.flush()
    wrong.shutdown()
    (warning,) = (record.message for record in caplog.records)
    assert "refuses events" in warning and "POSTHOG_API_KEY" in warning
    assert "phc_wrong" not in warning and "\n" not in warning
    right = start(api_key="phc_right")
    right.flush()
    assert len(host.taken) == 3


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"api_key": ""}, "POSTHOG_API_KEY"),
        ({"project": ""}, "AUTORESEARCH_PROJECT"),
        ({"api_key": "phx_p"}, "personal"),
    ],
)
def test_without_key_or_project_the_loop_runs_on_and_a_later_start_delivers(
    start: Callable[..., Client], host: Host, spool: Path, caplog: pytest.LogCaptureFixture,
    missing: dict[str, str], named: str,
):  # fmt: skip
    client = start(**missing)
    uuids = [client.track("round_started") for _ in range(3)]
    assert not client.flush()
    client.shutdown()
    (warning,) = (record.message for record in caplog.records)
    assert named in warning and str(spool) in warning
    assert host.requests == []
    start().flush()
    assert [event["uuid"] for event in host.taken] == uuids
    assert "phx_p" not in json.dumps(host.requests)


def test_a_body_that_is_too_large_for_the_host_goes_in_halves(start: Callable[..., Client], host: Host):
    host.answer = lambda body: 413 if len(body["batch"]) > 10 else 200
    client = start()
    for number in range(64):
        client.track("round_scored", score=number)
    assert client.flush()
    assert sorted(properties["score"] for properties in host.named("round_scored")) == list(range(64))


def test_an_event_that_only_it_is_refused_does_not_hold_up_the_others(
    start: Callable[..., Client], host: Host, spool: Path, caplog: pytest.LogCaptureFixture
):
    host.answer = lambda body: 400 if any(event["event"] == "poison" for event in body["batch"]) else 200
    client = start()
    for name in ("poison", "round_started", "round_kept"):
        client.track(name)
    assert client.flush()
    assert {event["event"] for event in host.taken} == {"round_started", "round_kept"}
    (refused,) = spool.glob("*.refused")
    assert json.loads(refused.read_text())["event"] == "poison"
    assert refused.stat().st_mode & 0o777 == 0o600
    assert str(refused) in caplog.text


def test_a_host_that_takes_nothing_sets_nothing_aside(start: Callable[..., Client], host: Host, spool: Path):
    host.answer = lambda body: 400
    client = start()
    client.track("round_started")
    assert not client.flush()
    client.shutdown()
    assert [event["event"] for event in spooled(spool)] == ["round_started"]
    assert not list(spool.glob("*.refused"))


def test_a_slow_host_holds_neither_the_loop_nor_the_end_and_what_it_took_late_is_not_kept(
    start: Callable[..., Client], host: Host, spool: Path
):
    asked, go_on = threading.Event(), threading.Event()

    def answer(body: dict) -> int:
        asked.set()
        go_on.wait(60)
        return 200

    host.answer = answer
    client = start()
    client.track("round_started")
    threading.Thread(target=client.flush).start()
    assert asked.wait(60)
    client.track("round_scored", score=1)  # while a request is in the air
    client.shutdown(timeout_s=0.05)
    assert len(spooled(spool)) == 2  # nothing is confirmed yet
    go_on.set()
    client._delivery._thread.join(60)
    assert [event["event"] for event in spooled(spool)] == ["round_scored"]
    start().flush()
    assert [event["event"] for event in host.taken] == ["round_started", "round_scored"]


def test_what_is_tracked_after_the_shutdown_is_sent_by_the_next_start(
    start: Callable[..., Client], host: Host, spool: Path
):
    client = start()
    client.shutdown()
    client.track("stop_triggered", reason="late")
    (kept,) = spooled(spool)
    client.shutdown()
    start().flush()
    assert [event["uuid"] for event in host.taken] == [kept["uuid"]]


def test_a_spool_that_cannot_be_written_is_said_and_events_are_sent_from_memory(
    start: Callable[..., Client], host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    client = start(spool=tmp_path / "file" / "spool")
    for number in range(150):
        client.track("round_scored", score=number)
    assert client.flush()
    assert [properties["score"] for properties in host.named("round_scored")] == list(range(150))
    assert [("in memory" in record.message) for record in caplog.records] == [True]


def test_beyond_spool_and_memory_the_loss_is_said(
    start: Callable[..., Client], host: Host, spool: Path, caplog: pytest.LogCaptureFixture
):
    host.down()
    client = start()
    client._delivery._own = Spool.create(spool, "autoagent")
    client._delivery._own._limit = 5000
    client._delivery._memory._limit = 5000
    for number in range(50):
        client.track("round_scored", score=number)
    said = " ".join(record.message for record in caplog.records)
    assert "in memory" in said and "being lost" in said
    assert sum(path.stat().st_size for path in spool.iterdir()) <= 5000
    host.up()
    assert client.flush()
    sent = [properties["score"] for properties in host.named("round_scored")]
    assert sent == list(range(len(sent))) and len(sent) >= 10


# The spool as a file


def line(number: int, width: int = 0) -> bytes:
    event = {"event": "e", "distinct_id": "d", "uuid": str(number), "properties": {"x": "y" * width}}
    return json.dumps(event).encode() + b"\n"


def everything(queue: Spool) -> list[str]:
    found = []
    while queue.has_pending:
        events, position = queue.next()
        found += [event["uuid"] for event in events]
        queue.sent(position)
    return found


def test_a_file_that_is_in_use_cannot_be_taken_and_one_that_was_left_can_once(spool: Path):
    own = Spool.create(spool, "p")
    own.append(line(1))
    assert Spool.open(own.path) is None
    own._file.close()  # as the death of its process does
    taken = Spool.open(own.path)
    assert Spool.open(own.path) is None
    assert everything(taken) == ["1"]
    taken.close()
    assert not own.path.exists()


def test_where_files_cannot_be_locked_none_are_left_behind(spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(posthog_client, "_lock", lambda file: False)
    with pytest.raises(OSError, match="cannot be locked"):
        Spool.create(spool, "p")
    assert list(spool.iterdir()) == []


def test_a_file_that_was_removed_between_opening_and_locking_is_not_used(spool: Path, monkeypatch: pytest.MonkeyPatch):
    left = Spool.create(spool, "p")
    left.append(line(1))
    left._file.close()
    lock = posthog_client._lock

    def slow_lock(file: io.FileIO) -> bool:
        left.path.unlink()
        return lock(file)

    monkeypatch.setattr(posthog_client, "_lock", slow_lock)
    assert Spool.open(left.path) is None


def test_lines_that_a_crash_or_a_disk_spoiled_are_passed_over(spool: Path):
    spool.mkdir()
    path = spool / "p.1.jsonl"
    path.write_bytes(line(1) + b"\x00\x00\n" + b"[]\n{}\n\n" + line(2) + line(3)[:20])
    queue = Spool.open(path)
    assert everything(queue) == ["1", "2"]
    queue.close()
    assert not path.exists()


def test_a_line_longer_than_one_read_is_whole(spool: Path):
    queue = Spool.create(spool, "p")
    for number in range(3):
        queue.append(line(number, width=posthog_client.EVENT_BYTES - 200))
    assert everything(queue) == ["0", "1", "2"]


def test_a_file_that_is_always_busy_does_not_grow_and_forgets_nothing(spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(posthog_client, "BATCH_EVENTS", 2)
    queue = Spool.create(spool, "p")
    found, largest = [], 0
    for number in range(400):
        queue.append(line(2 * number, width=20_000))
        queue.append(line(2 * number + 1, width=20_000))
        if number > 50:  # it never catches up
            events, position = queue.next()
            found += [event["uuid"] for event in events]
            queue.sent(position)
        largest = max(largest, queue.path.stat().st_size)
    assert [*found, *everything(queue)] == [str(number) for number in range(800)]
    assert largest < 6_000_000


def test_what_was_sent_before_a_crash_is_passed_over_in_one_step(spool: Path):
    queue = Spool.create(spool, "p")
    for number in range(300):
        queue.append(line(number))
    queue.sent(queue.next()[1])
    queue._file.close()
    left = Spool.open(queue.path)
    events, _ = left.next()
    assert [event["uuid"] for event in events] == [str(number) for number in range(100, 199)]


def test_a_full_disk_leaves_no_half_line():
    class Full(io.BytesIO):
        def write(self, data: bytes) -> int:
            return super().write(data[: max(0, 100 - self.tell())])

    file = Full()
    queue = Spool(file)
    queue.append(line(1))
    with pytest.raises(OSError, match="full"):
        queue.append(line(2))
    assert file.getvalue() == line(1)


def test_spools_of_other_projects_are_left_alone(start: Callable[..., Client], host: Host, spool: Path):
    for project in ("auto", "autoagent-2", "gtm"):
        left = Spool.create(spool, project)
        left.append(line(1))
        left._file.close()
    start().flush()
    assert host.taken == []
    assert len(list(spool.glob("*.jsonl"))) == 3


def test_a_start_sends_every_file_that_was_left_without_being_asked(
    start: Callable[..., Client], host: Host, spool: Path
):
    for number in range(3):
        left = Spool.create(spool, "autoagent")
        left.append(line(number))
        left._file.close()
    all_came = threading.Event()
    host.answer = lambda body: (all_came.set() if len(host.requests) == 3 else None) or 200
    start()
    assert all_came.wait(60)


def test_a_living_clients_file_is_not_taken_by_another(start: Callable[..., Client], host: Host, spool: Path):
    living = start(api_key="")
    living.track("round_started")
    assert start().flush()
    assert host.taken == []
    living.shutdown()
    start().flush()
    assert len(host.taken) == 1


# Processes


def test_a_process_that_just_ends_delivers_at_exit(host: Host, spool: Path):
    process = in_a_process("ph.track('round_started', agent='coder')", host, spool)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert [event["distinct_id"] for event in host.taken] == ["autoagent:internal:coder"]
    assert list(spool.iterdir()) == []


def test_a_killed_process_with_a_dead_host_loses_nothing(start: Callable[..., Client], host: Host, spool: Path):
    host.down()
    code = "for n in range(120): print(ph.track('round_scored', score=n), flush=True)\ninput()"
    process = in_a_process(code, host, spool)
    tracked = [process.stdout.readline().strip() for _ in range(120)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    host.up()
    start().flush()
    assert [event["uuid"] for event in host.taken] == tracked
    assert [event["properties"]["score"] for event in host.taken] == list(range(120))


def test_two_processes_that_start_at_once_share_what_was_left_without_sending_it_twice(host: Host, spool: Path):
    for number in range(20):
        left = Spool.create(spool, "autoagent")
        left.append(line(2 * number) + line(2 * number + 1))
        left._file.close()
    code = "print(flush=True); input(); ph.flush(20); print(flush=True); input()"
    processes = [in_a_process(code, host, spool) for _ in range(2)]
    for step in range(2):
        for process in processes:
            process.stdout.readline()
        if step == 0:
            for process in processes:
                process.stdin.write("go\n")
                process.stdin.flush()
    for process in processes:
        process.communicate("end\n", timeout=60)
    assert sorted(int(event["uuid"]) for event in host.taken) == list(range(40))
    assert list(spool.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_writes_a_file_of_its_own(host: Host, spool: Path):
    host.answer = lambda body: 200 if is_open.is_set() else 503
    is_open = threading.Event()
    code = """
import os, sys
ph.track("parent_before"); ph.flush()
child = os.fork()
if child == 0:
    ph.track("child"); ph.flush()
    os._exit(0)  # as multiprocessing's children end
ph.track("parent_after")
os.waitpid(child, 0)
print(flush=True)
input()
ph.flush()
"""
    process = in_a_process(code, host, spool)
    process.stdout.readline()
    assert sorted(event["event"] for event in spooled(spool)) == ["child", "parent_after", "parent_before"]
    assert len(list(spool.iterdir())) == 2
    is_open.set()
    _, errors = process.communicate("go\n", timeout=60)
    assert process.returncode == 0, errors
    assert sorted(event["event"] for event in host.taken) == ["child", "parent_after", "parent_before"]


def test_the_embedded_posthog_stores_a_nights_spool_once(serve: Callable[..., Served], start: Callable[..., Client]):
    served = serve()
    night = start(api_key="")  # nobody told the key yet
    with night.run(), night.round_(agent="coder"):
        night.round_started(model="small")
        night.step_tool("score", lambda: 0.7)
        night.round_scored(0.7, dimensions={"tone": 0.5})
        night.round_kept(delta=0.1, new_best=True, cost_usd="$0.04")
    night.shutdown()
    spool = night.settings.spool
    copy = {path.name: path.read_bytes() for path in spool.iterdir()}
    for _ in range(2):  # the second time as if the first answer had been lost
        for name, content in copy.items():
            (spool / name).write_bytes(content)
        morning = start(api_key=served.project_key, host=served.url)
        assert morning.flush()
        morning.shutdown()
        assert list(spool.iterdir()) == []
    connection = sqlite3.connect(served.events_db)
    try:
        rows = connection.execute("SELECT event, p_cost_usd FROM events ORDER BY timestamp").fetchall()
        assert [event for event, _ in rows] == [
            "round_started", "step.tool_called", "step.tool_returned", "round_scored", "round_kept",
        ]  # fmt: skip
        assert rows[-1] == ("round_kept", 0.04)
        assert connection.execute("SELECT dim, value FROM dims").fetchall() == [("dim_tone", 0.5)]
    finally:
        connection.close()


def test_warnings_are_the_loops_to_silence(caplog: pytest.LogCaptureFixture, start: Callable[..., Client]):
    with caplog.at_level(logging.ERROR, logger="loopdesk"):
        start(api_key="")
    assert caplog.records == []
