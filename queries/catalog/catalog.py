"""The questions loopdesk asks: one HogQL file each, its header saying what goes in and what comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workspace.errors import LoopdeskError

FOLDER = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADER = re.compile(r"-- (\w+): (.*)")
_PARAM = re.compile(r"(\w+) ([A-Z][\w()]*)(?: = '([^']*)')?")
_COLUMN = re.compile(r"(\w+) ([A-Z]\w*(?:\([A-Za-z0-9()]*\))?)(?: \(([^)]*)\))?")


@dataclass(frozen=True, slots=True)
class Param:
    """A placeholder `{name}`. `default` is None where a value must be given."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """`unit` is empty where the name says it."""

    name: str
    type: str
    unit: str


@dataclass(frozen=True, slots=True)
class Question:
    """`events` are the event names whose arrival changes the answer, `*` for any; `cost` names where its dollars come
    from."""

    name: str
    title: str
    asks: str
    params: tuple[Param, ...]
    columns: tuple[Column, ...]
    events: frozenset[str]
    cost: str
    limit: int
    text: str

    @property
    def types(self) -> dict[str, str]:
        return {param.name: param.type for param in self.params}

    def values(self, given: Mapping[str, object]) -> dict[str, object]:
        """Every parameter's value; `given` may hold more than this question takes. Raises `LoopdeskError`."""
        filled = {param.name: given.get(param.name, param.default) for param in self.params}
        missing = [name for name, value in filled.items() if value is None]
        if missing:
            raise LoopdeskError(f"The question {self.name} needs a value for {missing[0]}")
        return filled


def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.sql")))


@cache
def load(name: str) -> Question:
    """Read once per process. Raises `LoopdeskError` for a name that is not in the catalog."""
    path = FOLDER / f"{name}.sql"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise LoopdeskError(f"There is no question named {name}", do=f"The catalog has {', '.join(names())}")
    return parse(name, path.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Question:
    """A file's text: header lines `-- key: value`, then the query. Raises `LoopdeskError` naming what is missing or no
    number."""
    lines = text.splitlines()
    header = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if not found:
            break
        header[found[1]] = found[2].strip()
    missing = [key for key in ("title", "asks", "params", "columns", "events", "cost", "limit") if key not in header]
    if missing:
        raise LoopdeskError(f"The question {name} has no header line `-- {missing[0]}: ...`")
    if not header["limit"].isdecimal():
        raise LoopdeskError(f"The header line `-- limit: ...` of the question {name} is no number")
    return Question(
        name=name,
        title=header["title"],
        asks=header["asks"],
        params=tuple(Param(found[1], found[2], found[3]) for found in _PARAM.finditer(header["params"])),
        columns=tuple(Column(found[1], found[2], found[3] or "") for found in _COLUMN.finditer(header["columns"])),
        events=frozenset(re.split(r",\s*", header["events"])),
        cost=header["cost"],
        limit=int(header["limit"]),
        text="\n".join(lines[len(header) :]).strip(),
    )
