"""The Boards screen as a person uses it: what is shown, picked, moved, asked and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from queries.gallery import registry
from queries.gallery.sheet import Sheet
from tests import sheets
from tests.desks import FakeAsker, Held, Memory, answer, desk, screen_text, settled
from tests.test_desk import NARROW, WIDE, opened, press, status
from tests.test_user_boards import GOOD
from tui.arrangement import Arrangement, read
from tui.desk import Desk
from tui.left import Left
from tui.messages import Arrived
from tui.screens.behind import BehindScreen
from tui.screens.full import FullScreen
from tui.screens.gallery import GalleryScreen
from tui.screens.morning import MorningScreen
from tui.widgets.pane import BoardPane
from workspace.errors import LoopdeskError

SHOWN = ("spend", "quality", "anomalies", *(f"more_{place}" for place in range(6)))


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A gallery of ten boards, and no file of the user's own."""
    monkeypatch.setattr(registry, "GROUPS", (sheets.group(),))
    monkeypatch.setattr(registry, "USEFUL", SHOWN)
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(tmp_path))
    (tmp_path / "boards").mkdir()
    return tmp_path / "boards"


def gallery(cache: Memory | None = None, **options: object) -> tuple[Desk, FakeAsker]:
    asker = FakeAsker()
    asker.views |= sheets.VIEWS
    return desk(asker, cache, **options), asker


def focused(app: Desk) -> str:
    assert isinstance(app.screen, GalleryScreen) and isinstance(app.screen.focused, BoardPane)
    return app.screen.focused.board


def seen(app: Desk) -> list[str]:
    """The boards on the page, from top to bottom."""
    panes = [pane for pane in app.screen.query(BoardPane) if pane.display]
    return [pane.board for pane in sorted(panes, key=lambda pane: (pane.region.y, pane.region.x))]


async def boards(pilot: Pilot, asker: FakeAsker) -> None:
    asker.asked.clear()
    await press(pilot, "6")


# Pages


@pytest.mark.parametrize(("size", "count"), [(NARROW, 2), (WIDE, 6)])
async def test_only_the_panes_that_can_be_seen_ask(size: tuple[int, int], count: int):
    app, asker = gallery()
    async with opened(app, size) as pilot:
        await boards(pilot, asker)
        assert seen(app) == list(SHOWN[:count]) and sorted(asker.asked) == sorted(SHOWN[:count])
        assert "Three kinds of tasks cost $11.20" in screen_text(app) and "$6.50" in screen_text(app)
        await press(pilot, "]")
        assert seen(app) == list(SHOWN[count : 2 * count]) and focused(app) == SHOWN[count]
        assert sorted(asker.asked) == sorted(SHOWN[: 2 * count])
        await press(pilot, "[")
        assert len(asker.asked) == len(set(asker.asked)), "a page that is known asks nobody again"
        assert screen_text(app).count("▸ Spend by task type") == 1 and "  Quality" in screen_text(app)


async def test_tab_goes_on_to_the_next_page_and_round():
    app, asker = gallery()
    async with opened(app, NARROW) as pilot:
        await boards(pilot, asker)
        await press(pilot, "tab", "tab")
        assert focused(app) == "anomalies" and "Page 2 of 5" in screen_text(app)
        await press(pilot, *["shift+tab"] * 3)
        assert focused(app) == SHOWN[-1] and seen(app) == [SHOWN[-1]]
        await press(pilot, "tab")
        assert focused(app) == "spend"


async def test_arrows_go_through_numbers_panes_and_pages():
    app, asker = gallery()
    async with opened(app, NARROW) as pilot:
        await boards(pilot, asker)
        await press(pilot, "down")
        assert "Rounds of autoagent: enter shows them." in status(app)
        await press(pilot, "down", "down")
        assert focused(app) == "anomalies"
        await press(pilot, "up")
        assert focused(app) in SHOWN[:2]


async def test_a_terminal_that_grows_shows_more_around_the_pane_in_focus():
    app, asker = gallery()
    async with opened(app, NARROW) as pilot:
        await boards(pilot, asker)
        await press(pilot, "]", "]")
        await pilot.resize_terminal(*WIDE)
        await settled(pilot)
        assert seen(app) == list(SHOWN[:6]) and focused(app) == SHOWN[4]


async def test_what_arrives_is_asked_for_now_where_it_is_seen_and_later_where_not():
    app, asker = gallery()
    async with opened(app) as pilot:
        await boards(pilot, asker)
        await press(pilot, "]", "[")
        asker.asked.clear()
        app.post_message(Arrived(frozenset({"round_kept", "round_started"})))
        await settled(pilot)
        assert "spend" in asker.asked and "anomalies" not in asker.asked and "more_5" not in asker.asked
        asker.asked.clear()
        await press(pilot, "]")
        assert sorted(asker.asked) == ["more_3", "more_4", "more_5"]


