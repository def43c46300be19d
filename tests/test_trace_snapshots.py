"""What a trace looks like, kept as pictures: `pytest --snapshot-update` after a look at the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.desks import desk, settled
from tests.trace_store import SECOND, THIRD, StoreAsker, three_rounds
from tui.desk import Desk
from tui.screens.trace import TraceScreen

NARROW, WIDE = (80, 24), (160, 48)


@pytest.fixture
def asker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreAsker]:
    monkeypatch.setattr(TraceScreen, "RESTS_S", 0.0)
    made = StoreAsker(three_rounds(tmp_path / "workspace"))
    yield made
    made.backend.close()


def opened(round_id: str, *keys: str):
    async def run(pilot: Pilot) -> None:
        await settled(pilot)
        assert isinstance(pilot.app, Desk)
        pilot.app.open_trace(round_id)
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)

    return run


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_a_trace(snap_compare, asker: StoreAsker, size: tuple[int, int]):
    assert snap_compare(desk(asker), terminal_size=size, run_before=opened(SECOND, "!", "j"))


def test_a_trace_in_ascii_without_colour(snap_compare, asker: StoreAsker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(desk(asker, ascii=True), terminal_size=NARROW, run_before=opened(SECOND, "z", "1", "E"))


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_two_rounds_compared(snap_compare, asker: StoreAsker, size: tuple[int, int]):
    assert snap_compare(desk(asker), terminal_size=size, run_before=opened(THIRD, "v"))
