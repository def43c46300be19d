"""A terminal of our own: a program at the other end of a pty, what it writes and when, and what that looks like."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT = 160, 48
KEYS: Mapping[str, bytes] = {"tab": b"\t", "page": b"\x1b[6~", "escape": b"\x1b", "enter": b"\r", "down": b"\x1b[B"}
TRUE_COLOUR: Mapping[str, str] = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
SIXTEEN_COLOURS: Mapping[str, str] = {"TERM": "xterm-16color", "COLORTERM": ""}
_ASKS_FOR_SYNC = b"\x1b[?2026$p"  # may it say where a frame begins and ends?
_HAS_SYNC = b"\x1b[?2026;2$y"  # a good terminal: yes
_LONGEST_S = 20.0
_PATIENCE_S = 5.0


class Terminal:
    """160x48. Times are seconds since the program was started; it runs until `close`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: str, kind: Mapping[str, str] = TRUE_COLOUR
    ) -> None:
        started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            _become(command, {**environment, **kind}, folder)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._started = started
        self._tail = b""
        self.chunks: list[tuple[float, bytes]] = []
        """Everything that the program wrote: when it was read, and what."""

    def read(self, *, quiet_s: float, at_most_s: float = _LONGEST_S) -> int:
        """Read until nothing came for `quiet_s`; returns the number of bytes."""
        begun = last = time.perf_counter()
        count = 0
        while (now := time.perf_counter()) - last < quiet_s and now - begun < at_most_s:
            if not select.select([self._fd], [], [], 0.02)[0]:
                continue
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:  # it has ended
                break
            last = time.perf_counter()
            self.chunks.append((last - self._started, data))
            count += len(data)
            self._answer(data)
        return count

    def press(self, key: str, *, quiet_s: float = 0.4) -> int:
        """Type a key; returns the bytes that came of it."""
        os.write(self._fd, KEYS.get(key, key.encode()))
        return self.read(quiet_s=quiet_s)

    def first_shown(self, test: Callable[[str], bool]) -> float | None:
        """When the screen's text (lines joined by newlines) first passed the test. Replays what was read, so that the
        time it takes to look is not part of what is measured."""
        import pyte

        screen = pyte.Screen(WIDTH, HEIGHT)
        stream = pyte.ByteStream(screen)
        for at, data in self.chunks:
            stream.feed(data)
            if test("\n".join(screen.display)):
                return at
        return None

    @property
    def text(self) -> str:
        """What the screen shows now."""
        import pyte

        screen = pyte.Screen(WIDTH, HEIGHT)
        pyte.ByteStream(screen).feed(b"".join(data for _, data in self.chunks))
        return "\n".join(screen.display)

    @property
    def now_s(self) -> float:
        return time.perf_counter() - self._started

    @property
    def last_byte_s(self) -> float:
        return self.chunks[-1][0] if self.chunks else 0.0

    def close(self, *, patience_s: float = _PATIENCE_S) -> None:
        """Ask the program to end, as a terminal does that is closed, and see to it that it does."""
        for number, most_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, _PATIENCE_S)):
            os.kill(self.pid, number)
            deadline = time.monotonic() + most_s
            while time.monotonic() < deadline:
                self._let_out()
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self._fd)
                    return

    def _let_out(self) -> None:
        """A program may wait for its last words to be read; they are no part of the screen."""
        with contextlib.suppress(OSError):
            if select.select([self._fd], [], [], 0.05)[0]:
                os.read(self._fd, 1 << 16)

    def _answer(self, data: bytes) -> None:
        # The question may lie across two reads.
        window = self._tail + data
        if _ASKS_FOR_SYNC in window:
            os.write(self._fd, _HAS_SYNC)
            window = window.rpartition(_ASKS_FOR_SYNC)[2]
        self._tail = window[-len(_ASKS_FOR_SYNC) + 1 :]


def _become(command: Sequence[str], environment: Mapping[str, str], folder: str) -> None:
    try:
        os.chdir(folder)
        os.execvpe(command[0], list(command), dict(environment))
    finally:
        os._exit(127)
