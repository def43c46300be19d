"""Answering from the sums of each hour instead of from every event.

A SELECT that aggregates events over a span of time is printed on `hours` (or `dim_hours`, for discovered dimensions)
where that gives the same answer: its keys and conditions are keys of an hour or the hour itself, and its aggregates are
counts, sums, averages and extremes of what is summed. Such a row stands for `n` events; hours that the span cuts are
read from the events, as rows that stand for one. Whatever else a SELECT reads leaves `ONLY_EVENTS` in its text, and it
is printed on the events as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queries.local.hogql import functions, rewrites
from queries.local.hogql import types as t
from queries.local.hogql.expression import Expr, comparable, quote
from queries.local.hogql.functions.table import Call
from queries.local.hogql.scope import SELECTS, Node, Scope, Table
from queries.local.schema import DIMENSION_PREFIX, HAS_TEXT, HOUR, HOUR_EVENTS, HOUR_KEYS, HOUR_MEASURES, column, parts

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer
    from queries.local.hogql.statement import Select

ONLY_EVENTS = "`only events have`"
_NARROW = {"event": t.STRING, "timestamp": t.DATETIME64, "distinct_id": t.STRING}
_BODY = {"uuid": t.UUID, "created_at": t.DATETIME64, "properties": t.Type("String", is_json=True)}
# Functions of a time that say the same of all times of an hour, where the zone's offset is whole hours.
_OF_HOURS = frozenset(
    ("toDate", "toStartOfHour", "toStartOfDay", "toStartOfWeek", "toMonday", "toStartOfMonth", "toHour", "toDayOfWeek")
)
_FLOATS = frozenset(("toFloat", "toFloatOrNull"))
_EARLIEST = 946_684_800_000_000  # the year 2000; zones of today had other offsets long before


class NotHourly(Exception):
    """The SELECT needs single events."""


@dataclass(slots=True)
class Hours:
    """`events` as the sums of hours from `since` up to `until`, both SQL. `weight` is the column that says how many
    events a row stands for: of those with a measure, where the SELECT asks for only those."""

    name: str
    alias: str
    since: str
    until: str
    events: str
    optional: bool = False
    weight: str = "n"
    has_dims: bool = False
    prefix: str = DIMENSION_PREFIX
    used: dict[str, None] = field(default_factory=dict)

    def columns(self) -> list[str]:
        return [*_BODY, *_NARROW]

    def has(self, name: str) -> bool:
        return name in self.columns()

    def column(self, name: str) -> Expr | None:
        if name == "event":
            return Expr(f"{self.alias}.event", t.STRING)
        type = _NARROW.get(name) or _BODY.get(name)
        return Expr(ONLY_EVENTS, type) if type else None

    def read_property(self, path: Sequence[Expr]) -> Expr | None:
        name = path[0].constant
        if len(path) == 1 and name in HOUR_KEYS:
            return Expr(f"{self.alias}.{column(str(name))}", t.STRING.maybe())
        return Expr(ONLY_EVENTS, t.STRING.maybe())

    def sum_of(self, measure: str) -> Expr:
        """A measure, of which only the parts can be read."""
        self.used[measure] = None
        return Expr(f"`only sums of {measure}`", t.FLOAT.maybe(), measure=measure)

    def part(self, measure: str, place: int) -> str:
        return f"{self.alias}.{parts(measure)[place]}"

    def sql(self) -> str:
        """Whole hours, and the events before and after them. Where the zone's offset is not whole hours, all events."""
        first = f"max(({self.since} + {HOUR - 1}) / {HOUR} * {HOUR}, {_EARLIEST})"
        last = f"max({self.until}, 0) / {HOUR} * {HOUR}"
        hours = f":tz_hours AND timestamp >= {first} AND timestamp < {last}"
        start = f"CASE WHEN :tz_hours THEN min({first}, {self.until}) ELSE {self.until} END"
        before = f"timestamp >= {self.since} AND timestamp < {start}"
        after = f":tz_hours AND timestamp >= max({first}, {last}) AND timestamp < {self.until}"
        summed = "dim_hours" if self.has_dims else "hours"
        texts = "" if self.has_dims else f"events INDEXED BY events_text WHERE {HAS_TEXT} AND {hours}"
        found = [
            f"SELECT {self._summed()} FROM {summed} WHERE {hours}",
            f"SELECT {self._single()} FROM {self._events()} WHERE {before}",
            f"SELECT {self._single()} FROM {self._events()} WHERE {after}",
            *([f"SELECT {self._single()} FROM {texts}"] if texts else []),
        ]
        return f"({' UNION ALL '.join(f'{part} AND {self.events}' for part in found)}) AS {self.alias}"

    def _events(self) -> str:
        return "events CROSS JOIN dims ON dims.id = events.id" if self.has_dims else "events"

    def _shown(self) -> list[str]:
        return ["event", "timestamp", *map(column, HOUR_KEYS), *(["dim"] if self.has_dims else [])]

    def _summed(self) -> str:
        sums = [part for measure in self.used for part in parts(measure)]
        return ", ".join([*self._shown(), "n", "first", "last", *sums])

    def _single(self) -> str:
        sums = [part for measure in self.used for part in _parts_of_one(measure)]
        return ", ".join([*self._shown(), "1", "timestamp", "timestamp", *sums])


