"""What a place that answers HogQL looks like, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from workspace.errors import LoopdeskError


class QueryRefused(LoopdeskError):
    """The text is not HogQL that can be answered. `start` and `end` are offsets into it, where they are known."""

    def __init__(self, what: str, start: int | None = None, end: int | None = None, do: str = "") -> None:
        super().__init__(what, do=do)
        self.start, self.end = start, end


class QueryTimedOut(LoopdeskError):
    """The time limit ran out before the answer was there."""


class QueryCancelled(LoopdeskError):
    """Whoever asked has left: there is no answer, and nothing is wrong."""

    def __init__(self) -> None:
        super().__init__("The question was given up before its answer came")


@dataclass(frozen=True, slots=True)
class QueryResult:
    """An answer. Cells are JSON values: datetimes are ISO 8601 with the project's offset, dates `YYYY-MM-DD`.

    `types` are ClickHouse's names, e.g. `Nullable(Float64)`. `has_more` is only known where the text had no LIMIT.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple, ...]
    timezone: str
    backend: str
    asked_at: datetime
    elapsed_ms: float = 0.0
    has_more: bool = False
    limit: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the text's own LIMIT was reached, so that there may be more."""
        return self.limit is not None and len(self.rows) >= self.limit


class Backend(Protocol):
    """Answers HogQL. One instance serves many threads."""

    name: str
    timezone: str

    def query(
        self, text: str, values: Mapping[str, object] | None = None, types: Mapping[str, str] | None = None
    ) -> QueryResult:
        """`values` fill `{placeholders}`; `types` are their ClickHouse types, inferred from the values where absent.

        Raises `QueryRefused`, `QueryTimedOut` or another `LoopdeskError`.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class Columnar(Protocol):
    """A backend that can give a long answer in parts, as columns: a row is never an object then."""

    def columns(
        self, text: str, values: Mapping[str, object], types: Mapping[str, str], *, rows: int
    ) -> Iterator[tuple[Sequence, ...]]:
        """The answer to `text` without its LIMIT, `rows` at a time. Raises as `Backend.query` does."""
        ...
