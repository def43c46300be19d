"""Records as rows and back: instants as microseconds, JSON as text, in the order of the record's fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from engine.instants import read, stored
from engine.model import Artefact, Command, Job, Note, Proposal, Report, Signal, Transition

Record = Artefact | Command | Job | Note | Proposal | Report | Transition
T = TypeVar("T", bound=Record)
COMMAND = ("loopdesk", "command")
"""Product and type of the signals that decisions become; the engine alone makes them."""
OUTCOME = ("loopdesk", "outcome")
"""And of those that say what came of merged fixes."""
# Content of a signal past this is clipped by no one: it is refused at the door.
MOST_CONTENT = 32_000
MOST_TEXT = 400_000
"""Characters of a whole signal as JSON, where a letter beyond ASCII counts as six."""


def columns(kind: Any) -> str:
    """The names of a record's columns, comma separated, in the order of its fields."""
    return _columns(kind)


@cache
def _columns(kind: Any) -> str:
    return ", ".join(field.name for field in fields(kind))


def row(record: Record) -> tuple[Any, ...]:
    kind: Any = type(record)
    return tuple([write(getattr(record, name)) for name, write in _writers(kind)])


def record(kind: type[T], values: Sequence[Any]) -> T:
    """`values` in the order of `columns(kind)`."""
    return kind(*[read_(value) if read_ else value for read_, value in zip(_reads(kind), values, strict=True)])


def insert(kind: type[Record], table: str, *more: str) -> str:
    names = [field.name for field in fields(kind)] + list(more)
    return f"INSERT INTO {table}({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def upsert(kind: type[Record], table: str, key: str, *more: str, keeps: Sequence[str] = ()) -> str:
    """Never `INSERT OR REPLACE`: that would delete the row that another unique index protects."""
    changes = ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(kind) if field.name not in keeps)
    return f"{insert(kind, table, *more)} ON CONFLICT({key}) DO UPDATE SET {changes}"


def _plain(value: Any) -> Any:
    return value


def _instant(value: datetime | None) -> int | None:
    return None if value is None else stored(value)


def spelled(value: object) -> str:
    """JSON text that SQLite stores: no lone surrogate, no NaN. Raises `ValueError`, `TypeError`."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


@cache
def _writers(kind: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple((field.name, _writer(str(field.type))) for field in fields(kind))


def _writer(type_: str) -> Callable[[Any], Any]:
    if "datetime" in type_:
        return _instant
    if "Mapping" in type_:
        return _document
    return storable if "str" in type_ or "Noun" in type_ else _plain


def _document(value: Any) -> str | None:
    return None if value is None else spelled(value)


def storable(value: str) -> str:
    """SQLite takes no lone surrogate."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _reads(kind: Any) -> tuple[Callable[[Any], Any] | None, ...]:
    return _readers(kind)


@cache
def _readers(kind: Any) -> tuple[Callable[[Any], Any] | None, ...]:
    found: list[Callable[[Any], Any] | None] = []
    for field in fields(kind):
        type_ = str(field.type)
        if "datetime" in type_:
            found.append(_read_instant)
        elif "Mapping" in type_:
            found.append(_read_document)
        else:
            found.append(bool if type_ == "bool" else None)
    return tuple(found)


def _read_instant(value: int | None) -> datetime | None:
    return None if value is None else read(value)


def _read_document(value: str | None) -> Mapping[str, object] | None:
    return None if value is None else json.loads(value)


def signal_text(signal: Signal) -> str:
    """A signal as one JSON text, for `signals_in`. Raises `ValueError` or `TypeError` where it holds no JSON."""
    text = spelled(
        {
            "source_product": signal.source_product,
            "source_type": signal.source_type,
            "source_id": signal.source_id,
            "content": signal.content,
            "weight": signal.weight,
            "occurred_at": signal.occurred_at.isoformat(),
            "extra": dict(signal.extra),
        }
    )
    _check_length(text)
    return text


def signal_from_text(text: str) -> Signal:
    """Raises `ValueError` with a clause that says what is wrong with it."""
    _check_length(text)
    try:
        found = json.loads(text)
        at = datetime.fromisoformat(found["occurred_at"])
        signal = Signal(
            source_product=str(found["source_product"]),
            source_type=str(found["source_type"]),
            source_id=str(found["source_id"]),
            content=str(found["content"]),
            weight=float(found["weight"]),
            occurred_at=at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC),
            extra=dict(found["extra"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError("it is not a signal") from error
    check_signal(signal)
    return signal


def _check_length(text: str) -> None:
    if len(text) > MOST_TEXT:
        raise ValueError(f"it is longer than {MOST_TEXT:,} characters with all that it brings along")


def check_signal(signal: Signal) -> None:
    """Raises `ValueError` with a clause for what no source may send."""
    if not (signal.source_product and signal.source_type and signal.source_id):
        raise ValueError("its product, type or source id is empty")
    if (signal.source_product, signal.source_type) == COMMAND:
        raise ValueError("it poses as a decision of yours, and those are made in the inbox")
    if (signal.source_product, signal.source_type) == OUTCOME:
        raise ValueError("it poses as the outcome of a fix, and those the engine measures itself")
    if not 0 <= signal.weight <= 1:
        raise ValueError(f"its weight is {signal.weight}, and must be from 0 to 1")
    if not signal.title.strip():
        raise ValueError("its first line, the title, is empty")
    if len(signal.content) > MOST_CONTENT:
        raise ValueError(f"its content is longer than {MOST_CONTENT:,} characters")
    if signal.occurred_at.tzinfo is None:
        raise ValueError("its time has no time zone")


SIGNAL_COLUMNS = "source_product, source_type, source_id, content, weight, occurred_at, extra"


def signal_row(signal: Signal) -> tuple[Any, ...]:
    """In the order of `SIGNAL_COLUMNS`."""
    words = (signal.source_product, signal.source_type, signal.source_id, signal.content)
    extra = spelled(dict(signal.extra))
    return (*map(storable, words), signal.weight, stored(signal.occurred_at), extra)


def signal_of(values: Iterable[Any]) -> Signal:
    product, type_, id, content, weight, occurred_at, extra = values
    return Signal(product, type_, id, content, weight, read(occurred_at), json.loads(extra))
