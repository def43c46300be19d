"""A change as git tells it, in data: files, hunks, lines, modes. For the guard and for the desk's view of a diff.

Read from `git diff-tree` as `raw`, `numstat` and `patch` of the same two commits. Names come from `raw` alone, which
quotes nothing; the patch gives the hunks, whose ends are counted and not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["added", "modified", "deleted", "renamed", "copied", "retyped"]
Sign = Literal[" ", "+", "-"]

SYMLINK, SUBMODULE, EXECUTABLE, MISSING = 0o120000, 0o160000, 0o100755, 0
_STATUS: Mapping[str, Status] = {
    "A": "added",
    "M": "modified",
    "D": "deleted",
    "R": "renamed",
    "C": "copied",
    "T": "retyped",
}
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """`old` and `new` are line numbers from 1, None on the side that lacks it. `ends` is false without a newline."""

    sign: Sign
    text: str
    old: int | None
    new: int | None
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Hunk:
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """`old_path` differs from `path` only where it was renamed or copied. `added` and `removed` are lines, None for a
    binary file. Sizes are bytes; 0 where there is no file, or where it is a submodule."""

    path: str
    old_path: str
    status: Status
    old_mode: int
    new_mode: int
    old_sha: str
    new_sha: str
    added: int | None = 0
    removed: int | None = 0
    old_size: int = 0
    new_size: int = 0
    hunks: tuple[Hunk, ...] = ()

    @property
    def is_binary(self) -> bool:
        return self.added is None

    @property
    def is_symlink(self) -> bool:
        return SYMLINK in (self.old_mode, self.new_mode)

    @property
    def is_submodule(self) -> bool:
        return SUBMODULE in (self.old_mode, self.new_mode)

    @property
    def mode_changed(self) -> bool:
        return MISSING not in (self.old_mode, self.new_mode) and self.old_mode != self.new_mode

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if self.path == self.old_path else (self.old_path, self.path)

    def added_lines(self) -> Iterator[Line]:
        return (line for hunk in self.hunks for line in hunk.lines if line.sign == "+")


@dataclass(frozen=True, slots=True)
class Diff:
    """From `base` to `head`, two commits. `is_whole` is false where it was too large for its lines to be read."""

    base: str
    head: str
    files: tuple[FileChange, ...]
    is_whole: bool = True

    @property
    def added(self) -> int:
        return sum(file.added or 0 for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed or 0 for file in self.files)


def listed(raw: bytes, numstat: bytes) -> tuple[FileChange, ...]:
    """Files without their lines, from `--raw -z` and `--numstat -z`. Raises `ValueError` for anything else."""
    counts = dict(_counts(numstat))
    return tuple(
        replace(file, added=counts[file.path][0], removed=counts[file.path][1]) if file.path in counts else file
        for file in _files(raw)
    )


def with_lines(files: tuple[FileChange, ...], patch: bytes) -> tuple[FileChange, ...]:
    """The same files with the hunks of `--patch`, which has them in the same order. Raises `ValueError`."""
    sections = list(_sections(patch))
    found, place = [], 0
    for file in files:
        # A file that became a link is shown as one deleted and one added.
        count = 2 if _kinds_differ(file) else 1
        hunks = [hunk for section in sections[place : place + count] for hunk in section]
        found.append(replace(file, hunks=tuple(hunks)))
        place += count
    if place != len(sections):
        raise ValueError(f"a patch of {len(sections)} sections for {place}")
    return tuple(found)


def text_of(name: bytes) -> str:
    """A path for people: what is no UTF-8 is written out, so that it can always be stored and shown."""
    return name.decode("utf-8", "backslashreplace")


def _files(raw: bytes) -> Iterator[FileChange]:
    fields = iter(raw.split(b"\0"))
    for head in fields:
        if not head:
            continue
        old_mode, new_mode, old_sha, new_sha, letter = head.decode("ascii").removeprefix(":").split(" ")
        status = _STATUS[letter[0]]
        old_path = path = text_of(next(fields))
        if status in ("renamed", "copied"):
            path = text_of(next(fields))
        yield FileChange(path, old_path, status, int(old_mode, 8), int(new_mode, 8), old_sha, new_sha)


def _counts(numstat: bytes) -> Iterator[tuple[str, tuple[int | None, int | None]]]:
    fields = iter(numstat.split(b"\0"))
    for head in fields:
        if not head:
            continue
        added, removed, name = head.split(b"\t", 2)
        if not name:  # renamed: both names follow
            next(fields)
            name = next(fields)
        yield text_of(name), (None if added == b"-" else int(added), None if removed == b"-" else int(removed))


def _sections(patch: bytes) -> Iterator[list[Hunk]]:
    """The hunks of each `diff --git`; inside a hunk nothing is looked for, its lines are counted."""
    lines = iter(patch.split(b"\n"))
    section: list[Hunk] | None = None
    pending = next(lines, None)
    while pending is not None:
        if pending.startswith(b"diff --git "):
            if section is not None:
                yield section
            section = []
        elif section is not None and (match := _HUNK.fullmatch(pending)):
            hunk, pending = _hunk(match, lines)
            section.append(hunk)
            continue
        pending = next(lines, None)
    if section is not None:
        yield section


def _hunk(match: re.Match[bytes], lines: Iterator[bytes]) -> tuple[Hunk, bytes | None]:
    """The hunk, and the line after it."""
    old, old_count, new, new_count = (int(part) if part is not None else 1 for part in match.groups()[:4])
    old_at, new_at, found = old, new, list[Line]()
    while old_at < old + old_count or new_at < new + new_count:
        line = next(lines, b"")
        sign, text = line[:1], line[1:].decode("utf-8", "replace")
        if sign == b"+":
            found.append(Line("+", text, None, new_at))
            new_at += 1
        elif sign == b"-":
            found.append(Line("-", text, old_at, None))
            old_at += 1
        elif sign == b" ":
            found.append(Line(" ", text, old_at, new_at))
            old_at, new_at = old_at + 1, new_at + 1
        elif sign == b"\\":
            found[-1] = replace(found[-1], ends=False)
        else:
            raise ValueError("a hunk ends before its count")
    after = next(lines, None)
    if after is not None and after.startswith(b"\\"):
        found[-1] = replace(found[-1], ends=False)
        after = next(lines, None)
    return Hunk(old, old_count, new, new_count, match[5].decode("utf-8", "replace"), tuple(found)), after


def _kinds_differ(file: FileChange) -> bool:
    both = (file.old_mode, file.new_mode)
    return MISSING not in both and both[0] & 0o170000 != both[1] & 0o170000
