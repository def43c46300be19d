"""What the desk says of what was done: in the status line until the next key, in the journal for longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.desks import desk, screen_text
from tests.terminals import Terminal, desk_command
from tests.test_desk import NARROW, opened, press, status
from tests.test_terminal import folder  # noqa: F401
from themes.loader import load
from tui.journal import Passing
from tui.palette import palette
from tui.widgets.statusbar import clip_middle, message_runs

PALETTE = palette(load("loopdesk-dark"))
LONG = (
    "Exported to /srv/loops/autoresearch/nights/2026-11-19/exports/of/the/morning/loopdesk-01JROUND0000000000000000.txt"
)


def line(message: str, width: int, elsewhere: str = "@") -> str:
    left, right = message_runs(message, elsewhere, width, PALETTE)
    return "".join(text for text, _ in [*left, *right])


def test_a_message_that_fits_has_the_line_for_itself():
    assert line("Undone: filter project autoagent.", 80) == " Undone: filter project autoagent."


def test_a_long_message_keeps_both_ends_and_names_the_key_that_shows_all():
    said = line(LONG, 80)
    assert said.startswith(" Exported to /srv/loops/autoresearch/") and cell_len(said) <= 80
    assert "0000.txt" in said and "…" in said and said.endswith(" @ all of it ")


@pytest.mark.parametrize("width", [0, 1, 2, 3, 7, 40])
@pytest.mark.parametrize("text", ["", "short", "日本語の名前" * 9, "a日" * 30])
def test_a_middle_is_cut_by_cells(text: str, width: int):
    assert cell_len(clip_middle(text, width, PALETTE)) <= width


async def test_markup_in_a_message_is_text():
    app = desk()
    async with opened(app) as pilot:
        app.say("Copied [bold red]x[/] [@click=app.quit]y[/]\x1b[31m")
        await pilot.pause()
        assert "Copied [bold red]x[/] [@click=app.quit]y[/]" in status(app)
        assert "\x1b" not in screen_text(app)


async def test_a_message_stays_until_the_next_key_and_all_of_it_is_in_the_journal():
    app = desk()
    async with opened(app, NARROW) as pilot:
        app.say(LONG)
        await pilot.pause()
        assert "@ all of it" in status(app)
        await press(pilot, "@")
        assert app.journal.own[0].said == LONG
        await press(pilot, "escape")
        assert "Exported" not in status(app) and "help" in status(app)


async def test_what_the_journal_does_not_keep_is_not_looked_for_there():
    app = desk()
    async with opened(app, NARROW) as pilot:
        app.say(Passing(LONG))
        await pilot.pause()
        assert "all of it" not in status(app) and "…" in status(app)


def test_a_message_costs_one_line_and_then_nothing(folder: Path):  # noqa: F811
    terminal = Terminal(desk_command(folder), (160, 48))
    try:
        terminal.read(until=b"as of")
        assert 0 < len(terminal.press(b"u", until=b"undo")) <= 600
        assert terminal.read(most_s=0.1) == b""
        assert terminal.press(b"u") == b""  # the same again: it stands there already
    finally:
        terminal.close()
