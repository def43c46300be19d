"""What the inbox looks like, kept as pictures: `pytest --snapshot-update` after a look at the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests import inboxes
from tests.desks import settled
from tui.screens.inbox import InboxScreen
from workspace.paths import Workspace

NARROW, WIDE = (80, 24), (160, 48)
SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = inboxes.inbox(tmp_path_factory.mktemp("pictured") / "w")
    made.close()
    return made.workspace.root


@pytest.fixture
def workspace(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(InboxScreen, "RESTS_S", 0.0)
    shutil.copytree(filled, tmp_path / "w")
    return Workspace(tmp_path / "w")


def after(*keys: str):
    async def run(pilot: Pilot) -> None:
        await settled(pilot)
        for key in ("3", *keys):
            await pilot.press(key)
            await settled(pilot)
        await settled(pilot)

    return run


READY = ("j", "j", "j", "j")  # down to the second that is ready


@SIZES
def test_the_inbox(snap_compare, workspace: Workspace, size: tuple[int, int]):
    assert snap_compare(inboxes.desk(workspace), terminal_size=size, run_before=after(*READY))


def test_why(snap_compare, workspace: Workspace):
    assert snap_compare(inboxes.desk(workspace), terminal_size=WIDE, run_before=after(*READY, "x", "]"))


def test_signals_that_fill_the_screen(snap_compare, workspace: Workspace):
    assert snap_compare(inboxes.desk(workspace), terminal_size=NARROW, run_before=after(*READY, "enter", "]", "]", "j"))


def test_history(snap_compare, workspace: Workspace):
    assert snap_compare(inboxes.desk(workspace), terminal_size=WIDE, run_before=after(*READY, "["))


def test_what_is_about_to_be_approved(snap_compare, workspace: Workspace):
    assert snap_compare(inboxes.desk(workspace), terminal_size=NARROW, run_before=after(*READY, "a"))


def test_a_decision_that_can_still_be_undone(snap_compare, workspace: Workspace):
    assert snap_compare(inboxes.desk(workspace), terminal_size=WIDE, run_before=after(*READY, "v"))


@SIZES
def test_triage(snap_compare, workspace: Workspace, size: tuple[int, int]):
    assert snap_compare(inboxes.desk(workspace), terminal_size=size, run_before=after("T", "space"))


def test_an_empty_inbox(snap_compare, tmp_path: Path):
    app = inboxes.desk(Workspace(tmp_path / "w").create())
    assert snap_compare(app, terminal_size=NARROW, run_before=after())


def test_the_inbox_in_ascii_without_colour(snap_compare, workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = inboxes.desk(workspace, ascii=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=after("j", "x", "x"))