def _parts_of_one(measure: str) -> tuple[str, str, str, str]:
    if measure == "value":
        return ("1", "value", "value", "value")
    number = column(measure)
    value = f"CASE typeof({number}) WHEN 'text' THEN hq_float({number}) ELSE {number} + 0.0 END"
    return (f"({value}) IS NOT NULL", value, value, value)


@dataclass(slots=True)
class Shown:
    """A sub-select on `hours` whose columns the SELECT around it reads as if they were its own."""

    name: str
    hours: Hours
    found: dict[str, Expr]
    optional: bool = False

    def columns(self) -> list[str]:
        return list(self.found)

    def has(self, name: str) -> bool:
        return name in self.found

    def column(self, name: str) -> Expr | None:
        return self.found.get(name)

    def read_property(self, path: Sequence[Expr]) -> Expr | None:
        return None

    def sql(self) -> str:
        return self.hours.sql()


def call(printer: Printer, node: Node) -> Expr | None:
    """What a call gives of an hour that single events would be needed for otherwise; None for any other call."""
    table = _table(printer)
    if table is None or printer.scope.grouping:
        return None
    name, args = node["name"], node["args"]
    if name in _OF_HOURS and args and _is_time(printer, args[0]):
        function = functions.FUNCTIONS[name]
        if function.most is not None and len(args) > function.most:
            raise NotHourly  # refused there as it is anywhere else
        hour = Expr(f"{table.alias}.timestamp", t.DATETIME64)
        return function.render(Call(name, (hour, *printer.visit_all(args[1:]))))
    if name in _FLOATS and len(args) == 1:
        measure = _measure(printer, args[0])
        return table.sum_of(measure) if measure else None
    if name == "arrayJoin":
        return _dimension(printer, table, node)
    if name == "JSONExtract" and table.has_dims:
        key = rewrites.value_key(node)
        if key is not None and printer.visit(key).sql == f"{table.alias}.dim":
            return table.sum_of("value")
    return None


