"""Where the desk was left is where the next one begins, as far as that still makes sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from queries.cache import AnswerCache
from queries.views.filters import Filters
from tests.desks import ROUNDS, FakeAsker, Held, Memory, answer, desk, screen_text, settled
from tests.test_desk import opened, press, rounds_screen
from tui.asker import Place
from tui.left import Left, document, read
from tui.messages import Arrived
from tui.screens.morning import MorningScreen
from tui.screens.rounds import RoundsScreen
from tui.screens.welcome import WelcomeScreen
from tui.widgets.rowlist import RowList


async def left_by(cache: Memory, *keys: str, **options: object) -> Left:
    """A desk that is opened where the last one was left, used and quit."""
    app = desk(cache=cache, left=read(cache.states()), **options)
    async with opened(app) as pilot:
        await press(pilot, *keys, "q")
    return read(cache.states())


async def test_screen_pane_round_and_sorting_come_back():
    cache = Memory()
    await left_by(cache, "tab", "tab", "2", "S", *"cost", "enter", "k", "k", "k")
    app = desk(cache=cache, left=read(cache.states()))
    async with opened(app) as pilot:
        assert isinstance(app.screen, RoundsScreen)
        rows = app.screen.query_one("#rounds", RowList)
        assert rows.current.round_id == "01J00003" and "▼cost" in screen_text(app)  # it moved with the sorting
        await press(pilot, "escape")
        assert isinstance(app.screen, MorningScreen) and "▸ Dimension heatmap" in screen_text(app)


async def test_a_full_table_is_sorted_as_it_was_left():
    cache = Memory()
    await left_by(cache, "plus", "tab", "S", *"rounds", "enter")
    app = desk(cache=cache, left=read(cache.states()))
    async with opened(app) as pilot:
        await press(pilot, "plus")
        assert [row[1] for row in app.screen.query_one("#table", RowList).rows] == [72, 67, 64]


async def test_what_was_not_looked_at_stays_as_it_was_left():
    cache = Memory()
    before = await left_by(cache, "tab", "2", "j", "1")
    assert before.round_id == "01J00001"
    after = await left_by(cache, "tab")
    assert (after.round_id, after.pane) == ("01J00001", "heatmap")


async def test_a_round_that_is_gone_is_no_error():
    cache = Memory()
    await left_by(cache, "2", "j")
    cache.answers.clear()
    asker = FakeAsker()
    asker.views["rounds"] = replace(ROUNDS, rows=ROUNDS.rows[5:])
    app = desk(asker, cache, left=read(cache.states()))
    async with opened(app):
        assert app.screen.query_one("#rounds", RowList).cursor == 0


async def test_the_cursor_is_put_back_once_and_then_left_alone():
    cache = Memory()
    await left_by(cache, "2", "j", "j")
    app = desk(cache=cache, left=read(cache.states()))
    async with opened(app) as pilot:
        rows = app.screen.query_one("#rounds", RowList)
        assert rows.current.round_id == "01J00002"
        await press(pilot, "g", "g", "w", "down", "enter")
        assert rows.cursor == 0


async def test_a_read_only_desk_leaves_nothing():
    cache = Memory()
    await left_by(cache, "2", "S", *"cost", "enter", read_only=True)
    assert cache.values == {}


def test_the_desk_never_reopens_on_an_old_run():
    states = {"place": {"kind": "run", "run_id": "01RUN", "filters": {"project": "autoagent", "client": ""}}}
    assert read(states).place == Place("night", "", Filters("autoagent"))


@pytest.mark.parametrize(
    "states",
    [
        {},
        {"left": None, "place": []},
        {
            "left": {"screen": "moon", "pane": 3, "round_id": [], "sorts": {"rounds": ["cost"]}},
            "place": {"kind": {}},
        },
    ],
)
def test_what_another_version_wrote_counts_as_never_said(states: dict[str, object]):
    assert read(states) == Left()


def test_what_is_written_is_what_is_read():
    left = Left(Place(), "rounds", "cost", "01J", {"rounds": ("cost", True)})
    assert read({"left": document(left)}) == left


async def test_a_column_that_no_longer_is_there_is_not_sorted_by():
    app = desk(left=Left(sorts={"rounds": ("nonsense", True)}))
    async with opened(app) as pilot:
        rows = await rounds_screen(pilot)
        assert rows.rows[0].round_id == "01J00000" and "start▼" in screen_text(app)


async def test_rounds_are_painted_from_what_is_remembered_before_anybody_is_asked():
    held, asker = Held(), FakeAsker()
    app = desk(asker, Memory(answer("rounds")), left=Left(screen="rounds", round_id="01J00002"), spawn=held)
    async with opened(app):
        assert ROUNDS.verdict in screen_text(app)
        assert app.screen.query_one("#rounds", RowList).cursor == 2
    assert asker.asked == []


async def test_an_empty_workspace_is_met_by_the_first_screen_wherever_the_desk_was_left():
    asker = FakeAsker()
    asker.is_empty = True
    app = desk(asker, left=Left(screen="rounds"))
    async with opened(app) as pilot:
        assert isinstance(app.screen, WelcomeScreen)
        asker.is_empty = False
        app.post_message(Arrived(frozenset({"round_started"})))
        await settled(pilot)
        assert isinstance(app.screen, RoundsScreen) and ROUNDS.verdict in screen_text(app)


def test_what_is_remembered_is_read_in_one_question(tmp_path: Path):
    cache = AnswerCache(tmp_path / "desk.db")
    cache.set_state("place", {"kind": "7d"})
    cache.set_state("left", document(Left(screen="rounds")))
    asked: list[str] = []
    cache._connection.set_trace_callback(asked.append)  # type: ignore[union-attr]
    left = read(cache.states())
    cache._connection.set_trace_callback(None)  # type: ignore[union-attr]
    assert (left.place.kind, left.screen) == ("7d", "rounds") and len(asked) == 1
    cache.close()
