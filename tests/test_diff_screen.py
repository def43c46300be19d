"""The change of a proposal on screen: going about in it, what was said of its lines, hostile text, large ones."""
# ruff: noqa: F811

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine import changes
from engine.blobs import FolderBlobs
from engine.diff import Diff
from tests import inboxes
from tests.desks import screen_text
from tests.proposed import FIX, SHA, TITLES, all_states, file, hunk, inbox, large, proposed  # noqa: F401
from tests.test_inbox_screen import NARROW, WIDE, commands, engine_turns, go_to, opened, press, status, words
from themes.loader import load
from tui import syntax
from tui.desk import Desk
from tui.diffrows import Remark, headline, laid
from tui.screens.diff import DiffScreen
from tui.widgets.difflist import DiffList
from workspace.paths import Workspace


@asynccontextmanager
async def change(app: Desk, name: str = "green", size: tuple[int, int] = WIDE):
    async with opened(app, size) as pilot:
        await go_to(pilot, TITLES[name])
        await press(pilot, "D")
        assert isinstance(app.screen, DiffScreen)
        yield pilot


def rows(app: Desk) -> DiffList:
    return app.screen.query_one(DiffList)


def cursor(app: Desk) -> tuple[str, int | None]:
    at = rows(app).at
    assert at is not None
    return at


async def of(tmp_path: Path, diff: Diff) -> Workspace:
    await asyncio.to_thread(lambda: inbox(tmp_path / "w", ("green",), diff).close())
    return Workspace(tmp_path / "w")


# Rows


def test_remarks_stand_below_their_lines_and_the_rest_above():
    said = [
        Remark("A", "of a line", path="loops/limits.py", line=8),
        Remark("B", "of a line that is not shown", path="loops/limits.py", line=900),
        Remark("C", "of no file", path="title"),
    ]
    found = laid(FIX, said, (), lambda text: [text])
    places = {row.text[0]: place for place, row in enumerate(found.rows) if row.kind == "remark"}
    line = found.line(found.rows[places["A"] - 1])
    assert line is not None and (line.new, line.sign) == (8, "+")
    assert found.rows[places["B"] - 1].kind == "file" and found.rows[places["B"] - 1].file == 1
    assert places["C"] == 0 and found.rows[0].file == -1 and "on title" in found.rows[0].text
    folded = laid(FIX, said, range(len(FIX.files)), lambda text: [text])
    assert [row.kind for row in folded.rows if row.kind not in ("blank", "remark")] == ["file"] * len(FIX.files)


def test_a_file_says_what_no_line_shows():
    odd = Diff(
        "a",
        "b",
        (
            file("run.sh", new_mode=0o100755),
            file("a", status="renamed", old_path="b"),
            file("empty", status="added", old_mode=0),
            file("lib", old_mode=0o160000, new_mode=0o160000),
        ),
    )
    found = [row.text for row in laid(odd, (), (), lambda text: [text]).rows if row.kind == "said"]
    assert found == ["mode 100644 is now 100755", "an empty file", "a submodule"]
    assert [headline(one) for one in odd.files[1:3]] == ["a  renamed from b", "empty  new"]
    whole = replace(odd, files=(file("x.py"),), is_whole=False)
    assert any("too large" in row.text for row in laid(whole, (), (), lambda text: [text]).rows)


def test_a_lexer_changes_no_character():
    lines = ["def f(x):", "    return 'a'  # b", "", "\u00e9 = 0x1F", "x" * 1000, "'''", "unfinished"]
    for path in ("a.py", "b.yaml", "c.json", "Makefile", "d.md", "e.sql", "f.ts"):
        reader = syntax.lexer(path)
        assert reader is not None
        assert ["".join(text for _, text in line) for line in syntax.inked(reader, lines)] == lines
    inks = syntax.inked(syntax.lexer("a.py"), lines)
    assert inks[0][0] == ("keyword", "def") and ("comment", "# b") in inks[1] and inks[4] == [("text", "x" * 1000)]
    assert syntax.lexer("a.unknown") is None and syntax.lexer("LICENSE") is None


# Going about


