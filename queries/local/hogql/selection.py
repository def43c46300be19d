"""The select list before it is printed: places, positions and aliases."""

from __future__ import annotations

import json
from collections.abc import Sequence

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.printer import children
from queries.local.hogql.scope import SELECTS, Node


def span(node: Node) -> tuple[int | None, int | None]:
    return node.get("start", {}).get("offset"), node.get("end", {}).get("offset")


def positioned(node: Node, items: Sequence[Node]) -> Node:
    """`GROUP BY 1` and `ORDER BY 1` mean the first column."""
    value = node.get("value") if node["node"] == "Constant" else None
    if not isinstance(value, int) or isinstance(value, bool):
        return node
    if not 1 <= value <= len(items):
        raise HogQLError(f"There is no column {value} in the select list", *span(node))
    return items[value - 1]


def aliases(items: Sequence[Node]) -> dict[str, Node]:
    """Every alias in the select list, also inside expressions."""
    found: dict[str, Node] = {}
    waiting = list(reversed(items))
    while waiting:
        node = waiting.pop()
        if node["node"] in SELECTS:
            continue
        if node["node"] == "Alias":
            name = node["alias"]
            if name in found and _shape(found[name]) != _shape(node["expr"]):
                raise HogQLError(f"Cannot redefine an alias: {name}", *span(node))
            found[name] = node["expr"]
        waiting += children(node)
    return found


def _shape(node: Node) -> str:
    return json.dumps(_without_places(node), sort_keys=True)


def _without_places(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_places(part) for key, part in value.items() if key not in ("start", "end")}
    return [_without_places(part) for part in value] if isinstance(value, list) else value
