"""The desk as a person uses it: a few keys, then what stands on the screen."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from queries.cache import AnswerCache
from queries.views.filters import Filters
from queries.views.rounds import Rounds
from tests.board_views import FUNNEL, HEADLINE
from tests.conftest import NOW
from tests.desks import (
    DEPLOYS,
    NIGHT,
    ROUNDS,
    TABLE,
    FakeAsker,
    Held,
    Memory,
    answer,
    desk,
    one_round,
    screen_text,
    settled,
)
from themes.loader import load
from tui.asker import Place
from tui.desk import Desk
from tui.keymap import Keymap
from tui.messages import Arrived
from tui.screens.chooser import Chooser
from tui.screens.full import FullScreen
from tui.screens.help import HelpScreen
from tui.screens.morning import MorningScreen
from tui.screens.rounds import RoundsScreen, details, took
from tui.screens.welcome import WelcomeScreen
from tui.widgets.pane import BoardPane
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Table
from tui.widgets.statusbar import StatusBar
from tui.work import Watcher
from workspace.errors import LoopdeskError

WIDE, MIDDLE, NARROW = (160, 48), (100, 30), (80, 24)


@asynccontextmanager
async def opened(app: Desk, size: tuple[int, int] = WIDE):
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def press(pilot: Pilot, *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


def pane(app: Desk, board: str) -> BoardPane:
    return app.screen.query_one(f"#{board}", BoardPane)


def status(app: Desk) -> str:
    return app.screen.query_one(StatusBar).text


# Morning


async def test_morning_answers_in_words_first():
    app = desk()
    async with opened(app):
        text = screen_text(app)
    assert HEADLINE.verdict in text
    assert "Last night  Thu 19 Nov 18:00 – Fri 20 Nov 07:12" in text
    assert "203 rounds, 29 kept (14 %)" in text
    assert "as of 07:12" in text and "embedded" in text


async def test_what_was_known_is_painted_before_anybody_is_asked():
    held, asker = Held(), FakeAsker()
    yesterday = answer("funnel", replace(FUNNEL, verdict="Yesterday's words."), at=NOW - timedelta(days=1))
    app = desk(asker, Memory(yesterday), spawn=held)
    async with opened(app):
        text = screen_text(app)
    assert "Yesterday's words." in text
    assert "as of Thu 19 Nov 07:12" in text
    assert asker.asked == [] and asker.places == []


async def test_live_answers_take_the_place_of_remembered_ones():
    yesterday = answer("funnel", replace(FUNNEL, verdict="Yesterday's words."), at=NOW - timedelta(days=1))
    app = desk(cache=Memory(yesterday))
    async with opened(app):
        text = screen_text(app)
    assert "Yesterday's words." not in text and FUNNEL.verdict[:20] in text


async def test_an_answer_that_says_the_same_repaints_nothing(monkeypatch: pytest.MonkeyPatch):
    app = desk()
    async with opened(app) as pilot:
        repainted: list[str] = []
        original = BoardPane.refresh
        monkeypatch.setattr(
            BoardPane, "refresh", lambda self, *a, **k: (repainted.append(self.board), original(self, *a, **k))[1]
        )
        app.post_message(Arrived(frozenset({"*"})))
        await settled(pilot)
        assert repainted == []


async def test_only_boards_whose_events_arrived_ask_again():
    asker = FakeAsker()
    app = desk(asker)
    async with opened(app) as pilot:
        asker.asked.clear()
        app.post_message(Arrived(frozenset({"model_escalated"})))
        await settled(pilot)
    assert set(asker.asked) == {"escalations", "headline"}


async def test_an_answer_for_a_window_that_was_left_is_dropped():
    held, asker = Held(), FakeAsker()
    app = desk(asker, spawn=held)
    async with opened(app) as pilot:
        held.run_all()  # the window; the boards are asked
        await settled(pilot)
        for_the_night = list(held.waiting)
        app.look(Place("7d"))
        await settled(pilot)
        for run in for_the_night:
            run()
        await settled(pilot)
        assert pane(app, "funnel").answer is None
        assert asker.asked == []


async def test_a_failed_board_says_what_happened_what_it_means_and_what_to_do():
    asker = FakeAsker()
    asker.errors["trend"] = LoopdeskError("The query was refused", "The store is of a newer version", "Update loopdesk")
    app = desk(asker)
    async with opened(app):
        text = screen_text(app)
    assert "The query was refused" in text
    assert "The store is of a newer version" in text
    assert "Update loopdesk" in text
    assert FUNNEL.verdict[:20] in text  # the other panes answer


async def test_a_failed_refresh_keeps_the_old_answer_with_its_age():
    asker = FakeAsker()
    app = desk(asker)
    async with opened(app) as pilot:
        asker.errors["funnel"] = LoopdeskError("The disk went away")
        await press(pilot, "r")
        text = screen_text(app)
    assert "The disk went away." in text
    assert "stale, as of 07:12" in text
    assert "started" in text and "203" in text


async def test_a_cut_answer_says_so():
    asker = FakeAsker()
    asker.results = replace(TABLE, limit=3)
    async with opened(desk(asker)) as pilot:
        assert "only the first 3 rows" in screen_text(pilot.app)


async def test_another_night_than_the_last_is_named():
    asker = FakeAsker()
    asker.note = "No rounds last night; this is the latest night that has some: Thu 19 Nov."
    app = desk(asker)
    async with opened(app):
        text = screen_text(app)
    assert asker.note in text and "Latest night" in text


async def test_refresh_asks_only_the_focused_pane_and_all_on_capital_r():
    asker = FakeAsker()
    app = desk(asker)
    async with opened(app) as pilot:
        asker.asked.clear()
        await press(pilot, "tab", "r")
        assert asker.asked == ["trend"]
        assert "Asked again at 07:12:00." in status(app)
        asker.asked.clear()
        await press(pilot, "R")
        assert set(asker.asked) == {"headline", "funnel", "trend", "heatmap", "cost", "escalations", "stops"}


async def test_focus_is_marked_in_the_title_and_moves_by_tab_arrows_and_letters():
    app = desk()
    async with opened(app) as pilot:
        assert "▸ Round funnel" in screen_text(app)
        await press(pilot, "shift+tab")
        assert "▸ Last night" in screen_text(app)
        await press(pilot, "shift+tab")
        assert "▸ Stop reasons" in screen_text(app)
        await press(pilot, "k")
        assert "▸ Dimension heatmap" in screen_text(app)
        await press(pilot, "left")
        assert "▸ Score trend" in screen_text(app)
        await press(pilot, "semicolon")
        assert "g Escalations" in screen_text(app)
        await press(pilot, "g")
        assert "▸ Escalations" in screen_text(app) and "a Round funnel" not in screen_text(app)


async def test_a_tab_repaints_two_titles_and_no_more():
    app = desk()
    async with opened(app) as pilot:
        screen_text(app)
        before = {board: pane(app, board)._lines[1:] for board in ("funnel", "trend")}  # type: ignore[index]
        await press(pilot, "tab")
        for board, lines in before.items():
            assert all(a is b for a, b in zip(pane(app, board)._lines[1:], lines, strict=True))  # type: ignore[index]


@pytest.mark.parametrize("size", [NARROW, (80, 50), MIDDLE, WIDE, (220, 60)])
async def test_every_verdict_is_readable_without_scrolling(size: tuple[int, int]):
    app = desk()
    async with opened(app, size):
        text = " ".join(screen_text(app).split())
    for title in ("Round funnel", "Score trend", "Dimension heatmap", "Cost per kept", "Escalations", "Stop reasons"):
        assert title in text
    for words in ("203 rounds, 29 kept", "autoagent", "tool_economy", "$0.57 per kept", "9 escalations", "crash"):
        assert words in text


async def test_a_terminal_that_is_too_small_says_so_in_one_sentence_and_recovers():
    app = desk()
    async with opened(app, (40, 10)) as pilot:
        assert screen_text(app).split() == (
            ["loopdesk", "needs", "a", "little", "more", "room:", "at", "least", "50", "columns", "and", "12", "lines."]
        )
        await pilot.resize_terminal(*NARROW)
        await settled(pilot)
        assert "▸ Round funnel" in screen_text(app)
        await press(pilot, "tab")
        await pilot.resize_terminal(40, 10)
        await pilot.resize_terminal(*WIDE)
        await settled(pilot)
        assert "▸ Score trend" in screen_text(app)


async def test_names_from_events_are_shown_as_they_are_and_do_nothing():
    hostile = "[bold red]x[/] [@click=app.quit]y[/]\x1b]52;c;aGk=\x07\x1b[31m\u202eevil"
    asker = FakeAsker()
    asker.views["headline"] = replace(HEADLINE, projects=(replace(HEADLINE.projects[0], project=hostile),))
    asker.views["rounds"] = Rounds((one_round(1, project=hostile, model=hostile, git_sha=hostile),), False, hostile)
    app = desk(asker)
    async with opened(app) as pilot:
        text = screen_text(app)
        assert "[bold red]x[/]" in text
        await press(pilot, "2")
        text += screen_text(app)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


async def test_ascii_means_ascii():
    app = desk(ascii=True)
    async with opened(app) as pilot:
        assert screen_text(app).isascii()
        await press(pilot, "2", "j")
        assert screen_text(app).isascii()
        await press(pilot, "plus")
        assert screen_text(app).isascii()


async def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk(theme=load("loopdesk-dark"))
    async with opened(app):
        styles = {segment.style for strip in app.screen._compositor.render_strips() for segment in strip}
    assert all(style is None or not (style.color and not style.color.is_default) for style in styles)


# Nothing stored


async def test_an_empty_workspace_is_met_with_four_ways_to_begin():
    asker = FakeAsker()
    asker.is_empty = True
    app = desk(asker)
    async with opened(app, NARROW) as pilot:
        text = screen_text(app)
        for words in (
            "loopdesk demo",
            "loopdesk connect",
            "loopdesk import",
            "loopdesk serve",
            "POSTHOG_HOST",
            "AUTORESEARCH_PROJECT",
        ):
            assert words in text
        await press(pilot, "escape")
        assert isinstance(app.screen, WelcomeScreen)


async def test_the_first_event_opens_morning():
    asker = FakeAsker()
    asker.is_empty = True
    app = desk(asker)
    async with opened(app) as pilot:
        asker.is_empty = False
        app.post_message(Arrived(frozenset({"round_started"})))
        await settled(pilot)
        assert isinstance(app.screen, MorningScreen)
        assert HEADLINE.verdict in screen_text(app)


async def test_d_on_the_first_screen_ends_with_the_wish_for_the_demo():
    asker = FakeAsker()
    asker.is_empty = True
    app = desk(asker)
    async with opened(app) as pilot:
        await pilot.press("d")
    assert app.return_value == "demo"


async def test_a_read_only_desk_never_ends_in_one_that_may_write():
    """The demo's desk is of a workspace of its own, but could connect a PostHog project for all of them."""
    asker = FakeAsker()
    asker.is_empty = True
    app = desk(asker, read_only=True)
    async with opened(app) as pilot:
        assert "loopdesk demo" in screen_text(app) and "press" not in screen_text(app)
        await press(pilot, "d")
        assert isinstance(app.screen, WelcomeScreen) and "Read-only: “Open the demo" in status(app)
        await press(pilot, "c")
        assert isinstance(app.screen, WelcomeScreen) and "Read-only: “Connect" in status(app)
        await press(pilot, "ctrl+p")
        assert "Connect" not in screen_text(app)
    assert app.return_value is None


