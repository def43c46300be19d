"""The journal: what the desk did, in words, newest first; on disk where the desk may write, and never with a secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from queries.cache import AnswerCache
from tests.conftest import NOW
from tests.desks import FakeAsker, Memory, desk, screen_text
from tests.test_desk import NARROW, opened, press, rounds_screen, status
from tui.journal import MOST, Journal, Note, cleaned, newest_first
from tui.messages import Arrived
from tui.screens.journal import JournalScreen, folded
from tui.screens.rounds import RoundsScreen
from tui.widgets.rowlist import RowList
from workspace.errors import LoopdeskError


def said(app) -> list[str]:
    return [note.said for note in app.journal.own]


async def test_the_journal_lists_what_was_done_newest_first_and_goes_back_to_the_same_place():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "w", "down", "enter", "f", *"autoagent", "enter")
        rows = await rounds_screen(pilot)
        await press(pilot, "j", "y", "@")
        assert isinstance(app.screen, JournalScreen)
        lines = [line.split("  ")[-1].strip() for line in screen_text(app).splitlines()[3:7]]
        assert lines == [
            f"Copied the round, {len(app.clipboard)} characters.",
            "Filter project autoagent.",
            "Window 24 hours.",
            "Opened on embedded: window last night, no filter.",
        ]
        assert "07:12:00" in screen_text(app) and "Rounds" in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, RoundsScreen) and rows.cursor == 1


async def test_the_same_key_closes_the_journal():
    app = desk()
    async with opened(app) as pilot:
        await rounds_screen(pilot)
        await press(pilot, "@", "@")
        assert isinstance(app.screen, RoundsScreen)


async def test_the_journal_is_searched_and_its_rows_are_copied():
    app = desk()
    async with opened(app, NARROW) as pilot:
        await press(pilot, "w", "down", "enter", "@", "slash", *"24 hours", "enter")
        assert len(app.screen.query_one("#journal", RowList).rows) == 1 and "1 of 2 lines" in screen_text(app)
        await press(pilot, "y")
        assert app.clipboard == "07:12:00\tWindow 24 hours."
        await press(pilot, "escape")
        assert len(app.screen.query_one("#journal", RowList).rows) == 3  # the copy is a line as well
        await press(pilot, "escape")
        assert not isinstance(app.screen, JournalScreen)


async def test_a_line_that_is_too_long_for_the_list_is_whole_below_it():
    app = desk()
    async with opened(app, NARROW) as pilot:
        app.note("Exported to " + "/a-folder-with-a-name" * 9 + "/the-end.txt")
        app.note(" ".join(["word"] * 40) + " end")
        await press(pilot, "@")
        text = screen_text(app)
        assert text.count("word") >= 40 and "word end" in text
        await press(pilot, "j")
        assert "/the-end.txt" in screen_text(app)


async def test_refreshes_and_their_failures_are_written_down_once():
    asker = FakeAsker()
    app = desk(asker)
    async with opened(app) as pilot:
        await press(pilot, "r")
        asker.errors["funnel"] = LoopdeskError("The disk went away")
        await press(pilot, "r")
        app.post_message(Arrived(frozenset({"*"})))
        await press(pilot, "j")
    assert said(app)[:2] == ["Round funnel: The disk went away.", "Asked again at 07:12:00."]


async def test_what_is_copied_stays_out_of_the_journal():
    app = desk()
    async with opened(app) as pilot:
        await rounds_screen(pilot)
        await press(pilot, "y")
        assert "01J00000" in status(app)
    assert not any("01J00000" in line for line in said(app))


async def test_prompts_of_the_moment_are_not_written_down():
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "semicolon", "a", "2", "slash", *"ab", "escape")
    assert said(app) == ["Opened on embedded: window last night, no filter."]


async def test_the_journal_comes_back_in_the_next_desk(tmp_path: Path):
    cache = AnswerCache(tmp_path / "desk.db")
    async with opened(desk(cache=cache, now=lambda: NOW - timedelta(days=1))) as pilot:  # type: ignore[arg-type]
        await press(pilot, "w", "down", "enter")
    app = desk(cache=cache)  # type: ignore[arg-type]
    async with opened(app) as pilot:
        await press(pilot, "@")
        text = screen_text(app)
    assert "Thu 19 Nov 07:12:00  Morning       Window 24 hours." in text
    assert text.index("07:12:00      ") < text.index("Thu 19 Nov")
    cache.close()


async def test_a_read_only_desk_keeps_its_journal_in_memory():
    cache = Memory()
    app = desk(cache=cache, read_only=True)
    async with opened(app) as pilot:
        await press(pilot, "w", "down", "enter", "@")
        assert "Window 24 hours." in screen_text(app)
    assert cache.lines == []


def test_the_newest_thousand_lines_are_kept(tmp_path: Path):
    cache = AnswerCache(tmp_path / "desk.db")
    for number in range(MOST + 7):
        cache.note(NOW, "a", "Morning", str(number))
    kept = [line for _, _, line in cache.notes()]
    assert len(kept) == MOST and (kept[0], kept[-1]) == (str(MOST + 6), "7")
    cache.close()


def test_a_journal_that_cannot_be_stored_is_still_a_journal(tmp_path: Path):
    (tmp_path / "desk.db").write_bytes(b"nonsense" * 1000)
    journal = Journal(AnswerCache(tmp_path / "desk.db"), lambda run: run())
    journal.note(NOW, "Morning", "Window 7 days.")
    assert [note.said for note in journal.own] == ["Window 7 days."] and journal.earlier() == ()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Refused: phx_abcdefghijklmnop is no key", "Refused: [secret] is no key"),
        ("at https://me:hunter22@host/x", "at https://[secret]@host/x"),
        ("two\nlines \x1b[31mred\u202e", "two lines red"),
        ("sk-ant-api03-abcdef", "[secret]"),
    ],
)
def test_lines_are_plain_and_hold_no_secret(text: str, kept: str):
    assert cleaned(text) == kept


@pytest.mark.parametrize("width", [1, 2, 9, 40])
@pytest.mark.parametrize("text", ["", "a b c", "/one/long/path/without/blanks.txt", "日本語の名前 and words"])
def test_folding_loses_nothing(text: str, width: int):
    lines = folded(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= max(2, width) for line in lines)


def test_two_journals_are_one_list():
    own, earlier = Note(NOW, "Morning", "now"), Note(NOW - timedelta(days=1), "Rounds", "yesterday")
    assert newest_first([own], [earlier]) == [own, earlier]
    assert newest_first([], []) == []