def aggregate(printer: Printer, name: str, args: Sequence[Node], tail: str) -> Expr | None:
    """An aggregate over rows that stand for several events; None where their number makes no difference."""
    table = _table(printer)
    if table is None:
        return None
    if " OVER " in tail:
        raise NotHourly
    weight = f"{table.alias}.{table.weight}"
    if name == "count":
        return _count(printer, table, args, tail, weight)
    if len(args) != 1:
        raise NotHourly
    if name in ("min", "max") and _is_time(printer, args[0]) and table.weight == "n":
        edge = "first" if name == "min" else "last"
        return Expr(f"coalesce({name}({table.alias}.{edge}){tail}, 0)", t.DATETIME64)
    value = printer.visit(args[0])
    if not value.measure:
        if name in ("min", "max", "any", "uniqExact", "uniq", "groupUniqArray"):
            return None
        raise NotHourly
    if table.weight not in ("n", parts(value.measure)[0]):
        raise NotHourly
    n, total, least, greatest = (table.part(value.measure, place) for place in range(4))
    sqls = {
        "sum": f"sum({total}){tail}",
        "avg": f"(sum({total}){tail} / sum({n}){tail})",
        "min": f"min({least}){tail}",
        "max": f"max({greatest}){tail}",
    }
    if name not in sqls:
        raise NotHourly
    return Expr(sqls[name], t.FLOAT.maybe())


def _count(printer: Printer, table: Hours, args: Sequence[Node], tail: str, weight: str) -> Expr:
    if args:
        value = printer.visit(args[0])
        if not value.measure or table.weight not in ("n", parts(value.measure)[0]):
            raise NotHourly
        weight = table.part(value.measure, 0)
    for measure in table.used:
        known = f"(`only sums of {measure}` IS NOT NULL)"
        if known in tail:
            if tail.count("only sums of") > 1 or "OR" in tail or table.weight not in ("n", parts(measure)[0]):
                raise NotHourly
            tail, weight = tail.replace(known, "1"), table.part(measure, 0)
    return Expr(f"coalesce(sum({weight}){tail}, 0)", t.UINT64)


@dataclass(frozen=True, slots=True)
class Span:
    """A SELECT's span of time and events as SQL, and what else its WHERE asks for."""

    since: str
    until: str
    names: tuple[str, ...]
    others: tuple[Node, ...]

    @property
    def events(self) -> str:
        return f"event IN ({', '.join(map(quote, self.names))})"


def span(printer: Printer, where: Node | None, known: Sequence[str]) -> Span:
    """Raises `NotHourly` where the events have no two bounds or are not all summed."""
    bounds: dict[str, str] = {}
    events: list[str] = []
    others = []
    for part in rewrites.conjuncts(where):
        bound = _bound(printer, part)
        named = _events(part)
        if bound:
            if bound[0] in bounds:
                raise NotHourly
            bounds[bound[0]] = bound[1]
        elif named and not events:
            if not set(named) <= set(known):
                raise NotHourly
            events = named
        else:
            others.append(part)
    if bounds.keys() != {">=", "<"} or not events:
        raise NotHourly
    return Span(bounds[">="], bounds["<"], tuple(events), tuple(others))


def _bound(printer: Printer, node: Node) -> tuple[str, str] | None:
    match node:
        case {"node": "CompareOperation", "op": ">=" | "<" as op, "left": {"node": "Field", "chain": ["timestamp"]}}:
            at = Expr("timestamp", t.DATETIME64)
            return op, comparable(at, printer.visit(node["right"]))[1]
    return None


def _events(node: Node) -> list[str]:
    match node:
        case {"node": "CompareOperation", "op": "==" | "in", "left": {"node": "Field", "chain": ["event"]},
              "right": {"node": "Constant", "value": str(name)}}:  # fmt: skip
            return [name]
        case {"node": "CompareOperation", "op": "in", "left": {"node": "Field", "chain": ["event"]},
              "right": {"node": "Tuple", "exprs": names}}:  # fmt: skip
            values = [name.get("value") for name in names]
            return [value for value in values if isinstance(value, str)] if all(values) else []
    return []


def condition(sql: str, table: Hours) -> str:
    """The same for hours; where it asks for a measure to be there, rows stand for the events that have it."""
    for measure in table.used:
        if sql == f"(`only sums of {measure}` IS NOT NULL)" and table.weight == "n":
            table.weight = parts(measure)[0]
            return f"({table.alias}.{table.weight} > 0)"
    return sql


