"""What the desk sends over the line, counted at the other end of a pty: 160x48, true colour, DESIGN's budgets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from queries.annotations import draft, make
from queries.local.store import Store
from queries.rest import LocalRest
from queries.rest_knobs import Creation, create
from tests import inboxes
from tests.engine_desk import filled
from tests.events import event
from tests.proposed import inbox, large
from tests.terminals import Terminal, desk_command
from tests.test_user_boards import GOOD, OVER_TIME
from workspace.config import Config
from workspace.knobs import KNOWN

START, TAB, LIST_KEY, PAGE = 48_000, 8_000, 600, 10_000
# With a row of the trace, the inbox, the engine or the knobs, all that is known of it changes beside it.
ROW_AND_DETAIL = 3_000
MARK = "◆".encode()
PAGE_DOWN = b"\x1b[6~"
WATCHED_S = 2.2  # two looks of the watcher


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Terminal]:
    """A desk on the last hours: a hundred rounds, the latest of them with two hundred tool calls."""
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o700)
    now = datetime.now(UTC)
    store = Store.open(folder / "events.db")
    store.ingest([*rounds(now), *tool_calls(now)], now=now)
    store.close()
    make(LocalRest(Config(workspace_dir=folder)), draft("A new judge", now - timedelta(hours=2)))
    terminal = Terminal(desk_command(folder), (160, 48))
    yield terminal
    terminal.close()


def rounds(now: datetime) -> Iterator[dict]:
    for number in range(100):
        at = now - timedelta(minutes=3 * number + 5)
        common = {"round_id": f"01JROUND{number:018}", "run_id": "01JRUN", "agent": "planner", "git_sha": "4f2c1d9"}
        for place, name in enumerate(("round_started", "proposal_generated", "round_scored", "round_kept")):
            moment = at + timedelta(seconds=20 * place)
            yield event(name, at=moment, score=0.7 + number / 1000, delta=0.01, cost_usd=0.04, **common)


def tool_calls(now: datetime) -> Iterator[dict]:
    for number in range(200):
        at = now - timedelta(minutes=5) + timedelta(milliseconds=100 * number)
        common = {"round_id": f"01JROUND{0:018}", "run_id": "01JRUN", "agent": "coder", "git_sha": "4f2c1d9"}
        step = {"step_id": f"01JSTEP{number:018}", "tool": "read_file", "args_json": '{"path": "train.py"}'}
        yield event("step.tool_called", at=at, **common, **step)


def pressed(desk: Terminal, keys: bytes, times: int = 3) -> int:
    """The most that one of a few presses brought, which is never nothing."""
    counts = [len(desk.press(keys)) for _ in range(times)]
    assert min(counts) > 0
    return max(counts)


def idle(desk: Terminal) -> bytes:
    """What comes without a key: a read with nothing to wait for gives up as soon as its time is over."""
    return desk.read(until=b"never", most_s=WATCHED_S)


def test_morning_uses_the_line_sparingly(desk: Terminal):
    start = desk.read(until=b"as of")
    if MARK not in start:
        start += desk.read(until=MARK)
    assert b"100 rounds" in start and MARK in start and len(start) <= START
    assert pressed(desk, b"\t") <= TAB
    assert pressed(desk, b"j", 2) <= LIST_KEY
    assert idle(desk) == b""


def test_rounds_use_the_line_sparingly(desk: Terminal):
    desk.read(until=b"as of")
    desk.press(b"2", until=b"errors")
    assert pressed(desk, b"j") <= LIST_KEY
    assert pressed(desk, PAGE_DOWN, 2) <= PAGE
    assert idle(desk) == b""


def test_the_engine_uses_the_line_sparingly(tmp_path: Path, desk: Terminal):
    filled(tmp_path / "workspace")
    desk.read(until=b"as of")
    desk.press(b"4", until=b"Plateaus")
    assert pressed(desk, b"j", 2) <= ROW_AND_DETAIL
    assert pressed(desk, b"\t", 1) <= TAB
    assert idle(desk) == b""


def test_the_knobs_use_the_line_sparingly(tmp_path: Path, desk: Terminal):
    rest = LocalRest(Config(workspace_dir=str(tmp_path / "workspace"), backend="embedded"))
    for knob in KNOWN.values():
        create(rest, Creation(knob))
    desk.read(until=b"as of")
    desk.press(b"5", until=b"scorer_v2")
    assert pressed(desk, b"j") <= ROW_AND_DETAIL
    assert len(desk.press(b"jkjkjkjkjk")) / 10 <= LIST_KEY
    assert pressed(desk, b"\t", 2) <= TAB
    assert idle(desk) == b""


def test_boards_use_the_line_sparingly(tmp_path: Path):
    boards = tmp_path / "config" / "boards"
    boards.mkdir(parents=True)
    for place in range(8):
        (boards / f"mine_{place}.sql").write_text(OVER_TIME if place % 2 else GOOD)
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o700)
    store = Store.open(folder / "events.db")
    now = datetime.now(UTC)
    store.ingest(list(rounds(now)), now=now)
    store.close()
    desk = Terminal(desk_command(folder), (160, 48), {"LOOPDESK_CONFIG_DIR": str(boards.parent)})
    try:
        desk.read(until=b"as of")
        assert len(desk.press(b"6", until=b"Who kept rounds? 1 row over")) <= START / 2
        assert pressed(desk, b"\t") <= TAB
        assert pressed(desk, b"j", 1) <= LIST_KEY
        assert pressed(desk, b"]", 2) <= PAGE
        assert idle(desk) == b""
    finally:
        desk.close()


def test_a_trace_uses_the_line_sparingly(desk: Terminal):
    desk.read(until=b"as of")
    desk.press(b"2", until=b"errors")
    desk.press(b"\r", until=b"read_file")
    assert pressed(desk, b"j") <= ROW_AND_DETAIL
    assert pressed(desk, PAGE_DOWN) <= PAGE
    assert pressed(desk, b"\t", 2) <= TAB
    assert idle(desk) == b""


def test_the_inbox_uses_the_line_sparingly(tmp_path: Path):
    inboxes.inbox(tmp_path / "workspace").close()
    desk = Terminal(desk_command(tmp_path / "workspace"), (160, 48))
    try:
        desk.read(until=b"Nothing is stored")
        assert len(desk.press(b"3", until=b"History")) <= START / 2
        assert pressed(desk, b"j") <= ROW_AND_DETAIL
        assert len(desk.press(b"]", until=b"Why it is")) <= ROW_AND_DETAIL
        assert len(desk.press(b"jkjkjkjkjk")) / 10 <= LIST_KEY
        assert idle(desk) == b""
    finally:
        desk.close()


def test_a_change_uses_the_line_sparingly(tmp_path: Path):
    inbox(tmp_path / "workspace", ("green",), large(10_000)).close()
    desk = Terminal(desk_command(tmp_path / "workspace"), (160, 48))
    try:
        desk.read(until=b"Nothing is stored")
        desk.press(b"3", until=b"History")
        assert len(desk.press(b"D", until=b"value_2")) <= START / 2
        assert pressed(desk, b"j") <= LIST_KEY
        assert pressed(desk, PAGE_DOWN) <= PAGE
        assert pressed(desk, b"}", 2) <= PAGE
        assert len(desk.press(b"jjjjjjjjjj")) / 10 <= LIST_KEY
        assert idle(desk) == b""
    finally:
        desk.close()
