"""The benchmarks run, at a size where they prove nothing but that they do; no time is asserted."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import boards, data, engine, grouping, peers, redaction
from bench.__main__ import main
from bench.table import percentile, ratio, show, spell
from bench.terminal import Terminal
from queries.views.window import rolling

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "FOLDER", tmp_path / "data")


def program(code: str, tmp_path: Path) -> Terminal:
    return Terminal([sys.executable, "-c", code], {"PATH": ""}, str(tmp_path))


def until(terminal: Terminal, said: str) -> None:
    ends = time.monotonic() + 60
    while said.encode() not in b"".join(data for _, data in terminal.chunks):
        assert time.monotonic() < ends, f"the program never said {said!r}"
        terminal.read(quiet_s=0.02)


def test_the_engine_takes_in_and_decides(capsys: pytest.CaptureFixture[str]):
    engine.run(signals=200, reports=30, decided=5)
    printed = capsys.readouterr().out
    assert "taken in by the engine" in printed and "a command applied (of 5)" in printed


def test_grouping_places_every_signal(capsys: pytest.CaptureFixture[str]):
    grouping.run(new=20, known=60)
    assert "20 signals grouped by rules" in capsys.readouterr().out


def test_an_event_is_told_and_redacted(capsys: pytest.CaptureFixture[str]):
    redaction.run(turns=1)
    assert "a model call, 120 KB" in capsys.readouterr().out


def test_the_boards_and_every_peer_give_the_same_answers(tmp_path: Path):
    pytest.importorskip("duckdb")
    # ClickHouse in a process has one folder for all its life, and other tests use it too.
    code = (
        "import sys; from pathlib import Path; from bench import boards, data; data.FOLDER = Path(sys.argv[1]); "
        "boards.run([boards.Load(1_000, turns=1, budget_ms=25.0)])"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True)
    printed = done.stdout
    assert done.returncode == 0, done.stderr
    assert "Row for row, the answers are the same." in printed
    assert "six boards" in printed


def test_a_peer_that_answers_otherwise_is_noticed():
    rows = [("autoagent", 3, 0.1 + 0.2, "2026-03-01T05:58:19+00:00", None)]
    assert boards.same_answer(rows, [("autoagent", 3, 0.3, datetime(2026, 3, 1, 5, 58, 19), None)])
    for other in ([], [("autoagent", 4, 0.3, datetime(2026, 3, 1, 5, 58, 19), None)]):
        assert not boards.same_answer(rows, other)


def test_every_question_of_a_board_has_its_text_for_the_peers():
    asked = {question for board in boards.MORNING for question, _ in boards.boards.BOARDS[board].asks}
    assert asked <= peers.QUESTIONS.keys()


def test_prepared_bodies_hold_as_many_different_events_as_were_asked_for(small: None):
    events = list(data.exactly(12_345))
    assert len({event["uuid"] for event in events}) == 12_345


def test_large_data_keeps_to_the_time_that_the_widest_window_shows(small: None):
    window = rolling("30d", data.FIXED)
    first = next(data.batches(300_000, data.FIXED))[0]["timestamp"]
    assert window.span.since < datetime.fromisoformat(str(first)) < window.span.until


def test_the_terminal_knows_what_was_on_the_screen_and_when(tmp_path: Path):
    pytest.importorskip("pyte")
    code = "import sys; print('one'); sys.stdout.flush(); sys.stdin.readline(); print('\\x1b[2J\\x1b[Htwo'); input()"
    terminal = program(code, tmp_path)
    until(terminal, "one")
    assert terminal.press("enter") > 0
    until(terminal, "two")
    one, two = (terminal.first_shown(lambda text, word=word: word in text) for word in ("one", "two"))
    terminal.close()
    assert one is not None and two is not None and one < two
    assert terminal.first_shown(lambda text: "three" in text) is None
    assert "one" not in terminal.text


def test_the_terminal_says_that_it_shows_whole_frames(tmp_path: Path):
    code = (
        "import sys, tty; tty.setraw(0); sys.stdout.write('\\x1b[?2026$p'); sys.stdout.flush();"
        "got = sys.stdin.buffer.read1(32); print('answered' if got == b'\\x1b[?2026;2$y' else got)"
    )
    terminal = program(code, tmp_path)
    until(terminal, "answered")
    terminal.close()
    assert any(b"answered" in written for _, written in terminal.chunks)


def test_a_closed_terminal_leaves_no_process(tmp_path: Path):
    code = "import signal; signal.signal(signal.SIGTERM, lambda *_: print('bye')); print('up', flush=True); input()"
    terminal = program(code, tmp_path)
    until(terminal, "up")
    terminal.close(patience_s=0.2)
    assert not Path(f"/proc/{terminal.pid}").exists()


def test_a_table_is_aligned_and_a_figure_has_three_digits(capsys: pytest.CaptureFixture[str]):
    show("Title", ("what", "ms"), [("a", 1.23456), ("longer", 12345.6), ("none", None)], ["note"])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Title",
        "  what        ms",
        "  ------  ------",
        "  a         1.23",
        "  longer  12,346",
        "  none         -",
        "  note",
    ]
    assert (spell(0.5), spell(250.4), spell(7)) == ("0.5", "250", "7")
    assert (ratio(3.0, 2.0), ratio(3.0, None), ratio(None, 2.0)) == ("1.50 x", "-", "-")
    assert percentile(range(1, 101), 0.99) == 100


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        main(["bords"])
    assert raised.value.code == 2
    assert "'bords'" in capsys.readouterr().err


def test_today_is_before_now_and_within_a_day():
    assert 0 <= (datetime.now(UTC) - data.today()).total_seconds() < 86_400