async def test_the_first_screen_names_the_users_own_keys():
    asker = FakeAsker()
    asker.is_empty = True
    async with opened(desk(asker, keys=Keymap({"demo": "f5", "connect": ""}))) as pilot:
        assert "press f5: a simulated weekend" in screen_text(pilot.app)
        assert "press c" not in screen_text(pilot.app) and "loopdesk connect" in screen_text(pilot.app)


# Window and filters


async def test_a_window_is_chosen_and_remembered():
    cache, asker = Memory(), FakeAsker()
    app = desk(asker, cache)
    async with opened(app) as pilot:
        await press(pilot, "w")
        assert isinstance(app.screen, Chooser)
        assert "Run of autoagent / internal" in screen_text(app)
        await press(pilot, "down", "down", "enter")
        assert app.place == Place("7d") and asker.places[-1] == Place("7d")
        assert "7 days" in status(app)
    assert cache.values["place"] == {"kind": "7d", "run_id": "", "filters": {"project": "", "client": ""}}


async def test_a_run_is_found_by_typing():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "w", *"run of", "enter")
    assert app.place == Place("run", "01RUN")


async def test_project_and_client_are_chosen_one_after_the_other_and_taken_off_again():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "f", *"gtm", "enter")
        assert app.place.filters == Filters("gtm-autoresearch")
        await press(pilot, "f", *"acme", "enter")
        assert app.place.filters == Filters("gtm-autoresearch", "acme")
        assert "gtm-autoresearch / acme" in status(app)
        await press(pilot, "f", *"all", "enter")
        assert app.place.filters == Filters()


