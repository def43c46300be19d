"""What a section of a screen is: which rows, in which columns, and everything about one of them. Plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from queries.views.trace.detail import Line
from tui.widgets.rowtable import Column
from workspace.text import plain_lines

ClockTime = Callable[..., str]
Said = tuple[str, str]
"""(tone, sentence); tones: strong, text, dim, warn."""


@dataclass(frozen=True, slots=True)
class Section:
    """`rows` are made of the screen's state. `columns` say times as a narrow column has room for. `identity` is what
    stays the same of a row that changed, `is_counted` whether its number is worth a look."""

    name: str
    empty: str
    rows: Callable[[Any], Sequence[Any]]
    columns: Callable[[ClockTime], tuple[Column[Any], ...]]
    identity: Callable[[Any], object]
    details: Callable[[Any, ClockTime], list[Line]]
    is_counted: bool = True


def text_lines(text: object, tone: str = "text") -> list[Line]:
    """Every line of what may come from anywhere."""
    return [Line(tone, line) for line in plain_lines(text)]


def fact(name: str, value: str) -> Line:
    return Line("text", f"{name:<12}{value}")
