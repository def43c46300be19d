"""The server behind the gate: one page, its few files, and a websocket with a desk at its other end.

textual-serve brings what runs in the browser (xterm.js and the script that speaks over the websocket). The server is
our own: its counterpart there has no gate, starts a shell, and lists its folders.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import WSCloseCode, WSMsgType, web

from tui.web.gate import COOKIE, Asked, Gate, Refused
from tui.web.terminal import DeskTerminal, Size

MOST_DESKS = 1
_MOST_FRAME = 1 << 16  # bytes of one message from the browser: a paste; OSC 52 and keys are far shorter
_HEARTBEAT_S = 20.0  # a browser that went away without a word is noticed within one and a half of these
_TYPES = {"js": "text/javascript", "css": "text/css", "ttf": "font/ttf", "png": "image/png"}
_BUSY = "The desk is open in another window. Close that one, then load this page again."
_ONWARDS = """<!doctype html>
<title>loopdesk</title>
<link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0;url=./">
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class File:
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Desks:
    """How a desk is started, and how long one more window waits for its place: a reloaded page closes the old one."""

    command: Sequence[str]
    environment: Mapping[str, str]
    most: int = MOST_DESKS
    waits_s: float = 3.0


def application(gate: Gate, desks: Desks, say: Say) -> web.Application:
    """`say` is given the next address each time one was used."""
    # The library logs every malformed request with a traceback; a refusal has told its sender what was wrong.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL + 1)
    server = _Server(gate, desks, say)
    app = web.Application(middlewares=[server.guard], client_max_size=1 << 10)
    app.router.add_route("*", "/{anything:.*}", server.serve)
    app.on_shutdown.append(server.close)
    return app


class _Server:
    def __init__(self, gate: Gate, desks: Desks, say: Say) -> None:
        self._gate, self._desks, self._say = gate, desks, say
        self._seats = asyncio.Semaphore(desks.most)
        self._sockets: set[web.WebSocketResponse] = set()
        self._files = _files(gate)
        self._headers = _headers(gate)

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        asked = _asked(request)
        refused = self._gate.refusal(asked)
        if refused:
            return self._refuse(refused)
        if self._gate.is_entry(asked):
            return self._let_in()
        return await handler(request)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A path is looked up as it was sent, among the few there are: nothing of it ever becomes a file's name."""
        path = _raw_path(request)
        if path == f"{self._gate.home}ws":
            return await self._serve_desk(request)
        found = self._files.get(path)
        if found is None:
            return self._refuse(Refused(HTTPStatus.NOT_FOUND, "There is nothing here."))
        return web.Response(body=found.data, headers={**self._headers, "Content-Type": found.type})

    async def close(self, app: web.Application) -> None:
        said = b"loopdesk web was stopped"
        await asyncio.gather(*(each.close(code=WSCloseCode.GOING_AWAY, message=said) for each in self._sockets))

    def _let_in(self) -> web.Response:
        self._gate.burn()
        self._say(self._gate.address)
        # Not a redirect: where another page's link led here, the browser would keep the new cookie back from it.
        response = web.Response(text=_ONWARDS, content_type="text/html", headers=self._headers)
        response.set_cookie(COOKIE, self._gate.cookie, path=self._gate.home, httponly=True, samesite="Strict")
        return response

    def _refuse(self, refused: Refused) -> web.Response:
        response = web.Response(status=refused.status, text=f"loopdesk: {refused.why}\n", headers=self._headers)
        response.force_close()
        return response

    async def _serve_desk(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_MOST_FRAME, compress=False)
        if not socket.can_prepare(request):
            return self._refuse(Refused(HTTPStatus.BAD_REQUEST, "Only the desk's own page opens this."))
        socket.headers.update(self._headers)
        await socket.prepare(request)
        try:
            async with asyncio.timeout(self._desks.waits_s):
                await self._seats.acquire()
        except TimeoutError:
            await socket.send_bytes(f"\r\n  {_BUSY}\r\n".encode())
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"open in another window")
            return socket
        self._sockets.add(socket)
        try:
            await self._connect(socket, Size.of(_number(request, "width"), _number(request, "height")))
        finally:
            self._sockets.discard(socket)
            self._seats.release()
        return socket

    async def _connect(self, socket: web.WebSocketResponse, size: Size) -> None:
        try:
            terminal = await DeskTerminal.open(self._desks.command, self._desks.environment, size)
        except OSError as error:
            await socket.send_bytes(f"\r\n  The desk could not be started: {error.strerror}.\r\n".encode())
            await socket.close()
            return
        drawing = asyncio.create_task(_draw(terminal, socket))
        try:
            await _type(socket, terminal)
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)
            await asyncio.shield(terminal.close())


