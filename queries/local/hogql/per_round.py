"""Answering a question about each round from one row a round instead of from its events.

A SELECT that groups by `properties.round_id` alone, counts the round's events by name and knows no more of them than
project, client and run is printed on `rounds`. A round that the span of time cuts, and one whose events differ in
those, is counted from its events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries.local.hogql import hourly
from queries.local.hogql import types as t
from queries.local.hogql.expression import Expr
from queries.local.hogql.hourly import ONLY_EVENTS, NotHourly
from queries.local.hogql.scope import Grouping, Node
from queries.local.schema import DAY, ROUND_EVENTS, ROUND_KEYS, column

if TYPE_CHECKING:
    from queries.local.hogql.printer import Printer
    from queries.local.hogql.statement import Select

_ROUND = column("round_id")
_AGGREGATE = re.compile(r"(?:coalesce\()?(?:sum|min|max)\(([^()]*)\)(?:, 0\))?")
_NAMED = re.compile(rf" FILTER \(WHERE \({ONLY_EVENTS} (?:= ('\w+')|IN \(('\w+'(?:, '\w+')*)\))\)\)")


@dataclass(slots=True)
class Rounds:
    """`events` as one row a round, of those between `since` and `until`, both SQL."""

    name: str
    alias: str
    since: str
    until: str
    events: Sequence[str]
    optional: bool = False

    def columns(self) -> list[str]:
        return ["uuid", "event", "properties", "timestamp", "distinct_id", "created_at"]

    def has(self, name: str) -> bool:
        return name in self.columns()

    def column(self, name: str) -> Expr | None:
        types = {"event": t.STRING, "timestamp": t.DATETIME64}
        return Expr(ONLY_EVENTS, types.get(name, t.STRING)) if name in self.columns() else None

    def read_property(self, path: Sequence[Expr]) -> Expr | None:
        name = path[0].constant
        if len(path) == 1 and name in ("round_id", *ROUND_KEYS):
            return Expr(f"{self.alias}.{column(str(name))}", t.STRING.maybe())
        return Expr(ONLY_EVENTS, t.STRING.maybe())

    def count(self, events: Sequence[str]) -> str:
        return " + ".join(f"{self.alias}.n_{name}" for name in events if name in self.events) or "0"

    def sql(self) -> str:
        raise NotHourly  # `inner` has both sources

    def inner(self, grouping: Grouping, where: str) -> str:
        """The inner half of the SELECT: whole rounds in the order in which they are stored, then the others."""
        shown = grouping.select_list()
        kept = f" AND {where}" if where else ""
        whole = f"first >= {self.since} AND first < {self.until} AND last < {self.until} AND NOT is_odd"
        rounds = f"rounds AS {self.alias} WHERE {whole} AND ({self.count(ROUND_EVENTS)}) > 0{kept}"
        # The sum of one row is what the row says, and costs a third; anything else goes by the order of the table.
        alone = [sql if sql in grouping.keys else _of_one(sql) for sql in grouping.columns]
        if all(alone):
            first = f"SELECT {', '.join(f'{sql} AS g{place}' for place, sql in enumerate(alone, 1))} FROM {rounds}"
        else:
            first = f"SELECT {shown} FROM {rounds} GROUP BY {self.alias}.first, {self.alias}.{_ROUND}"
        cut = f"({self._cut()}) AS {self.alias} WHERE 1{kept} GROUP BY {self.alias}.{_ROUND}"
        return f"{first} UNION ALL SELECT {shown} FROM {cut}"

    def _cut(self) -> str:
        keys = ", ".join(f"e.{column(name)}" for name in ("round_id", *ROUND_KEYS))
        counts = ", ".join(f"e.event = '{name}' AS n_{name}" for name in ROUND_EVENTS)
        names = ", ".join(f"'{name}'" for name in self.events)
        early = f"first >= {self.since} - {DAY} AND first < {self.since} AND last >= {self.since} AND NOT is_odd"
        late = (
            f"first >= max({self.since}, {self.until} - {DAY}) AND first < {self.until} AND last >= {self.until} "
            "AND NOT is_odd"
        )
        found = f"SELECT {_ROUND} FROM rounds WHERE"
        touches = f"first < {self.until} AND last >= {self.since}"
        odd = f"SELECT {_ROUND} FROM rounds INDEXED BY rounds_odd WHERE is_odd AND {touches}"
        return (
            f"SELECT {keys}, e.timestamp AS first, e.timestamp AS last, {counts} "
            f"FROM ({found} {early} UNION ALL {found} {late} UNION ALL {odd}) AS r "
            f"CROSS JOIN events AS e INDEXED BY events_round ON e.{_ROUND} = r.{_ROUND} AND e.{_ROUND} IS NOT NULL "
            f"WHERE e.event IN ({names}) AND e.timestamp >= {self.since} AND e.timestamp < {self.until}"
        )


def _of_one(sql: str) -> str:
    found = _AGGREGATE.fullmatch(sql)
    return f"({found[1]})" if found else ""


def may_serve(node: Node) -> bool:
    keys = node.get("group_by") or []
    return len(keys) == 1 and hourly.stands_alone(node, "events") and bool(node.get("where"))


def prepare(select: Select) -> str:
    """Put the table of rounds in FROM; gives WHERE. Raises `NotHourly`."""
    found = hourly.span(select.printer, select.node.get("where"), ROUND_EVENTS)
    join = select.node["select_from"]
    table = Rounds(
        join.get("alias") or "events", select.printer.table_alias("t"), found.since, found.until, found.names
    )
    if any(map(select.scope.alias, ("timestamp", "event", "properties"))):
        raise NotHourly
    select.scope.tables.append(table)
    parts = [select.printer.visit(part).as_condition for part in found.others]
    known = f"({table.alias}.{_ROUND} IS NOT NULL)"
    key = select.printer.visit(select.node["group_by"][0]).sql
    if known not in parts or key != f"{table.alias}.{_ROUND}":
        raise NotHourly
    return " AND ".join(part for part in parts if part != known)


def aggregate(printer: Printer, name: str, args: Sequence[Node], tail: str) -> Expr | None:
    """An aggregate over a round's row; None where it is the same as over its events."""
    table = of(printer)
    if table is None:
        return None
    if name == "count" and not args:
        named = _NAMED.fullmatch(tail)
        if tail and not named:
            raise NotHourly
        events = re.findall(r"\w+", named[1] or named[2]) if named else ROUND_EVENTS
        return Expr(f"coalesce(sum({table.count(events)}), 0)", t.UINT64)
    if tail or len(args) != 1:
        raise NotHourly
    if name in ("min", "max") and args[0].get("chain") == ["timestamp"] and set(table.events) == set(ROUND_EVENTS):
        return Expr(f"coalesce({name}({table.alias}.{'first' if name == 'min' else 'last'}), 0)", t.DATETIME64)
    if name not in ("min", "max", "any", "uniqExact", "uniq", "groupUniqArray"):
        raise NotHourly
    return None


def of(printer: Printer) -> Rounds | None:
    table = printer.scope.tables[0] if len(printer.scope.tables) == 1 else None
    return table if isinstance(table, Rounds) else None
