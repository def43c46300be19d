"""Rows of any question as a sheet: columns by the header's types and units, and rows of a `bucket` as courses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from queries.backend import QueryResult
from queries.catalog import catalog
from queries.catalog.catalog import Question
from queries.gallery.sheet import Column, Row, Sheet, Unit, Value
from queries.views import answers, drill
from queries.views.drill import Drill
from queries.views.window import Window
from queries.views.words import bucket_label, counted, listed
from workspace.errors import LoopdeskError
from workspace.text import plain

_BUCKET = "bucket"
_UNITS = {
    "usd": Unit.USD,
    "share": Unit.SHARE,
    "seconds": Unit.SECONDS,
    "tokens": Unit.TOKENS,
    "score": Unit.SCORE,
    "change": Unit.CHANGE,
}
_NUMBER = re.compile(r"U?Int\d+|Float\d+|Decimal\S*")
_WHOLE = re.compile(r"U?Int\d+")
_LONGEST = 400  # characters of a cell


@dataclass(frozen=True, slots=True)
class _Field:
    """A column of the answer: where it stands and how it is shown."""

    place: int
    name: str
    unit: Unit
    is_time: bool

    @property
    def heading(self) -> str:
        return self.name.replace("_", " ")


def tabular(question: Question, window: Window, found: QueryResult) -> Sheet:
    """Raises `LoopdeskError` where the answer has other columns than the header."""
    said = tuple(column.name for column in question.columns)
    if said != found.columns:
        raise LoopdeskError(
            f"Its header names the columns {_named(said)}, but the query answers with {_named(found.columns)}",
            do=f"Mend {question.name}.sql, then ask again",
        )
    fields = [_field(place, column) for place, column in enumerate(question.columns)]
    rows = found.rows[: question.limit]
    notes = [_ignored(question)] if _ignored(question) else []
    if len(found.rows) > len(rows):
        notes.append(f"Only the first {len(rows):,} rows, as its header says.")
    if not rows:
        return Sheet(f"{_asked(question)} No row in this window.", notes=tuple(notes))
    bucket = next((field for field in fields if field.name == _BUCKET), None)
    numbers = [field for field in fields if field.unit is not Unit.TEXT]
    if bucket is None or not numbers:
        shown = tuple(Row(_cells(fields, row), drill=_drill(fields, row)) for row in rows)
        columns = tuple(Column(field.heading, field.unit, rank) for field, rank in _ranked(fields))
        return Sheet(f"{_asked(question)} {counted(len(rows), 'row')}.", columns, shown, notes=tuple(notes))
    texts = [field for field in fields if field.unit is Unit.TEXT and field is not bucket]
    gathered, is_doubled = _gathered(texts, bucket, rows)
    if is_doubled:
        notes.append("Of rows with one bucket and the same words, the last one is shown.")
    buckets, noun = _buckets(gathered, window, found.timezone)
    verdict = f"{_asked(question)} {counted(len(gathered), 'row')} over {counted(len(buckets), noun)}."
    columns, shown = _over_time(buckets, texts, numbers, gathered)
    return Sheet(verdict, columns, shown, buckets, notes=tuple(notes))


_Group = Mapping[str, Sequence]
"""Rows of the same words by their bucket."""


def _gathered(texts: Sequence[_Field], bucket: _Field, rows: Iterable[Sequence]) -> tuple[list[_Group], bool]:
    """The groups in the order of their first rows, and whether two rows of one shared a bucket."""
    groups: dict[tuple, dict[str, Sequence]] = {}
    is_doubled = False
    for row in rows:
        group = groups.setdefault(tuple(str(row[field.place]) for field in texts), {})
        name = str(row[bucket.place]).replace("T", " ")[:19]
        is_doubled |= name in group
        group[name] = row
    return list(groups.values()), is_doubled


def _over_time(
    buckets: tuple[str, ...], texts: Sequence[_Field], numbers: Sequence[_Field], groups: Iterable[_Group]
) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """A row a group: its words, then of each number the last one and its course."""
    columns = [Column(field.heading, field.unit, rank) for rank, field in enumerate(texts)]
    for place, field in enumerate(numbers):
        columns.append(Column(f"{field.heading}, last", field.unit, place))
        columns.append(Column(field.heading, Unit.COURSE, place + 1))
    rows = []
    for group in groups:
        first = next(iter(group.values()))
        cells: list[Value] = list(_cells(texts, first))
        for field in numbers:
            course = tuple(_number(group[name][field.place]) if name in group else None for name in buckets)
            cells += [next((value for value in reversed(course) if value is not None), None), course]
        rows.append(Row(tuple(cells), drill=_drill(texts, first)))
    return tuple(columns), tuple(rows)


def _buckets(groups: Iterable[_Group], window: Window, zone: str) -> tuple[tuple[str, ...], str]:
    """Those of the window, so that what is missing is a gap; where the query names others, those that it has. With the
    word for one."""
    named = sorted({name for group in groups for name in group})
    of_window = answers.buckets(window, zone)
    return (of_window, window.bucket) if set(named) <= set(of_window) else (tuple(named), "bucket")


def _field(place: int, column: catalog.Column) -> _Field:
    bare = re.sub(r"^(?:Nullable|LowCardinality)\((.*)\)$", r"\1", column.type)
    word = re.split(r"[\s,;:]", column.unit.lower(), maxsplit=1)[0]
    unit = Unit.TEXT
    if _NUMBER.fullmatch(bare) and column.name != _BUCKET:
        unit = _UNITS.get(word) or (Unit.COUNT if _WHOLE.fullmatch(bare) else Unit.SCORE)
    return _Field(place, column.name, unit, bare.startswith("Date"))


def _ranked(fields: Sequence[_Field]) -> list[tuple[_Field, int]]:
    """What a row is about stays longest, then its numbers, then the rest of its words."""
    first = next((field for field in fields if field.unit is Unit.TEXT), fields[0])
    order = sorted(fields, key=lambda field: (field is not first, field.unit is Unit.TEXT, field.place))
    return [(field, order.index(field)) for field in fields]


def _cells(fields: Sequence[_Field], row: Sequence) -> tuple[Value, ...]:
    return tuple(_text(row[f.place], f) if f.unit is Unit.TEXT else _number(row[f.place]) for f in fields)


def _text(value: object, field: _Field) -> str | None:
    if value is None or value == "":
        return None
    if field.is_time:
        return f"{bucket_label(str(value)[:10])} {str(value)[11:16]}".strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)[:_LONGEST]


def _number(value: object) -> int | float | None:
    """Decimals come as text, so that no digit is lost on the way."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = value if isinstance(value, int) else float(value)
    except ValueError:
        return None
    return number if isinstance(number, int) or isfinite(number) else None


def _drill(fields: Sequence[_Field], row: Sequence) -> Drill | None:
    """To the round that a row is about, else to the rounds of its project."""
    found = {field.name: row[field.place] for field in fields if row[field.place]}
    if "round_id" in found:
        return drill.named("this row", [str(found["round_id"])])
    return drill.all_rounds(str(found["project"])) if "project" in found else None


def _ignored(question: Question) -> str:
    """What the window and the filter cannot do to a query that does not take them."""
    without = [name for name in ("project", "client") if name not in question.types]
    if not {"since", "until"} <= set(question.types):
        return "It does not take since and until: the window does not narrow it."
    return f"It does not take {listed(without)}: that filter does not narrow it." if without else ""


def _asked(question: Question) -> str:
    """The header's question, as a sentence of its own."""
    text = question.asks or question.title
    text = text[:1].upper() + text[1:]
    return text if text.endswith(("?", ".", "!")) else f"{text}:"


def _named(columns: Sequence[str]) -> str:
    return listed([plain(name, 40) for name in columns], 6) or "nothing"
