"""Small repositories with a planted bug: what a fix is scored on. One TOML file a case; `engine/evals/fixes` has those
that come along.

Their README says what stands in a file. An agent is shown the report, the signals' texts and the repository, and
nothing else.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from engine.evals.records import Record
from engine.repositories import Repository
from workspace.errors import LoopdeskError
from workspace.text import plain

VISIBLE = ("pass", "fail", "fail always")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KNOWN = {
    *("language", "bug", "title", "summary", "evidence", "signals", "ci", "setup", "lock", "visible", "files"),
    *("hidden_command", "hidden", "reference", "wrong"),
}

Files = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Edit:
    """`replace` None: the file is new."""

    file: str
    replace: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """`why` it is no solution."""

    name: str
    why: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class CaseSignal:
    content: str
    is_distractor: bool


@dataclass(frozen=True, slots=True)
class FixCase:
    name: str
    language: str
    bug: str
    title: str
    summary: str
    evidence: tuple[str, ...]
    signals: tuple[CaseSignal, ...]
    ci: tuple[str, ...]
    setup: tuple[str, ...]
    lock: str
    visible: Literal["pass", "fail", "fail always"]
    files: Files
    hidden: Files
    hidden_command: tuple[str, ...]
    reference: tuple[Edit, ...]
    wrong: tuple[Wrong, ...]

    def repository(self, folder: Path) -> Repository:
        return Repository(self.name, str(folder), base="main", ci=self.ci, setup=self.setup, lock=self.lock)


def built_in() -> tuple[FixCase, ...]:
    return _cases(resources.files("engine.evals").joinpath("fixes"))


def load(folder: Path) -> tuple[FixCase, ...]:
    """By name. Raises `LoopdeskError`."""
    return _cases(folder)


def named(cases: Sequence[FixCase], names: Collection[str]) -> tuple[FixCase, ...]:
    """All, where none is named. Raises `LoopdeskError`."""
    known = {case.name: case for case in cases}
    for name in names:
        if name not in known:
            raise LoopdeskError(f"There is no case {plain(name, 40)}", do=f"There are {', '.join(known)}")
    return tuple(case for case in cases if not names or case.name in names)


def edited(files: Files, edits: Sequence[Edit]) -> Files:
    """Raises `ValueError` for what does not stand there exactly once."""
    found = dict(files)
    for edit in edits:
        if edit.replace is None:
            if edit.file in found:
                raise ValueError(f"{edit.file} is there already")
            found[edit.file] = edit.by
        elif found.get(edit.file, "").count(edit.replace) != 1:
            raise ValueError(f"what is replaced in {edit.file} does not stand there once")
        else:
            found[edit.file] = found[edit.file].replace(edit.replace, edit.by)
    return found


def case(name: str, table: Mapping[str, Any]) -> FixCase:
    """Raises `ValueError` with a clause that says what is wrong."""
    if not _NAME.fullmatch(name):
        raise ValueError("its name is not of small letters, digits and hyphens")
    if unknown := sorted(table.keys() - _KNOWN):
        raise ValueError(f"there is no field {plain(unknown[0], 40)}")
    record = Record(0, table)
    found = FixCase(
        name=name,
        language=record.text("language"),
        bug=record.text("bug"),
        title=record.text("title"),
        summary=record.text("summary").strip(),
        evidence=record.texts("evidence", ()),
        signals=tuple(map(_signal, filter(str.strip, record.text("signals").split("\n")))),
        ci=record.texts("ci"),
        setup=record.texts("setup", ()),
        lock=record.text("lock", ""),
        visible=record.one_of("visible", VISIBLE),  # type: ignore[arg-type]
        files=_files(record.mapping("files")),
        hidden=_files(record.mapping("hidden")),
        hidden_command=record.texts("hidden_command"),
        reference=_edits(table.get("reference")),
        wrong=tuple(map(_wrong, table.get("wrong", []))),
    )
    for edits in (found.reference, *(one.edits for one in found.wrong)):
        edited(found.files, edits)
    return found


def _cases(folder: Traversable) -> tuple[FixCase, ...]:
    try:
        files = {one.name.removesuffix(".toml"): one for one in folder.iterdir() if one.name.endswith(".toml")}
        texts = {name: files[name].read_text(encoding="utf-8") for name in sorted(files)}
    except (OSError, UnicodeDecodeError) as error:
        raise LoopdeskError(f"The cases cannot be read: {error}") from None
    if not texts:
        raise LoopdeskError(f"{plain(folder.name, 80)} holds no case", "A case is a .toml file")
    return tuple(_read(name, text) for name, text in texts.items())


def _read(name: str, text: str) -> FixCase:
    try:
        return case(name, tomllib.loads(text))
    except ValueError as error:  # what is no TOML is one too
        raise LoopdeskError(f"{plain(name, 40)}.toml is no case: {plain(error, 200)}") from None


def _signal(line: str) -> CaseSignal:
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError("a signal is not a JSON object")
    record = Record(0, fields)
    return CaseSignal(record.text("content"), record.truth("is_distractor", False))


def _files(found: Mapping[str, Any]) -> Files:
    for path, text in found.items():
        is_odd = not path.isprintable() or any(part in ("", ".", "..", ".git") for part in path.split("/"))
        if is_odd or not isinstance(text, str):
            raise ValueError(f"{plain(path, 80)} is no file's path with a text")
    return dict(found)


def _edits(found: object) -> tuple[Edit, ...]:
    if not isinstance(found, list) or not found:
        raise ValueError("a solution has no edits")
    edits = []
    for one in found:
        if not isinstance(one, dict) or not one.keys() <= {"file", "replace", "by"}:
            raise ValueError("an edit has fields that are none of file, replace and by")
        record = Record(0, one)
        _files({record.text("file"): ""})
        edits.append(Edit(one["file"], record.text("replace", "") or None, record.text("by", "")))
    return tuple(edits)


def _wrong(found: object) -> Wrong:
    if not isinstance(found, dict):
        raise ValueError("a wrong solution is not a table")
    record = Record(0, found)
    return Wrong(record.text("name"), record.text("why"), _edits(found.get("edits")))
