"""Programs at the other end of a pty, and what a terminal would show of them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

from tests.hostile import Emulated

ROOT = Path(__file__).resolve().parents[1]
_PROC = Path("/proc")
_SEES_WORK = (_PROC / "self" / "task").exists()
# Nothing more is coming after this long: more than a desk rests before it reads what the cursor stands on. Where it
# cannot be seen whether the program is at work, a busy machine needs longer.
_QUIET_S, _UNSEEN_QUIET_S = 0.25, 0.5
SYNC_QUESTION, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
# Pyte draws the end of the one sequence it does not know: back to the keyboard's old protocol.
_UNKNOWN_TO_PYTE = b"\x1b[<u"
LEFT_CLEAN = {
    "alternate screen": b"\x1b[?1049l",
    "cursor": b"\x1b[?25h",
    "mouse": b"\x1b[?1000l",
    "mouse moves": b"\x1b[?1003l",
    "mouse, long form": b"\x1b[?1006l",
    "bracketed paste": b"\x1b[?2004l",
    "focus": b"\x1b[?1004l",
    "keyboard": b"\x1b[<u",
    "line wrap": b"\x1b[?7h",
}


def left_unclean(stream: bytes) -> list[str]:
    """What a terminal would still be in after this stream."""
    return [name for name, sequence in LEFT_CLEAN.items() if sequence not in stream]


def desk_command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "tui.main", "--workspace", str(folder), *options]


def is_at_work(pid: int) -> bool:
    """Whether a thread of the process, or of those that it started, runs or waits for a processor or a disk."""
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            if (task / "stat").read_text().rpartition(")")[2].split()[0] in "RD":
                return True
            if any(is_at_work(int(child)) for child in (task / "children").read_text().split()):
                return True
    except OSError:  # it has ended
        pass
    return False


class Terminal:
    """A terminal of `size` (columns, lines) with a program in it. What is drawn by a program elsewhere, `is_elsewhere`,
    is waited for by the clock alone."""

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int],
        environment: Mapping[str, str] = {},
        *,
        is_elsewhere: bool = False,
    ) -> None:
        self.size = size
        self._sees_work = _SEES_WORK and not is_elsewhere
        self.stream = b""
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.chdir(ROOT)
            # Named, because the process's own environment holds what `os.environ` does not: readline, which pytest
            # loads, puts LINES and COLUMNS there, and a program believes them before its terminal.
            inherited = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")}
            terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvpe(command[0], list(command), inherited | terminal | dict(environment))
        self._tell_size()

    def resize(self, size: tuple[int, int]) -> None:
        self.size = size
        self._tell_size()

    def _tell_size(self) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", self.size[1], self.size[0], 0, 0))

    def read(self, until: bytes = b"", most_s: float = 60.0) -> bytes:
        """What comes until `until` was seen, and then until the line is quiet and the program at rest."""
        quiet_s = _QUIET_S if self._sees_work else _UNSEEN_QUIET_S
        found, end = b"", time.monotonic() + most_s
        quiet_at = time.monotonic() + quiet_s
        while time.monotonic() < end and (until not in found or time.monotonic() < quiet_at):
            if select.select([self._fd], [], [], 0.02)[0]:
                try:
                    data = os.read(self._fd, 1 << 16)
                except OSError:  # the program has ended
                    break
                found += data
                quiet_at = time.monotonic() + quiet_s
                if SYNC_QUESTION in data:
                    os.write(self._fd, SYNC_ANSWER)
            elif self._sees_work and is_at_work(self.pid):
                quiet_at = time.monotonic() + quiet_s
        self.stream += found
        return found

    def press(self, keys: bytes, until: bytes = b"") -> bytes:
        os.write(self._fd, keys)
        return self.read(until)

    def type(self, keys: bytes) -> None:
        """Press keys without looking at what they do."""
        os.write(self._fd, keys)

    def picture(self) -> list[str]:
        """The lines that stand on the screen now. Only for a terminal that kept its size since `forget`."""
        screen = Emulated(*self.size)
        pyte.ByteStream(screen).feed(self.stream.replace(_UNKNOWN_TO_PYTE, b""))
        return list(screen.display)

    def forget(self) -> None:
        """What was drawn so far is of another size."""
        self.stream = b""

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """The exit code, of a program that is about to end."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError("the program does not end")

    def cut(self) -> None:
        """Close this end of the line, as a terminal that is gone."""
        os.close(self._fd)
        self._fd = os.open(os.devnull, os.O_RDONLY)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)
