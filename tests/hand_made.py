"""Events made by hand for many projects of one store, rows of any kind, and what sheets say of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import cast
from uuid import UUID

from hypothesis import strategies as st

from queries.backend import QueryResult
from queries.behind import Behind, behind
from queries.boards import Board
from queries.catalog import catalog
from queries.gallery.sheet import Row, Sheet
from queries.views.answers import buckets
from queries.views.filters import Filters
from queries.views.window import Window
from tests.gallery_store import MORNING, NIGHT, Filled, at, by_heading

TONIGHT = at("20:00")
LAST_NIGHT = TONIGHT - timedelta(days=1)

_numbers = count(1)


def event(name: str, at: datetime, project: str | None, **properties: object) -> dict:
    """`ai_model` is sent as `$ai_model`; what is None is not sent."""
    told = {("$" if key.startswith("ai_") else "") + key: value for key, value in properties.items()}
    return {
        "event": name,
        "distinct_id": f"{project}:acme:coder",
        "timestamp": at.isoformat(),
        "uuid": str(UUID(int=next(_numbers))),
        "properties": {key: value for key, value in ({"project": project} | told).items() if value is not None},
    }


def sheet(board: Board, store: Filled, project: str = "", client: str = "", asked: Window = NIGHT) -> Sheet:
    return store.sheet(board, asked, Filters(project, client))


def cells(found: Sheet, name: str, column: int = 0) -> dict[str, object]:
    """The row that says `name` in one of its columns, by heading; its word under `word`."""
    row = row_of(found, name, column)
    return {**by_heading(found, row), "word": row.word}


def row_of(found: Sheet, name: str, column: int = 0) -> Row:
    return next(row for row in found.rows if row.cells[column] == name)


def rounds_behind(row: Row, store: Filled, project: str = "") -> list[tuple[str, object]]:
    """Ids and values, in the order in which the screen shows them first."""
    assert row.drill is not None
    shown = cast(Behind, behind(row.drill, store.backend, NIGHT, Filters(project)).view).rounds.rows
    descends = bool(row.drill.sort and row.drill.sort[1])
    assert row.drill.sort and row.drill.sort[0] == row.drill.value
    return sorted(((one.round_id, one.value) for one in shown), key=lambda pair: pair[1] or 0, reverse=descends)


@st.composite
def any_results(draw: st.DrawFn, board: Board) -> tuple[QueryResult, ...]:
    """Rows of the right types with anything in them."""
    return tuple(draw(_any_result(name)) for name, _ in board.asks)


def _any_result(name: str) -> st.SearchStrategy[QueryResult]:
    columns = catalog.load(name).columns
    names = st.sampled_from(["", "a", "b", "dim_a", "max", "min"]) | st.text(max_size=5)
    numbers = st.none() | st.sampled_from([0.0, 1.0, -1.0]) | st.floats(allow_nan=False, allow_infinity=False)
    by_type = {
        "String": st.none() | names,
        "Float64": numbers,
        "UInt64": st.sampled_from([0, 1, 7, 8, 20, 100, 10**9]),
        "DateTime": st.sampled_from(["2026-11-19T20:00:00+00:00", "2026-11-20T06:30:00+00:00"]),
        "Date": st.sampled_from(["2026-11-19", "2026-11-18"]),
    }
    hours = st.sampled_from(buckets(NIGHT, "UTC"))
    row = st.tuples(*(hours if column.name == "bucket" else by_type[column.type] for column in columns))
    names_of, types = tuple(c.name for c in columns), tuple(c.type for c in columns)
    return st.lists(row, max_size=6).map(
        lambda rows: QueryResult(names_of, types, tuple(rows), "UTC", "embedded", MORNING, limit=5000)
    )
