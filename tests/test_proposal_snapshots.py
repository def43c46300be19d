"""What proposals look like, kept as pictures: `pytest --snapshot-update` after a look at the report."""
# ruff: noqa: F811

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests import inboxes
from tests.desks import settled
from tests.proposed import TITLES, all_states, proposed  # noqa: F401
from tests.test_inbox_screen import go_to
from workspace.paths import Workspace

NARROW, WIDE = (80, 24), (160, 48)
SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])


def at(name: str, *keys: str):
    async def run(pilot: Pilot) -> None:
        await settled(pilot)
        await pilot.press("3")
        await settled(pilot)
        await go_to(pilot, TITLES[name])
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        await settled(pilot)

    return run


@SIZES
def test_the_list_of_proposals(snap_compare, proposed: Workspace, size: tuple[int, int]):
    assert snap_compare(inboxes.desk(proposed), terminal_size=size, run_before=at("verified", "]"))


def test_a_red_one_with_its_countdown(snap_compare, proposed: Workspace):
    assert snap_compare(inboxes.desk(proposed), terminal_size=WIDE, run_before=at("red", "]", "enter"))


@SIZES
def test_a_change(snap_compare, proposed: Workspace, size: tuple[int, int]):
    assert snap_compare(inboxes.desk(proposed), terminal_size=size, run_before=at("green", "D", "!"))


def test_a_change_in_ascii_without_colour(snap_compare, proposed: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(inboxes.desk(proposed, ascii=True), terminal_size=NARROW, run_before=at("push", "D", "!"))


def test_a_merge_is_asked_about(snap_compare, proposed: Workspace):
    assert snap_compare(inboxes.desk(proposed), terminal_size=NARROW, run_before=at("green", "a"))
