"""Functions that take a lambda: a sub-select over the array's elements, with the lambda's argument as a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from queries.local.hogql import types as t
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr
from queries.local.hogql.functions.arrays import element
from queries.local.hogql.types import Type, array

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer
    from queries.local.hogql.scope import Node


class _Elements:
    """The rows of one or more arrays side by side, with the lambda's expression over them."""

    def __init__(self, printer: Printer, node: Node, *, needs_lambda: bool) -> None:
        name, args = node["name"], list(node["args"])
        function = args.pop(0) if args and args[0]["node"] == "Lambda" else None
        if needs_lambda and function is None:
            raise HogQLError(f"The first argument of {name} must be a lambda: x -> ...")
        if not args or (function is None and len(args) > 1):
            raise HogQLError(f"{name} needs an array")
        arrays = printer.visit_all(args)
        for values in arrays:
            if values.type.kind != "Array":
                raise HogQLError(f"{name} needs an array, not {values.type}")
        names = function["args"] if function else ["x"]
        if len(names) != len(arrays):
            raise HogQLError(f"The lambda of {name} takes {len(names)} arguments for {len(arrays)} arrays")
        # Named by depth, so that the same lambda prints the same SQL wherever it stands.
        depth = len(printer.scope.bound)
        aliases = [f"l{depth}_{place}" for place in range(len(arrays))]
        columns = [Expr(f"{alias}.value", e.type.inner[0]) for alias, e in zip(aliases, arrays, strict=True)]
        self.key = f"{aliases[0]}.key"
        self.item = columns[0]
        self.rows = f"json_each({arrays[0].sql}) AS {aliases[0]}" + "".join(
            f" JOIN json_each({e.sql}) AS {alias} ON {alias}.key = {self.key}"
            for e, alias in zip(arrays[1:], aliases[1:], strict=True)
        )
        with printer.scope.bind(dict(zip(names, columns, strict=True))):
            self.body = printer.visit(function["expr"]) if function else columns[0]

    @property
    def condition(self) -> str:
        return self.body.as_condition

    @property
    def bodies(self) -> str:
        """The lambda's values as the column `v`. An aggregate over an expression that names no element would be the
        enclosing SELECT's in SQLite, so it always goes over this column."""
        return f"SELECT {self.body.sql} AS v FROM {self.rows}"

    @property
    def number(self) -> Expr:
        if not self.body.type.is_number and self.body.type.kind != "Nothing":
            raise HogQLError(f"{self.body.type} is not a number", do="Use toFloat(...)")
        return self.body


Handler = Callable[["Printer", "Node"], Expr]


def _map(printer: Printer, node: Node) -> Expr:
    rows = _Elements(printer, node, needs_lambda=True)
    item = element("v", rows.body.type)
    return Expr(f"(SELECT json_group_array({item}) FROM ({rows.bodies}))", array(rows.body.type))


def _filter(printer: Printer, node: Node) -> Expr:
    rows = _Elements(printer, node, needs_lambda=True)
    item = element(rows.item.sql, rows.item.type)
    return Expr(f"(SELECT json_group_array({item}) FROM {rows.rows} WHERE {rows.condition})", array(rows.item.type))


def _exists(printer: Printer, node: Node) -> Expr:
    rows = _Elements(printer, node, needs_lambda=False)
    return Expr(f"(EXISTS (SELECT 1 FROM {rows.rows} WHERE {rows.condition}))", t.UINT8)


def _all(printer: Printer, node: Node) -> Expr:
    rows = _Elements(printer, node, needs_lambda=False)
    return Expr(f"(NOT EXISTS (SELECT 1 FROM {rows.rows} WHERE NOT coalesce({rows.condition}, 0)))", t.UINT8)


def _count(printer: Printer, node: Node) -> Expr:
    rows = _Elements(printer, node, needs_lambda=False)
    return Expr(f"(SELECT count(*) FROM {rows.rows} WHERE {rows.condition})", t.Type("UInt32"))


def _first(order: str) -> Handler:
    def render(printer: Printer, node: Node) -> Expr:
        rows = _Elements(printer, node, needs_lambda=True)
        type = rows.item.type
        sql = f"(SELECT {rows.item.sql} FROM {rows.rows} WHERE {rows.condition} ORDER BY {rows.key} {order} LIMIT 1)"
        return Expr(sql if type.nullable else f"coalesce({sql}, {type.default})", type)

    return render


def _first_index(order: str) -> Handler:
    def render(printer: Printer, node: Node) -> Expr:
        rows = _Elements(printer, node, needs_lambda=True)
        found = f"SELECT {rows.key} + 1 FROM {rows.rows} WHERE {rows.condition} ORDER BY {rows.key} {order} LIMIT 1"
        return Expr(f"coalesce(({found}), 0)", t.Type("UInt32"))

    return render


def _fold(name: str) -> Handler:
    def render(printer: Printer, node: Node) -> Expr:
        rows = _Elements(printer, node, needs_lambda=False)
        is_sum = name in ("sum", "avg")
        body = rows.number if is_sum else rows.body
        if body.type.is_nested:
            raise HogQLError(f"{node['name']} of {body.type} is not supported")
        type = _FOLDED_TYPE[name](body.type)
        sql = f"(SELECT {name}(v) FROM ({rows.bodies}))"
        return Expr(sql if type.nullable or name == "avg" else f"coalesce({sql}, {type.default})", type)

    return render


def _sum_type(type: Type) -> Type:
    if not type.is_integer:
        return t.FLOAT
    return t.UINT64 if type.is_unsigned else t.INT64


_FOLDED_TYPE: dict[str, Callable[[Type], Type]] = {
    "sum": _sum_type,
    "avg": lambda type: t.FLOAT,
    "min": lambda type: type,
    "max": lambda type: type,
}


def _sort(order: str) -> Handler:
    def render(printer: Printer, node: Node) -> Expr:
        rows = _Elements(printer, node, needs_lambda=False)
        item = element("v", rows.item.type)
        # The key is a column first: SQLite cannot order by a column of the enclosing SELECT in here.
        keyed = f"SELECT {rows.item.sql} AS v, {rows.body.sql} AS k, {rows.key} AS i FROM {rows.rows}"
        ordered = f"SELECT v FROM ({keyed}) ORDER BY k {order} NULLS LAST, i"
        return Expr(f"(SELECT json_group_array({item}) FROM ({ordered}))", array(rows.item.type))

    return render


FUNCTIONS: dict[str, Handler] = {
    "arrayMap": _map,
    "arrayFilter": _filter,
    "arrayExists": _exists,
    "arrayAll": _all,
    "arrayCount": _count,
    "arrayFirst": _first("ASC"),
    "arrayLast": _first("DESC"),
    "arrayFirstIndex": _first_index("ASC"),
    "arrayLastIndex": _first_index("DESC"),
    "arraySum": _fold("sum"),
    "arrayAvg": _fold("avg"),
    "arrayMin": _fold("min"),
    "arrayMax": _fold("max"),
    "arraySort": _sort("ASC"),
    "arrayReverseSort": _sort("DESC"),
}