async def test_a_dialog_is_left_with_nothing_changed():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "w", "down", "escape")
        assert isinstance(app.screen, MorningScreen) and app.place == Place()


async def test_the_palette_finds_a_command_by_its_name():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "ctrl+p", *"one row", "enter")
        assert isinstance(app.screen, RoundsScreen)


async def test_a_problem_is_said_whole_where_a_list_would_be():
    asker = FakeAsker()
    asker.errors["rounds"] = LoopdeskError(
        "http://127.0.0.1:9 refuses connections\x1b[31m", "Nothing listens there", "Ask again with R, or look elsewhere"
    )
    app = desk(asker)
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "2")
        text = " ".join(screen_text(app).split())
    assert "refuses connections. Nothing listens there. Ask again with R, or look elsewhere" in text
    assert "\x1b" not in text


async def test_help_shows_the_keys_of_the_screen():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = screen_text(app)
        await press(pilot, "G")
        text += screen_text(app)
        assert "Open the rounds behind the number" in text and "Quit" in text
        await press(pilot, "q")
        assert isinstance(app.screen, MorningScreen)


# Rounds


async def rounds_screen(pilot: Pilot) -> RowList:
    await press(pilot, "2")
    return pilot.app.screen.query_one("#rounds", RowList)


async def test_a_pane_opens_its_rounds_with_the_same_window_and_filters_and_back():
    asker = FakeAsker()
    app = desk(asker, place=Place("7d", "", Filters("autoagent")))
    async with opened(app) as pilot:
        await press(pilot, "tab", "enter")
        assert isinstance(app.screen, RoundsScreen)
        assert asker.places[-1] == Place("7d", "", Filters("autoagent"))
        assert ROUNDS.verdict in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, MorningScreen) and "▸ Score trend" in screen_text(app)


