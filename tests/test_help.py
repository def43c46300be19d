"""`?` says what the part in focus answers and what its marks mean, then its keys, the screen's and everywhere's."""

from __future__ import annotations

from dataclasses import fields

import pytest
from rich.cells import cell_len

from queries.boards import TITLES
from tests.desks import desk, screen_text
from tests.test_desk import MIDDLE, NARROW, WIDE, opened, press
from themes.loader import load
from tui.help_texts import TEXTS
from tui.keymap import Keymap
from tui.palette import Glyphs, Palette, palette
from tui.screens.help import HelpScreen, help_lines, spelled_mark
from tui.screens.morning import PANES
from tui.verbs import REACHABLE
from tui.widgets.reader import Reader

PALETTE = palette(load("loopdesk-dark"))
DIALOGS = ("dialog", "confirm", "note", "form", "help")


def text_of(screen: str, *topics: str, keys: Keymap | None = None, width: int = 80) -> list[str]:
    lines = help_lines(keys or Keymap(), screen, PALETTE, topics, width)
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("board", ["headline", *PANES])
def test_every_board_of_morning_is_explained_by_its_own_title(board: str):
    assert TEXTS[board].answers and TEXTS[board].marks
    assert board == "headline" or TEXTS[board].title == TITLES[board]


@pytest.mark.parametrize("screen", [name for name in REACHABLE if name not in DIALOGS])
def test_every_screen_is_explained(screen: str):
    assert TEXTS[screen].answers.endswith(".")


def test_every_mark_has_a_style_and_fits_its_column():
    inks = {each.name for each in fields(Palette)}
    for text in TEXTS.values():
        for mark in text.marks:
            assert mark.ink in inks and len(spelled_mark(mark, PALETTE)) <= 8, mark


def test_in_ascii_marks_are_ascii():
    plain = palette(load("loopdesk-dark"), ascii=True)
    lines = help_lines(Keymap(), "rounds", plain, ["rounds", *TEXTS])
    assert all(text.isascii() for line in lines for text, _ in line)
    assert {each.name for each in fields(Glyphs)} >= {"up", "down", "ok", "fail", "ring", "zero", "lost", "caret"}


def test_what_is_in_focus_comes_first_then_the_screen_then_everywhere():
    lines = text_of("morning", "funnel", "morning", "headline")
    places = [lines.index(title) for title in ("Round funnel", "Keys: Morning and Boards", "Morning", "Headline")]
    places += [lines.index(f"Keys: {name}") for name in ("Morning, Rounds and Boards", "Screens", "Everywhere")]
    assert places == sorted(places) and places[0] == 0
    assert any("drop off" in line for line in lines[1:3])


def test_the_users_own_keys_are_shown_and_what_is_left_out_is_not():
    lines = text_of("rounds", "rounds", keys=Keymap({"sort": "O", "undo": "ctrl+u"}, read_only=True))
    assert any(line.split()[:2] == ["O", "Sort"] for line in lines)
    assert any(line.split()[:2] == ["ctrl+u", "Undo:"] for line in lines)
    assert not any("$EDITOR" in line or "Connect" in line for line in lines)


@pytest.mark.parametrize("size", [NARROW, MIDDLE, WIDE])
async def test_nothing_of_it_is_cut_at_any_width(size: tuple[int, int]):
    app = desk()
    async with opened(app, size) as pilot:
        await press(pilot, "tab", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        reader = app.screen.query_one(Reader)
        lines = ["".join(text for text, _ in row) for row in reader.rows]
        assert lines[0] == "Score trend" and "Did the best score improve" in lines[1]
        assert all(cell_len(line) <= reader.size.width - 2 for line in lines)
        assert not any(line.endswith("…") for line in lines)


async def test_help_is_about_the_pane_that_fills_the_screen_and_about_the_journal():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "plus", "question_mark")
        text = screen_text(app)
        assert "Where do rounds drop off?" in text and "Keys: Full screen" in text
        await press(pilot, "escape", "escape", "@", "question_mark")
        assert "What this desk and earlier ones did" in screen_text(app)
        await press(pilot, "escape", "escape", "2", "question_mark")
        assert "Every round of the window" in screen_text(app) and "lost: it neither" in screen_text(app)
