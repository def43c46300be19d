"""One item of ORDER BY. ClickHouse puts NULL and NaN last in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer
    from queries.local.hogql.scope import Node


def order_by(printer: Printer, node: Node) -> str:
    return directed(node, printer.visit(node["expr"]))


def directed(node: Node, e: Expr, name: str = "") -> str:
    """`name` stands for the expression where a column already holds it."""
    if node.get("with_fill"):
        start, end = node.get("start", {}).get("offset"), node.get("end", {}).get("offset")
        raise HogQLError("WITH FILL is not supported", start, end, do="Fill the gaps after the query")
    direction = node.get("order", "ASC")
    if direction not in ("ASC", "DESC"):
        raise HogQLError(f"Unknown order {direction}")
    last = " NULLS LAST" if e.may_be_null and direction == "ASC" else ""
    return f"{name or e.sql} {direction}{last}"