async def test_a_round_is_a_row_and_says_the_rest_below():
    app = desk()
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        text = screen_text(app)
        for title in [
            "start",
            "project",
            "client",
            "agent",
            "model",
            "stage",
            "outcome",
            "score",
            "delta",
            "cost",
            "took",
            "errors",
            "git_sha",
        ]:
            assert title in text
        assert "✓ kept" in text and "✗ crashed" in text and "▲ +0.010" in text
        await press(pilot, "j")
        assert rows.cursor == 1
        assert "round 01J00001" in screen_text(app) and "git 4f2c1d9e8a7b" in screen_text(app)


async def test_columns_give_way_to_a_narrow_terminal():
    app = desk()
    async with opened(app, NARROW) as pilot:
        await rounds_screen(pilot)
        header = screen_text(app).splitlines()[1]
        assert "project" in header and "outcome" in header and "score" in header
        assert "git_sha" not in header and "model" not in header


async def test_rows_are_filtered_while_typing_and_matches_are_walked_after():
    app = desk()
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        await press(pilot, "slash", *"crashed")
        assert len(rows.rows) == 10 and "10 of 40 rows" in screen_text(app)
        await press(pilot, "enter", "escape")
        assert len(rows.rows) == 40
        await press(pilot, "n")
        assert rows.cursor == 7  # from the match the cursor was left on
        await press(pilot, "N", "N")
        assert rows.cursor == 39  # round the beginning


async def test_escape_takes_off_the_filter_before_it_leaves():
    app = desk()
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        await press(pilot, "slash", *"kept", "enter", "escape")
        assert isinstance(app.screen, RoundsScreen) and len(rows.rows) == 40
        await press(pilot, "escape")
        assert isinstance(app.screen, MorningScreen)


