"""The desk in a browser: who is let in, what is behind the gate, and what is left when somebody goes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from queries.local.store import Store
from tests.events import event
from tests.terminals import LEFT_CLEAN, ROOT
from tests.web_pages import Browser, desk_of, gone, is_there
from tui.web.gate import Gate
from tui.web.server import Desks, application
from tui.web.terminal import desk_command, desk_environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("web") / "workspace"
    made.mkdir(mode=0o700)
    now = datetime.now(UTC)
    store = Store.open(made / "events.db")
    for number in range(20):
        at = now - timedelta(minutes=3 * number + 5)
        common = {"round_id": f"01JROUND{number:018}", "run_id": "01JRUN", "agent": "planner", "git_sha": "4f2c1d9"}
        store.ingest([event("round_started", at=at, **common), event("round_kept", at=at, **common)], now=now)
    store.close()
    return made


@pytest.fixture
async def browser(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """Before a server of this process, on a free port, with real desks behind it. A window waits as long as a busy
    machine may need for the one before it to leave; or for as many seconds as a test names."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Browser(Gate(f"127.0.0.1:{listener.getsockname()[1]}"))
    command = desk_command(["--workspace", str(folder), "--read-only"])
    waits_s = getattr(request, "param", 60.0)
    desks = Desks(command, desk_environment(os.environ, asks_posthog=False), waits_s=waits_s)
    runner = web.AppRunner(application(found.gate, desks, found.addresses.append), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    yield found
    await runner.cleanup()


async def test_the_address_opens_one_browser_once(browser: Browser):
    address = browser.gate.address
    path = address.removeprefix(browser.gate.origin)
    status, headers, body = await browser.ask(path)
    assert status == 200 and "refresh" in body
    cookie = headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", f"Path={browser.gate.home}"} <= set(cookie.split("; "))
    assert "Domain" not in cookie and browser.gate.cookie in cookie
    # Whoever overheard it comes too late; the owner finds another one in the terminal.
    status, headers, body = await browser.ask(path)
    assert status == 403 and "Set-Cookie" not in headers and "wrong or used" in body
    assert browser.addresses == [browser.gate.address] != [address]
    status, headers, _ = await browser.ask(browser.addresses[0].removeprefix(browser.gate.origin))
    assert status == 200 and "Set-Cookie" in headers


async def test_without_the_cookie_no_route_answers(browser: Browser):
    for path in ("", "ws", "static/js/textual.js", "static/page.css", "static/", "nothing", "/", "/favicon.ico"):
        status, headers, body = await browser.ask(path)
        assert (status, path, "Set-Cookie" in headers) == (403, path, False)
        assert body.startswith("loopdesk: Open the desk with the address") and len(body.splitlines()) == 1
    assert await browser.shake() == 403
    assert await browser.shake(Cookie="loopdesk=wrong") == 403
    for token in ("", "wrong", browser.gate.token[:-1], browser.gate.token + "x", f"{browser.gate.token}&token=x"):
        assert (await browser.ask(f"?token={token}"))[0] == 403


async def test_with_the_cookie_a_foreign_page_still_gets_nothing(browser: Browser):
    await browser.enter()
    assert (await browser.ask())[0] == 200
    host, port = browser.gate.authority.split(":")
    for headers in (
        {"Host": f"localhost:{port}"},
        {"Host": f"rebound.example:{port}"},
        {"Host": host},
        {"Origin": "https://evil.example"},
        {"Origin": f"http://{host}:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for path in ("", "static/js/textual.js"):
            assert (await browser.ask(path, headers=headers))[0] == 403, headers
        assert await browser.shake(**headers) == 403, headers
    assert await browser.shake(Origin="") == 403


async def test_a_cookie_of_our_name_from_another_port_locks_nobody_out(browser: Browser):
    await browser.enter()
    for sent in (f"loopdesk=x; loopdesk={browser.cookie}", f"loopdesk={browser.cookie}; loopdesk=x; a=b"):
        assert (await browser.ask(headers={"Cookie": sent}))[0] == 200


async def test_only_the_pages_own_files_are_there(browser: Browser):
    await browser.enter()
    _, _, body = await browser.ask()
    for needed in re.findall(r'(?:src|href)="(static/[^"]+)"', body):
        assert (await browser.ask(needed))[0] == 200
    assert "http://" not in body.replace("ws://", "") and "https://" not in body
    for path in (
        "static",
        "static/",
        "static/js",
        "static/js/",
        "static/../page.html",
        "static/../../../etc/passwd",
        "static/%2e%2e/%2e%2e/etc/passwd",
        "static/..%2f..%2fetc/passwd",
        "static/js/..%5c..%5ctextual.js",
        "static//js/textual.js",
        "static/js/textual.js/",
        "static/js/textual.js%00",
        "static/js/%74extual.js",
        "static/JS/textual.js",
        "static/templates/app_index.html",
        "download/1",
        "gate.py",
        "/",
        "//",
        "/etc/passwd",
        "/static/js/textual.js",
        "http://127.0.0.1/static/",
    ):
        status, _, body = await browser.ask(path)
        assert status in (403, 404), path
        assert "root:" not in body and "Traceback" not in body
        assert body.count("\n") == 1 and body.startswith("loopdesk: ")
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND"):
        assert (await browser.ask(method=method))[0] == 405


async def test_every_answer_forbids_what_a_page_could_do_with_it(browser: Browser):
    for path in ("", f"?token={browser.gate.token}", "nothing"):
        _, headers, _ = await browser.ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy and f"connect-src ws://{browser.gate.authority};" in policy
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Server"] == "loopdesk" and "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02",
    ],
)
async def test_what_is_no_request_harms_nobody(browser: Browser, request_: bytes, caplog: pytest.LogCaptureFixture):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(browser.gate.authority.split(":")[1]))
    writer.write(request_)
    writer.write_eof()
    with suppress(ConnectionError):
        assert b"200 OK" not in await reader.read()
    writer.close()
    await browser.enter()
    assert (await browser.ask())[0] == 200
    assert caplog.text == ""


