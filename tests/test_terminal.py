"""The desk in a real terminal: what it sends over the line, and what it leaves behind."""

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
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from queries.local.store import Store
from tests.events import event

ROOT = Path(__file__).resolve().parents[1]
QUIET_S = 0.5  # nothing more is coming after this long
SYNC_QUESTION, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
LEFT_CLEAN = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[?1004l")


class Terminal:
    """A desk at the other end of a pty."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.chdir(ROOT)
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(sys.executable, [sys.executable, "-m", "tui.main", "--workspace", str(folder)])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def read(self, until: bytes = b"", most_s: float = 20.0) -> bytes:
        """What comes until `until` was seen, and then until the line is quiet."""
        found, end = b"", time.monotonic() + most_s
        quiet_at = time.monotonic() + QUIET_S
        while time.monotonic() < end and (until not in found or time.monotonic() < quiet_at):
            if select.select([self._fd], [], [], 0.02)[0]:
                try:
                    data = os.read(self._fd, 1 << 16)
                except OSError:  # the desk has ended
                    return found
                found += data
                quiet_at = time.monotonic() + QUIET_S
                if SYNC_QUESTION in data:
                    os.write(self._fd, SYNC_ANSWER)
        return found

    def press(self, keys: bytes) -> bytes:
        os.write(self._fd, keys)
        return self.read()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """The exit code."""
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with a hundred rounds of the last hours."""
    made = tmp_path / "workspace"
    made.mkdir(mode=0o700)
    now = datetime.now(UTC)
    store = Store.open(made / "events.db")
    events = []
    for number in range(100):
        at = now - timedelta(minutes=3 * number + 5)
        common = {"round_id": f"01JROUND{number:018}", "run_id": "01JRUN", "agent": "planner", "git_sha": "4f2c1d9"}
        for place, name in enumerate(("round_started", "proposal_generated", "round_scored", "round_kept")):
            moment = at + timedelta(seconds=20 * place)
            events.append(event(name, at=moment, score=0.7 + number / 1000, delta=0.01, cost_usd=0.04, **common))
    store.ingest(events, now=now)
    store.close()
    return made


@pytest.fixture
def wide(folder: Path) -> Iterator[Terminal]:
    terminal = Terminal(folder, (160, 48))
    yield terminal
    terminal.close()


def test_the_line_is_used_sparingly(wide: Terminal):
    """DESIGN's budgets, in bytes: start 48 K, Tab 8 K, list key 0.6 K, page 10 K, nothing at rest."""
    start = wide.read(until=b"as of")
    assert b"100 rounds" in start and len(start) <= 48_000
    assert 0 < len(wide.press(b"\t")) <= 8_000
    wide.press(b"2")
    assert 0 < len(wide.press(b"j")) <= 600
    assert 0 < len(wide.press(b"\x1b[6~")) <= 10_000
    time.sleep(2.2)  # two looks of the watcher
    assert wide.read(most_s=0.1) == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_kill_and_a_hang_up_leave_the_terminal_clean(wide: Terminal, number: int, code: int):
    wide.read(until=b"as of")
    wide.send(number)
    rest = wide.read()
    assert wide.ended() == code
    assert all(sequence in rest for sequence in LEFT_CLEAN)


def test_q_leaves_the_terminal_clean(wide: Terminal):
    wide.read(until=b"as of")
    rest = wide.press(b"q")
    assert wide.ended() == 0
    assert all(sequence in rest for sequence in LEFT_CLEAN)


def test_a_line_that_is_cut_ends_the_desk(folder: Path):
    terminal = Terminal(folder, (80, 24))
    terminal.read(until=b"as of")
    os.close(terminal._fd)
    terminal._fd = os.open(os.devnull, os.O_RDONLY)
    assert terminal.ended() == 129
    terminal.close()


def test_ctrl_z_suspends_and_coming_back_paints_again(wide: Terminal):
    wide.read(until=b"as of")
    away = wide.press(b"\x1a")
    assert LEFT_CLEAN[0] in away
    _, status = os.waitpid(wide.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    wide.send(signal.SIGCONT)
    assert b"Round funnel" in wide.read(until=b"Round funnel")
