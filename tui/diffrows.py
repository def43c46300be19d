"""A change as rows to read: its files, their hunks and lines, and below a line what was said of it. Pure.

Rows are small and hold no text of the change: a line is made printable when it is painted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.diff import MISSING, Diff, FileChange, Hunk
from engine.diff import Line as DiffLine
from queries.views.words import counted
from workspace.text import plain, plain_lines

LONGEST = 2_000  # characters of a line that are looked at; the file has the rest


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody said of a place: the second agent's review, the guard, a comment. `line` is on the new side."""

    who: str
    text: str
    tone: str = "text"
    """bad, warn or text"""
    path: str = ""
    line: int | None = None


class Row(NamedTuple):
    """`kind` is file, hunk, line, remark, said or blank. `text` is only of a remark, something said, or a file's head;
    `at` is the place of a hunk in its file or of a line in its hunk, of a remark whether it is its first row."""

    kind: str
    file: int
    hunk: int = -1
    at: int = -1
    text: str = ""
    tone: str = "text"
    lead: int = 0
    """How many characters of a remark's text say whose it is."""


@dataclass(frozen=True, slots=True)
class Laid:
    """`starts` are the places of the first rows of files, hunks and remarks, by kind."""

    diff: Diff
    rows: Sequence[Row] = ()
    starts: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def line(self, row: Row) -> DiffLine | None:
        return self.diff.files[row.file].hunks[row.hunk].lines[row.at] if row.kind == "line" else None

    def step(self, kind: str, place: int, step: int) -> int | None:
        """The place of the next or previous beginning of a kind; None where there is none."""
        starts = self.starts.get(kind, ())
        here = bisect_left(starts, place)
        if step < 0:
            return starts[here - 1] if here > 0 else None
        if here < len(starts) and starts[here] == place:
            here += 1
        return starts[here] if here < len(starts) else None

    def of_file(self, file: int) -> int:
        """Where its rows begin."""
        return next((place for place in self.starts.get("file", ()) if self.rows[place].file == file), 0)

    def near(self, path: str, line: int | None) -> int:
        """Where a place of another reading of the change stands: the cursor is kept there."""
        file = next((at for at, one in enumerate(self.diff.files) if one.path == path), None)
        if file is None:
            return 0
        start = self.of_file(file)
        for place in range(start, len(self.rows)):
            row = self.rows[place]
            if row.file != file:
                break
            found = self.line(row)
            if line is not None and found is not None and found.new is not None and found.new >= line:
                return place
        return start


def laid(
    diff: Diff, remarks: Sequence[Remark], folded: Collection[int], wrapped: Callable[[str], Sequence[str]]
) -> Laid:
    """`wrapped` breaks what somebody said into lines of the width there is."""
    rows: list[Row] = []
    placed = _placed(diff, remarks)
    for remark in placed.get(None, ()):
        rows += _remark_rows(remark, -1, wrapped)
    for place, file in enumerate(diff.files):
        if rows:
            rows.append(Row("blank", place))
        rows.append(Row("file", place))
        if place in folded:
            continue
        by_line = placed.get(place, {})
        for remark in by_line.get(None, ()):
            rows += _remark_rows(remark, place, wrapped)
        rows += [Row("said", place, text=text) for text in _about(file, diff.is_whole)]
        for hunk_at, hunk in enumerate(file.hunks):
            rows.append(Row("hunk", place, hunk_at))
            if not by_line:
                rows += [Row("line", place, hunk_at, at) for at in range(len(hunk.lines))]
                continue
            for at, line in enumerate(hunk.lines):
                rows.append(Row("line", place, hunk_at, at))
                for remark in by_line.get(line.new, ()) if line.new is not None else ():
                    rows += _remark_rows(remark, place, wrapped)
    starts: dict[str, list[int]] = {"file": [], "hunk": [], "remark": []}
    for at, row in enumerate(rows):
        if row.kind in ("file", "hunk") or (row.kind == "remark" and row.at == 0):
            starts[row.kind].append(at)
    return Laid(diff, rows, starts)


