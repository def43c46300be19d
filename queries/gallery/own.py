"""Boards of the user's own: each `*.sql` in the folder `boards` of the configuration, with the catalog's header.

Nothing of a file is executed: its text is HogQL, and goes only to whom the desk asks.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Container
from dataclasses import replace
from functools import partial
from pathlib import Path
from stat import S_ISREG

from queries.backend import QueryResult
from queries.boards import NOW, Board
from queries.catalog import catalog
from queries.catalog.catalog import Question
from queries.gallery.sheet import Sheet
from queries.gallery.tabular import tabular
from queries.views.window import Window
from queries.views.words import listed
from workspace.errors import LoopdeskError
from workspace.paths import config_folder
from workspace.text import plain

MOST_FILES = 60
LARGEST = 64 * 1024  # bytes
MOST_ROWS = 5000  # as the catalog's longest answers
# What a board is given; a file may ask for nothing else.
PARAMETERS = {
    **dict.fromkeys(("since", "until"), "DateTime"),
    **dict.fromkeys(("bucket", "project", "client", "run"), "String"),
}
_PREFIX = "own-"  # no board of ours has a hyphen
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def folder() -> Path:
    return config_folder() / "boards"


def is_own(name: str) -> bool:
    return name.startswith(_PREFIX)


def names() -> tuple[str, ...]:
    """Of every file that there is, good or bad, by the files' names."""
    return tuple(map(_name, _files()))


def left_out() -> int:
    """How many files there are more than are read."""
    return max(0, len(_found()) - MOST_FILES)


def find(name: str, taken: Container[str]) -> Board:
    """`taken` are names that a file may not have. Raises `LoopdeskError` saying why it is no board."""
    path = _file(name)
    if path is None:
        raise LoopdeskError(f"Its file is gone from {folder()}")
    question = read(path, taken)
    return Board(question.title, ((question.name, NOW),), partial(_view, question), {question.name: question})


def title(name: str) -> str:
    """What its header says, else the name of its file."""
    path = _file(name)
    if path is None:
        return name.removeprefix(_PREFIX)
    try:
        return read(path).title
    except LoopdeskError:
        return plain(path.name, 80)


def question(word: str, taken: Container[str]) -> Question | None:
    """The question of the file with this name; None where there is none. Raises as `read` does."""
    path = _file(f"{_PREFIX}{word}")
    return read(path, taken) if path else None


def questions(taken: Container[str]) -> list[Question]:
    """Of the files that are good."""
    found = []
    for path in _files():
        with contextlib.suppress(LoopdeskError):  # its pane says why
            found.append(read(path, taken))
    return found


def read(path: Path, taken: Container[str] = ()) -> Question:
    """Raises `LoopdeskError`."""
    said = plain(path.name, 80)
    if not _NAME.fullmatch(path.stem):
        raise LoopdeskError(
            f"{said} is no name for a board", "Names are small letters, digits and _, at most 40", "Rename the file"
        )
    if path.stem in taken:
        raise LoopdeskError(f"loopdesk itself has something named {path.stem}", do=f"Rename {said}")
    try:
        found = catalog.parse(path.stem, _text(path, said))
    except LoopdeskError as error:
        raise LoopdeskError(error.what, error.means, error.do or f"Mend {said}, then ask again") from error
    problem = _problem(found)
    if problem:
        raise LoopdeskError(problem, do=f"Mend {said}, then ask again")
    return replace(found, title=plain(found.title, 60) or path.stem, asks=plain(found.asks, 200))


def _problem(question: Question) -> str:
    """What is wrong with a header that has all its lines; empty where nothing is."""
    for name, type in question.types.items():
        if name not in PARAMETERS:
            return f"Its header takes {plain(name, 40)}, but a board is given only {listed(list(PARAMETERS), 9)}"
        if type != PARAMETERS[name]:
            return f"Its parameter {name} is {PARAMETERS[name]}, and the header says {plain(type, 40)}"
    if not question.text:
        return "It has no query under its header"
    if not question.columns:
        return "Its header line `-- columns: ...` names no column with a type, as in `project String`"
    if not 1 <= question.limit <= MOST_ROWS:
        return f"Its header line `-- limit: ...` is not between 1 and {MOST_ROWS:,}"
    return ""


def _text(path: Path, said: str) -> str:
    try:
        about = path.stat()
        if not S_ISREG(about.st_mode):  # a pipe would make the desk wait
            raise LoopdeskError(f"{said} is no file")
        if about.st_size > LARGEST:
            raise LoopdeskError(f"{said} is larger than {LARGEST // 1024} KB")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LoopdeskError(f"{said} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise LoopdeskError(f"{said} is not UTF-8 text") from None


def _view(question: Question, window: Window, found: tuple[QueryResult, ...]) -> Sheet:
    return tabular(question, window, found[0])


def _files() -> list[Path]:
    return _found()[:MOST_FILES]


def _found() -> list[Path]:
    try:
        return sorted(folder().glob("*.sql"))
    except OSError:
        return []


def _file(name: str) -> Path | None:
    return next((path for path in _files() if _name(path) == name), None)


def _name(path: Path) -> str:
    """Fit for the name of a widget, whatever the file is called."""
    if _NAME.fullmatch(path.stem):
        return f"{_PREFIX}{path.stem}"
    return f"{_PREFIX}-{hashlib.sha256(path.name.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"