async def test_the_list_is_moved_by_letters_pages_and_ends():
    app = desk()
    async with opened(app, NARROW) as pilot:
        rows = await rounds_screen(pilot)
        await press(pilot, "G")
        assert rows.cursor == 39 and rows.top + rows._visible == 40
        await press(pilot, "g", "g")
        assert rows.cursor == 0 and rows.top == 0
        await press(pilot, "pagedown")
        assert rows.cursor == rows._visible and rows.top > 0


async def test_a_column_sorts_in_its_natural_direction_and_again_turns_round():
    app = desk()
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        await press(pilot, "S", *"cost", "enter")
        costs = [row.cost_usd for row in rows.rows]
        assert costs == sorted(costs, reverse=True) and "▼cost" in screen_text(app)
        await press(pilot, "S", "enter")
        assert [row.cost_usd for row in rows.rows] == costs[::-1] and "▲cost" in screen_text(app)


async def test_new_rounds_leave_the_cursor_on_its_round():
    asker = FakeAsker()
    app = desk(asker)
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        await press(pilot, "j", "j")
        newest = one_round(99, started=NOW)
        asker.views["rounds"] = replace(ROUNDS, rows=(newest, *ROUNDS.rows))
        app.post_message(Arrived(frozenset({"round_started"})))
        await settled(pilot)
        assert rows.current.round_id == "01J00002" and rows.cursor == 3


async def test_y_copies_the_round_and_shows_it():
    app = desk()
    async with opened(app) as pilot:
        await rounds_screen(pilot)
        await press(pilot, "y")
        assert app.clipboard.startswith("01J00000") and "autoagent" in app.clipboard
        assert "Copied the round: 01J00000" in status(app)


async def test_a_step_in_a_hundred_thousand_rows_paints_no_row_again(monkeypatch: pytest.MonkeyPatch):
    asker = FakeAsker()
    asker.views["rounds"] = Rounds(ROUNDS.rows * 2500, False, "100,000 rounds.")
    app = desk(asker)
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        screen_text(app)
        painted: list[object] = []
        original = Table.paint
        monkeypatch.setattr(
            Table, "paint", lambda self, row, width: (painted.append(row), original(self, row, width))[1]
        )
        await press(pilot, "j", "j", "k")
        screen_text(app)
        assert rows.cursor == 1 and painted == []
        await press(pilot, "G")
        screen_text(app)
        assert rows.cursor == 99_999 and len(painted) <= WIDE[1]


# Full screens


async def test_a_pane_fills_the_screen_with_picture_table_and_hogql():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "plus")
        assert isinstance(app.screen, FullScreen)
        assert "[Picture]" in screen_text(app) and FUNNEL.verdict[:30] in screen_text(app)
        await press(pilot, "tab")
        assert "[Table]" in screen_text(app) and "0.974" in screen_text(app)
        await press(pilot, "tab")
        assert "[HogQL]" in screen_text(app) and "SELECT count() FROM events -- funnel" in screen_text(app)
        await press(pilot, "y")
        assert app.clipboard == "-- project = ''\nSELECT count() FROM events -- funnel"
        await press(pilot, "escape")
        assert isinstance(app.screen, MorningScreen) and "▸ Round funnel" in screen_text(app)


async def test_a_view_is_jumped_to_by_its_letter():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "plus", "semicolon")
        assert "[a Picture]   s Table    d HogQL" in screen_text(app) and "Jump to which view?" in status(app)
        await press(pilot, "d")
        assert " Picture    Table   [HogQL]" in screen_text(app)
        await press(pilot, "semicolon", "x", "slash")
        assert "[Table]" in screen_text(app)


async def test_a_full_table_is_searched_sorted_and_copied():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "plus", "slash", *"gtm", "enter", "y")
        assert app.clipboard == "gtm-autoresearch\t67\t–"
        await press(pilot, "escape", "S", *"rounds", "enter")
        table = app.screen.query_one("#table", RowList)
        assert [row[1] for row in table.rows] == [72, 67, 64]


async def test_the_score_trend_has_line_charts_and_deploys():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "tab", "plus")
        text = screen_text(app)
        assert "⠒" in text or "⠉" in text or "⣀" in text
        assert "91ab77c" in text  # where the loop's code changed
        await press(pilot, "tab", "tab")
        assert DEPLOYS.deploys[0].git_sha[:10] in screen_text(app) and "14 %" in screen_text(app)


