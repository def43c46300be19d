"""The drop-in client's flags: the real SDK against the embedded PostHog, and against a flag service that misbehaves."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from observability import posthog_client
from observability.posthog_client import Client, Settings, carry
from queries.local.backend import LocalBackend
from tests.conftest import Served
from tests.rest_calls import EVERYONE, HALVES, Rest


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """A client of the loop `autoagent` for a key and a host; keywords are further settings."""
    started: list[Client] = []

    def make(api_key: str, host: str, **more: Any) -> Client:
        usual = {"project": "autoagent", "git_sha": "c0ffee", "spool": tmp_path / "spool"}
        started.append(Client(Settings(api_key=api_key, host=host, **(usual | more))))
        return started[-1]

    yield make
    for client in started:
        client.shutdown(1)


def test_the_environment_narrows_flags_and_names_the_kill_switch():
    found = Settings.from_environment({"AUTORESEARCH_FLAGS": " a, b ,,", "AUTORESEARCH_KILL_SWITCH": "halt"})
    assert (found.flags, found.kill_switch) == (("a", "b"), "halt")
    assert (Settings.from_environment({}).flags, Settings.from_environment({}).kill_switch) == ((), "stop_loops")


# With the embedded PostHog


def test_every_event_of_a_round_carries_the_variants_of_its_beginning(
    serve: Callable[..., Served], start: Callable[..., Client]
):
    served = serve()
    rest = Rest(served)
    rest.flag("scorer_v2", {**EVERYONE, "multivariate": HALVES})
    careful = rest.flag("careful", EVERYONE)
    rest.flag("new_secret")  # off, and its name is that of a secret
    client = start(served.project_key, served.url)
    with client.run(), client.round_(agent="coder"):
        seen = client.variant("scorer_v2")
        client.round_started(model="small")
        rest("PATCH", f"feature_flags/{careful['id']}/", {"active": False})
        # As PostHog's model wrappers do it.
        client.sdk.capture("$ai_generation", properties={"$ai_trace_id": "made-up", "$ai_model": "small"})
        client.track("judged", agent="judge")
        client.track("of another round", round_id="EARLIER")
        assert client.variant("careful") is True  # the same to the round's end
        with client.round_():
            client.track("inside")
        client.round_kept(delta=0.1)
    client.stop_triggered(reason="max_rounds")
    assert client.flush()
    backend = LocalBackend(served.events_db)
    said = "JSONExtractRaw(properties, '$feature/{}')"
    columns = ", ".join(said.format(key) for key in ("scorer_v2", "careful", "new_secret"))
    rows = {row[0]: row[1:] for row in backend.query(f"SELECT event, {columns} FROM events").rows}
    backend.close()
    assert seen in ("control", "test")
    usual = (json.dumps(seen), "true", "false")
    assert rows.pop("inside") == (json.dumps(seen), "false", "false")
    assert [rows.pop(name) for name in ("round_started", "$ai_generation", "judged", "round_kept")] == [usual] * 4
    assert rows == {"of another round": ("", "", ""), "stop_triggered": ("", "", "")}  # and no `$feature_flag_called`


def test_a_flag_goes_by_agent_or_where_it_is_told_so_by_round(
    serve: Callable[..., Served], start: Callable[..., Client]
):
    served = serve()
    rest = Rest(served)
    rest.flag("by_agent", {**EVERYONE, "multivariate": HALVES})
    rest.flag("by_round", {**EVERYONE, "multivariate": HALVES}, bucketing_identifier="device_id")
    of_client = {"key": "client", "value": ["acme"], "operator": "exact", "type": "person"}
    rest.flag("for_acme", {"groups": [{"properties": [of_client], "rollout_percentage": 100}]})
    client = start(served.project_key, served.url, client="acme")
    seen: dict[str, set] = {"by_agent": set(), "by_round": set(), "for_acme": set()}
    for number in range(16):
        with client.round_(agent="coder", round_id=f"ROUND{number}"):
            for key, variants in seen.items():
                variants.add(client.variant(key))
    assert len(seen["by_agent"]) == 1
    assert seen["by_round"] == {"control", "test"}
    assert seen["for_acme"] == {True}


def test_a_kill_switch_stops_with_its_reason_from_the_first_round_on(
    serve: Callable[..., Served], start: Callable[..., Client]
):
    served = serve()
    rest = Rest(served)
    client = start(served.project_key, served.url)
    with client.round_():
        assert client.should_stop() == ""
    flag = rest.flag("stop_loops", {**EVERYONE, "payloads": {"true": json.dumps("The scorer is down")}})
    assert client.should_stop() == ""  # outside of a round: the latest known
    with client.round_():
        assert client.should_stop() == "The scorer is down"
    assert client.should_stop() == "The scorer is down"
    # Before its first round a process asks, so that a night does not begin under a kill switch.
    assert start(served.project_key, served.url).should_stop() == "The scorer is down"
    hostile = {**EVERYONE, "payloads": {"true": json.dumps("Red \x1b[31m\n\u202eand back")}}
    rest("PATCH", f"feature_flags/{flag['id']}/", {"filters": hostile})
    assert start(served.project_key, served.url).should_stop() == "Red [31m and back"
    rest("PATCH", f"feature_flags/{flag['id']}/", {"filters": EVERYONE})
    assert start(served.project_key, served.url).should_stop() == "the flag stop_loops is on"
    assert start(served.project_key, served.url, kill_switch="halt").should_stop() == ""
    rest("POST", f"feature_flags/{flag['id']}/disable/")
    with client.round_():
        assert client.should_stop() == ""


def test_the_smallest_budget_of_the_flags_that_are_on_is_compared_with_what_the_run_has_cost(
    serve: Callable[..., Served], start: Callable[..., Client]
):
    served = serve()
    rest = Rest(served)
    client = start(served.project_key, served.url)
    with client.round_():
        client.round_kept(cost_usd=1000)
        assert client.nightly_budget_usd() is None and not client.over_budget()
    payloads: list[Any] = [
        {"usd": 20},
        {"usd": 0.5},
        {"usd": "1"},
        {"usd": True},
        {"usd": -3},
        {"eur": 1},
        [1],
        0.1,
        "x",
    ]
    for place, payload in enumerate(payloads):
        rest.flag(f"budget_{place}", {**EVERYONE, "payloads": {"true": json.dumps(payload)}})
    off = rest.flag("budget_off", {**EVERYONE, "payloads": {"true": '{"usd": 0.01}'}})
    rest("POST", f"feature_flags/{off['id']}/disable/")
    with client.run():
        with client.round_():
            assert client.payload("budget_0") == {"usd": 20}
            assert (client.payload("budget_off"), client.payload("nowhere", 7)) == (None, 7)
            assert client.nightly_budget_usd() == 0.5
            client.round_reverted(cost_usd=0.3)
            assert not client.over_budget()
        with ThreadPoolExecutor(1) as pool, client.round_():
            pool.submit(carry(client.round_kept), cost_usd="$0.20").result()  # sent as a number, and counted as one
            assert client.over_budget()
        assert client.over_budget()
    with client.run():
        assert not client.over_budget()  # another night


def test_the_mini_loop_stops_on_the_kill_switch_and_on_its_budget(
    serve: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import runpy

    served = serve()
    rest = Rest(served)
    loop = Path(__file__).resolve().parents[1] / "examples" / "mini_autoresearch" / "loop.py"
    environment = {"POSTHOG_HOST": served.url, "POSTHOG_API_KEY": served.project_key, "AUTORESEARCH_PROJECT": "mini"}
    for name, value in {**environment, "LOOPDESK_SPOOL": str(tmp_path / "spool")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(loop.parent))

    def run() -> None:
        monkeypatch.setattr(posthog_client, "_default", None)
        monkeypatch.setattr("signal.signal", lambda *_: None)
        monkeypatch.setattr("sys.argv", ["loop.py", "--rounds", "3"])
        assert runpy.run_path(str(loop))["main"]() == 0

    budget = rest.flag("nightly_budget_20usd", {**EVERYONE, "payloads": {"true": '{"usd": 1e-9}'}})
    run()
    rest("DELETE", f"feature_flags/{budget['id']}/")
    rest.flag("stop_loops", EVERYONE)
    run()
    backend = LocalBackend(served.events_db)
    stops = (
        "SELECT properties.reason, properties.rounds_completed FROM events WHERE event = 'stop_triggered' ORDER BY 1"
    )
    assert list(backend.query(stops).rows) == [("budget", "1"), ("kill_switch", "0")]
    assert list(backend.query("SELECT count() FROM events WHERE event = 'round_started'").rows) == [(1,)]
    backend.close()


# With a service that misbehaves


class Service:
    """`/flags/` on loopback. `answer` gives status and body, or waits; what was asked is in `asked`."""

    def __init__(self) -> None:
        self.flags: dict[str, object] = {}
        self.answer: Callable[[], tuple[int, bytes]] = lambda: (200, self.whole())
        self.asked: list[dict] = []
        self.taken: list[dict] = []
        self.free = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                document = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
                status, text = 200, b'{"status":"Ok"}'
                if self.path.startswith("/flags"):
                    service.asked.append(document)
                    status, text = service.answer()
                else:
                    service.taken.extend(document["batch"])
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def whole(self, **more: object) -> bytes:
        told = {key: record(key, value) for key, value in self.flags.items()}
        return json.dumps({"errorsWhileComputingFlags": False, "flags": told, "requestId": "r", **more}).encode()

    def late(self) -> tuple[int, bytes]:
        self.free.wait(30)
        return 200, self.whole()

    def down(self) -> None:
        self.free.set()
        if self.server.fileno() >= 0:
            self.server.shutdown()
            self.server.server_close()


def record(key: str, value: object) -> dict:
    return {"key": key, "value": value, "metadata": {"id": 1, "version": 1, "payload": None}}


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.down()


def a_round(client: Client, key: str = "scorer_v2") -> bool | str:
    """The variant in a round that begins now, whatever pause after a failure is left."""
    assert client._flags
    client._flags._ask_at = 0.0
    with client.round_():
        client.track("tick")
        return client.variant(key, "default")


def garbage(text: str) -> Callable[[], tuple[int, bytes]]:
    return lambda: (200, text.encode())


BROKEN: dict[str, Callable[[], tuple[int, bytes]]] = {
    "500": lambda: (500, b"no"),
    "401": lambda: (401, b'{"detail": "Invalid\\nkey \x1b[31m"}'),
    "quota": garbage('{"flags": {}, "quotaLimited": ["feature_flags"]}'),
    "a page": garbage("<html>Sign in</html>"),
    "a list": garbage("[1]"),
    "null": garbage("null"),
    "another answer": garbage('{"status": "Ok"}'),
    "flags as a list": garbage('{"flags": ["scorer_v2"]}'),
    "deep": garbage("[" * 100_000),
    "cut off": garbage('{"flags": {"scorer_v2": {"key"'),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_service_that_fails_leaves_the_last_known_and_is_said_once(
    service: Service, start: Callable[..., Client], caplog: pytest.LogCaptureFixture, how: str
):
    client = start("phc_test", service.url)
    usual, service.answer = service.answer, BROKEN[how]
    assert a_round(client) == "default"
    service.flags, service.answer = {"scorer_v2": "test"}, usual
    assert a_round(client) == "test"
    service.answer = BROKEN[how]
    assert [a_round(client) for _ in range(3)] == ["test"] * 3
    assert client.flush()
    carried = [event["properties"].get("$feature/scorer_v2") for event in service.taken]
    assert carried == [None, "test", "test", "test", "test"]
    (warning,) = [record for record in caplog.records if record.name == "loopdesk"]
    assert warning.levelno == logging.WARNING and warning.message.isprintable() and "default" in warning.message


@pytest.mark.parametrize(
    "told",
    [
        {"scorer_v2": 3},
        {"scorer_v2": None},
        {"scorer_v2": ["test"]},
        {"scorer_v2": "te\ud800st"},
        {"scorer_v2": "x" * 401},
        {"scorer_v2": {"a": 1}},
        {"scorer\nv2": True},
    ],
)
def test_what_is_no_variant_is_not_put_on_events(service: Service, start: Callable[..., Client], told: dict):
    service.flags = {**told, "careful": True}
    client = start("phc_test", service.url)
    assert a_round(client, "careful") is True
    assert client.flush()
    (event,) = service.taken
    features = {name: value for name, value in event["properties"].items() if name.startswith("$feature/")}
    assert features.pop("$feature/careful") is True
    assert all(isinstance(value, bool) for value in features.values())  # as the SDK reads what it cannot


def test_flags_that_could_not_be_evaluated_stay_as_they_were(service: Service, start: Callable[..., Client]):
    service.flags = {"scorer_v2": "test", "careful": True}
    client = start("phc_test", service.url)
    assert a_round(client) == "test"
    failed = {**record("scorer_v2", None), "failed": True}
    service.flags = {"careful": False}
    partial = service.whole(errorsWhileComputingFlags=True)
    told = json.loads(partial)
    told["flags"]["scorer_v2"] = failed
    service.answer = lambda: (200, json.dumps(told).encode())
    assert (a_round(client), a_round(client, "careful")) == ("test", False)
    service.answer = lambda: (200, service.whole())
    assert a_round(client) == "default"  # it is gone from the project


def test_only_the_flags_that_are_named_are_asked_for_and_carried(service: Service, start: Callable[..., Client]):
    service.flags = {"scorer_v2": "test", "website_header": True, "stop_loops": False}
    client = start("phc_test", service.url, flags=("scorer_v2",))
    assert a_round(client) == "test"
    assert client.flush()
    assert service.asked[0]["flag_keys_to_evaluate"] == ["scorer_v2", "stop_loops"]
    sent = {name for name in service.taken[0]["properties"] if name.startswith("$feature/")}
    assert sent == {"$feature/scorer_v2", "$feature/stop_loops"}


def test_a_round_asks_once_and_names_agent_round_and_project(service: Service, start: Callable[..., Client]):
    client = start("phc_test", service.url, client="acme")
    with client.round_(agent="coder") as round_id:
        for _ in range(5):
            client.variant("scorer_v2"), client.payload("scorer_v2"), client.should_stop(), client.over_budget()
    (asked,) = service.asked
    assert (asked["distinct_id"], asked["device_id"]) == ("autoagent:acme:coder", round_id)
    assert asked["person_properties"] == {"project": "autoagent", "client": "acme", "agent": "coder"}


def test_a_service_that_is_slow_holds_a_round_twice_and_its_answer_is_for_later_rounds(
    service: Service, start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(posthog_client, "FLAGS_WAIT_S", 0.02)
    service.flags, usual, service.answer = {"scorer_v2": "test"}, service.answer, service.late
    client = start("phc_test", service.url)
    assert client._flags
    assert [a_round(client) for _ in range(2)] == ["default"] * 2
    # From now on nobody waits, however long that is.
    monkeypatch.setattr(posthog_client, "FLAGS_WAIT_S", 1e6)
    assert a_round(client) == "default"
    with client.round_():  # and within the pause nobody asks
        pass
    assert len(client._flags._threads) == 3
    threads = list(client._flags._threads)
    service.free.set()
    for thread in threads:
        thread.join(30)
    assert client.variant("scorer_v2") == "test"
    service.answer, service.flags = usual, {"scorer_v2": "control"}
    assert a_round(client) == "control"  # it answers again, so it is waited for again
    assert len([record for record in caplog.records if record.name == "loopdesk"]) == 1


def test_a_request_that_is_late_and_then_fails_has_failed_once(
    service: Service, start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(posthog_client, "FLAGS_WAIT_S", 0.02)
    service.answer = lambda: (500, service.late()[1])
    client = start("phc_test", service.url)
    assert a_round(client) == "default"
    assert client._flags
    (thread,) = client._flags._threads
    service.free.set()
    thread.join(30)
    assert client._flags._failures == 1


def test_a_service_that_hangs_is_not_asked_without_end(
    service: Service, start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(posthog_client, "FLAGS_WAIT_S", 0.001)
    service.answer = service.late
    client = start("phc_test", service.url)
    assert [a_round(client) for _ in range(10)] == ["default"] * 10
    assert client._flags and len(client._flags._threads) == 4


def test_an_answer_that_was_overtaken_does_not_count(
    service: Service, start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
):
    service.flags, usual, service.answer = {"scorer_v2": "old"}, service.answer, service.late
    client = start("phc_test", service.url)
    monkeypatch.setattr(posthog_client, "FLAGS_WAIT_S", 0.02)
    assert a_round(client) == "default"
    monkeypatch.setattr(posthog_client, "FLAGS_WAIT_S", 30)
    assert client._flags
    late = client._flags._threads[0]
    service.answer = usual
    service.flags = {"scorer_v2": "new"}
    assert a_round(client) == "new"
    service.flags = {"scorer_v2": "old"}
    service.free.set()
    late.join(30)
    assert client.variant("scorer_v2") == "new"


def test_a_dead_host_is_no_exception_and_the_pauses_grow(
    service: Service, start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
):
    client = start("phc_test", service.url)
    service.flags = {"stop_loops": True}
    with client.round_():
        assert client.should_stop()
    service.down()
    pauses = []
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    for _ in range(8):
        assert client._flags
        client._flags._ask_at = 0.0
        with client.round_():
            assert client.should_stop()  # the last that is known
        for thread in client._flags._threads:
            thread.join(30)
        pauses.append(client._flags._ask_at - 1000)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("settings", [{"api_key": ""}, {"api_key": "phx_personal"}, {"project": ""}])
def test_who_cannot_send_asks_for_no_flag(service: Service, tmp_path: Path, settings: dict):
    usual = {"api_key": "phc_test", "host": service.url, "project": "autoagent", "spool": tmp_path}
    client = Client(Settings(**(usual | settings)))
    with client.round_():
        assert client.variant("scorer_v2", "default") == "default"
        assert (client.should_stop(), client.over_budget()) == ("", False)
    client.shutdown()
    assert service.asked == []


def test_what_the_loop_asks_of_the_sdk_itself_names_the_project_too(service: Service, start: Callable[..., Client]):
    service.flags = {"scorer_v2": "test"}
    client = start("phc_test", service.url)
    with client.round_(agent="coder") as round_id:
        client.sdk.evaluate_flags(client.agent_id("coder")).get_flag("scorer_v2")
    assert client.flush()
    (called,) = service.taken
    told = {"project": "autoagent", "client": "internal", "agent": "coder", "round_id": round_id}
    assert called["event"] == "$feature_flag_called" and told.items() <= called["properties"].items()
