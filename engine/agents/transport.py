"""The SDK's line to an agent CLI that runs in one of our jails: JSON lines on its stdin and stdout.

What comes out is an agent's: whatever runs in its jail can write there too. So it is bounded, and what it says is
checked where it is used.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from claude_agent_sdk import CLIConnectionError, CLIJSONDecodeError, ProcessError, Transport

from engine.sandbox.protocol import Ended, Jail, Run, Sandbox

# Its complaints come as exceptions too, and belong to no terminal.
logging.getLogger("claude_agent_sdk").addHandler(logging.NullHandler())

_CHUNK = 1 << 16
MOST_LINE_BYTES = 32 << 20  # an image that was read is one line
MOST_ASKED = 5_000  # requests to the host in a run; each is a task here
_ENDS_WITHIN_S = 10.0


class JailTransport(Transport):
    """One CLI in one jail. `ended` says how it went, once it has."""

    def __init__(self, sandbox: Sandbox, run: Run) -> None:
        self._sandbox, self._run = sandbox, run
        self._jail: Jail | None = None
        self._waiting: asyncio.Task[Ended] | None = None
        self._is_open = False
        self._asked = 0

    async def connect(self) -> None:
        """Raises `NoSandbox`."""
        self._jail = await self._sandbox.start(self._run)
        # Whoever waits may be cancelled, which must not end the jail: so one task waits for all.
        self._waiting = asyncio.create_task(self._jail.wait())
        self._is_open = True

    async def write(self, data: str) -> None:
        if self._jail is None or not self._is_open:
            raise CLIConnectionError("The agent's input is closed")
        try:
            self._jail.stdin.write(data.encode())
            await self._jail.stdin.drain()
        except OSError as error:
            self._is_open = False
            raise CLIConnectionError(f"The agent's input is closed ({error.strerror})") from error

    async def end_input(self) -> None:
        self._is_open = False
        if self._jail is not None:
            self._jail.stdin.close()

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        assert self._jail is not None
        async for line in _lines(self._jail.stdout):
            message = _message(line)
            if message is None:
                continue
            if message.get("type") == "control_request":
                self._asked += 1
                if self._asked > MOST_ASKED:
                    raise CLIConnectionError(f"The agent asked the host more than {MOST_ASKED:,} times")
            yield message
        ended = await self.ended()
        if ended.exit_code:
            raise ProcessError("The agent ended", exit_code=ended.exit_code)

    async def ended(self) -> Ended:
        assert self._waiting is not None
        return await asyncio.shield(self._waiting)

    def kill(self) -> None:
        if self._jail is not None:
            self._jail.kill()

    async def close(self) -> None:
        """Its input's end is what lets it write down its session and go."""
        await self.end_input()
        if self._jail is None:
            return
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                while await self._jail.stdout.read(_CHUNK):  # nobody else reads any more, and it may have much to say
                    pass
                await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()

    def is_ready(self) -> bool:
        return self._is_open


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Not `readline`, which gives up at the stream's own limit of a megabyte."""
    begun = bytearray()
    while chunk := await stream.read(_CHUNK):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield bytes(begun) + part
            begun.clear()
        begun += rest
        if len(begun) > MOST_LINE_BYTES:
            raise CLIConnectionError(f"The agent wrote a line of more than {MOST_LINE_BYTES >> 20} MB")
    yield bytes(begun)


def _message(line: bytes) -> dict[str, Any] | None:
    """None for what is no message, such as a warning of a library."""
    text = line.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CLIJSONDecodeError(text[:200], error) from None
