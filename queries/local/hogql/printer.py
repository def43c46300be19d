"""Expressions: one handler for each node of PostHog's tree, from an explicit table. Whatever has none is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from queries.local.hogql import functions, hourly, membership, per_round, prefixed, rewrites
from queries.local.hogql import types as t
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, comparable, literal
from queries.local.hogql.functions import aggregates, arrays, comparisons, conditions, dates, json, lambdas, numbers
from queries.local.hogql.functions.table import Call
from queries.local.hogql.scope import SELECTS, Events, Node, Scope, Table
from queries.local.hogql.windows import over

if TYPE_CHECKING:
    from queries.local.hogql.statement import Statements

MAX_DEPTH = 80


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below."""
    for value in node.values():
        if isinstance(value, dict) and "node" in value:
            yield value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict) and "node" in item:
                    yield item


class Printer:
    """Prints the expressions of one SELECT in its scope."""

    def __init__(self, statements: Statements, scope: Scope) -> None:
        self.statements = statements
        self.scope = scope
        self._depth = 0

    def visit(self, node: Node) -> Expr:
        """Raises `HogQLError` with the place of the innermost node that cannot be printed."""
        with self._placed(node):
            grouped = self._grouped(node) if self.scope.grouping else None
            return grouped or self._handler(node)(self, node)

    def condition(self, node: Node) -> Expr:
        """Raises `HogQLError`, with the place, for what is no truth value."""
        with self._placed(node):
            found = self.visit(node)
            found.as_condition  # noqa: B018
            return found

    def visit_all(self, nodes: Sequence[Node]) -> tuple[Expr, ...]:
        return tuple(map(self.visit, nodes))

    def has_aggregate(self, node: Node) -> bool:
        """Whether `node` holds an aggregate function, directly or through an alias; sub-selects are their own."""
        self.statements.step()
        kind = node["node"]
        if kind in SELECTS:
            return False
        if kind == "Call" and functions.find_aggregate(node["name"]):
            return True
        if kind == "Field" and len(node["chain"]) == 1 and isinstance(node["chain"][0], str):
            name = node["chain"][0]
            target = None if self.scope.variable(name) else self.scope.alias(name)
            if target is not None:
                with self.scope.expand(name):
                    return self.has_aggregate(target)
        return any(map(self.has_aggregate, children(node)))

    def table_alias(self, prefix: str) -> str:
        return self.statements.fresh(prefix)

    def events_document(self, node: Node) -> Table | None:
        """The events table whose `properties` column `node` names; None for anything else."""
        if node["node"] != "Field" or node["chain"][-1] != "properties" or self.scope.alias("properties"):
            return None
        owner = self.scope.owner(node["chain"])
        return owner[0] if owner and list(owner[1]) == ["properties"] else None

    @contextmanager
    def _placed(self, node: Node) -> Iterator[None]:
        self._depth += 1
        try:
            self.statements.step()
            if self._depth > MAX_DEPTH:
                raise HogQLError("The query is too deeply nested")
            yield
        except HogQLError as error:
            if error.start is None and "start" in node:
                error.start, error.end = node["start"]["offset"], node["end"]["offset"]
            raise
        finally:
            self._depth -= 1

    def _handler(self, node: Node) -> Callable[[Printer, Node], Expr]:
        handler = HANDLERS.get(node["node"])
        if handler is None:
            raise HogQLError(f"{node['node']} is not supported")
        return handler

    def _grouped(self, node: Node) -> Expr | None:
        """In the outer half of an aggregating SELECT, what the inner half hands over; None to go on with parts."""
        grouping = self.scope.grouping
        assert grouping is not None
        kind = node["node"]
        if kind in ("Constant", "Placeholder", "Lambda", "WindowFunction") or kind in SELECTS:
            return None
        if kind == "Call" and functions.find_aggregate(node["name"]):
            with self.scope.before_grouping():
                return grouping.add(self._aggregate(node))
        if self.has_aggregate(node):
            return None
        with self.scope.before_grouping():
            row = self._handler(node)(self, node)
        return grouping.keys.get(row.sql)

    # Names

    def _field(self, node: Node) -> Expr:
        chain = [str(part) for part in node["chain"]]
        if chain[-1] == "*":
            raise HogQLError("* can only stand alone in SELECT or in count(*)")
        name = chain[0]
        found = self.scope.variable(name)
        if found is None:
            target = self.scope.alias(name)
            if target is not None:
                with self.scope.expand(name):
                    found = self.visit(target)
        if found is not None:
            return self._below(found, chain[1:])
        return self._column(chain)

    def _below(self, e: Expr, rest: Sequence[str]) -> Expr:
        if not rest:
            return e
        if not e.type.is_json:
            raise HogQLError(f"{e.type} has no field {rest[0]}")
        return json.property_text(e, [literal(part) for part in rest])

    def _column(self, chain: Sequence[str]) -> Expr:
        scope = self.scope
        if len(chain) == 1 and chain[0] in scope.array_columns:
            return self._not_loose(scope.array_columns[chain[0]], chain)
        owner = scope.owner(chain)
        if owner is None:
            raise HogQLError(f"Unable to resolve field: {'.'.join(chain)}")
        table, rest = owner
        if rest[0] == "properties" and len(rest) > 1:
            found = table.read_property([literal(part) for part in rest[1:]])
        elif rest[0] == "person" and isinstance(table, Events):
            found = table.person(rest[1:])
        else:
            found = table.column(rest[0])
            found = found and self._below(found, rest[1:])
        if found is None:
            raise HogQLError(f"Unable to resolve field: {'.'.join(chain)}")
        if table.optional and not scope.in_join and not found.type.nullable:
            # A row without a partner has default values in ClickHouse, not NULL.
            found = replace(found, sql=f"coalesce({found.sql}, {found.type.default})")
        return self._not_loose(found, chain)

    def _not_loose(self, e: Expr, chain: Sequence[str]) -> Expr:
        if self.scope.grouping:
            raise HogQLError(f"Column `{'.'.join(chain)}` is not under an aggregate function and not in GROUP BY")
        return e

    def _access(self, node: Node) -> Expr:
        """`a[1]`, `a.1`, `properties['key']`, `properties.list[1]`."""
        path: list[Expr] = []
        base = node
        while base["node"] in ("ArrayAccess", "TupleAccess"):
            is_array = base["node"] == "ArrayAccess"
            path.insert(0, self.visit(base["property"]) if is_array else literal(base["index"]))
            base = base["array"] if is_array else base["tuple"]
        if base["node"] == "Field":
            of_json = self._json_access(base, path)
            if of_json:
                return of_json
        found = self.visit(base)
        if found.type.is_json:
            return json.property_text(found, path)
        for step in path:
            found = arrays.at(found, step)
        return found

    def _json_access(self, base: Node, path: Sequence[Expr]) -> Expr | None:
        chain = [str(part) for part in base["chain"]]
        if "properties" not in chain[:2] or self.scope.alias(chain[0]) or self.scope.variable(chain[0]):
            return None
        owner = self.scope.owner(chain)
        if owner is None or owner[1][0] != "properties":
            return None
        for step in path:
            if isinstance(step.constant, int) and step.constant == 0:
                raise HogQLError("Array elements are counted from 1")
        found = owner[0].read_property([literal(part) for part in owner[1][1:]] + list(path))
        return self._not_loose(found, chain) if found else None

    # Operators

    def _constant(self, node: Node) -> Expr:
        value = node["value"]
        if node.get("value_type") == "number":
            value = float(value)
        return literal(value)

    def _placeholder(self, node: Node) -> Expr:
        chain = node["expr"].get("chain") if node["expr"]["node"] == "Field" else None
        if not chain or len(chain) != 1:
            raise HogQLError("A placeholder is a single name: {name}")
        return self.statements.placeholder(str(chain[0]))

    def _compare(self, node: Node) -> Expr:
        op = node["op"]
        if op in ("in", "not in"):
            return membership.within(self, node["left"], node["right"], negated=op == "not in")
        found = comparisons.compare(op, self.visit(node["left"]), self.visit(node["right"]), in_join=self.scope.in_join)
        if found is None:
            raise HogQLError(f"The operator {op} is not supported")
        return found

    def _between(self, node: Node) -> Expr:
        value, low, high = (self.visit(node[part]) for part in ("expr", "low", "high"))
        above, below = comparisons.compare(">=", value, low), comparisons.compare("<=", value, high)
        found = conditions.logic("AND", [part for part in (above, below) if part])
        return conditions.negation(found) if node.get("negated") else found

    def _distinct_from(self, node: Node) -> Expr:
        left, right = comparable(self.visit(node["left"]), self.visit(node["right"]))
        return Expr(f"({left} {'IS' if node.get('negated') else 'IS NOT'} {right})", t.UINT8)

    def _arithmetic(self, node: Node) -> Expr:
        op, a, b = node["op"], self.visit(node["left"]), self.visit(node["right"])
        if op in ("+", "-"):
            if b.type.is_interval:
                return dates.shift(a, b, 1 if op == "+" else -1)
            if a.type.is_interval and op == "+":
                return dates.shift(b, a, 1)
            if not a.type.is_number or not b.type.is_number:
                return _time_arithmetic(op, a, b)
        if op not in _ARITHMETIC:
            raise HogQLError(f"The operator {op} is not supported")
        return functions.FUNCTIONS[_ARITHMETIC[op]].render(Call(op, (a, b)))

    def _cast(self, node: Node) -> Expr:
        return numbers.cast(self.visit(node["expr"]), node["type_name"], t.parse_type(node["type_name"]))

    def _scalar(self, node: Node) -> Expr:
        query = self.statements.query(node, self.scope.environment)
        if len(query.columns) != 1:
            raise HogQLError("A sub-select used as a value must have one column")
        return Expr(f"({query.sql})", query.columns[0].type.maybe())

    def _slice(self, node: Node) -> Expr:
        raise HogQLError("Array slices are not supported", do="Use arraySlice(...)")

    # Calls

    def _call(self, node: Node) -> Expr:
        name = node["name"]
        if functions.find_aggregate(name):
            raise HogQLError(
                f"The aggregate function {name} cannot stand here",
                do="It cannot be inside another aggregate function, in WHERE or in GROUP BY",
            )
        if any(node.get(extra) for extra in ("distinct", "filter_expr", "order_by", "within_group")):
            raise HogQLError(f"{name} takes no DISTINCT, FILTER or ORDER BY")
        rewritten = hourly.call(self, node) or rewrites.dimension(self, node) or prefixed.call(self, node)
        if rewritten:
            return rewritten
        if name == "arrayJoin":
            return self._array_join(node)
        if name in _MEMBERSHIP and len(node["args"]) == 2:
            return membership.within(self, node["args"][0], node["args"][1], negated=name == "notIn")
        if name in lambdas.FUNCTIONS:
            return lambdas.FUNCTIONS[name](self, node)
        function = functions.find(name)
        if function is None:
            if functions.find_window(name):
                raise HogQLError(f"{name} needs OVER (...)")
            raise HogQLError(functions.unknown(name))
        if node.get("params"):
            raise HogQLError(f"{name} takes one pair of parentheses")
        args = node["args"]
        functions.check_arity(name, len(args), function.least, function.most)
        return function.render(Call(name, self.visit_all(args)))

    def _aggregate(self, node: Node, window: str = "", args: Sequence[Node] | None = None) -> Expr:
        name = node["name"]
        found = functions.find_aggregate(name)
        assert found is not None
        aggregate, is_conditional = found
        if node.get("order_by") or node.get("within_group"):
            raise HogQLError(f"{name} takes no ORDER BY")
        args = [arg for arg in (node["args"] if args is None else args) if arg.get("chain") != ["*"]]
        filters = [self.visit(node["filter_expr"])] if node.get("filter_expr") else []
        if is_conditional:
            if not args:
                raise HogQLError(f"{name} needs a condition")
            filters.append(self.visit(args[-1]))
            args = args[:-1]
        functions.check_arity(name, len(args), *aggregate.arity)
        params = tuple(self.visit(param).constant for param in node.get("params") or ())
        tail = f" FILTER (WHERE {' AND '.join(part.as_condition for part in filters)})" if filters else ""
        plain = "uniqExact" if node.get("distinct") else name.removesuffix("If") if is_conditional else name
        of_sums = hourly.aggregate(self, plain, args, tail + window) or per_round.aggregate(
            self, plain, args, tail + window
        )
        if of_sums:
            return of_sums
        call = Call(name, self.visit_all(args), params)
        if node.get("distinct"):
            if aggregate is not aggregates.AGGREGATES["count"] or not call.args:
                raise HogQLError(f"{name}(DISTINCT ...) is not supported")
            aggregate = aggregates.AGGREGATES["uniqExact"]
        if window and (not aggregate.in_window or node.get("distinct")):
            raise HogQLError(f"{name} cannot be used OVER a window")
        return aggregates.render(name, aggregate, call, tail + window)

    def _window(self, node: Node) -> Expr:
        name, args = node["name"], node.get("args") or node.get("exprs") or []
        definition = node.get("over_expr") or self.scope.windows.get(node.get("over_identifier", ""))
        if definition is None:
            raise HogQLError(f"Unknown window {node.get('over_identifier')}")
        window = over(self, name, definition)
        if functions.find_aggregate(name):
            return self._aggregate({**node, "params": None}, window, args)
        function = functions.find_window(name)
        if function is None:
            if functions.find(name):
                raise HogQLError(f"{name} cannot be used OVER a window")
            raise HogQLError(functions.unknown(name))
        functions.check_arity(name, len(args), *function.arity)
        return aggregates.render(name, function, Call(name, self.visit_all(args)), window)

    def _array_join(self, node: Node) -> Expr:
        if len(node["args"]) != 1:
            raise HogQLError("arrayJoin takes one array")
        if self.scope.grouping:
            raise HogQLError("arrayJoin cannot be used on an aggregate", do="Put the aggregate in a sub-select")
        values = self.visit(node["args"][0])
        if values.type.kind != "Array":
            raise HogQLError(f"arrayJoin needs an array, not {values.type}")
        found = self.scope.array_joined.get(values.sql)
        if found is None:
            alias = self.table_alias("j")
            self.scope.laterals.append(f" CROSS JOIN json_each({values.sql}) AS {alias}")
            found = self.scope.array_joined[values.sql] = Expr(f"{alias}.value", values.type.inner[0])
        return found

    def _alias(self, node: Node) -> Expr:
        with self.scope.expand(node["alias"]):
            return self.visit(node["expr"])