async def test_what_was_left_before_its_answer_came_is_asked_again():
    app, asker = gallery(spawn=(held := Held()))
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        held.run_all()
        await pilot.press("6")
        await pilot.pause()
        for _ in range(3):
            held.run_all()
            await pilot.pause()
        await pilot.press("]")
        await pilot.pause()
        await pilot.press("1")
        await pilot.pause()
        asker.asked.clear()
        await pilot.press("6")
        for _ in range(6):
            await pilot.pause()
            held.run_all()
        await settled(pilot)
        assert {"anomalies", "more_0"} <= set(asker.asked)
        assert "No anomaly in this window." in screen_text(app)


async def test_another_filter_is_for_every_page():
    app, asker = gallery()
    async with opened(app, NARROW) as pilot:
        await boards(pilot, asker)
        await press(pilot, "]", "[", "f", "down", "enter")
        asker.asked.clear()
        await press(pilot, "]")
        assert sorted(asker.asked) == ["anomalies", "more_0"]


# Picking and arranging


async def test_panes_are_picked_moved_remembered_and_undone():
    cache = Memory()
    app, asker = gallery(cache)
    async with opened(app) as pilot:
        await boards(pilot, asker)
        await press(pilot, "tab", "<")
        assert seen(app)[:2] == ["quality", "spend"] and focused(app) == "quality"
        await press(pilot, "p", *"anomal", "enter", *["backspace"] * 6, "enter")
        assert "anomalies" not in seen(app) and "8 boards; p picks from 1 more." in screen_text(app)
        assert focused(app) == "quality"
        asker.asked.clear()
        await press(pilot, "u")
        assert "anomalies" in seen(app)
        await press(pilot, "u")
        assert seen(app)[:2] == ["spend", "quality"]
        await press(pilot, "U", "U")
        assert seen(app)[:3] == ["quality", "spend", "more_0"]
    again, asker = gallery(cache)
    async with opened(again) as pilot:
        await boards(pilot, asker)
        assert seen(again)[:3] == ["quality", "spend", "more_0"]


async def test_a_figure_turns_to_its_other_source_and_names_it():
    app, asker = gallery()
    async with opened(app) as pilot:
        await boards(pilot, asker)
        assert "Spend by task type  from rounds" in screen_text(app)
        await press(pilot, "s")
        assert focused(app) == "spend_calls" == seen(app)[0] and "spend" not in seen(app)
        assert asker.asked[-1] == "spend_calls" and "from $ai_generation" in screen_text(app)
        await press(pilot, "u")
        assert seen(app)[0] == "spend" and "Undone: Spend by task type from" in status(app)
        await press(pilot, "tab", "s")
        assert "Quality has one source only." in status(app)


async def test_a_board_without_dollars_needs_no_source_of_dollars():
    app, asker = gallery()
    async with opened(app) as pilot:
        await boards(pilot, asker)
        (line,) = [line for line in screen_text(app).splitlines() if "More 0" in line]
        assert " from " not in line
        asker.views["more_0"] = sheets.SPEND
        await press(pilot, "R")
        (line,) = [line for line in screen_text(app).splitlines() if "More 0" in line]
        assert "More 0  from round_kept.cost_usd" in line


async def test_a_read_only_desk_arranges_and_remembers_nothing():
    cache = Memory()
    app, asker = gallery(cache, read_only=True)
    async with opened(app) as pilot:
        await boards(pilot, asker)
        await press(pilot, ">", "1", "6")
        assert seen(app)[:2] == ["quality", "spend"] and "boards" not in cache.values


def test_an_arrangement_is_kept_as_far_as_it_exists():
    known, useful = ("a", "b", "b2", "c", "own-x"), ("own-x", "a", "b")
    pairs = {"b": "b2", "b2": "b"}

    def arranged(document: object) -> Arrangement:
        return read(document, known, useful, lambda name: pairs.get(name, ""))

    for nonsense in (None, [], "x", {}):
        assert arranged(nonsense).shown == useful
    assert arranged({"shown": ["b2", "gone", 3, "a", "b"], "hidden": ["c"]}).shown == ("own-x", "b2", "a")
    assert arranged({"shown": ["a"], "hidden": ["own-x", "b2"]}) == Arrangement(("b", "a"), ("own-x", "b2"))
    kept = arranged({"shown": ["c"], "hidden": ["own-x", "a", "b"]})
    assert arranged(kept.document) == kept == Arrangement(("c",), ("own-x", "a", "b"))
    assert kept.moved("c", 1) == kept and kept.picked(("a", "c"), known).shown == ("c", "a")


# What can be done with a pane