async def test_rounds_have_a_full_screen_with_their_hogql():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "2", "plus", "tab")
        assert "[HogQL]" in screen_text(app) and "-- rounds" in screen_text(app)


# Remembering


def stored(path: Path) -> AnswerCache:
    return AnswerCache(path / "desk.db")


async def test_two_desks_share_a_memory_and_a_locked_one_harms_nobody(tmp_path: Path):
    lock = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
    one, other = stored(tmp_path), stored(tmp_path)
    other._connection.execute("PRAGMA busy_timeout = 1")  # type: ignore[union-attr]
    lock.execute("BEGIN IMMEDIATE")
    async with opened(desk(cache=other)) as pilot:  # type: ignore[arg-type]
        await press(pilot, "w", "down", "enter")
        assert HEADLINE.verdict in screen_text(pilot.app)
    lock.execute("ROLLBACK")
    lock.close()
    async with opened(desk(cache=one)) as pilot:  # type: ignore[arg-type]
        await press(pilot, "w", "down", "enter")
    assert one.state("place", {})["kind"] == "24h"  # type: ignore[index]
    one.close()
    other.close()


async def test_a_read_only_desk_writes_nothing():
    cache = Memory()
    app = desk(cache=cache, read_only=True)
    async with opened(app) as pilot:
        await press(pilot, "w", "down", "enter")
        assert app.place.kind == "24h" and "read-only" in status(app)
    assert cache.answers == {} and cache.values == {}


async def test_the_desk_looks_for_news_less_often_while_it_is_not_looked_at():
    app = desk()
    app._watcher = Watcher(frozenset, app)
    async with opened(app) as pilot:
        app.on_app_blur(None)  # type: ignore[arg-type]
        assert app._watcher.interval_s == 5.0
        app.on_app_focus(None)  # type: ignore[arg-type]
        assert app._watcher.interval_s == 1.0
        await pilot.pause()


async def test_a_screen_that_comes_back_asks_only_if_something_arrived():
    asker = FakeAsker()
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "2")
        asker.asked.clear()
        await press(pilot, "1")
        assert asker.asked == []
        await press(pilot, "2")
        app.post_message(Arrived(frozenset({"round_kept"})))
        await settled(pilot)
        asker.asked.clear()
        await press(pilot, "1")
        assert "headline" in asker.asked


async def test_simulated_events_are_called_so():
    async with opened(desk(label="simulated")) as pilot:
        # First, so that long filters in a narrow terminal push out something else.
        assert status(pilot.app).lstrip().startswith("simulated")
        assert "embedded" in status(pilot.app)


def test_durations_are_short():
    assert [took(seconds) for seconds in (7.4, 245, 3725)] == ["7s", "4m 05s", "1h 02m"]


def test_a_rounds_details_leave_out_what_was_not_sent():
    bare = one_round(3, cost_usd=None, agent="", git_sha="", run_id="")
    own, shared = details(bare, lambda instant, seconds: "07:12:00")
    assert not any(part.startswith(("cost", "git", "run ")) for part in (*own, *shared))
    assert NIGHT.kind == "night"


async def test_a_list_key_between_two_screens_does_nothing():
    """Typed ahead, a key may arrive while nothing has the focus."""
    async with opened(desk()) as pilot:
        await pilot.press("2")
        await settled(pilot)
        pilot.app.set_focus(None)
        await pilot.press("n", "j", "G")
        await settled(pilot)
        assert isinstance(pilot.app.screen, RoundsScreen)


@pytest.mark.parametrize("keys", [("2", "enter"), ("4", "tab", "enter"), ("5", "y"), ("3", "j", "enter")])
async def test_a_key_typed_before_the_screen_it_follows_came_up_is_for_that_screen(keys: tuple[str, ...]):
    app = desk()
    async with opened(app) as pilot:
        for key in keys:
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settled(pilot)
    assert app.return_code in (0, None)


async def test_help_that_was_asked_for_and_left_at_once_is_left():
    app = desk()
    async with opened(app) as pilot:
        for key, character in (("question_mark", "?"), ("escape", None), ("2", "2"), ("j", "j")):
            app.post_message(events.Key(key, character))
        await settled(pilot)
        assert isinstance(app.screen, RoundsScreen)