# The desk behind it


async def test_a_browser_sees_the_desk_and_presses_its_keys(browser: Browser):
    await browser.enter()
    async with browser.desk() as page:
        assert "read-only" in "\n".join(await page.until("as of"))
        await page.send("stdin", "2")
        await page.until("start▼")
        await page.send("resize", {"width": 100, "height": 30})
        await page.send("ping", "17")
        await page.send("focus")
        seen = b""
        while b"pong" not in seen:
            seen = (await page.socket.receive()).data
            seen = seen.encode() if isinstance(seen, str) else seen
        assert json.loads(seen) == ["pong", "17"]
        await page.send("stdin", "q")
        assert await page.end() == 1000
        assert all(sequence in page.stream for sequence in LEFT_CLEAN.values())


async def test_a_browser_can_stop_its_desk_no_more_than_end_it(browser: Browser):
    """ctrl+z has no shell to come back from, and ctrl+\\ and ctrl+s mean nothing to a desk."""
    await browser.enter()
    async with browser.desk() as page:
        await page.until("as of")
        await page.send("stdin", "\x1a\x13\x1c2")
        await page.until("start▼")


@pytest.mark.parametrize("browser", [0.2], indirect=True)
async def test_a_second_window_is_refused_in_a_sentence(browser: Browser):
    await browser.enter()
    async with browser.desk() as first:
        await first.until("as of")
        async with browser.desk() as second:
            assert await second.end() == 1013
            assert "The desk is open in another window." in second.picture()[1]
        await first.send("stdin", "2")
        await first.until("start▼")


async def test_the_next_window_waits_for_the_one_before(browser: Browser):
    await browser.enter()
    for _ in range(2):
        async with browser.desk() as page:
            await page.until("as of")


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        '"stdin"',
        '["stdin"]',
        '["stdin", 1]',
        '["stdin", "a", "b"]',
        '{"stdin": "a"}',
        '["open_url", "https://evil.example"]',
        '["quit"]',
        "[" * 30_000,
        b"\x00\x01",
    ],
)
async def test_what_the_page_never_says_ends_the_connection(browser: Browser, message: str | bytes):
    await browser.enter()
    async with browser.desk() as page:
        await (page.socket.send_bytes(message) if isinstance(message, bytes) else page.socket.send_str(message))
        assert await page.end() == 1008