async def test_a_pane_drills_fills_the_screen_is_copied_exported_and_explained(monkeypatch: pytest.MonkeyPatch):
    app, asker = gallery()
    async with opened(app) as pilot:
        await boards(pilot, asker)
        await press(pilot, "y")
        assert "Copied the sentence: Spend by task type: Three kinds" in status(app)
        await press(pilot, "e")
        assert "CSV, for a spreadsheet" in screen_text(app)
        await press(pilot, "escape", "?")
        assert "Spend by task type" in screen_text(app) and "What did a kept round cost?" in screen_text(app)
        await press(pilot, "escape", "+")
        assert isinstance(app.screen, FullScreen) and "$6.50" in screen_text(app)
        assert "from rounds" in screen_text(app).splitlines()[0]
        await press(pilot, "tab", "enter")
        assert isinstance(app.screen, BehindScreen)
        await press(pilot, "escape")
        await press(pilot, "tab")
        assert "SELECT count() FROM events" in screen_text(app)
        await press(pilot, "+")
        assert focused(app) == "spend"
        await press(pilot, "enter")  # on no number: all of the window
        assert isinstance(app.screen, BehindScreen)
        await press(pilot, "escape", "down", "enter")
        assert isinstance(app.screen, BehindScreen)
        await press(pilot, "escape")
        assert focused(app) == "spend"


async def test_r_asks_for_the_pane_and_capital_r_for_the_page():
    app, asker = gallery()
    async with opened(app, NARROW) as pilot:
        await boards(pilot, asker)
        asker.asked.clear()
        await press(pilot, "tab", "r")
        assert asker.asked == ["quality"] and "Asked again at 07:12:00" in status(app)
        asker.asked.clear()
        await press(pilot, "R")
        assert sorted(asker.asked) == ["quality", "spend"]


async def test_panes_live_beside_one_that_cannot_be_asked_and_without_a_window_one_says_why():
    app, asker = gallery()
    asker.errors["spend"] = LoopdeskError("The router is asleep", do="Wake it")
    async with opened(app) as pilot:
        await boards(pilot, asker)
        assert "The router is asleep" in screen_text(app) and "Quality is lowest" in screen_text(app)
        asker.errors["window"] = LoopdeskError("events.db is locked")
        await press(pilot, "R")
        assert screen_text(app).count("events.db is locked") == 1


async def test_a_desk_that_was_left_here_begins_here_with_what_was_known_and_in_ascii():
    known = [answer(board, view) for board, view in sheets.VIEWS.items()]
    app, asker = gallery(Memory(*known), left=Left(screen="boards"), spawn=(held := Held()), ascii=True)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert "Three kinds of tasks cost $11.20" in screen_text(app) and not asker.asked
        assert screen_text(app).isascii() and focused(app) == "spend"
        held.run_all()


async def test_without_colour_words_and_weight_are_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app, asker = gallery()
    async with opened(app) as pilot:
        await boards(pilot, asker)
        assert "dearer" in screen_text(app)
        strips = app.screen._compositor.render_strips()
        assert not [s for strip in strips for s in strip if s.style and s.style.color and s.style.color.triplet]


# The user's own


async def test_a_file_becomes_a_pane_and_one_with_a_typo_says_so(folder: Path):
    app, asker = gallery()
    asker.views["own-mine"] = Sheet("Who kept rounds? 2 rows.")
    async with opened(app) as pilot:
        await boards(pilot, asker)
        await press(pilot, "1")
        (folder / "mine.sql").write_text("-- title: Mine\n")
        await press(pilot, "6")
        assert seen(app)[0] == "own-mine" and "mine.sql" in screen_text(app)
        asker.errors["own-two"] = LoopdeskError("Line 3 of its query is not understood: WERE")
        (folder / "two.sql").write_text(GOOD)
        (folder / "mine.sql").write_text(GOOD.replace("Kept by project", "Who kept"))
        await press(pilot, "R")
        assert seen(app)[:2] == ["own-two", "own-mine"] and "Who kept rounds? 2 rows." in screen_text(app)
        assert "Kept by project" in screen_text(app) and "Line 3 of its query" in screen_text(app)
        assert "  Who kept" in screen_text(app) and "Three kinds of tasks" in screen_text(app)
        (folder / "mine.sql").unlink()
        await press(pilot, "1", "6")
        assert "own-mine" not in seen(app) and focused(app) in SHOWN


async def test_without_any_board_it_says_where_one_can_be_put(monkeypatch: pytest.MonkeyPatch, folder: Path):
    monkeypatch.setattr(registry, "GROUPS", ())
    app, _ = gallery()
    async with opened(app) as pilot:
        await press(pilot, "6")
        assert "A question of your own goes into" in screen_text(app)
        await press(pilot, "tab", "p", ">", "s", "]", "+", "y", "e", "R", "?", "escape", "1")
        assert isinstance(app.screen, MorningScreen)


async def test_escape_goes_off_the_number_and_then_back_to_where_boards_was_called():
    app, asker = gallery()
    async with opened(app) as pilot:
        await boards(pilot, asker)
        await press(pilot, "j")
        pane = app.screen.focused
        assert isinstance(pane, BoardPane) and pane.spot
        await press(pilot, "escape")
        assert pane.spot is None and isinstance(app.screen, GalleryScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, MorningScreen)
