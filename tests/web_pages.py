"""Clients of `loopdesk web` that may lie about themselves, and the processes behind them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pyte
from aiohttp import WSMsgType

from tui.web.gate import Gate


@dataclass
class Browser:
    """A browser that may lie about itself. Each request is a connection of its own."""

    gate: Gate
    cookie: str | None = None
    addresses: list[str] = field(default_factory=list)

    async def ask(
        self, path: str = "", *, method: str = "GET", version: str = "1.1", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body for a path below the page's, or for the path itself where it begins with /."""
        told = {"Host": self.gate.authority, "Connection": "close"}
        if self.cookie:
            told["Cookie"] = f"loopdesk={self.cookie}"
        lines = [f"{name}: {value}" for name, value in {**told, **(headers or {})}.items() if value]
        target = path if path.startswith(("/", "http:")) else f"{self.gate.home}{path}"
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.gate.authority.split(":")[1]))
        writer.write("\r\n".join([f"{method} {target} HTTP/{version}", *lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(60):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        status, *rest = head.decode("latin-1").split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in rest), body.decode("utf-8", "replace")

    async def enter(self) -> None:
        _, headers, _ = await self.ask(f"?token={self.gate.token}")
        self.cookie = headers["Set-Cookie"].partition("=")[2].partition(";")[0]

    async def shake(self, **changed: str) -> int:
        """The status of a websocket's opening; 101 is open."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            "Origin": self.gate.origin,
        }
        return (await self.ask("ws", headers={**headers, **changed}))[0]

    @asynccontextmanager
    async def desk(self, query: str = "?width=160&height=48") -> AsyncIterator[Page]:
        headers = {"Host": self.gate.authority, "Origin": self.gate.origin, "Cookie": f"loopdesk={self.cookie}"}
        async with aiohttp.ClientSession() as session:
            url = f"ws://{self.gate.authority}{self.gate.home}ws{query}"
            async with session.ws_connect(url, headers=headers, max_msg_size=0) as opened:
                yield Page(opened)


class Page:
    """The terminal in the page."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = opened
        self.stream = b""

    async def until(self, text: str) -> list[str]:
        """The screen, once it shows the text."""
        async with asyncio.timeout(60):
            while text not in "\n".join(self.picture()):
                message = await self.socket.receive()
                assert message.type is WSMsgType.BINARY, (message, self.picture())
                self.stream += message.data
        return self.picture()

    async def end(self) -> int | None:
        """The code with which the server closes."""
        async with asyncio.timeout(60):
            while (message := await self.socket.receive()).type is WSMsgType.BINARY:
                self.stream += message.data
        return self.socket.close_code

    async def send(self, *message: object) -> None:
        await self.socket.send_str(json.dumps(message))

    def picture(self) -> list[str]:
        screen = pyte.Screen(160, 48)
        pyte.ByteStream(screen).feed(self.stream)
        return list(screen.display)


@dataclass(frozen=True)
class Process:
    pid: int
    arguments: str


def children(parent: int, named: str) -> list[Process]:
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [Process(int(row[0]), row[2]) for row in rows if int(row[1]) == parent and named in row[2]]


async def desk_of(parent: int) -> Process:
    """The one desk that a process serves, once it runs: a page is connected before its desk has started."""
    async with asyncio.timeout(60):
        while not (desks := children(parent, "child.py")):
            await asyncio.sleep(0.02)
    (desk,) = desks
    return desk


async def gone(pid: int) -> None:
    """Until the process is no more, not even as a zombie."""
    async with asyncio.timeout(60):
        while is_there(pid):
            await asyncio.sleep(0.02)


def is_there(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")
