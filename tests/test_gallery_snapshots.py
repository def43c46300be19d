"""What the Boards screen looks like, kept as pictures: a gallery of ten boards, and a file of one's own with a typo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import sheets
from tests.desks import FakeAsker, desk
from tests.test_desk_snapshots import NARROW, WIDE, after
from tests.test_gallery_screen import folder
from workspace.errors import LoopdeskError

__all__ = ["folder"]

TYPO = LoopdeskError(
    "Line 3 of its query is not understood: WERE event = 'round_kept'", "No viable alternative", "Mend typo.sql"
)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_boards(snap_compare, size: tuple[int, int], folder: Path):
    (folder / "typo.sql").write_text("-- title: Mine\n")
    asker = FakeAsker()
    asker.views |= sheets.VIEWS
    asker.errors["own-typo"] = TYPO
    assert snap_compare(desk(asker), terminal_size=size, run_before=after("6", "tab"))
