"""The OVER of a window function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.ordering import order_by

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer
    from queries.local.hogql.scope import Node

_METHODS = ("ROWS", "RANGE")


def over(printer: Printer, name: str, definition: Node) -> str:
    """Raises `HogQLError` where ClickHouse's frame would make `name` answer other than SQLite does."""
    parts = []
    if definition.get("partition_by"):
        parts.append("PARTITION BY " + ", ".join(printer.visit(node).sql for node in definition["partition_by"]))
    if definition.get("order_by"):
        parts.append("ORDER BY " + ", ".join(order_by(printer, node) for node in definition["order_by"]))
    frame = _frame(definition)
    if name == "leadInFrame" and not frame.endswith("UNBOUNDED FOLLOWING"):
        raise HogQLError(
            "leadInFrame looks only inside the frame, which by default ends at the current row",
            do="Add ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        )
    if frame:
        parts.append(frame)
    return f" OVER ({' '.join(parts)})"


def _frame(definition: Node) -> str:
    method = definition.get("frame_method")
    if not method:
        return ""
    if method not in _METHODS:
        raise HogQLError(f"The window frame {method} is not supported")
    start = _bound(definition["frame_start"], "PRECEDING", method)
    end = _bound(definition["frame_end"], "FOLLOWING", method) if definition.get("frame_end") else "CURRENT ROW"
    return f"{method} BETWEEN {start} AND {end}"


def _bound(node: Node, side: str, method: str) -> str:
    kind, value = node.get("frame_type"), node.get("frame_value")
    if kind == "CURRENT ROW":
        return kind
    if kind not in ("PRECEDING", "FOLLOWING"):
        raise HogQLError(f"The window frame bound {kind} is not supported")
    if value is None:
        if kind != side:
            raise HogQLError(f"UNBOUNDED {kind} cannot stand there")
        return f"UNBOUNDED {kind}"
    if method == "RANGE" or not isinstance(value, int):
        raise HogQLError("A RANGE frame with an offset is not supported", do="Use ROWS")
    return f"{value} {kind}"
