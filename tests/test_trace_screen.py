"""The Trace screen as a person uses it: a few keys over a real store, then what stands on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from textual.pilot import Pilot

from tests.desks import Held, at_once, desk, screen_text, settled
from tests.trace_store import FIRST, SECOND, THIRD, StoreAsker, events_of, put, three_rounds, told
from tui.desk import Desk
from tui.messages import Arrived
from tui.screens.rounds import RoundsScreen
from tui.screens.trace import TraceScreen
from tui.screens.tracecompare import CompareScreen
from tui.widgets.statusbar import StatusBar
from tui.widgets.tracelist import TraceList

WIDE, NARROW = (160, 48), (80, 24)
HOSTILE = "\x1b]0;owned\x07red \x1b[31m\u202e[b]markup[/b] \ud83d end"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_rounds(tmp_path / "workspace")


@pytest.fixture
def asker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreAsker]:
    monkeypatch.setattr(TraceScreen, "RESTS_S", 0.0)
    monkeypatch.chdir(folder)
    made = StoreAsker(folder)
    yield made
    made.backend.close()


@asynccontextmanager
async def opened(app: Desk, size: tuple[int, int] = WIDE, round_id: str = SECOND, among: tuple[str, ...] = ()):
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        app.open_trace(round_id, among)
        await settled(pilot)
        yield pilot


async def press(pilot: Pilot, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def lines(app: Desk) -> list[str]:
    """The rows of the trace as they are painted, with the cursor's mark."""
    shown = app.screen.query_one(TraceList)
    return [shown.render_line(y).text.rstrip() for y in range(1, shown.size.height) if y <= len(shown.rows)]


def cursor(app: Desk) -> str:
    return next(line for line in lines(app) if line.startswith("▸"))


def kinds(app: Desk) -> list[str]:
    return [one.kind for one in app.screen.query_one(TraceList).rows]


def status(app: Desk) -> str:
    return app.screen.query_one(StatusBar).text


def meter(app: Desk) -> str:
    return screen_text(app).splitlines()[1].strip()


# Opening


async def test_enter_on_a_round_opens_its_trace_and_esc_comes_back_to_the_same_row(asker: StoreAsker):
    app = desk(asker)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await press(pilot, "2", "j", "enter")
        assert isinstance(app.screen, TraceScreen) and app.screen.round_id == SECOND
        assert "round 2 of 3" in status(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, RoundsScreen)
        assert app.screen._chosen_id() == SECOND


async def test_the_tree_the_meter_and_the_detail_stand_side_by_side(asker: StoreAsker):
    app = desk(asker)
    async with opened(app):
        text = screen_text(app)
        assert "Round autoagent / internal   Kept, score 0.750 (+0.050 better), $0.030 by the round's end" in text
        rows = lines(app)
        assert [row.split()[2] for row in rows[1:4]] == ["plan", "generation", "tool"]
        assert "▾ Show the agent" in rows[1] and "    sonnet" in rows[2]
        assert "✗ failed" in rows[3] and "✓ ok" in rows[5]
        assert "round_started" in text and "baseline_score: 0.7" in text
        assert meter(app).startswith("+0.0s of 5m 04s · $0.00 by model calls")


async def test_narrow_the_detail_stands_below(asker: StoreAsker):
    app = desk(asker)
    async with opened(app, NARROW):
        text = screen_text(app).splitlines()
    tree = next(y for y, line in enumerate(text) if "eval" in line)
    said = next(y for y, line in enumerate(text) if "round_started" in line)
    assert said > tree and all(len(line) <= 80 for line in text)


async def test_a_round_that_is_not_there_is_a_sentence(asker: StoreAsker):
    app = desk(asker)
    async with opened(app, round_id="01NOWHERE"):
        assert "There is no round or trace 01NOWHERE in the last year" in screen_text(app)


async def test_hostile_words_are_drawn_as_text(asker: StoreAsker, folder: Path):
    put(folder, [told("step.plan", 200, "01JHOSTILE", step_id="S", plan=HOSTILE, **{"[b]name\x1b[0m": HOSTILE})])
    app = desk(asker)
    async with opened(app, round_id="01JHOSTILE") as pilot:
        await press(pilot, "j", "enter")
        text = screen_text(app)
    assert "red [b]markup[/b]" in text and "\x1b" not in text and "\u202e" not in text and "owned" not in text


# Folding, filtering, searching