def prepare(select: Select) -> str:
    """Put the sums of hours in FROM; gives WHERE. Raises `NotHourly`."""
    join, where = select.node["select_from"], select.node.get("where")
    scope = select.scope
    table: Table
    if join["table"]["node"] in SELECTS:
        child = type(select)(select.statements, join["table"], scope.environment, select.known_below(), select.sums)
        inner = prepare(child)
        items = child.expanded(child.node["select"])
        found = {child.name_of(item): child.printer.visit(item) for item in items}
        table = Shown(join.get("alias") or "", of(child.scope), found)
        others = tuple(rewrites.conjuncts(where))
    else:
        if any(map(scope.alias, ("timestamp", "event", "properties"))):
            raise NotHourly
        asked = span(select.printer, where, HOUR_EVENTS)
        alias = select.printer.table_alias("t")
        table = Hours(join.get("alias") or "events", alias, asked.since, asked.until, asked.events)
        inner, others = "", asked.others
    scope.tables.append(table)
    select.joins.append(("JOIN", table, ""))
    conditions = [condition(select.printer.visit(part).as_condition, of(scope)) for part in others]
    return " AND ".join(part for part in (inner, *conditions) if part)


def may_serve(node: Node) -> bool:
    """Whether it is worth to try: an aggregation of events alone, or of a plain sub-select of them."""
    source = _alone(node)
    if source is not None and source["node"] == "SelectQuery":
        is_plain = not any(source.get(clause) for clause in _NOT_PLAIN)
        return bool(node.get("group_by")) and is_plain and stands_alone(source, "events")
    return bool(node.get("where")) and stands_alone(node, "events")


_NOT_PLAIN = ("ctes", "distinct", "prewhere", "group_by", "having", "order_by", "limit", "limit_by", "qualify",
              "window_exprs", "array_join_list")  # fmt: skip


def stands_alone(node: Node, table: str) -> bool:
    source = _alone(node)
    return source is not None and source.get("chain") == [table]


def _alone(node: Node) -> Node | None:
    """What stands alone in FROM."""
    join = node.get("select_from")
    if not join or join.get("next_join") or node.get("array_join_list") or node.get("prewhere"):
        return None
    if any(join.get(extra) for extra in ("sample", "table_final", "column_aliases", "table_args")):
        return None
    return join["table"]


def check(sql: str) -> None:
    if "`only " in sql:
        raise NotHourly


def _table(printer: Printer) -> Hours | None:
    table = printer.scope.tables[0] if len(printer.scope.tables) == 1 else None
    return of(printer.scope) if isinstance(table, Hours | Shown) else None


def of(scope: Scope) -> Hours:
    """The table of hours behind the only table of a scope that has one."""
    table = scope.tables[0]
    if isinstance(table, Shown):
        return table.hours
    assert isinstance(table, Hours)
    return table


def _is_time(printer: Printer, node: Node) -> bool:
    return node.get("chain") == ["timestamp"] and isinstance(printer.scope.tables[0], Hours)


def _measure(printer: Printer, node: Node) -> str:
    """The measure that `properties.score` names."""
    match node:
        case {"node": "Field", "chain": ["properties", str(name)]} if isinstance(printer.scope.tables[0], Hours):
            return name if name in HOUR_MEASURES else ""
    return ""


def _dimension(printer: Printer, table: Hours, node: Node) -> Expr | None:
    found = rewrites.discovery(node)
    if not found or not any(rewrites.is_value_of(found, printer.scope, name) for name in printer.scope.known_values):
        return None
    if found[0] != DIMENSION_PREFIX or found[1].get("chain") != ["properties"] or printer.scope.tables[0] is not table:
        raise NotHourly
    table.has_dims = True
    return Expr(f"{table.alias}.dim", t.STRING)
