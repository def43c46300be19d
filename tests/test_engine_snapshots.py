"""What the Engine screen looks like, kept as pictures: `pytest --snapshot-update` after a look at the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine_desk import KEYED, engine_desk, filled
from tests.test_desk_snapshots import NARROW, WIDE, after, ready
from workspace.paths import Workspace

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Looked at only: what the tests decide about is left undecided."""
    return filled(tmp_path_factory.mktemp("looked-at") / "workspace")


@SIZES
def test_sources(snap_compare, workspace: Workspace, size: tuple[int, int]):
    assert snap_compare(engine_desk(workspace), terminal_size=size, run_before=after("4"))


@SIZES
def test_a_blocked_signal_is_about_to_be_released(snap_compare, workspace: Workspace, size: tuple[int, int]):
    assert snap_compare(engine_desk(workspace), terminal_size=size, run_before=after("4", "tab", "L"))


def test_jobs_while_consent_is_asked_for(snap_compare, workspace: Workspace):
    app = engine_desk(workspace, KEYED)
    assert snap_compare(app, terminal_size=NARROW, run_before=after("4", "tab", "tab"))


def test_before_any_engine_ran(snap_compare, tmp_path: Path):
    app = engine_desk(Workspace(tmp_path / "empty").create())
    assert snap_compare(app, terminal_size=NARROW, run_before=after("4"))


@SIZES
def test_morning_with_news_in_the_inbox(snap_compare, workspace: Workspace, size: tuple[int, int]):
    assert snap_compare(engine_desk(workspace), terminal_size=size, run_before=ready)
