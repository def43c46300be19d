"""The desk in a real browser: that it paints and takes keys there, and what another page can do to it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pyte
import pytest
from aiohttp import WSMsgType, web

from tests.required import required
from tests.test_web import browser, folder
from tests.web_pages import Browser

__all__ = ["browser", "folder"]  # fixtures

OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--window-size=1500,900"),
)


class Chromium:
    """A tab, spoken to over the browser's own debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0
        self.requested: list[str] = []
        self.problems: list[str] = []
        self.sent: list[str] = []
        self.drawn = b""

    async def call(self, method: str, **parameters: object) -> dict:
        self._calls += 1
        number = self._calls
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(30):
            while (answer := await self._next()).get("id") != number:
                pass
        return answer.get("result", answer)

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def press(self, key: str) -> None:
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=key, key=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def evaluate(self, script: str) -> object:
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    async def until_drawn(self, text: str) -> None:
        """Until the page's websocket has brought a screen with the text."""
        async with asyncio.timeout(30):
            while text not in "\n".join(self.picture()):
                await self._next()

    def picture(self) -> list[str]:
        screen = pyte.Screen(220, 60)
        pyte.ByteStream(screen).feed(self.drawn)
        return list(screen.display)

    async def colours(self) -> int:
        """How many different bytes of colour the window shows: an empty page has next to none."""
        png = base64.b64decode((await self.call("Page.captureScreenshot"))["data"])
        return len(set(zlib.decompress(_image_data(png))))

    async def _next(self) -> dict:
        message = await self._socket.receive()
        assert message.type is WSMsgType.TEXT, message
        told = json.loads(message.data)
        parameters = told.get("params", {})
        match told.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.requested.append(parameters["url"])
            case "Network.webSocketFrameReceived" if parameters["response"]["opcode"] == 2:
                self.drawn += base64.b64decode(parameters["response"]["payloadData"])
            case "Network.webSocketFrameSent":
                self.sent.append(parameters["response"]["payloadData"])
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(parameters))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.problems.append(parameters["entry"]["text"])
        return told


def _image_data(png: bytes) -> bytes:
    stream, found = io.BytesIO(png[8:]), b""
    while length := stream.read(4):
        kind = stream.read(4)
        data = stream.read(int.from_bytes(length, "big"))
        found += data if kind == b"IDAT" else b""
        stream.read(4)
    return found


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Chromium]:
    (program,) = required("browser", "chromium|chromium-browser|google-chrome")
    process = await asyncio.create_subprocess_exec(
        program,
        *OPTIONS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while b"DevTools listening on" not in (line := await process.stderr.readline()):
                assert line, "the browser did not start"
        authority = line.decode().split("ws://")[1].split("/")[0]
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as session:
            tabs = await (await session.get(f"http://{authority}/json")).json()
            url = next(each["webSocketDebuggerUrl"] for each in tabs if each["type"] == "page")
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield Chromium(socket)
    finally:
        process.terminate()
        await process.wait()
        draining.cancel()


async def test_the_desk_paints_in_a_browser_and_takes_its_keys(browser: Browser, tab: Chromium):
    await tab.open(browser.gate.address)
    await tab.until_drawn("as of")
    assert "20 rounds" in "\n".join(tab.picture())
    assert await tab.colours() > 20
    await tab.press("2")  # nobody clicked on anything
    await tab.until_drawn("start▼")
    assert '["stdin","2"]' in tab.sent
    assert tab.problems == []
    own = (browser.gate.origin, f"ws://{browser.gate.authority}", "data:", "about:")
    assert [url for url in tab.requested if not url.startswith(own)] == []
    assert await tab.evaluate("document.cookie") == ""  # HttpOnly
    assert "token" not in str(await tab.evaluate("location.href"))
    await tab.press("q")
    ended = "new Promise(done => setInterval(() => document.body.matches('.-closed') && done('ended'), 20))"
    assert await tab.evaluate(ended) == "ended"
    # Once more in the same tab: the cookie opens it, as it does after closing the window by mistake.
    await tab.call("Page.reload")
    tab.drawn = b""
    await tab.until_drawn("as of")


EVIL = """
<!doctype html><script>
const home = "HOME", ws = "WS", found = {};
async function fetched(options) {
  try {
    return (await (await fetch(home, options)).text()).length;
  } catch (error) {
    return "failed";
  }
}
const embedded = (tag, attributes) => new Promise(done => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.onload = () => done(tag === "iframe" ? element.contentDocument : "loaded");
  element.onerror = () => done("failed");
  document.body.append(element);
});
async function attack() {
  found.fetched = await fetched({});
  found.fetched_with_cookies = await fetched({credentials: "include"});
  found.socket = await new Promise(done => {
    const socket = new WebSocket(ws);
    socket.onopen = () => done("open");
    socket.onerror = () => done("failed");
  });
  found.script = await embedded("script", {src: home + "static/js/textual.js"});
  found.style = await embedded("link", {rel: "stylesheet", href: home + "static/page.css"});
  found.frame = await embedded("iframe", {src: home});
  return found;
}
</script><body></body>
"""


async def test_another_page_in_the_owners_browser_gets_nothing(browser: Browser, tab: Chromium):
    """The worst one: on another port of this machine, for which the browser has our cookie, and it knows the path."""
    seen: list[aiohttp.typedefs.LooseHeaders] = []

    async def evil(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        text = EVIL.replace("HOME", f"{browser.gate.origin}{browser.gate.home}")
        text = text.replace("WS", f"ws://{browser.gate.authority}{browser.gate.home}ws")
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{any:.*}", evil)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        await tab.open(browser.gate.address)
        await tab.until_drawn("as of")
        await tab.call("Page.navigate", url=f"http://127.0.0.1:{port}/")
        loaded = "new Promise(done => setInterval(() => window.attack && done(true), 20))"
        assert await tab.evaluate(loaded)
        found = await tab.evaluate("attack()")
        reached = dict.fromkeys(("fetched", "fetched_with_cookies", "socket", "script", "style"), "failed")
        assert found == {**reached, "frame": None}  # loaded a refusal, and hidden from the page
        # Nor was the other server ever sent our cookie.
        assert seen and not any("Cookie" in headers for headers in seen)
    finally:
        await runner.cleanup()
