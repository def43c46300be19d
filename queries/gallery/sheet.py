"""What a board beyond the six shows: a sentence, then a table whose cells may be small pictures. Pure data.

One shape for all of them, the user's own included, so that one widget draws them and one command prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from queries.views.drill import Drill
from queries.views.timeline import Mark


class Unit(StrEnum):
    """How the cells of a column are spelled."""

    TEXT = "text"
    COUNT = "count"
    SHARE = "share"
    """0 to 1, shown in percent, with a bar where there is room."""
    SCORE = "score"
    CHANGE = "change"
    """Of a score, with its sign."""
    USD = "usd"
    SECONDS = "seconds"
    TOKENS = "tokens"
    COURSE = "course"
    """A tuple with one number or None for each of the sheet's buckets, drawn as a sparkline."""


class Tone(StrEnum):
    """What a row's `word` says, for the colour that goes with it."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"


Value = str | int | float | tuple[float | None, ...] | None
"""A cell. None is shown as a dash: nobody sent it. Never 0 in its place."""


@dataclass(frozen=True, slots=True)
class Column:
    """`rank` 0 is always shown; of the others the highest is left out first where a pane is narrow."""

    heading: str
    unit: Unit = Unit.TEXT
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One cell a column. `word` is what a person should see in it (`worse`, `unreliable`), in the colour of `tone`;
    `drill` leads to the rounds behind it."""

    cells: tuple[Value, ...]
    word: str = ""
    tone: Tone = Tone.PLAIN
    drill: Drill | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows` stand in the order of their importance: a low pane shows the first ones. `buckets` are those of the
    courses, empty where there is none. `notes` say what the figures leave out: a missing share, too few values."""

    verdict: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    buckets: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_dollars(self) -> bool:
        return any(column.unit is Unit.USD for column in self.columns)


def empty(verdict: str, notes: Sequence[str] = ()) -> Sheet:
    """Nothing to show, and the sentence that says why."""
    return Sheet(verdict, notes=tuple(notes))
