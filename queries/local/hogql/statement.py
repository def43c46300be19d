"""SELECT statements. One that aggregates is printed in two halves: the inner one computes keys and aggregates over
rows, the outer one the rest over the inner one's columns. So what is neither key nor aggregate cannot slip through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

from queries.local.hogql import hourly, per_round, rewrites
from queries.local.hogql.clauses import JOINS, NOT_IN_FROM, REFUSED
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr
from queries.local.hogql.functions.conditions import logic
from queries.local.hogql.ordering import directed
from queries.local.hogql.printer import Printer
from queries.local.hogql.scope import SELECTS, Column, Derived, Environment, Events, Grouping, Node, Query, Scope, Table
from queries.local.hogql.selection import aliases, positioned, span
from queries.local.hogql.sets import print_set
from queries.local.hogql.tables import TABLES
from queries.local.hogql.types import parse_type

MAX_LIMIT = 50_000  # PostHog's
MAX_STEPS = 20_000  # an alias is put in wherever it is named, so thirty that name each other twice are a billion
_OFFSET = "OFFSET is not supported for queries with a personal API key"
_PAGING = "Page by keys: WHERE timestamp > last ORDER BY timestamp LIMIT n"
_TYPES = frozenset({"String", "DateTime", "Float64", "Int64", "Bool", "Array(String)"})


class Statements:
    """Prints the statements of one text. Placeholders it met are in `placeholders`."""

    def __init__(self, text: str, placeholder_types: Mapping[str, str]) -> None:
        self.text = text
        self.placeholders: dict[str, None] = {}
        self._types = placeholder_types
        self._aliases = 0
        self._steps = 0

    def fresh(self, prefix: str) -> str:
        self._aliases += 1
        return f"{prefix}{self._aliases}"

    def step(self) -> None:
        """Count one node that is printed or looked at. Raises `HogQLError` when there are too many."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise HogQLError("The query is too complicated")

    def placeholder(self, name: str) -> Expr:
        given = self._types.get(name)
        if given is None:
            raise HogQLError(f"Placeholder {{{name}}} has no value", do="Give it with a parameter of that name")
        type = parse_type(given)
        if type is None or given not in _TYPES or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise HogQLError(f"Placeholder {{{name}}} cannot be of type {given}")
        self.placeholders[name] = None
        return Expr(f":p_{name}", replace(type, kind="DateTime64") if type.is_instant else type)

    def query(
        self,
        node: Node,
        environment: Environment,
        *,
        known: frozenset[str] = frozenset(),
        keyed: bool = False,
        top: bool = False,
    ) -> Query:
        """`known`: columns that the query around this one requires to be not NULL. `keyed`: it reads a column that has
        a key by that. `top`: end in a row limit."""
        if node["node"] == "SelectSetQuery":
            return print_set(self, node, environment, top=top)
        if node["node"] == "SelectQuery":
            aliases_before = self._aliases
            for sums in (per_round, hourly):
                if sums.may_serve(node):
                    try:
                        return Select(self, node, environment, known, sums).printed(top, keyed)
                    except (hourly.NotHourly, HogQLError):
                        self._aliases = aliases_before  # on the events it is right, or refused in words that fit
            return Select(self, node, environment, known).printed(top, keyed)
        raise HogQLError(f"{node['node']} is not supported where a SELECT is expected")

    def with_ctes(self, ctes: Sequence[Node] | None, environment: Environment) -> tuple[str, Environment]:
        """The WITH clause, and what is in reach after it."""
        printed = []
        for cte in ctes or ():
            if cte.get("recursive") or cte.get("columns") or cte.get("using_key"):
                raise HogQLError(f"WITH RECURSIVE and column lists are not supported (in {cte['name']})", *span(cte))
            if cte["cte_type"] == "column":
                environment = environment.with_scalar(cte["name"], cte["expr"])
                continue
            query = self.query(cte["expr"], environment)
            alias = self.fresh("w")
            printed.append(f"{alias} AS ({query.sql})")
            environment = environment.with_table(cte["name"], alias, query.columns)
        return (f"WITH {', '.join(printed)} " if printed else ""), environment

    def limit(self, node: Node | None, top: bool) -> tuple[str, int | None]:
        """The LIMIT clause and its number. A top-level query without one takes it from the caller."""
        if node is None:
            return (" LIMIT :row_limit", None) if top else ("", None)
        if node["node"] == "Placeholder":
            name = Printer(self, Scope(Environment())).visit(node)
            if name.type.kind != "Int64":
                raise HogQLError("LIMIT needs an integer", *span(node))
            return f" LIMIT max(0, min({name.sql}, {MAX_LIMIT + 1}))", MAX_LIMIT
        count = node.get("value")
        if node["node"] != "Constant" or not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise HogQLError("LIMIT needs an integer", *span(node))
        if top and count > MAX_LIMIT:
            return f" LIMIT {MAX_LIMIT + 1}", MAX_LIMIT  # one more says that there are more
        return f" LIMIT {count}", count

    def refuse_offset(self, node: Node) -> None:
        if node.get("offset") is not None:
            raise HogQLError(_OFFSET, *span(node["offset"]), do=_PAGING)


