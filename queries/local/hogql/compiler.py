"""HogQL text -> a SQLite statement with named parameters, its columns and their types."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from queries.local.hogql.errors import HogQLError
from queries.local.schema import MIGRATIONS

__all__ = ["Compiled", "HogQLError", "compile_query", "fingerprint"]

PRINTER_VERSION = "10"  # raise it when the same text prints another SQL


@dataclass(frozen=True, slots=True)
class Compiled:
    """`sql` has named parameters only: those of `runtime.clock_values` (`:now`, `:tz` ...), `:row_limit`, and
    `:p_<name>` for each of `placeholders`. `types` are ClickHouse's names; a DateTime without a zone is in the
    project's. `limit` is the text's own LIMIT, at most 50,000; None where it has none and `:row_limit` decides."""

    sql: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    placeholders: tuple[str, ...]
    limit: int | None

    def to_json(self) -> dict[str, object]:
        """The same as a JSON object."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Compiled:
        lists = {name: tuple(document[name]) for name in ("columns", "types", "placeholders")}
        return cls(sql=document["sql"], limit=document["limit"], **lists)


def compile_query(text: str, placeholder_types: Mapping[str, str]) -> Compiled:
    """`placeholder_types`: "String", "DateTime", "Float64", "Int64", "Bool" or "Array(String)" for each `{name}`.

    Raises `HogQLError` for anything that is not one SELECT in the dialect."""
    # The desk finds its texts compiled: the printer is only loaded where something is to be printed.
    from queries.local.hogql.parser import parse
    from queries.local.hogql.scope import Environment
    from queries.local.hogql.statement import Statements

    tree = parse(text)
    statements = Statements(text, placeholder_types)
    try:
        query = statements.query(tree, Environment(), top=True)
    except RecursionError:
        raise HogQLError("The query is too deeply nested") from None
    found = Compiled(
        query.sql,
        tuple(column.name for column in query.columns),
        tuple(str(column.type) for column in query.columns),
        tuple(statements.placeholders),
        query.limit,
    )
    _prove(found)
    return found


def fingerprint(text: str, placeholder_types: Mapping[str, str]) -> str:
    """Under which a compiled text may be kept: it changes with the text, the types, the schema and the printer."""
    parts = [PRINTER_VERSION, text, sorted(placeholder_types.items()), MIGRATIONS]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _prove(compiled: Compiled) -> None:
    """Let SQLite prepare the statement on an empty store, so that what it cannot run is refused now, in words."""
    from queries.local.hogql.runtime import clock_values

    bound = clock_values(datetime.now(UTC), "UTC") | dict.fromkeys(
        ("row_limit", *(f"p_{name}" for name in compiled.placeholders))
    )
    try:
        _empty_store().execute(f"EXPLAIN {compiled.sql}", bound).fetchone()
    except sqlite3.Error as error:
        raise HogQLError(f"The embedded store cannot run this query ({error})") from error


@cache
def _empty_store() -> sqlite3.Connection:
    from queries.local.hogql import runtime

    connection = sqlite3.connect(":memory:", check_same_thread=False)
    for script in MIGRATIONS:
        connection.executescript(script)
    runtime.register(connection)
    return connection