def _time_arithmetic(op: str, a: Expr, b: Expr) -> Expr:
    nullable = a.type.nullable or b.type.nullable
    if a.type.kind == "Date" and b.type.kind == "Date" and op == "-":
        return Expr(f"({a.sql} - {b.sql})", t.Type("Int32", nullable))
    if a.type.is_instant and b.type.is_instant and op == "-":
        if a.type.kind == b.type.kind == "DateTime":
            return Expr(f"(({a.sql} - {b.sql}) / 1000000)", t.Type("Int32", nullable))
        return Expr(f"(({a.sql} - {b.sql}) / 1000000.0)", t.Type("Decimal", nullable))
    if a.type.kind == "Date" and b.type.is_integer:
        return Expr(f"({a.sql} {op} {b.sql})", t.DATE.maybe(nullable))
    if a.type.is_instant and b.type.is_integer:
        return Expr(f"({a.sql} {op} {b.sql} * 1000000)", a.type.maybe(nullable))
    for part in (a, b):
        if part.type.is_text:
            raise HogQLError(f"Cannot calculate with {part.type}", do="Wrap a property in toFloat(...)")
    if a.is_null or b.is_null:
        return literal(None)
    raise HogQLError(f"Cannot calculate {a.type} {op} {b.type}")


_ARITHMETIC = {"+": "plus", "-": "minus", "*": "multiply", "/": "divide", "%": "modulo"}
_MEMBERSHIP = frozenset({"in", "notIn"})

HANDLERS: dict[str, Callable[[Printer, Node], Expr]] = {
    "Field": Printer._field,
    "ArrayAccess": Printer._access,
    "TupleAccess": Printer._access,
    "ArraySlice": Printer._slice,
    "Constant": Printer._constant,
    "Placeholder": Printer._placeholder,
    "Alias": Printer._alias,
    "And": lambda self, node: conditions.logic("AND", self.visit_all(node["exprs"])),
    "Or": lambda self, node: conditions.logic("OR", self.visit_all(node["exprs"])),
    "Not": lambda self, node: conditions.negation(self.visit(node["expr"])),
    "CompareOperation": Printer._compare,
    "BetweenExpr": Printer._between,
    "IsDistinctFrom": Printer._distinct_from,
    "ArithmeticOperation": Printer._arithmetic,
    "TypeCast": Printer._cast,
    "TryCast": Printer._cast,
    "Tuple": lambda self, node: arrays.make_tuple(self.visit_all(node["exprs"])),
    "Array": lambda self, node: arrays.make_array(self.visit_all(node["exprs"])),
    "Call": Printer._call,
    "WindowFunction": Printer._window,
    "SelectQuery": Printer._scalar,
    "SelectSetQuery": Printer._scalar,
}
