"""Properties whose names begin alike, found by SQLite's own JSON instead of ours.

    arrayJoin(arrayFilter(k -> startsWith(k, '$feature/'), JSONExtractKeys(properties))) AS feature,
    JSONExtractRaw(properties, feature) AS saw

is a row for each such property of an event. Printed word by word, the JSON of an event would be read three times by
functions in Python; here SQLite reads it once. What is in `dims` is read from there: see `rewrites`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.local.hogql import rewrites
from queries.local.hogql import types as t
from queries.local.hogql.expression import Expr, quote
from queries.local.hogql.scope import Events, Node

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer


def call(printer: Printer, node: Node) -> Expr | None:
    """The name or the JSON of such a property; None where `node` is something else."""
    if node["name"] == "arrayJoin":
        return _name(printer, node)
    if node["name"] == "JSONExtractRaw" and len(node["args"]) == 2:
        return _json(printer, node)
    return None


def _name(printer: Printer, node: Node) -> Expr | None:
    found = rewrites.names_that_begin(node)
    if not found or printer.scope.grouping:
        return None
    prefix, document = found
    table = printer.events_document(document)
    if not isinstance(table, Events) or table.optional:
        return None
    key = f"{table.alias} names {prefix}"
    name = printer.scope.array_joined.get(key)
    if name is None:
        alias = printer.table_alias("f")
        begins = f"substr({alias}.key, 1, {len(prefix)}) = {quote(prefix)}"
        printer.scope.laterals.append(f" CROSS JOIN json_each({printer.visit(document).sql}) AS {alias} ON {begins}")
        name = printer.scope.array_joined[key] = Expr(f"{alias}.key", t.STRING)
        printer.scope.prefixed[name.sql] = table
    return name


def _json(printer: Printer, node: Node) -> Expr | None:
    document = node["args"][0]
    table = printer.events_document(document)
    if not isinstance(table, Events):
        return None
    name = printer.visit(node["args"][1]).sql
    if printer.scope.prefixed.get(name) is not table:
        return None
    alias = name.removesuffix(".key")
    other = f"coalesce(hq_normal(hq_json_raw({printer.visit(document).sql}, {name})), '')"
    # Most are texts, and need no call into Python.
    return Expr(f"(CASE {alias}.type WHEN 'text' THEN json_quote({alias}.value) ELSE {other} END)", t.STRING)
