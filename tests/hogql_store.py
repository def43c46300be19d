"""A real store with given events, answering HogQL as the embedded backend does, without its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from queries.local.hogql import runtime
from queries.local.hogql.compiler import Compiled, compile_query
from queries.local.store import Store
from tests.hogql_corpus import NOW, PLACEHOLDERS, ZONE
from tests.hogql_oracle import comparable

TYPES = {name: type for name, (type, _) in PLACEHOLDERS.items()}


@cache
def compiled(text: str) -> Compiled:
    """With the corpus's placeholders; PostHog's parser takes tens of milliseconds a text."""
    return compile_query(text, TYPES)


class Asked:
    """A store with some events, answering HogQL."""

    def __init__(self, path: Path, wire: Sequence[Mapping[str, object]], now: datetime = NOW) -> None:
        self.store = Store.open(path)
        refused = self.store.ingest(wire, now=now).rejected
        assert not refused
        runtime.register(self.store.connection)

    def answer(self, text: str, values: Mapping[str, tuple[str, object]] = PLACEHOLDERS, zone: str = ZONE) -> list:
        given = {name: type for name, (type, _) in values.items()}
        found = compiled(text) if given == TYPES else compile_query(text, given)
        cells = [runtime.decoder(type, zone) for type in found.types]
        rows = self.store.connection.execute(found.sql, self.bound(found, values, zone))
        return [[cell(value) for cell, value in zip(cells, row, strict=True)] for row in rows]

    def plan(self, text: str, values: Mapping[str, tuple[str, object]] = PLACEHOLDERS) -> str:
        given = {name: type for name, (type, _) in values.items()}
        found = compiled(text) if given == TYPES else compile_query(text, given)
        rows = self.store.connection.execute(f"EXPLAIN QUERY PLAN {found.sql}", self.bound(found, values, ZONE))
        return "\n".join(row[3] for row in rows)

    def bound(self, found: Compiled, values: Mapping[str, tuple[str, object]], zone: str) -> dict[str, object]:
        given = {f"p_{name}": runtime.bind(values[name][1], values[name][0]) for name in found.placeholders}
        return given | {**runtime.clock_values(NOW, zone), "row_limit": 100}


def rows_of(text: str, rows: Sequence[Sequence[object]]) -> list:
    """In the order of the answer where the text asks for one. An ORDER BY at the end of a UNION is its last SELECT's,
    and ClickHouse works on the SELECTs side by side."""
    found = [[comparable(value) for value in row] for row in rows]
    is_ordered = "ORDER BY" in text and "UNION" not in re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", text))
    return found if is_ordered else sorted(found, key=repr)


def family(type: str) -> str:
    """A type without what the compiler does not model: the width of integers, the scale and zone of times."""
    for name in ("UInt", "Int"):
        for width in (64, 32, 16, 8):
            type = type.replace(f"{name}{width}", "Int")
    type = type.replace("Bool", "Int").replace("Date32", "Date").replace("DateTime64", "DateTime")
    head, _, rest = type.partition("DateTime(")
    return f"{head}DateTime{rest.partition(')')[2]}" if rest else type
