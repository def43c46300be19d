"""Who may speak to the server: web pages, hosts, other machines and their keys."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.requests import Request

from queries.local import keys
from queries.local.credentials import Credentials, is_loopback
from queries.local.keys import Keys
from queries.local.origins import LocalOnly, Reach
from queries.local.wire import BadRequest
from tests.conftest import Served
from tests.events import batch, event
from tests.test_commands import ROOT, loopdesk, refused
from tests.wire import names, send
from workspace.errors import LoopdeskError

PAGE = "https://app.example"


@pytest.mark.parametrize("path", ["/batch/", "/e/", "/i/v0/e/", "/i/v1/analytics/events"])
def test_a_configured_page_is_told_that_it_may_send(path: str, serve: Callable[..., Served]):
    served = serve(reach=Reach(origins=(PAGE + "/",)))
    asked = {
        "Origin": PAGE,
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type,authorization",
        "Access_Control_Request_Private_Network": "true",
    }
    reply = send(served.url + path, method="OPTIONS", **asked)
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == PAGE
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert reply.headers["Access-Control-Allow-Headers"] == "content-type,authorization"
    assert reply.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    assert reply.headers["Vary"] == "Origin"


def test_a_configured_page_sends_events_and_sees_the_answer(serve: Callable[..., Served]):
    served = serve(reach=Reach(origins=(PAGE,)))
    reply = send(served.url + "/e/", batch([event("$pageview")], served.project_key), Origin=PAGE)
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    refused = send(served.url + "/e/", batch([event("$pageview")], "phc_wrong"), Origin=PAGE)
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    assert names(served) == ["$pageview"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example", PAGE + ".evil.example"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_another_page_is_refused(origin: str, method: str, serve: Callable[..., Served]):
    served = serve(reach=Reach(origins=(PAGE,)))
    reply = send(served.url + "/e/", batch([event("x")], served.project_key), method=method, Origin=origin)
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (403, None)
    assert names(served) == []


@pytest.mark.parametrize("path", ["/api/projects/@current/query/", "/flags/definitions", "/_readiness", "/"])
def test_a_configured_page_reaches_nothing_but_capture_and_flags(path: str, serve: Callable[..., Served]):
    served = serve(reach=Reach(origins=(PAGE,)))
    for method in ("POST", "GET", "OPTIONS"):
        reply = send(served.url + path, {}, method=method, Origin=PAGE, Authorization=f"Bearer {served.personal_key}")
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (403, None)


@pytest.mark.parametrize(
    ("reach", "host", "known"),
    [
        (Reach(), "127.0.0.1:8377", True),
        (Reach(), "[::1]:8377", True),
        (Reach(), "LOCALHOST", True),
        (Reach(), "192.0.2.7:8377", False),
        (Reach(), "", False),
        (Reach(frozenset({"gpu.lan"})), "gpu.lan:8377", True),
        (Reach(frozenset({"gpu.lan"})), "other.lan:8377", False),
        (Reach(any_address=True), "192.0.2.7:8377", True),
        (Reach(any_address=True), "[fd00::1]:8377", True),
        (Reach(any_address=True), "rebound.example:8377", False),
    ],
)
def test_a_host_is_known_by_its_own_names(reach: Reach, host: str, known: bool):
    assert reach.knows_host(host) is known


def test_what_is_no_http_is_passed_on():
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(scope["type"])

    asyncio.run(LocalOnly(app, Reach(), ())({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


SHARED = Keys("phc_shared", "phx_personal", {"gpu": "phc_gpu"})


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8"])
def test_this_machine_may_use_either_key(peer: str):
    credentials = Credentials(SHARED)
    credentials.check_project("phc_shared", peer)
    credentials.check_project("phc_gpu", peer)


@pytest.mark.parametrize("peer", ["192.0.2.7", "fd00::2", "::ffff:192.0.2.7", "", "localhost"])
def test_another_machine_needs_its_own_key(peer: str):
    credentials = Credentials(SHARED)
    credentials.check_project("phc_gpu", peer)
    with pytest.raises(BadRequest, match="--new-key NAME") as refusal:
        credentials.check_project("phc_shared", peer)
    assert refusal.value.status == 401


@pytest.mark.parametrize("key", ["", "phc_wrong", "phx_personal", "phc_gp\udce9", "é"])
def test_a_wrong_key_is_refused_wherever_it_comes_from(key: str):
    for peer in ("127.0.0.1", "192.0.2.7"):
        with pytest.raises(BadRequest):
            Credentials(SHARED).check_project(key, peer)


def asked_from(peer: str | None, key: str) -> Request:
    headers = [(b"authorization", f"Bearer {key}".encode())]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


def test_questions_are_answered_to_this_machine_only():
    credentials = Credentials(SHARED)
    assert credentials.check_personal(asked_from("127.0.0.1", "phx_personal")) is None
    assert credentials.check_personal(asked_from(None, "phx_personal")) is None
    refusal = credentials.check_personal(asked_from("192.0.2.7", "phx_personal"))
    assert refusal is not None
    assert "ssh -L" in json.loads(bytes(refusal.body))["detail"]


def test_text_that_is_no_address_is_not_loopback():
    assert not is_loopback("127.0.0.1.evil.example")


def test_keys_of_machines_are_made_kept_and_removed(tmp_path: Path):
    shared = keys.load_keys(tmp_path)
    current = keys.follow(tmp_path)
    key = keys.add_machine(tmp_path, "gpu-1")
    assert key.startswith("phc_")
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert (current().machines, current().project) == ({"gpu-1": key}, shared.project)
    assert key not in repr(current()) and shared.personal not in repr(current())
    with pytest.raises(LoopdeskError, match="has a key already"):
        keys.add_machine(tmp_path, "gpu-1")
    keys.remove_machine(tmp_path, "gpu-1")
    assert current() == shared
    with pytest.raises(LoopdeskError, match="Machines with a key: none"):
        keys.remove_machine(tmp_path, "gpu-1")


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 65, "\x1b[31m"])
def test_a_machines_name_is_a_plain_word(name: str, tmp_path: Path):
    with pytest.raises(LoopdeskError, match="letters, digits"):
        keys.add_machine(tmp_path, name)


@pytest.mark.parametrize("machines", ['["a"]', '{"a": 7}', "7"])
def test_keys_of_another_shape_are_one_sentence(machines: str, tmp_path: Path):
    file = tmp_path / "keys.json"
    file.write_text(f'{{"project": "phc_a", "personal": "phx_b", "machines": {machines}}}')
    file.chmod(0o600)
    with pytest.raises(LoopdeskError, match="does not hold loopdesk's keys"):
        keys.load_keys(tmp_path)


def test_keys_from_before_machines_had_any_still_work(tmp_path: Path):
    file = tmp_path / "keys.json"
    file.write_text('{"project": "phc_a", "personal": "phx_b"}')
    file.chmod(0o600)
    assert keys.load_keys(tmp_path) == Keys("phc_a", "phx_b")


def own_address() -> str:
    """An address of this machine that is not loopback. Nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 9))
        except OSError:
            pytest.skip("this machine has no network address")
        address = probe.getsockname()[0]
    if is_loopback(address):
        pytest.skip("this machine has no network address")
    return address


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_binding_to_the_network_without_a_machines_key_is_refused(address: str, tmp_path: Path):
    line = refused(loopdesk("serve", "--bind", address, "--port", "0", "--workspace", tmp_path / "w"))
    assert "No machine has a key of its own" in line
    assert "--new-key NAME" in line and "ssh -R" in line


