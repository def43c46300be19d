"""A desk at the other end of a pty: for it a browser is a terminal like any other, and a closed tab a hang-up."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CHILD = Path(__file__).with_name("child.py")
_CHUNK = 1 << 16
_LEAVES_IN_S = 5.0  # after a hang-up; then it is killed
_TAKES_IN_S = 10.0  # what was typed; a desk that does not is stuck
# What a desk needs of the server's environment. The rest, with whatever keys are in it, stays here; so does the
# multiplexer's address, through which it could copy into a session of this machine.
_MACHINE = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "NO_COLOR", "PYTHONPATH")
_DESK = ("LOOPDESK_CONFIG_DIR", "LOOPDESK_TIMEZONE", "LOOPDESK_THEME", "LOOPDESK_BACKEND")
_POSTHOG = ("POSTHOG_HOST", "POSTHOG_PROJECT_ID", "POSTHOG_PERSONAL_API_KEY")


@dataclass(frozen=True, slots=True)
class Size:
    columns: int
    lines: int

    @classmethod
    def of(cls, columns: object, lines: object) -> Size:
        """What a browser says, kept within what a screen can be."""
        return cls(_within(columns, 20, 500, 80), _within(lines, 5, 200, 24))


def desk_command(options: Sequence[str]) -> list[str]:
    return [sys.executable, "-P", str(_CHILD), *options]


def desk_environment(environment: Mapping[str, str], *, asks_posthog: bool) -> dict[str, str]:
    needed = {*_MACHINE, *_DESK, *(_POSTHOG if asks_posthog else ())}
    kept = {name: value for name, value in environment.items() if name in needed or name.startswith(("LC_", "XDG_"))}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


class DeskTerminal:
    def __init__(self, process: asyncio.subprocess.Process, descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor

    @classmethod
    async def open(cls, command: Sequence[str], environment: Mapping[str, str], size: Size) -> DeskTerminal:
        """Raises `OSError` where the machine has no more terminals or processes."""
        ours, its = os.openpty()
        try:
            _set_size(ours, size)
            os.set_blocking(ours, False)
            process = await asyncio.create_subprocess_exec(
                *command, stdin=its, stdout=its, stderr=its, env=dict(environment), start_new_session=True
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(its)
        return cls(process, ours)

    async def read(self) -> bytes:
        """What the desk drew; empty once it has left."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return os.read(self._descriptor, _CHUNK)
            except BlockingIOError:
                await _ready(loop.add_reader, loop.remove_reader, self._descriptor)
            except OSError:  # Linux says so where no program holds the other end any more
                return b""

    async def write(self, data: bytes) -> None:
        """Raises `TimeoutError` where the desk takes nothing any more, `OSError` where it has left."""
        loop = asyncio.get_running_loop()
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                async with asyncio.timeout(_TAKES_IN_S):
                    await _ready(loop.add_writer, loop.remove_writer, self._descriptor)

    def resize(self, size: Size) -> None:
        with contextlib.suppress(OSError):
            _set_size(self._descriptor, size)

    async def close(self) -> None:
        """Hang up; who does not leave then is killed, with all it started."""
        os.close(self._descriptor)
        try:
            async with asyncio.timeout(_LEAVES_IN_S):
                await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


async def _ready(add: Callable[..., object], remove: Callable[[int], object], descriptor: int) -> None:
    is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(descriptor, _settle, is_ready)
    try:
        await is_ready
    finally:
        remove(descriptor)


def _settle(is_ready: asyncio.Future[None]) -> None:
    if not is_ready.done():
        is_ready.set_result(None)


def _set_size(descriptor: int, size: Size) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", size.lines, size.columns, 0, 0))


def _within(value: object, least: int, most: int, default: int) -> int:
    return min(max(value, least), most) if type(value) is int else default