async def _draw(terminal: DeskTerminal, socket: web.WebSocketResponse) -> None:
    """Until the desk has left. A browser that reads slowly slows the desk's writing, and fills no memory."""
    while data := await terminal.read():
        await socket.send_bytes(data)
    await socket.close(message=b"the desk has ended")


async def _type(socket: web.WebSocketResponse, terminal: DeskTerminal) -> None:
    """Until the browser is gone, or says what its page never says."""
    async for message in socket:
        try:
            if message.type is not WSMsgType.TEXT:
                raise ValueError
            match json.loads(message.data):
                case ["stdin", str(keys)]:
                    await terminal.write(keys.encode("utf-8", "replace"))
                case ["resize", {"width": columns, "height": lines}]:
                    terminal.resize(Size.of(columns, lines))
                case ["ping", str(stamp)]:
                    await socket.send_str(json.dumps(["pong", stamp]))
                case ["focus"] | ["blur"]:
                    pass  # the terminal in the page reports both by itself
                case _:
                    raise ValueError
        except (ValueError, RecursionError):
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"not a message of the desk's page")
        except (OSError, ConnectionError):  # the desk has left, is stuck, or the browser has gone meanwhile
            await socket.close()


def _asked(request: web.Request) -> Asked:
    headers = request.headers
    tokens = request.rel_url.query.getall("token", [])
    return Asked(
        method=request.method,
        path=_raw_path(request),
        token=tokens[0] if len(tokens) == 1 else None,
        host=_only(headers.getall("Host", [])),
        origin=_only(headers.getall("Origin", [])),
        site=_only(headers.getall("Sec-Fetch-Site", [])),
        cookies=_cookies(headers.getall("Cookie", [])),
        is_websocket="upgrade" in headers.get("Connection", "").lower() or "Upgrade" in headers,
    )


def _cookies(lines: Sequence[str]) -> tuple[str, ...]:
    pairs = [pair.strip().partition("=") for line in lines for pair in line.split(";")]
    return tuple(value for name, _, value in pairs if name == COOKIE)


def _only(values: Sequence[str]) -> str | None:
    """One header, or one that matches nothing where there are several."""
    return None if not values else values[0] if len(values) == 1 else ""


def _raw_path(request: web.Request) -> str:
    return request.raw_path.partition("?")[0]


def _number(request: web.Request, name: str) -> int | None:
    text = request.rel_url.query.get(name, "")
    return int(text) if len(text) < 6 and text.isascii() and text.isdigit() else None


def _files(gate: Gate) -> dict[str, File]:
    """Path -> file, all of them. Read at the start, so that no request reads one."""
    ours = files("tui.web")
    page = ours.joinpath("page.html").read_text("utf-8").replace("WEBSOCKET", f"ws://{gate.authority}{gate.home}ws")
    found = {gate.home: File("text/html; charset=utf-8", page.encode())}
    for name in ("page.css", "page.js"):
        found[f"{gate.home}static/{name}"] = File(_TYPES[name.partition(".")[2]], ours.joinpath(name).read_bytes())
    _collect(files("textual_serve").joinpath("static"), f"{gate.home}static", found)
    return found


def _collect(folder: Traversable, path: str, found: dict[str, File]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            _collect(entry, f"{path}/{entry.name}", found)
        elif type := _TYPES.get(entry.name.rpartition(".")[2]):
            found[f"{path}/{entry.name}"] = File(type, entry.read_bytes())


def _headers(gate: Gate) -> dict[str, str]:
    """The page loads only its own files and talks only to its own websocket; nobody frames it, keeps it or learns of
    it. Style elements of xterm.js need `unsafe-inline`; scripts get no such leave."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        f"img-src 'self' data:; connect-src ws://{gate.authority}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Server": "loopdesk",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
