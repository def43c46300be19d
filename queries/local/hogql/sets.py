"""UNION, INTERSECT and EXCEPT of SELECTs, their columns in common types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, common_type, convert
from queries.local.hogql.scope import Column, Environment, Node, Query
from queries.local.hogql.selection import span
from queries.local.hogql.types import Type

if TYPE_CHECKING:
    from queries.local.hogql.statement import Statements

_SETS = {"UNION ALL": "UNION ALL", "UNION DISTINCT": "UNION", "INTERSECT": "INTERSECT", "EXCEPT": "EXCEPT"}


def print_set(statements: Statements, node: Node, environment: Environment, *, top: bool) -> Query:
    statements.refuse_offset(node)
    first = node["initial_select_query"]
    # As in ClickHouse, the first SELECT's WITH is in reach of the others.
    with_, inside = statements.with_ctes(first.get("ctes"), environment)
    parts = [statements.query({**first, "ctes": None}, inside)]
    words = []
    for following in node["subsequent_select_queries"]:
        word = _SETS.get(following["set_operator"])
        if word is None or (word in ("INTERSECT", "EXCEPT") and len(node["subsequent_select_queries"]) > 1):
            raise HogQLError(f"{following['set_operator']} is not supported here", *span(following["select_query"]))
        words.append(word)
        parts.append(statements.query(following["select_query"], inside))
        if len(parts[-1].columns) != len(parts[0].columns):
            raise HogQLError("UNION of SELECTs with different numbers of columns", *span(following["select_query"]))
    try:
        types = [common_type([part.columns[n].type for part in parts]) for n in range(len(parts[0].columns))]
    except HogQLError as error:
        error.start, error.end = span(node["subsequent_select_queries"][0]["select_query"])
        raise
    # ClickHouse's INTERSECT and EXCEPT keep duplicates, each counted; SQLite's do not.
    counted = words[0] in ("INTERSECT", "EXCEPT")
    sqls = [_branch(part, types, counted=counted) for part in parts]
    sql = sqls[0] + "".join(f" {word} {sql}" for word, sql in zip(words, sqls[1:], strict=True))
    if counted:
        sql = f"SELECT {', '.join(f'c{place}' for place in range(1, len(types) + 1))} FROM ({sql})"
    limit, count = statements.limit(node.get("limit"), top)
    columns = tuple(Column(c.name, type) for c, type in zip(parts[0].columns, types, strict=True))
    return Query(f"{with_}SELECT * FROM ({sql}){limit}" if limit else with_ + sql, columns, count)


def _branch(part: Query, types: Sequence[Type], *, counted: bool = False) -> str:
    items = [
        f"{convert(Expr(f'c{place}', column.type), type)} AS c{place}"
        for place, (column, type) in enumerate(zip(part.columns, types, strict=True), 1)
    ]
    if counted:
        keys = ", ".join(f"c{place}" for place in range(1, len(types) + 1))
        items.append(f"row_number() OVER (PARTITION BY {keys}) AS copy")
    return f"SELECT {', '.join(items)} FROM ({part.sql})"