async def test_folds(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        count = len(lines(app))
        await press(pilot, "z", "1")
        assert len(lines(app)) == 6 and "▸ Show the agent" in lines(app)[1]
        await press(pilot, "j", "z", "a")
        assert len(lines(app)) == 7 and "▾ Show the agent" in cursor(app)
        await press(pilot, "z", "R")
        assert len(lines(app)) == count
        await press(pilot, "j", "z", "a")  # on a leaf: what it stands under is folded
        assert "▸ Show the agent" in cursor(app)


async def test_errors_only_keeps_what_they_stand_under(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "E")
        assert kinds(app) == ["round", "tool", "retry", "eval", "case"]
        assert "5 of 11 rows: errors only" in screen_text(app)
        await press(pilot, "escape")
        assert len(lines(app)) == 11


async def test_only_some_kinds(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "t", *"case", "enter")
        assert kinds(app) == ["round", "eval", "case", "case"]
        await press(pilot, "t", *"plan", "enter")
        assert "plan, case" in screen_text(app)
        await press(pilot, "t", *"all", "enter")
        assert len(lines(app)) == 11


async def test_search_narrows_while_typing_and_esc_lets_n_go_on(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "/", *"read_file")
        assert len(lines(app)) == 3  # the call, the second attempt, and the round above them
        await press(pilot, "escape")
        assert len(lines(app)) == 11
        await press(pilot, "n")
        first = cursor(app)
        await press(pilot, "n")
        assert "read_file" in first and "read_file" in cursor(app) and first != cursor(app)
        await press(pilot, "N")
        assert cursor(app) == first


# Going to rows, playing


async def test_jumps_go_round_and_open_what_hides_the_row(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "z", "M", "!")
        assert "read_file  → connection" in cursor(app)
        await press(pilot, "!")
        assert "tasks/reach" in cursor(app)
        await press(pilot, "!")
        assert "read_file  → connection" in cursor(app)
        await press(pilot, "m")
        assert "sonnet" in cursor(app)
        await press(pilot, "C")
        assert "tasks/tone" in cursor(app)


async def test_a_jump_to_what_is_not_there_says_so(asker: StoreAsker, folder: Path):
    put(folder, [told("step.plan", 1, "01JALONE", step_id="S", plan="x")])
    app = desk(asker)
    async with opened(app, round_id="01JALONE") as pilot:
        await press(pilot, "m")
        assert "There is no model call in this round." in status(app)


async def test_steps_go_by_time_and_scrubs_by_a_share_of_it(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, ".")
        assert "sonnet" in cursor(app)  # the call was over before the plan was said
        await press(pilot, ".")
        assert "Show the agent" in cursor(app)
        assert meter(app).startswith("+3.1s of 5m 04s · $0.020 by model calls · 1.2k tokens · baseline 0.700")
        await press(pilot, "comma")
        assert "sonnet" in cursor(app)
        await press(pilot, "right")
        assert "tasks" in cursor(app)
        await press(pilot, "left")
        assert "read_file" in cursor(app)


async def test_playing_compresses_idle_time_and_says_what_was_known(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        screen = app.screen
        assert isinstance(screen, TraceScreen)
        await press(pilot, "space")
        screen._stop_clock()  # the test's clock instead
        assert meter(app).startswith("playing ×1")
        seen = []
        for _ in range(400):
            screen.tick(0.1)
            await pilot.pause()
            if not seen or seen[-1] != cursor(app):
                seen.append(cursor(app))
            if not screen._player.is_playing:
                break
        assert len(seen) == 11 and "kept" in seen[-1]
        assert screen._player.clock_s < 15  # of five minutes
        assert "score 0.750 (+0.050)" in meter(app) and "$0.030 by the round's end" in meter(app)


async def test_narrow_all_that_was_known_at_the_cursor_is_said(asker: StoreAsker):
    app = desk(asker)
    async with opened(app, NARROW) as pilot:
        await press(pilot, ">", ">", "G", "space")
        said = " ".join(screen_text(app).splitlines()[1:3])
    for part in ("playing ×4", "+5m 04s of 5m 04s", "$0.030 by the round's end", "1.2k tokens", "score 0.750 (+0.050)"):
        assert part in said
    assert "…" not in said


async def test_speed_and_pause(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, ">", ">", "space")
        assert meter(app).startswith("playing ×4")
        await press(pilot, "space", "<")
        assert meter(app).startswith("paused ×2")


# Reading a row


async def test_a_prompt_that_cannot_be_had_is_a_sentence(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "m", "enter")
        text = screen_text(app)
    assert "Prompts and completions could not be read here." in text and "$ai_model: sonnet" in text


async def test_a_row_and_its_prompt_can_be_read_in_an_editor(asker: StoreAsker):
    asker.prompts = [("What now?", "A plan.")]
    async with opened(desk(asker)) as pilot:
        screen = cast(TraceScreen, pilot.app.screen)
        await press(pilot, "!")
        assert "connection reset" in (screen.long_text() or "")
        await press(pilot, "m", "enter")
        assert (screen.long_text() or "").count("$ai_model") == 1


async def test_undo_brings_back_the_search_that_esc_took_off(asker: StoreAsker):
    async with opened(desk(asker)) as pilot:
        listed = pilot.app.screen.query_one(TraceList)
        await press(pilot, "/", *"tone", "enter")
        narrowed = len(listed.rows)
        await press(pilot, "escape")
        assert len(listed.rows) > narrowed
        await press(pilot, "u")
        assert len(listed.rows) == narrowed


async def test_arguments_and_rationales_are_read_in_full(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "!")
        text = screen_text(app)
        assert '"path": "a.py"' in text and "error: connection reset" in text
        await press(pilot, "!")
        assert "rationale: too narrow an audience" in screen_text(app)


# Other rounds


async def test_braces_go_to_the_other_rounds_of_the_run(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "}")
        assert app.screen.round_id == THIRD and "0.740" in screen_text(app)  # type: ignore[attr-defined]
        await press(pilot, "}")
        assert "This is the last round here." in status(app)
        await press(pilot, "{", "{")
        assert app.screen.round_id == FIRST  # type: ignore[attr-defined]


async def test_compare_shows_both_rounds_and_what_moved(asker: StoreAsker):
    app = desk(asker)
    async with opened(app, round_id=THIRD) as pilot:
        await press(pilot, "v")
        assert isinstance(app.screen, CompareScreen)
        text = screen_text(app)
        assert "Score 0.750 → 0.740 (−0.010 worse); 1 fell" in text
        assert f"before {SECOND}" in text and "tone" in text and "▼ −0.010 worse" in text
        assert "Show the agent its own" in text
        await press(pilot, "{")
        assert f"before {FIRST}" in screen_text(app) and "Score 0.720 → 0.740" in screen_text(app)
        await press(pilot, "{")
        assert "There is no round before it in this run." in status(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, TraceScreen)


async def test_the_first_round_has_nothing_before_it(asker: StoreAsker):
    app = desk(asker)
    async with opened(app, round_id=FIRST) as pilot:
        await press(pilot, "v")
        assert "There is no round before it in this run." in screen_text(app)


# Following


async def test_following_shows_what_arrives_and_leaves_the_cursor_alone(asker: StoreAsker, folder: Path):
    late = "01JRUNNING"
    events = events_of(late, 1000, 0.8)
    put(folder, events[:4])
    app = desk(asker)
    async with opened(app, round_id=late) as pilot:
        assert "Running" in screen_text(app)
        await press(pilot, "j", "j")
        before = cursor(app)
        put(folder, events[4:8])
        app.post_message(Arrived(frozenset({"step.retry"})))
        await settled(pilot)
        assert "More has arrived" in screen_text(app) and "retry" not in screen_text(app)
        await press(pilot, "F")
        assert "Following." in screen_text(app) and "attempt 2" in screen_text(app)
        put(folder, events[8:])
        app.post_message(Arrived(frozenset({"round_kept"})))
        await settled(pilot)
        assert "kept  +0.100" in screen_text(app)
        assert cursor(app).split()[3:] == before.split()[3:]  # its bar is another one in a longer round


# Copying, exporting


async def test_copies(asker: StoreAsker, monkeypatch: pytest.MonkeyPatch):
    copied: list[str] = []
    app = desk(asker)
    monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
    async with opened(app) as pilot:
        await press(pilot, "!", "y", "enter")
        await press(pilot, "y", *"what", "enter")
        await press(pilot, "o")
        asker.link = "https://us.posthog.com/project/1/traces"
        await press(pilot, "o")
    assert copied[0].split("\t")[2] == "tool" and "connection reset" in copied[0]
    assert '"error": "connection reset"' in copied[1]
    assert copied[2:] == [f"loopdesk trace {SECOND}", f"https://us.posthog.com/project/1/traces/{SECOND}"]


@pytest.mark.parametrize(
    ("format", "ending", "begins"), [("text", "txt", "Kept"), ("json", "json", "{"), ("mark", "md", "#")]
)
async def test_exports(asker: StoreAsker, folder: Path, format: str, ending: str, begins: str):
    app = desk(asker)
    async with opened(app) as pilot:
        for _ in range(2):
            await press(pilot, "e", *format, "enter")
        assert "Exported to" in status(app)
    first, second = sorted(folder.glob(f"loopdesk-*.{ending}"), key=lambda path: len(path.name))
    assert first.name == f"loopdesk-{SECOND}.{ending}" and first.read_text(encoding="utf-8").startswith(begins)
    assert second.read_text(encoding="utf-8") == first.read_text(encoding="utf-8")
    assert first.stat().st_mode & 0o077 == 0


# Large traces


async def test_the_beginning_is_shown_before_the_rest(asker: StoreAsker, monkeypatch: pytest.MonkeyPatch):
    from queries import traces

    monkeypatch.setattr(traces, "PAGE", 6)
    monkeypatch.setattr(traces, "FIRST_PAGE", 3)
    held = Held()
    app = desk(asker, spawn=at_once)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        app.work._spawn = held
        app.open_trace(SECOND)
        await settled(pilot)
        held.run_all()
        await settled(pilot)
        assert "Reading… about 13 events." in screen_text(app) and "eval" not in screen_text(app)
        assert "rows so far" in status(app)
        while held.waiting:
            held.run_all()
            await settled(pilot)
        assert "Kept" in screen_text(app) and "tasks/reach" in screen_text(app)