def _source_name(join: Node) -> str:
    return ".".join(map(str, join["table"].get("chain", ("",))))[:80]


class Select:
    """One SELECT while it is printed."""

    def __init__(
        self,
        statements: Statements,
        node: Node,
        environment: Environment,
        known: frozenset[str],
        sums: ModuleType | None = None,
    ) -> None:
        """`sums`: the module that puts summed rows in FROM."""
        self.statements = statements
        self.sums = sums
        self.node = node
        self.with_, inside = statements.with_ctes(node.get("ctes"), environment)
        self.scope = Scope(inside, windows=node.get("window_exprs") or {})
        self.printer = Printer(statements, self.scope)
        self.scope.aliases = aliases(node["select"])
        own = rewrites.known_columns(node.get("where"))
        self.scope.known_values = known | own
        self.joins: list[tuple[str, Table, str]] = []

    def printed(self, top: bool, keyed: bool) -> Query:
        node = self.node
        self._refuse()
        if self.sums:
            where = self.sums.prepare(self)
            items = self.expanded(node["select"])
        else:
            self._from()
            items = self.expanded(node["select"])
            where = self._conditions("prewhere", "where")
        grouping = self._grouping(items)
        if self.sums and not grouping:
            raise hourly.NotHourly
        self.scope.grouping = grouping
        exprs = [self.printer.visit(item) for item in items]
        for item, e in zip(items, exprs, strict=True):
            if e.type.is_interval:
                raise HogQLError("An interval cannot be a result", *span(item))
        having = self._conditions("having")
        sqls = [e.sql for e in exprs]
        order = [self._ordered(item, items, sqls) for item in node.get("order_by") or ()]
        hidden = self._filters_after(order)
        limit, count = self.statements.limit(node.get("limit"), top)
        distinct = "DISTINCT " if node.get("distinct") else ""
        keyed = keyed and not (grouping or order or hidden or distinct)
        sqls = [e.key if keyed and e.key else e.sql for e in exprs]
        selected = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(sqls, 1))
        rows = self._rows(where, grouping, having)
        hoisted = None if hidden or order or grouping or distinct else rewrites.hoisted(self.scope, sqls, where)
        if hidden:
            sql = self._filtered(distinct, selected, len(sqls), rows, order, hidden)
        elif hoisted:
            sql = hoisted
        else:
            by = f" ORDER BY {', '.join(text for text, _, _ in order)}" if order else ""
            sql = f"SELECT {distinct}{selected}{rows}{by}"
        columns = tuple(
            Column(self.name_of(item), e.type, e.shown if keyed else "") for item, e in zip(items, exprs, strict=True)
        )
        if self.sums:
            hourly.check(sql)
        return Query(f"{self.with_}{sql}{limit}", columns, count)

    # What is refused

    def _refuse(self) -> None:
        node = self.node
        self.statements.refuse_offset(node)
        for key, what in REFUSED.items():
            if node.get(key):
                raise HogQLError(f"{what} is not supported", *span(node))
        if node.get("group_by_mode") not in (None, "all"):
            raise HogQLError(
                f"GROUP BY {node['group_by_mode'].replace('_', ' ').upper()} is not supported", *span(node)
            )

    # FROM

    def _from(self) -> None:
        join = self.node.get("select_from")
        alone = join is not None and not join.get("next_join")
        while join:
            kind = JOINS.get(join.get("join_type") or "JOIN")
            if kind is None:
                raise HogQLError(f"{join['join_type']} is not supported", *span(join))
            for extra, what in NOT_IN_FROM.items():
                if join.get(extra) is not None and join[extra] is not False:
                    raise HogQLError(what.format(_source_name(join)), *span(join))
            if self.joins and kind != "CROSS JOIN" and not join.get("constraint"):
                raise HogQLError(f"{join['join_type']} needs ON or USING", *span(join))
            table = self._table(join, alone)
            self.scope.tables.append(table)
            if kind in ("LEFT JOIN", "FULL JOIN"):
                table.optional = True
            if kind in ("RIGHT JOIN", "FULL JOIN"):
                for earlier in self.scope.tables[:-1]:
                    earlier.optional = True
            self.joins.append((kind, table, self._on(join, table)))
            join = join.get("next_join")
        if self.node.get("array_join_list"):
            self._array_join()

    def _table(self, join: Node, alone: bool) -> Table:
        source = join["table"]
        if source["node"] in SELECTS:
            known = self.known_below() if alone else frozenset()
            query = self.statements.query(source, self.scope.environment, known=known, keyed=True)
            return Derived(join.get("alias") or "", self.statements.fresh("t"), f"({query.sql})", query.columns)
        if source["node"] != "Field":
            raise HogQLError("FROM takes the table events, a CTE or a sub-select", *span(source))
        name = ".".join(map(str, source["chain"]))
        alias = join.get("alias") or str(source["chain"][-1])
        cte = self.scope.environment.tables.get(name)
        if cte:
            return Derived(alias, self.statements.fresh("t"), cte[0], cte[1])
        if name == "events":
            return Events(alias, self.statements.fresh("t"))
        table = TABLES.get(name.removeprefix("posthog."))
        if table is None:
            raise HogQLError(f'Unknown table "{name}"', *span(source))
        return table(alias, self.statements.fresh("t"))

    def known_below(self) -> frozenset[str]:
        """The columns of the sub-select in FROM that this one's WHERE requires to be not NULL."""
        renamed = {name for name, expr in self.scope.aliases.items() if expr.get("chain", [None])[-1] != name}
        return rewrites.known_columns(self.node.get("where")) - renamed

    def _on(self, join: Node, table: Table) -> str:
        constraint = join.get("constraint")
        if not constraint:
            return ""
        self.scope.in_join = True
        try:
            if constraint["constraint_type"] == "USING":
                return f" ON {self._using(constraint['expr'], table)}"
            return f" ON {self.printer.visit(constraint['expr']).as_condition}"
        finally:
            self.scope.in_join = False

    def _using(self, node: Node, table: Table) -> str:
        names = [part["chain"][-1] for part in (node["exprs"] if node["node"] == "Tuple" else [node])]
        pairs = []
        for name in names:
            left = next((t for t in self.scope.tables[:-1] if name in t.columns()), None)
            if left is None or name not in table.columns():
                raise HogQLError(f"Unable to resolve field: {name}", *span(node))
            a, b = left.column(name), table.column(name)
            assert a and b
            pairs.append(f"{a.sql} = {b.sql}")
        self.scope.shared_names |= frozenset(names)
        return " AND ".join(pairs)

    def _array_join(self) -> None:
        outer = self.node["array_join_op"] == "LEFT ARRAY JOIN"
        first = ""
        for item in self.node["array_join_list"]:
            values = self.printer.visit(item)
            if values.type.kind != "Array":
                raise HogQLError(f"ARRAY JOIN needs an array, not {values.type}", *span(item))
            name = item["alias"] if item["node"] == "Alias" else item.get("chain", [""])[-1]
            alias = self.statements.fresh("j")
            on = f" ON {alias}.key = {first}.key" if first else " ON 1"
            self.scope.laterals.append(f" {'LEFT' if outer else 'CROSS'} JOIN json_each({values.sql}) AS {alias}{on}")
            first = first or alias
            type = values.type.inner[0]
            sql = f"coalesce({alias}.value, {type.default})" if outer and not type.nullable else f"{alias}.value"
            self.scope.array_columns[name] = Expr(sql, type)

    def _source(self) -> str:
        """The FROM clause. Only now is it known which tables need the JSON of their events."""
        parts = [
            table.sql() if place == 0 else f" {kind} {table.sql()}{on}"
            for place, (kind, table, on) in enumerate(self.joins)
        ]
        if not parts and self.scope.laterals:
            parts = ["(SELECT 1)"]
        return f" FROM {''.join(parts + self.scope.laterals)}" if parts else ""

    # The select list

    def expanded(self, items: Sequence[Node]) -> list[Node]:
        expanded: list[Node] = []
        for item in items:
            if item["node"] == "ColumnsExpr":
                raise HogQLError("COLUMNS(...) and EXCLUDE are not supported", *span(item))
            if item["node"] == "Field" and item["chain"][-1] == "*":
                expanded += self._star(item)
            else:
                expanded.append(item)
        return expanded

    def _star(self, node: Node) -> list[Node]:
        chain = node["chain"]
        tables = self.scope.tables if len(chain) == 1 else [self.scope.table(str(chain[0]))]
        if not tables or None in tables:
            raise HogQLError("There is nothing that * could stand for", *span(node))
        found: dict[str, Node] = {}
        for table in tables:
            for name in table.columns():  # type: ignore[union-attr]
                qualified = [table.name, name] if len(tables) > 1 and table.name else [name]  # type: ignore[union-attr]
                found.setdefault(name, {**node, "chain": qualified})
        return list(found.values())

    def name_of(self, item: Node) -> str:
        """What PostHog calls the column: its alias, the last part of a field, else the text itself."""
        if item["node"] == "Alias":
            return item["alias"]
        if item["node"] == "Field":
            return str(item["chain"][-1])
        start, end = span(item)
        return " ".join(self.statements.text[start:end].split()) if start is not None else item["node"]

    # Aggregation

    def _grouping(self, items: Sequence[Node]) -> Grouping | None:
        node = self.node
        keys = node.get("group_by") or []
        if node.get("group_by_mode") == "all":
            keys = [item for item in items if not self.printer.has_aggregate(item)]
        later = [*items, *(part for part in (node.get("having"), node.get("qualify")) if part)]
        later += [item["expr"] for item in node.get("order_by") or ()]
        if not keys and not any(map(self.printer.has_aggregate, later)):
            return None
        grouping = Grouping(self.statements.fresh("g"))
        for key in keys:
            grouping.add(self.printer.visit(positioned(key, items)), key=True)
        return grouping

    def _rows(self, where: str, grouping: Grouping | None, having: str) -> str:
        """FROM and WHERE of the outer half."""
        if grouping is None:
            if having:
                where = f"{where} AND {having}" if where else having
            return self._source() + (f" WHERE {where}" if where else "")
        rounds = per_round.of(self.printer)
        after = f" AS {grouping.alias}" + (f" WHERE {having}" if having else "")
        if rounds:
            return f" FROM ({rounds.inner(grouping, where)}){after}"
        by = ", ".join(map(str, grouping.by))
        inner = f"SELECT {grouping.select_list()}{self._source()}"
        inner += (f" WHERE {where}" if where else "") + (f" GROUP BY {by}" if by else "")
        return f" FROM ({inner}){after}"

    def _conditions(self, *clauses: str) -> str:
        nodes = [self.node[clause] for clause in clauses if self.node.get(clause)]
        return logic("AND", list(map(self.printer.condition, nodes))).as_condition if nodes else ""

    # ORDER BY, LIMIT BY, QUALIFY

    def _ordered(self, item: Node, items: Sequence[Node], sqls: Sequence[str]) -> tuple[str, Node, Expr]:
        expr = self.printer.visit(positioned(item["expr"], items))
        # By its place, an expression of the select list is not computed again.
        place = str(sqls.index(expr.sql) + 1) if expr.sql in sqls else ""
        return directed(item, expr, place), item, expr

    def _filters_after(self, order: Sequence[tuple[str, Node, Expr]]) -> list[tuple[str, str]]:
        """Expressions to compute beside the select list, and what each must fulfil."""
        node, found = self.node, []
        if node.get("qualify"):
            found.append((self.printer.condition(node["qualify"]).as_condition, "{}"))
        by = node.get("limit_by")
        if by:
            if by.get("offset_value") is not None:
                raise HogQLError(_OFFSET, *span(by["offset_value"]), do=_PAGING)
            _, count = self.statements.limit(by["n"], False)
            keys = ", ".join(e.sql for e in self.printer.visit_all(by["exprs"]))
            ordered = ", ".join(directed(item, e) for _, item, e in order)
            window = f"PARTITION BY {keys}" + (f" ORDER BY {ordered}" if ordered else "")
            found.append((f"row_number() OVER ({window})", f"{{}} <= {count}"))
        return found

    def _filtered(
        self,
        distinct: str,
        selected: str,
        width: int,
        rows: str,
        order: Sequence[tuple[str, Node, Expr]],
        hidden: Sequence[tuple[str, str]],
    ) -> str:
        extra = "".join(f", {sql} AS h{place}" for place, (sql, _) in enumerate(hidden, 1))
        extra += "".join(f", {e.sql} AS o{place}" for place, (_, _, e) in enumerate(order, 1))
        test = " AND ".join(test.format(f"h{place}") for place, (_, test) in enumerate(hidden, 1))
        by = ", ".join(directed(item, e, f"o{place}") for place, (_, item, e) in enumerate(order, 1))
        shown = ", ".join(f"c{place}" for place in range(1, width + 1))
        return f"SELECT {distinct}{shown} FROM (SELECT {selected}{extra}{rows}) WHERE {test}" + (
            f" ORDER BY {by}" if by else ""
        )
