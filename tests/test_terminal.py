"""The desk in a real terminal: what it sends over the line, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from queries.local.store import Store
from tests.events import event
from tests.terminals import ROOT, Terminal, desk_command, left_unclean


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
    terminal = Terminal(desk_command(folder), (160, 48))
    yield terminal
    terminal.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_kill_and_a_hang_up_leave_the_terminal_clean(wide: Terminal, number: int, code: int):
    wide.read(until=b"as of")
    wide.send(number)
    rest = wide.read()
    assert wide.ended() == code
    assert left_unclean(rest) == []


def test_q_leaves_the_terminal_clean(wide: Terminal):
    wide.read(until=b"as of")
    rest = wide.press(b"q")
    assert wide.ended() == 0
    assert left_unclean(rest) == []


def test_a_line_that_is_cut_ends_the_desk(wide: Terminal):
    wide.read(until=b"as of")
    wide.cut()
    assert wide.ended() == 129


def test_a_line_that_stalls_and_is_then_cut_ends_the_desk(wide: Terminal):
    """What the desk has drawn meanwhile waits in a queue that nobody will ever take."""
    wide.read(until=b"as of")
    wide.type(b"12" * 200)
    time.sleep(1)  # nothing is read: the line is full, the queue behind it too
    wide.cut()
    assert wide.ended() == 129


def test_a_line_that_is_cut_without_a_signal_ends_the_desk_too(folder: Path):
    """SIGHUP goes to those whose controlling terminal it was; to any other desk the line just falls silent."""
    far, near = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    desk = subprocess.Popen(
        desk_command(folder), stdin=near, stdout=near, stderr=near, cwd=ROOT, env=environment, start_new_session=True
    )
    os.close(near)
    seen = b""
    while b"as of" not in seen and select.select([far], [], [], 20)[0]:
        seen += os.read(far, 1 << 16)
    os.close(far)
    try:
        assert desk.wait(60) == 129
    finally:
        desk.kill()


def test_letters_stay_letters_so_that_reset_can_be_typed_after_a_crash(wide: Terminal):
    """In kitty's protocol: escape is told from sequences (1), but keys are not all sequences (8)."""
    assert re.findall(rb"\x1b\[>(\d+)u", wide.read(until=b"as of")) == [b"1"]
    wide.press(b"2")
    assert b"Keys" in wide.press(b"?", until=b"Keys")
    wide.press(b"\x1b[27u")  # escape, as such terminals send it
    assert "Keys" not in "\n".join(wide.picture())


def test_mouse_pixels_are_taken_back(wide: Terminal):
    """A terminal that resizes in band is asked for the mouse in pixels as well."""
    wide.read(until=b"as of")
    assert b"\x1b[?1016h" in wide.press(b"\x1b[?2048;2$y")
    rest = wide.press(b"q")
    assert b"\x1b[?1016l" in rest and b"\x1b[?2048l" in rest


def test_without_a_mouse_none_is_asked_for(folder: Path):
    """So that the terminal's own selection and scrolling stay."""
    terminal = Terminal([*desk_command(folder), "--no-mouse"], (100, 30))
    assert not re.search(rb"\x1b\[\?100[0236]h", terminal.read(until=b"as of"))
    terminal.close()


def test_a_desk_whose_line_was_hung_up_reopens_where_it_was(wide: Terminal, folder: Path):
    wide.read(until=b"as of")
    wide.press(b"2", until=b"outcome")
    wide.press(b"jjj")
    wide.send(signal.SIGHUP)
    wide.read()
    assert wide.ended() == 129
    again = Terminal(desk_command(folder), (160, 48))
    again.read(until=b"as of")
    chosen = next(line for line in again.picture() if line.startswith("▸"))
    again.close()
    assert f"{0.703:.3f}" in chosen


def test_an_unforeseen_error_leaves_the_terminal_clean(folder: Path):
    fault = "import tui.desk as d, tui.main; d.Desk.action_help = lambda self: 1 / 0; tui.main.main()"
    command = desk_command(folder)
    terminal = Terminal([command[0], "-c", fault, *command[3:]], (80, 24))
    terminal.read(until=b"as of")
    rest = terminal.press(b"?")
    assert left_unclean(rest) == []
    terminal.close()


def test_ctrl_z_suspends_and_coming_back_paints_again(folder: Path):
    command = " ".join(desk_command(folder))
    shell = Terminal(["bash", "--norc", "--noprofile", "-ic", f"{command}; read; fg; exit $?"], (160, 48))
    shell.read(until=b"as of")
    away = shell.press(b"\x1a")
    assert left_unclean(away) == []
    assert b"Round funnel" in shell.press(b"\r", until=b"Round funnel")
    shell.press(b"q")
    assert shell.ended() == 0
    shell.close()


def test_ctrl_z_does_nothing_where_no_shell_could_bring_the_desk_back(wide: Terminal):
    wide.read(until=b"as of")
    wide.press(b"\x1a")
    assert b"Rounds" in wide.press(b"2")
