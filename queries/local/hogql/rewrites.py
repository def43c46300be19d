"""Discovering dimensions from the long table `dims` instead of every event's JSON.

    arrayJoin(arrayFilter(k -> startsWith(k, 'dim_'), JSONExtractKeys(properties))) AS dim,
    JSONExtract(properties, dim, 'Nullable(Float64)') AS value

reads the names of an event's properties one by one. The store keeps the same pairs in `dims`, for the properties that
are numbers. So the rows are only the same where those without a number are left out anyway: the rewrite needs a
`value IS NOT NULL`, in the SELECT itself or in the one around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from queries.local.hogql import types as t
from queries.local.hogql.expression import Expr, quote
from queries.local.hogql.scope import Events, Node, Scope
from queries.local.schema import DIMENSION_PREFIX

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer


def known_columns(where: Node | None) -> frozenset[str]:
    """The names that `where` requires to be not NULL."""
    return frozenset(name for part in conjuncts(where) for name in _not_null(part))


def dimension(printer: Printer, node: Node) -> Expr | None:
    """The name or the value of a dimension, read from `dims`; None where `node` is something else."""
    if node["name"] == "arrayJoin":
        return _names(printer, node)
    if node["name"] == "JSONExtract":
        return _value(printer, node)
    return None


def hoisted(scope: Scope, sqls: Sequence[str], where: str) -> str | None:
    """The SELECT with what does not depend on the dimension computed once an event, not once a dimension; None where
    that cannot be done. SQLite would undo it but for the LIMIT, which keeps the inner SELECT apart."""
    table = scope.tables[0] if len(scope.tables) == 1 else None
    if not isinstance(table, Events) or len(scope.laterals) != 1 or len(scope.dimensions) != 1:
        return None
    alias = next(iter(scope.dimensions)).removesuffix(".dim")
    own = (f"{alias}.dim", f"{alias}.value")
    once = [sql for sql in sqls if sql not in own]
    if any(f"{alias}." in part for part in (*once, where)):
        return None
    kept = "".join(f", {sql} AS e{place}" for place, sql in enumerate(once, 1))
    names = iter(f"e{place}" for place in range(1, len(once) + 1))
    shown = ", ".join(f"{sql if sql in own else next(names)} AS c{place}" for place, sql in enumerate(sqls, 1))
    inner = f"SELECT {table.alias}.id AS id{kept} FROM {table.sql()}{where and f' WHERE {where}'} LIMIT -1"
    return f"SELECT {shown} FROM ({inner}) AS {table.alias}{scope.laterals[0]}"


def _names(printer: Printer, node: Node) -> Expr | None:
    scope = printer.scope
    found_names = discovery(node)
    if not found_names or not any(is_value_of(found_names, scope, name) for name in scope.known_values):
        return None
    prefix, document = found_names
    table = printer.events_document(document)
    if not isinstance(table, Events) or table.optional or scope.grouping:
        return None
    key = f"{table.alias} {prefix}"
    found = scope.array_joined.get(key)
    if found is None:
        alias = printer.table_alias("d")
        on = f"{alias}.id = {table.alias}.id"
        if prefix != DIMENSION_PREFIX:
            on += f" AND substr({alias}.dim, 1, {len(prefix)}) = {quote(prefix)}"
        scope.laterals.append(f" CROSS JOIN dims AS {alias} ON {on}")
        found = scope.array_joined[key] = Expr(f"{alias}.dim", t.STRING)
        scope.dimensions[found.sql] = table
    return found


def _value(printer: Printer, node: Node) -> Expr | None:
    if value_key(node) is None:
        return None
    table = printer.events_document(node["args"][0])
    if not isinstance(table, Events):
        return None
    name = printer.visit(node["args"][1]).sql
    if printer.scope.dimensions.get(name) is not table:
        return None
    return Expr(f"{name.removesuffix('.dim')}.value", t.FLOAT.maybe())


def discovery(node: Node) -> tuple[str, Node] | None:
    """Prefix and document where the names are of dimensions."""
    found = names_that_begin(node)
    return found if found is not None and found[0].startswith(DIMENSION_PREFIX) else None


def names_that_begin(node: Node) -> tuple[str, Node] | None:
    """Prefix and document of `arrayJoin(arrayFilter(k -> startsWith(k, prefix), JSONExtractKeys(document)))`."""
    match node:
        case {
            "args": [
                {
                    "name": "arrayFilter",
                    "args": [
                        {
                            "node": "Lambda",
                            "args": [str(variable)],
                            "expr": {
                                "name": "startsWith",
                                "args": [
                                    {"node": "Field", "chain": [str(used)]},
                                    {"node": "Constant", "value": str(prefix)},
                                ],
                            },
                        },
                        {"name": "JSONExtractKeys", "args": [document]},
                    ],
                }
            ]
        } if variable == used:
            return prefix, document
    return None


def value_key(node: Node) -> Node | None:
    """The key of `JSONExtract(document, key, 'Nullable(Float64)')`."""
    match node:
        case {"name": "JSONExtract", "args": [_, key, {"node": "Constant", "value": "Nullable(Float64)"}]}:
            return key
    return None


def is_value_of(names: tuple[str, Node], scope: Scope, name: str) -> bool:
    """Whether the alias `name` is the value of the dimension that `names` are of."""
    key = value_key(scope.aliases.get(name, {}))
    if key is not None and key["node"] == "Field" and len(key["chain"]) == 1:
        key = scope.aliases.get(key["chain"][0])
    found = discovery(key) if key is not None and key.get("name") == "arrayJoin" else None
    return found is not None and found[0] == names[0]


def conjuncts(where: Node | None) -> Iterator[Node]:
    if where is None:
        return
    if where["node"] == "And":
        for part in where["exprs"]:
            yield from conjuncts(part)
    else:
        yield where


def _not_null(node: Node) -> Iterator[str]:
    match node:
        case {"node": "CompareOperation", "op": "!=", "left": {"node": "Field", "chain": [*_, str(name)]},
              "right": {"node": "Constant", "value": None}}:  # fmt: skip
            yield name
        case {"node": "Call", "name": "isNotNull", "args": [{"node": "Field", "chain": [*_, str(name)]}]}:
            yield name
