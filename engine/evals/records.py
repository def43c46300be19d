"""Labelled sets as files: one JSON object a line. What is wrong with a line is said with its number."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_BYTES = 64_000_000
T = TypeVar("T")


class BadLine(LoopdeskError):
    """A line that holds no labelled case."""


class Record:
    """One line's object. Every question about a field raises `ValueError` with a clause that says what is wrong."""

    def __init__(self, number: int, fields: Mapping[str, Any]) -> None:
        self.number, self.fields = number, fields

    def text(self, name: str, otherwise: str | None = None) -> str:
        """`otherwise` None: the field is needed, and not empty."""
        value = self.fields.get(name)
        if value is None:
            value = otherwise
        if value is None:
            raise ValueError(f"{name} is missing")
        if not isinstance(value, str):
            raise ValueError(f"{name} is not text")
        if otherwise is None and not value.strip():
            raise ValueError(f"{name} is empty")
        return value

    def one_of(self, name: str, known: Collection[str], otherwise: str | None = None) -> str:
        value = self.text(name, otherwise)
        if value not in known and value != otherwise:
            raise ValueError(f"{name} is {plain(value, 40)!r} and none of {', '.join(known)}")
        return value

    def truth(self, name: str, otherwise: bool) -> bool:
        value = self.fields.get(name, otherwise)
        if not isinstance(value, bool):
            raise ValueError(f"{name} is neither true nor false")
        return value

    def number_of(self, name: str, otherwise: float) -> float:
        value = self.fields.get(name, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} is not a number")
        return float(value)

    def mapping(self, name: str, otherwise: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        value = self.fields.get(name, otherwise)
        if value is None:
            raise ValueError(f"{name} is missing")
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not an object")
        return value

    def texts(self, name: str, otherwise: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self.fields.get(name, otherwise)
        if value is None:
            raise ValueError(f"{name} is missing")
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise ValueError(f"{name} is not a list of texts")
        return tuple(value)


def load(path: Path, case: Callable[[Record], T]) -> tuple[T, ...]:
    """Every line through `case`, which raises `ValueError`. Empty lines are passed over. Raises `LoopdeskError`."""
    name = plain(path.name, 80)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise LoopdeskError(f"{name} is larger than {MOST_BYTES:,} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise LoopdeskError(f"{name} cannot be read: {error.strerror}") from error
    found = []
    # Not splitlines(): it also breaks at characters that texts may hold.
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            try:
                found.append(case(_record(number, line)))
            except ValueError as error:
                raise BadLine(f"{name}, line {number}: {plain(error, 200)}") from error
    if not found:
        raise LoopdeskError(f"{name} holds no case")
    return tuple(found)


def _record(number: int, line: bytes) -> Record:
    try:
        fields = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    return Record(number, fields)
