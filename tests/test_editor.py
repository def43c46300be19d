"""Long text in an editor of the person's own: started without a shell, on a private file, and the desk comes back."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.desks import desk, screen_text
from tests.terminals import ROOT, Terminal, desk_command, left_unclean
from tests.test_desk import opened, press, status
from tests.test_terminal import folder  # noqa: F401
from tui.editor import SERVED, edited, editor_command, private_file
from workspace.errors import LoopdeskError

# An editor that says what it was given, then writes what it is told and ends as it is told.
EDITOR = """
import os, pathlib, stat, sys
seen, appended, code, path = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
modes = [oct(stat.S_IMODE(os.stat(each).st_mode)) for each in (path.parent, path)]
seen.write_text("\\n".join([*modes, str(path), path.read_text()]))
path.write_text(path.read_text() + appended)
print("HERE IS THE EDITOR")
sys.exit(code)
"""


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    (tmp_path / "editor.py").write_text(EDITOR)
    return tmp_path / "seen"


def editor(seen: Path, appended: str = "", code: int = 0) -> str:
    script = seen.with_name("editor.py")
    return shlex.join([sys.executable, str(script), str(seen), appended, str(code)])


class Lending:
    """A desk whose terminal can be lent, without a terminal."""

    def __init__(self) -> None:
        self._driver = self
        self.is_lent = False
        self.was_lent = False

    @contextmanager
    def suspend(self) -> Iterator[None]:
        self.was_lent = self.is_lent
        yield


def edit(text: str, visual: str, **others: str) -> str | None:
    return edited(Lending(), text, environment={"VISUAL": visual, **others})  # type: ignore[arg-type]


def test_the_editor_gets_a_private_file_that_is_gone_afterwards(seen: Path):
    assert edit("SELECT 1\n", editor(seen)) is None
    of_folder, of_file, path, *text = seen.read_text().split("\n")
    assert (of_folder, of_file) == ("0o700", "0o600")
    assert "\n".join(text) == "SELECT 1\n"
    assert not Path(path).parent.exists()


def test_what_was_changed_comes_back(seen: Path):
    assert edit("one\n", editor(seen, "two; $(touch x)\n")) == "one\ntwo; $(touch x)\n"


def test_an_editor_that_fails_takes_nothing(seen: Path):
    with pytest.raises(LoopdeskError, match=r"ended with exit code 3\. Nothing of it was taken"):
        edit("one\n", editor(seen, "two\n", 3))
    assert not Path(seen.read_text().split("\n")[2]).exists()


def test_visual_comes_before_editor_and_arguments_are_kept():
    assert editor_command({"VISUAL": "sh -c 'x y'", "EDITOR": "ls", "PATH": "/bin:/usr/bin"}) == ["sh", "-c", "x y"]
    assert editor_command({"VISUAL": " ", "EDITOR": "sh", "PATH": "/bin:/usr/bin"}) == ["sh"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "Neither VISUAL nor EDITOR"),
        ({"EDITOR": "no-such-editor -w"}, "EDITOR names the editor 'no-such-editor', which is not there"),
        ({"VISUAL": "vim 'oh"}, "VISUAL cannot be understood"),
        ({"VISUAL": "sh", SERVED: "1"}, "in a browser opens no editor"),
    ],
)
def test_why_there_is_no_editor_is_one_sentence(environment: dict[str, str], words: str):
    with pytest.raises(LoopdeskError, match=words):
        editor_command({"PATH": "/bin:/usr/bin", **environment})


def test_the_file_goes_also_when_the_desk_fails():
    with pytest.raises(ZeroDivisionError), private_file("text", ".txt") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        raise ZeroDivisionError
    assert not path.parent.exists()


async def test_a_desk_says_why_it_opens_no_editor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    app = desk()
    async with opened(app) as pilot:
        await press(pilot, "ctrl+e")
        assert "Nothing here is long enough" in status(app)
        await press(pilot, "plus", "ctrl+e")
        assert "Neither VISUAL nor EDITOR names an editor." in status(app)
        monkeypatch.setenv("EDITOR", "sh")
        await press(pilot, "ctrl+e")
        assert "cannot be lent to an editor" in status(app)


async def test_a_read_only_desk_opens_no_editor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EDITOR", "sh")
    app = desk(read_only=True)
    async with opened(app) as pilot:
        await press(pilot, "plus", "ctrl+e")
        assert "Read-only" in status(app)
        await press(pilot, "question_mark")
        assert "$EDITOR" not in screen_text(app)


def test_the_desk_lends_its_terminal_and_comes_back(folder: Path, seen: Path):  # noqa: F811
    terminal = Terminal(desk_command(folder), (100, 30), {"VISUAL": editor(seen, "changed")})
    try:
        terminal.read(until=b"as of")
        terminal.press(b"+", until=b"[Picture]")
        gone = terminal.press(b"\x05", until=b"not used")
        before, _, after = gone.partition(b"HERE IS THE EDITOR")
        assert left_unclean(before) == []
        assert b"Round funnel" in after and b"its changes are not used" in after
        assert "SELECT" in seen.read_text()
        terminal.press(b"q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_the_desk_of_a_browser_knows_that_it_is_one():
    """Both spell the name: the browser's desk must not load ours before it has its terminal."""
    assert f'os.environ["{SERVED}"] = "1"' in (ROOT / "tui" / "web" / "child.py").read_text(encoding="utf-8")
