"""What a person chose to see of traces is there in the next round, and when the desk is opened another day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.cache import AnswerCache
from queries.views.trace.remembered import MOST_ROWS, remembered, restored
from queries.views.trace.shown import Folds, Wanted
from tests.desks import Memory, desk
from tests.test_trace_screen import kinds, lines, opened, press
from tests.trace_store import SECOND, StoreAsker, three_rounds
from tui.screens.trace import STATE, TraceScreen


@pytest.fixture
def asker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreAsker]:
    monkeypatch.setattr(TraceScreen, "RESTS_S", 0.0)
    made = StoreAsker(three_rounds(tmp_path / "workspace"))
    yield made
    made.backend.close()


async def test_folds_and_filters_are_there_after_a_look_at_another_round(asker: StoreAsker):
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "z", "1", "j", "z", "a")
        before = lines(app)
        await press(pilot, "}", "{")
        assert len(lines(app)) == len(before) and "▾" in lines(app)[1]
        await press(pilot, "E", "}")
        assert kinds(app) == ["round", "tool", "retry", "eval", "case"]


async def test_folds_and_filters_are_there_the_next_day(asker: StoreAsker, tmp_path: Path):
    app = desk(asker, AnswerCache(tmp_path / "desk.db"))
    async with opened(app) as pilot:
        await press(pilot, "z", "1", "j", "z", "a", "t", *"case", "enter")
    app = desk(asker, AnswerCache(tmp_path / "desk.db"))
    async with opened(app) as pilot:
        assert kinds(app) == ["round", "eval", "case", "case"]
        await press(pilot, "escape")
        assert kinds(app)[:4] == ["round", "plan", "generation", "tool"] and len(lines(app)) == 7


async def test_a_read_only_desk_remembers_nothing(asker: StoreAsker):
    memory = Memory()
    async with opened(desk(asker, memory, read_only=True)) as pilot:
        await press(pilot, "z", "1", "E")
    assert STATE not in memory.values


async def test_what_was_searched_for_is_not_remembered(asker: StoreAsker):
    memory = Memory()
    async with opened(desk(asker, memory)) as pilot:
        await press(pilot, "/", *"read_file", "enter")
    async with opened(desk(asker, memory), round_id=SECOND) as pilot:
        assert len(lines(pilot.app)) == 11  # type: ignore[arg-type]


def test_more_folded_rows_than_a_hand_makes_are_not_kept():
    rows = frozenset(number.to_bytes(16) for number in range(MOST_ROWS + 1))
    folds, _ = restored(remembered(Folds(2, rows), Wanted()))
    assert folds == Folds(2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("depth", "rows", "kinds", "errors_only")), inner),
)


@given(JSON)
def test_whatever_stands_there_is_read_and_written_again_the_same(value: object):
    folds, wanted = restored(value)
    assert restored(remembered(folds, wanted)) == (folds, wanted)