async def test_the_keys_go_from_file_to_hunk_to_finding_and_fold(proposed: Workspace):
    app = inboxes.desk(proposed)
    async with change(app) as pilot:
        text = screen_text(app)
        assert "Change #35" in text and "6 files +12 −5" in text and "green, checks 3 of 3" in text
        assert text.count(".github/workflows/nightly.yml") == 2  # beside the change, and in it
        assert cursor(app) == ("loops/planner.py", None)
        await press(pilot, "]", "]")
        assert cursor(app) == ("loops/limits.py", None)
        await press(pilot, "[", "{")
        assert cursor(app) == ("loops/planner.py", None)
        await press(pilot, "!")
        assert cursor(app) == ("loops/planner.py", 44)
        assert "Review, must be mended: TIMEOUT_S is not defined" in words(app)
        await press(pilot, "!", "!")
        assert cursor(app) == ("loops/limits.py", 8)
        await press(pilot, "!")
        assert "No further finding" in status(app)
        await press(pilot, "z", "a")
        assert cursor(app) == ("loops/limits.py", None) and "timeout_s" not in screen_text(app)
        await press(pilot, "z", "M")
        assert not any(row.kind == "line" for row in rows(app).rows)
        await press(pilot, "z", "R", "f", *"notes", "enter")
        assert cursor(app) == ("docs/notes.md", None)
        await press(pilot, "tab", "k", "k", "k", "k")
        assert cursor(app)[0] == "loops/planner.py"
        await press(pilot, "enter", "escape")
        assert not isinstance(app.screen, DiffScreen)


async def test_a_search_goes_to_lines_and_leaves_none_out(proposed: Workspace):
    app = inboxes.desk(proposed)
    async with change(app, size=NARROW) as pilot:
        before = len(rows(app).rows)
        await press(pilot, "/", *"timeout")
        assert cursor(app) == ("loops/planner.py", 44) and len(rows(app).rows) == before
        await press(pilot, "enter", "n", "n", "n")
        assert cursor(app)[1] == 45
        await press(pilot, "/", *"nowhere", "escape")
        assert cursor(app)[1] == 45
        await press(pilot, "y", "enter")
        assert "Copied of the change" in status(app)


async def test_long_lines_are_read_to_the_side(tmp_path: Path):
    long = Diff("a", SHA, (file("a.txt", hunk(1, "", f"+{'x' * 200}END\n+brief")),))
    app = inboxes.desk(await of(tmp_path, long))
    async with change(app, size=NARROW) as pilot:
        assert "x…" in screen_text(app) and "END" not in screen_text(app)
        for _ in range(8):
            await press(pilot, "right")
        assert "END" in screen_text(app) and "brief" not in screen_text(app)


# Deciding about a line


async def test_changes_are_requested_at_the_line_under_the_cursor(proposed: Workspace):
    app = inboxes.desk(proposed)
    async with change(app) as pilot:
        await press(pilot, "!", "p", *"name it", "enter")
        (made,) = commands(proposed)
        assert made.verb == "request_changes" and made.seen_sha == SHA
        assert dict(made.arguments) == {"note": "name it", "path": "loops/planner.py", "line": 44}
        assert "You, to be changed, can still be undone: name it" in words(app)
        await press(pilot, "g", "g", "C", *"all of it", "enter", "a")
        assert "Merge #35" in words(app)
        await press(pilot, "enter")
        comment, merge = commands(proposed)[1:]
        assert dict(comment.arguments) == {"note": "all of it"} and merge.seen_sha == SHA


async def test_a_change_that_was_made_again_is_not_approved_unseen(proposed: Workspace):
    app = inboxes.desk(proposed)
    async with change(app) as pilot:
        again = replace(FIX, head="f" * 40, files=FIX.files[:1])
        key = FolderBlobs(proposed.blobs).put(changes.written(again))
        connection = sqlite3.connect(proposed.inbox_db)
        connection.execute(
            "UPDATE proposals SET head_sha = ?, change = json_set(change, '$.diff', ?, '$.sha', ?) WHERE title = ?",
            ("f" * 40, key, "f" * 40, TITLES["green"]),
        )
        connection.commit()
        connection.close()
        app.on_inbox_moved()
        await press(pilot)
        assert "It was changed since: r shows it" in screen_text(app) and "limits.py" in screen_text(app)
        await press(pilot, "a", "enter")
        assert commands(proposed)[0].seen_sha == SHA
        await engine_turns(proposed, seconds=30)
        app.on_inbox_moved()
        await press(pilot, "r")
        assert "changed since" not in screen_text(app) and len(rows(app).rows) < 20
    assert commands(proposed)[0].refused_at is not None