def test_an_address_of_nobody_is_one_sentence(tmp_path: Path):
    workspace = tmp_path / "w"
    assert loopdesk("serve", "--new-key", "gpu", "--workspace", workspace).returncode == 0
    for address in ("203.0.113.77", "no.such.host.invalid"):
        line = refused(loopdesk("serve", "--bind", address, "--port", "0", "--workspace", workspace))
        assert "is no address of this machine" in line


def test_a_bound_server_takes_each_machines_own_key_until_it_is_removed(tmp_path: Path):
    address, workspace = own_address(), tmp_path / "w"
    made = loopdesk("serve", "--new-key", "gpu", "--json", "--workspace", workspace)
    key = json.loads(made.stdout)["project_key"]
    assert json.loads(loopdesk("serve", "--list-keys", "--json", "--workspace", workspace).stdout) == {
        "machines": ["gpu"]
    }
    command = [sys.executable, "-m", "tui.main", "serve", "--port", "0", "--bind", address, "--json"]
    with subprocess.Popen(
        [*command, "--workspace", str(workspace)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            far = told["url"]
            near = far.replace(address, "127.0.0.1")
            shared, own = (batch([event("x", key=k)], k) for k in (told["project_key"], key))
            assert address in far
            assert send(near + "/batch/", shared).status == 200
            assert send(far + "/batch/", own).status == 200
            assert send(far + "/batch/", shared).status == 401
            assert send(far + "/batch/", own, Host="rebound.example").status == 421
            assert loopdesk("serve", "--remove-key", "gpu", "--workspace", workspace).returncode == 0
            assert send(far + "/batch/", own).status == 401
        finally:
            process.terminate()
