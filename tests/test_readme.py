"""The README tells the truth: its key table is the keymap's, its files are there, its commands exist."""

from __future__ import annotations

import re

import pytest

from tui.commands.cli import COMMANDS
from tui.readme import PICTURE, README, ROOT, picture, with_keys

TEXT = README.read_text(encoding="utf-8")


def test_the_key_table_is_the_keymaps():
    assert with_keys(TEXT) == TEXT, "run python -m tui.readme"


def test_every_linked_file_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / target).exists(), target


def test_every_command_it_names_exists():
    assert set(re.findall(r"^loopdesk ([a-z]+)", TEXT, re.MULTILINE)) <= COMMANDS.keys()


@pytest.mark.parametrize("text", ["Round&#160;funnel", "Stop&#160;reasons", "simulated"])
def test_the_picture_is_of_the_desk_as_it_is(text: str):
    assert text in PICTURE.read_text(encoding="utf-8")


async def test_the_picture_can_be_made_again_and_loads_nothing():
    svg = await picture()
    assert "Round&#160;funnel" in svg
    assert "@font-face" not in svg
