"""What the desk looks like, kept as pictures: `pytest --snapshot-update` after a look at the report.

The clock stands still and the answers are the night that was worked out by hand.
"""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests.board_views import FUNNEL
from tests.desks import FakeAsker, Memory, answer, desk, settled
from tests.test_chart_marks import HAPPENED, Sides
from workspace.errors import LoopdeskError

NARROW, WIDE = (80, 24), (160, 48)


async def ready(pilot: Pilot) -> None:
    await settled(pilot)


def after(*keys: str):
    async def run(pilot: Pilot) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)

    return run


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_morning(snap_compare, size: tuple[int, int]):
    assert snap_compare(desk(), terminal_size=size, run_before=ready)


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        (WIDE, ()),
        (WIDE, ("tab", "plus")),
        (NARROW, ("tab", "plus", *("j",) * 7)),
        (NARROW, ("tab", "plus", *("j",) * 7, "enter")),
    ],
    ids=["morning", "chart", "80x24", "compared"],
)
def test_marks(snap_compare, size: tuple[int, int], keys: tuple[str, ...]):
    asker = FakeAsker()
    asker.happened, asker.backend = HAPPENED, Sides()  # type: ignore[assignment]
    assert snap_compare(desk(asker), terminal_size=size, run_before=after(*keys))


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_rounds(snap_compare, size: tuple[int, int]):
    assert snap_compare(desk(), terminal_size=size, run_before=after("2", "j", "j"))


def test_a_full_screen_with_line_charts(snap_compare):
    assert snap_compare(desk(), terminal_size=WIDE, run_before=after("tab", "plus"))


def test_morning_while_one_board_fails_and_one_is_stale(snap_compare):
    asker = FakeAsker()
    asker.errors = {
        board: LoopdeskError("events.db is locked by another process", do="Try again") for board in ("funnel", "cost")
    }
    app = desk(asker, Memory(answer("funnel", FUNNEL)))
    assert snap_compare(app, terminal_size=WIDE, run_before=ready)


def test_an_empty_workspace(snap_compare):
    asker = FakeAsker()
    asker.is_empty = True
    assert snap_compare(desk(asker), terminal_size=NARROW, run_before=ready)


def test_help_over_morning(snap_compare):
    assert snap_compare(desk(), terminal_size=WIDE, run_before=after("question_mark"))


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_the_journal(snap_compare, size: tuple[int, int]):
    keys = ("w", "down", "enter", "2", "S", "down", "enter", "y", "u", "at")
    assert snap_compare(desk(), terminal_size=size, run_before=after(*keys))