async def test_an_oversized_frame_ends_the_connection(browser: Browser):
    await browser.enter()
    async with browser.desk() as page:
        await page.send("stdin", "x" * 100_000)
        assert await page.end() == 1009
    async with browser.desk() as page:
        for absurd in ({"width": 10**9, "height": 10**9}, {"width": -1, "height": "x"}, {"width": 80, "height": 24}):
            await page.send("resize", absurd)
        await page.until("as of")


async def test_a_desk_ends_with_its_connection(browser: Browser):
    await browser.enter()
    async with browser.desk() as page:
        await page.until("as of")
        desk = await desk_of(os.getpid())
        assert "--read-only" in desk.arguments
    await gone(desk.pid)
    async with browser.desk("?width=x&height=99999999999999999999") as page:
        desk = await desk_of(os.getpid())
        page.socket._response.connection.transport.abort()  # type: ignore[union-attr]
        await gone(desk.pid)


async def test_a_desk_that_does_not_leave_is_killed(browser: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tui.web.terminal._LEAVES_IN_S", 0.3)
    await browser.enter()
    async with browser.desk() as page:
        await page.until("as of")
        desk = await desk_of(os.getpid())
        os.kill(desk.pid, signal.SIGSTOP)
    await gone(desk.pid)


# The command


class Running:
    """`loopdesk web` as a person starts it."""

    def __init__(self, folder: Path, *options: str, port: str = "0") -> None:
        command = [
            sys.executable,
            "-m",
            "tui.main",
            "web",
            "--workspace",
            str(folder),
            "--port",
            port,
            "--json",
            *options,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.browser = Browser(self.gate())

    def gate(self) -> Gate:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        found = re.fullmatch(r"http://([\d.:]+)/([\w-]+)/\?token=([\w-]+)", json.loads(line)["url"])
        assert found
        return Gate(found[1], place=found[2], token=found[3])

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*options: str, **more: str) -> Running:
        started.append(Running(folder, *options, **more))
        return started[-1]

    yield start
    for running in started:
        running.close()


async def test_the_command_serves_and_takes_its_desks_with_it(run: Callable[..., Running]):
    running = run("--allow-writes")
    await running.browser.enter()
    assert running.gate().token != running.browser.gate.token  # printed at once
    async with running.browser.desk() as page:
        screen = "\n".join(await page.until("as of"))
        assert "read-only" not in screen
        desk = await desk_of(running.process.pid)
        running.process.terminate()
        assert await page.end() == 1001
    assert await asyncio.to_thread(running.process.wait, 20) == 0
    assert not is_there(desk.pid)
    assert running.process.communicate() == ("", "")


async def test_a_killed_server_leaves_no_desk_behind(run: Callable[..., Running]):
    running = run()
    await running.browser.enter()
    async with running.browser.desk() as page:
        await page.until("as of")
        desk = await desk_of(running.process.pid)
        running.process.kill()
        await gone(desk.pid)


async def test_a_unix_socket_is_its_owners_alone(run: Callable[..., Running], tmp_path: Path):
    path = tmp_path / "desk.sock"
    for _ in range(2):  # the second finds what a killed one left
        running = run("--socket", str(path), port="8399")
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert running.browser.gate.authority == "127.0.0.1:8399"
        running.process.kill()
        running.process.wait()
    running = run("--socket", str(path), port="8399")
    gate = running.browser.gate
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession(connector=connector) as session, session.get(gate.address) as answer:
        assert answer.status == 200 and gate.home in answer.headers["Set-Cookie"]
    again = loopdesk("web", "--socket", path)
    assert again.returncode == 1 and "in use" in again.stderr
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0 and not path.exists()


def test_a_port_that_is_taken_is_said_in_a_sentence(run: Callable[..., Running], tmp_path: Path):
    port = run().browser.gate.authority.split(":")[1]
    for options, said in (
        (["--port", port], f"Port {port} is already in use."),
        (["--socket", tmp_path / "s", "--port", "0"], "--socket needs a --port"),
        (["--socket", tmp_path / "missing" / "s"], "Cannot listen on"),
    ):
        done = loopdesk("web", *options)
        assert done.returncode == 1 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install():
    hidden = "import sys; sys.modules['textual_serve'] = None; from tui.main import main; sys.exit(main(['web']))"
    done = subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "pip install 'loopdesk[web]'" in done.stderr


def loopdesk(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui.main", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
