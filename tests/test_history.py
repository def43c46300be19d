"""Undo and redo: what was changed is taken back, in words, and can be done again."""

from __future__ import annotations

from queries.views.filters import Filters
from tests.desks import Memory, desk, screen_text
from tests.test_desk import opened, press, rounds_screen, status
from tui.asker import Place
from tui.history import MOST, Change, History
from tui.screens.full import FullScreen
from tui.screens.morning import MorningScreen
from tui.widgets.rowlist import RowList


def counting(log: list[str], what: str, *, still: bool = True) -> Change:
    return Change(what, lambda: log.append(f"back {what}"), lambda: log.append(f"again {what}"), lambda: still)


def test_changes_are_taken_back_newest_first_and_done_again():
    log: list[str] = []
    history = History()
    history.did(counting(log, "one"))
    history.did(counting(log, "two"))
    assert [change.what for change in (history.undo(), history.undo()) if change] == ["two", "one"]
    assert history.undo() is None
    assert [change.what for change in (history.redo(), history.redo()) if change] == ["one", "two"]
    assert history.redo() is None
    assert log == ["back two", "back one", "again one", "again two"]


def test_a_new_change_ends_the_way_forward():
    log: list[str] = []
    history = History()
    history.did(counting(log, "one"))
    history.undo()
    history.did(counting(log, "two"))
    assert history.redo() is None


def test_what_is_gone_is_passed_over():
    log: list[str] = []
    history = History()
    history.did(counting(log, "one"))
    history.did(counting(log, "closed", still=False))
    change = history.undo()
    assert change is not None and change.what == "one" and log == ["back one"]


def test_the_newest_hundred_are_kept():
    log: list[str] = []
    history = History()
    for number in range(MOST + 5):
        history.did(counting(log, str(number)))
    while history.undo():
        pass
    assert len(log) == MOST and log[-1] == "back 5"


async def test_window_and_filter_are_undone_and_done_again_in_words():
    cache = Memory()
    app = desk(cache=cache)
    async with opened(app) as pilot:
        await press(pilot, "w", "down", "enter", "f", *"autoagent", "enter")
        both = Place("24h", "", Filters("autoagent"))
        assert app.place == both
        await press(pilot, "u")
        assert app.place == Place("24h") and "Undone: filter project autoagent." in status(app)
        await press(pilot, "u")
        assert app.place == Place() and "Undone: window 24 hours." in status(app)
        assert cache.values["place"] == {"kind": "night", "run_id": "", "filters": {"project": "", "client": ""}}
        await press(pilot, "u")
        assert "Nothing to undo." in status(app)
        await press(pilot, "U", "U")
        assert app.place == both and "Done again: filter project autoagent." in status(app)
    said = [note.said for note in app.journal.own]
    assert said[:4] == [
        "Done again: filter project autoagent.",
        "Done again: window 24 hours.",
        "Undone: window 24 hours.",
        "Undone: filter project autoagent.",
    ]


async def test_sorting_is_undone_also_from_another_screen():
    app = desk()
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        first = rows.rows[0]
        await press(pilot, "S", *"cost", "enter", "1", "u")
        assert isinstance(app.screen, MorningScreen) and "Undone: sort by cost, descending." in status(app)
        assert rows.rows[0] == first and app.sorts["rounds"] == ("start", True)
        await press(pilot, "U", "2")
        assert "▼cost" in screen_text(app)


async def test_a_search_filter_is_undone():
    app = desk()
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        await press(pilot, "slash", *"crashed", "enter", "escape")
        assert len(rows.rows) == 40
        await press(pilot, "u")
        assert len(rows.rows) == 10 and "Undone: all rows." in status(app)
        await press(pilot, "u")
        assert len(rows.rows) == 40 and "Undone: only rows with “crashed”." in status(app)


async def test_a_full_table_goes_back_to_the_order_of_its_answer():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "plus", "tab", "S", *"rounds", "enter")
        table = app.screen.query_one("#table", RowList)
        assert [row[1] for row in table.rows] == [72, 67, 64]
        await press(pilot, "u")
        assert [row[1] for row in table.rows] == [64, 72, 67]


async def test_the_sorting_of_a_table_that_was_closed_is_not_taken_back():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "w", "down", "enter", "plus", "tab", "S", *"rounds", "enter", "escape")
        assert not isinstance(app.screen, FullScreen)
        await press(pilot, "u")
        assert "Undone: window 24 hours." in status(app)