def counts(diff: Diff, remarks: Sequence[Remark]) -> list[int]:
    """How many remarks each file has."""
    placed = _placed(diff, remarks)
    return [sum(len(those) for those in placed.get(place, {}).values()) for place in range(len(diff.files))]


def _placed(diff: Diff, remarks: Iterable[Remark]) -> dict:
    """By file and line; None for the whole file, or for the whole change."""
    files = {file.path: place for place, file in enumerate(diff.files)}
    files |= {file.old_path: place for place, file in enumerate(diff.files) if file.old_path not in files}
    shown: dict[int, set[int]] = {}
    found: dict = {}
    for remark in remarks:
        place = files.get(remark.path)
        if place is None:
            found.setdefault(None, []).append(remark)
            continue
        if place not in shown:
            hunks = diff.files[place].hunks
            shown[place] = {line.new for hunk in hunks for line in hunk.lines if line.new is not None}
        line = remark.line if remark.line in shown[place] else None
        found.setdefault(place, {}).setdefault(line, []).append(remark)
    return found


def _remark_rows(remark: Remark, file: int, wrapped: Callable[[str], Sequence[str]]) -> Iterator[Row]:
    place = f", line {remark.line}" if remark.line and file < 0 else ""
    where = f" on {plain(remark.path, 80)}{place}" if remark.path and file < 0 else ""
    who = f"{remark.who}{where}:"
    for at, text in enumerate(wrapped(f"{who} {remark.text}")):
        yield Row("remark", file, at=at, text=text, tone=remark.tone, lead=0 if at else len(who))


def _about(file: FileChange, is_whole: bool) -> Iterator[str]:
    """What of a file no line shows."""
    if file.mode_changed:
        yield f"mode {file.old_mode:o} is now {file.new_mode:o}"
    if file.is_submodule or file.is_symlink:
        yield "a submodule" if file.is_submodule else "a symbolic link"
    elif file.is_binary:
        yield f"binary: {counted(file.old_size, 'byte')} before, {counted(file.new_size, 'byte')} now"
    elif file.hunks:
        return
    elif not is_whole:
        yield "The change is too large: its lines were not read."
    elif MISSING in (file.old_mode, file.new_mode):
        yield "an empty file"
    elif file.status not in ("renamed", "copied") and not file.mode_changed:
        yield "no line is different"


def headline(file: FileChange) -> str:
    """The path, and what became of it where it was not simply changed."""
    path = plain(file.path, 300)
    words = {
        "added": "new",
        "deleted": "deleted",
        "renamed": f"renamed from {plain(file.old_path, 200)}",
        "copied": f"copied from {plain(file.old_path, 200)}",
        "retyped": "of another kind now",
    }.get(file.status, "")
    return f"{path}  {words}" if words else path


def sizes(file: FileChange) -> tuple[str, str]:
    """Added and removed lines: `+12`, `−3`; empty where there are none, or where there are no lines."""
    return (f"+{file.added}" if file.added else "", f"−{file.removed}" if file.removed else "")


def hunk_words(hunk: Hunk) -> str:
    places = f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@"
    return f"{places}  {plain(hunk.heading, 200)}".rstrip()


def printable(line: DiffLine) -> tuple[str, str]:
    """The line without anything that a terminal obeys, and what has to be said of it."""
    whole = line.text.removesuffix("\r")
    begun = whole[:LONGEST]
    marks = (
        f"{counted(len(whole) - LONGEST, 'more character')}" if len(whole) > LONGEST else "",
        "characters that are not shown" if not begun.replace("\t", "").isprintable() else "",
        "^M" if len(whole) < len(line.text) else "",
        "" if line.ends else "no newline at the end",
    )
    return " ".join(plain_lines(begun)), "; ".join(mark for mark in marks if mark)
