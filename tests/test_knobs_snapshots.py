"""What the Knobs screen looks like, kept as pictures: `pytest --snapshot-update` after a look at the report."""

from __future__ import annotations

import pytest

from tests.knob_desk import filled, knob_desk
from tests.test_desk_snapshots import NARROW, WIDE, after
from workspace.config import Config

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Looked at only: what the tests are about to change is left as it is."""
    return filled(tmp_path_factory.mktemp("looked-at") / "workspace")


@SIZES
def test_flags(snap_compare, config: Config, size: tuple[int, int]):
    assert snap_compare(knob_desk(config), terminal_size=size, run_before=after("5", "j", "j"))


@SIZES
def test_experiments(snap_compare, config: Config, size: tuple[int, int]):
    assert snap_compare(knob_desk(config), terminal_size=size, run_before=after("5", "tab"))


def test_an_experiment_is_read(snap_compare, config: Config):
    assert snap_compare(knob_desk(config), terminal_size=WIDE, run_before=after("5", "tab", "enter"))


@SIZES
def test_the_kill_switch_is_about_to_be_switched(snap_compare, config: Config, size: tuple[int, int]):
    assert snap_compare(knob_desk(config), terminal_size=size, run_before=after("5", "tab", "tab", "space"))


def test_before_and_after_a_mark(snap_compare, config: Config):
    run = after("5", "shift+tab", "enter")
    assert snap_compare(knob_desk(config), terminal_size=NARROW, run_before=run)
