"""One line of the doctor: what was looked at, how it is, and what to do where it is not well."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, WRONG = "ok", "note", "wrong"


@dataclass(frozen=True, slots=True)
class Line:
    """`note` is worth knowing and stops nothing; `wrong` will be in the way, and `do` says how to mend it."""

    name: str
    state: str
    said: str
    do: str = ""


def ok(name: str, said: str) -> Line:
    return Line(name, OK, said)


def note(name: str, said: str, do: str = "") -> Line:
    return Line(name, NOTE, said, do)


def wrong(name: str, said: str, do: str = "") -> Line:
    return Line(name, WRONG, said, do)