async def test_another_proposal_that_is_not_built_yet_leaves_the_change_on_screen(proposed: Workspace):
    app = inboxes.desk(proposed)
    async with change(app, size=NARROW) as pilot:
        connection = sqlite3.connect(proposed.inbox_db)
        connection.execute("UPDATE proposals SET change = '{}', state = 'queued' WHERE title = ?", (TITLES["green"],))
        connection.commit()
        connection.close()
        app.on_inbox_moved()
        await press(pilot, "r")
        assert "It is made anew" in screen_text(app) and "def ask(page" in screen_text(app)


async def test_a_change_that_is_not_kept_any_more_says_so(proposed: Workspace):
    for path in proposed.blobs.rglob("*"):
        if path.is_file():
            path.unlink()
    app = inboxes.desk(proposed)
    async with change(app):
        assert "There is no blob" in words(app)


# What it must bear


async def test_hostile_lines_are_plain_and_clipped(tmp_path: Path):
    evil = "\x1b]52;c;aGk=\x07\x1b[2Jif admin\u202e:nimda fi\u2066 # \u200b[bold]x[/bold]\x9b31m"
    path = "src/\x1b[31m\u202egnp.py"
    hostile = Diff(
        "a\x1b[31m",
        SHA,
        (
            file(path, hunk(1, f"def {evil}", f"+{evil}\n+{'(' * 10_000_000}\n-a\rb\x00c\n+ok")),
            file("b.py", hunk(1, "", "+" + "\t" * 3 + "tabs\r")),
        ),
    )
    app = inboxes.desk(await of(tmp_path, hostile))
    async with change(app) as pilot:
        await press(pilot, "j", "j", "j")
        text = screen_text(app)
        assert not any(bad in text for bad in ("\x1b", "\x07", "\x00", "\u202e", "\u2066", "\u200b", "\x9b", "\r"))
        assert "if admin" in text and "[bold]x[/bold]" in text and "characters that are not shown" in text
        assert "((((" in text and "            tabs  (^M)" in text
        assert all(len(row) <= WIDE[0] for row in text.splitlines())
        await press(pilot, "/", *"tabs", "enter")
        assert cursor(app)[0] == "b.py"
        assert app.screen.long_text() is not None and "\x1b" not in str(app.screen.long_text())


async def test_a_large_change_is_read_where_it_is_looked_at(tmp_path: Path):
    app = inboxes.desk(await of(tmp_path, large(10_000)))
    async with change(app) as pilot:
        assert len(rows(app).rows) > 10_000
        painter = rows(app).diff_painter
        assert 0 < len(painter._blocks) <= 2 and len(rows(app)._strips) < 100
        await press(pilot, "G")
        assert "value_499" in screen_text(app) and len(painter._blocks) <= 4
        await press(pilot, "{", "{")
        assert cursor(app)[0] == "src/part_18.py"


@pytest.mark.parametrize("theme", ["loopdesk-16", "loopdesk-light"])
async def test_it_can_be_read_in_ascii_and_without_colour(
    proposed: Workspace, monkeypatch: pytest.MonkeyPatch, theme: str
):
    if theme == "loopdesk-16":
        monkeypatch.setenv("NO_COLOR", "1")
    app = inboxes.desk(proposed, ascii=True, theme=load(theme))
    async with change(app, "red", NARROW) as pilot:
        await press(pilot, "!")
        assert screen_text(app).isascii()
        assert "44 +" in screen_text(app) and "| Review, must" in screen_text(app)


def test_the_cursor_is_kept_by_path_and_line():
    found = laid(FIX, (), (), lambda text: [text])
    place = found.near("loops/limits.py", 9)
    line = found.line(found.rows[place])
    assert line is not None and line.new == 9
    assert found.rows[found.near("loops/limits.py", None)].kind == "file" and found.near("gone.py", 3) == 0
