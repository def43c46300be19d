"""IN and NOT IN: a list, an array, tuples or a sub-select."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.local.hogql import types as t
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, comparable, literal
from queries.local.hogql.functions import comparisons, conditions
from queries.local.hogql.scope import SELECTS, Node

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer


def within(printer: Printer, left: Node, right: Node, negated: bool) -> Expr:
    """`left IN right` or NOT IN, PostHog's way: never NULL; NULL is in a list or a sub-select that has NULL."""
    if right["node"] in SELECTS:
        return _in_select(printer, left, right, negated)
    if left["node"] in ("Tuple", "Call") and (left["node"] == "Tuple" or left["name"] == "tuple"):
        return _in_tuples(printer, left, right, negated)
    value = printer.visit(left)
    listed = _items(right)
    if listed is not None:
        return comparisons.among(value, printer.visit_all(listed), negated)
    wanted = printer.visit(right)
    if wanted.type.kind != "Array":
        return comparisons.among(value, [wanted], negated)
    left_sql, right_sql = comparable(value, Expr("value", wanted.type.inner[0]))
    sql = f"({left_sql} IN (SELECT {right_sql} FROM json_each({wanted.sql})))"
    return comparisons.never_null(Expr(sql, t.UINT8.maybe(value.type.nullable)), negated)


def _in_select(printer: Printer, left: Node, right: Node, negated: bool) -> Expr:
    items = _items(left) if left["node"] == "Tuple" else None
    values = printer.visit_all(items) if items else (printer.visit(left),)
    query = printer.statements.query(right, printer.scope.environment)
    if len(query.columns) != len(values):
        raise HogQLError(f"IN compares {len(values)} columns with {len(query.columns)}")
    pairs = [
        comparable(value, Expr(f"c{place}", column.type))
        for place, (value, column) in enumerate(zip(values, query.columns, strict=True), 1)
    ]
    wanted = f"SELECT {', '.join(right for _, right in pairs)} FROM ({query.sql})"
    left_sql = ", ".join(left for left, _ in pairs)
    nullable = any(value.type.nullable for value in values) or any(c.type.nullable for c in query.columns)
    if len(pairs) > 1:
        return comparisons.never_null(Expr(f"(({left_sql}) IN ({wanted}))", t.UINT8.maybe(nullable)), negated)
    found = Expr(f"({left_sql} IN ({wanted}))", t.UINT8.maybe(nullable))
    if values[0].type.nullable and query.columns[0].type.nullable:
        has_null = f"EXISTS (SELECT 1 FROM ({query.sql}) WHERE c1 IS NULL)"
        sql = f"CASE WHEN {left_sql} IS NULL THEN {has_null} ELSE coalesce({found.sql}, 0) END"
        found = Expr(f"({sql})", t.UINT8)
    return comparisons.never_null(found, negated)


def _in_tuples(printer: Printer, left: Node, right: Node, negated: bool) -> Expr:
    values = printer.visit_all(_items(left) or ())
    listed = _items(right)
    if listed is None:
        raise HogQLError("A tuple can only be IN tuples or a sub-select")
    rows = [_items(row) for row in listed]
    if rows and any(row is None for row in rows):
        rows = [_items(right)]
    found = []
    for row in rows:
        items = printer.visit_all(row or ())
        if len(items) != len(values):
            raise HogQLError("A tuple in IN has another number of elements")
        parts = [comparisons.compare("==", a, b) for a, b in zip(values, items, strict=True)]
        found.append(conditions.logic("AND", [part for part in parts if part]))
    either = conditions.logic("OR", found) if found else literal(0)
    return conditions.negation(either) if negated else either


def _items(node: Node) -> list[Node] | None:
    if node["node"] in ("Tuple", "Array"):
        return node["exprs"]
    return node["args"] if node["node"] == "Call" and node["name"] in ("tuple", "array") else None
