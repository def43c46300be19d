"""What ClickHouse answers: HogQL printed for chdb from the same syntax tree, by a printer that shares nothing with the
product's, with PostHog's own expressions for properties, comparisons and conversions.

`python -m tests.hogql_oracle` writes `tests/hogql_expected.json`, which the tests compare with where chdb is absent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from queries.local.hogql.parser import parse
from tests.hogql_corpus import NOW, PLACEHOLDERS, ZONE, events, queries

EXPECTED = Path(__file__).with_name("hogql_expected.json")
_NOW = f"toDateTime64('{NOW:%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
_OPS = {"==": "equals", "!=": "notEquals", "<": "less", ">": "greater", "<=": "lessOrEquals", ">=": "greaterOrEquals",
        "like": "like", "ilike": "ilike", "not like": "notLike", "not ilike": "notILike", "in": "in", "not in": "notIn",
        "=~": "match"}  # fmt: skip
_CALLS = {
    "toFloat": "accurateCastOrNull({0}, 'Float64')",
    "toInt": "accurateCastOrNull({0}, 'Int64')",
    "toFloatOrZero": "toFloat64OrZero(toString({0}))",
    "toBool": "toBool({0})",
    "now": f"toTimeZone({_NOW}, '{ZONE}')",
    "today": f"toDate({_NOW}, '{ZONE}')",
    "yesterday": f"toDate({_NOW}, '{ZONE}') - 1",
    "position": "positionUTF8({0}, {1})",
}


def text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class ClickHouse:
    """One tree as ClickHouse SQL."""

    renames_timestamp = False

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values

    def __call__(self, query: str) -> str:
        return self.select(parse(query), top=True)

    def each(self, nodes: Sequence[dict] | None) -> str:
        return ", ".join(map(self.expr, nodes or ()))

    def select(self, node: dict, top: bool = False) -> str:
        limit = f" LIMIT {self.expr(node['limit'])}" if node.get("limit") else " LIMIT 100" if top else ""
        if node["node"] == "SelectSetQuery":
            parts = [self.select(node["initial_select_query"])]
            for following in node["subsequent_select_queries"]:
                parts.append(f" {following['set_operator']} {self.select(following['select_query'])}")
            return f"SELECT * FROM ({''.join(parts)}){limit}"
        sql = ""
        if node.get("ctes"):
            sql = "WITH " + ", ".join(
                f"{self.expr(cte['expr'])} AS {cte['name']}"
                if cte["cte_type"] == "column"
                else f"{cte['name']} AS ({self.select(cte['expr'])})"
                for cte in node["ctes"]
            )
        sql += f" SELECT {'DISTINCT ' if node.get('distinct') else ''}{self.each(node['select'])}"
        if node.get("select_from"):
            sql += f" FROM {self.source(node['select_from'])}"
        if node.get("array_join_op"):
            sql += f" {node['array_join_op']} {self.each(node['array_join_list'])}"
        for word, key in (("WHERE", "where"), ("GROUP BY", "group_by"), ("HAVING", "having"), ("ORDER BY", "order_by")):
            value = node.get(key)
            if value:
                sql += f" {word} {self.each(value) if isinstance(value, list) else self.expr(value)}"
        if node.get("limit_by"):
            sql += f" LIMIT {self.expr(node['limit_by']['n'])} BY {self.each(node['limit_by']['exprs'])}"
        return sql + limit

    def source(self, node: dict) -> str:
        table = node["table"]
        sql = table["chain"][0] if table["node"] == "Field" else f"({self.select(table)})"
        if node.get("alias"):
            sql += f" AS {node['alias']}"
        following = node.get("next_join")
        if following:
            on = f" ON {self.expr(following['constraint']['expr'], join=True)}" if following.get("constraint") else ""
            sql += f" {following['join_type']} {self.source({**following, 'next_join': None})}{on}"
        return sql

    def expr(self, node: dict, join: bool = False) -> str:
        handler = getattr(self, node["node"])
        return handler(node, join) if node["node"] in _JOINABLE else handler(node)

    def Alias(self, node: dict) -> str:
        if node["alias"] == "timestamp":
            inside = self.expr(node["expr"])
            self.renames_timestamp = True
            return f"{inside} AS timestamp"
        return f"{self.expr(node['expr'])} AS `{node['alias']}`"

    def Constant(self, node: dict) -> str:
        value = node["value"]
        if isinstance(value, str):
            return text(value)
        return "NULL" if value is None else repr(value).lower() if isinstance(value, bool) else repr(value)

    def Placeholder(self, node: dict) -> str:
        value = self.values[node["expr"]["chain"][0]]
        if isinstance(value, datetime):
            return f"toDateTime64('{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
        if isinstance(value, list):
            return f"[{', '.join(map(text, value))}]"
        return text(str(value))

    def Field(self, node: dict) -> str:
        chain = [str(part) for part in node["chain"]]
        if chain[-1] == "*":
            return "*"
        if "properties" in chain[:2] and chain[-1] != "properties":
            at = chain.index("properties")
            return self.property(".".join(chain[: at + 1]), [text(part) for part in chain[at + 1 :]])
        if chain[-1] == "timestamp" and not (len(chain) == 1 and self.renames_timestamp):
            return f"toTimeZone({'.'.join(chain) if len(chain) > 1 else 'events.timestamp'}, '{ZONE}')"
        return ".".join(f"`{part}`" for part in chain)

    def property(self, column: str, path: list[str]) -> str:
        raw = f"JSONExtractRaw({column}, {', '.join(path)})"
        return f"replaceRegexpAll(nullIf(nullIf({raw}, ''), 'null'), '^\"|\"$', '')"

    def ArrayAccess(self, node: dict) -> str:
        base, step = node["array"], self.expr(node["property"])
        if base["node"] == "Field" and "properties" in base["chain"][:2]:
            return self.property("properties", [*(text(part) for part in base["chain"][1:]), step])
        return f"{self.expr(base)}[{step}]"

    def TupleAccess(self, node: dict) -> str:
        return f"tupleElement({self.expr(node['tuple'])}, {node['index']})"

    def And(self, node: dict, join: bool = False) -> str:
        return "(" + " AND ".join(self.expr(part, join) for part in node["exprs"]) + ")"

    def Or(self, node: dict) -> str:
        return "(" + " OR ".join(map(self.expr, node["exprs"])) + ")"

    def Not(self, node: dict) -> str:
        return f"not({self.expr(node['expr'])})"

    def Tuple(self, node: dict) -> str:
        return f"tuple({self.each(node['exprs'])})"

    def Array(self, node: dict) -> str:
        return f"[{self.each(node['exprs'])}]"

    def Lambda(self, node: dict) -> str:
        return f"(({', '.join(node['args'])}) -> {self.expr(node['expr'])})"

    def TypeCast(self, node: dict) -> str:
        names = {"float64": "Float64", "int64": "Int64", "string": "String"}
        return f"CAST({self.expr(node['expr'])} AS {names[node['type_name']]})"

    def ArithmeticOperation(self, node: dict) -> str:
        return f"({self.expr(node['left'])} {node['op']} {self.expr(node['right'])})"

    def BetweenExpr(self, node: dict) -> str:
        value, low, high = (self.expr(node[part]) for part in ("expr", "low", "high"))
        found = f"(ifNull({value} >= {low}, 0) AND ifNull({value} <= {high}, 0))"
        return f"not({found})" if node["negated"] else found

    def CompareOperation(self, node: dict, join: bool = False) -> str:
        op, left, right = node["op"], self.expr(node["left"]), node["right"]
        is_select = right["node"].startswith("Select")
        other = f"({self.select(right)})" if is_select else self.expr(right)
        if op == "!~":
            return f"ifNull(not(match({left}, {other})), 1)"
        call = f"{_OPS[op]}({left}, {other})"
        if op in ("in", "not in") or join:
            return call
        if right["node"] == "Constant" and right["value"] is None:
            return f"isNull({left})" if op == "==" else f"isNotNull({left})"
        constant = right["node"] == "Constant" or node["left"]["node"] == "Constant"
        if op == "==":
            return f"ifNull({call}, {'0' if constant else f'isNull({left}) and isNull({other})'})"
        if op in ("!=", "not like", "not ilike"):
            return f"ifNull({call}, {'1' if constant else f'isNotNull({left}) or isNotNull({other})'})"
        return f"ifNull({call}, 0)"

    def Call(self, node: dict) -> str:
        name, args = node["name"], [self.expr(arg) for arg in node["args"]]
        first = node["args"][0] if node["args"] else None
        if name == "toDateTime" and first and first["node"] == "Constant":
            return f"parseDateTime64BestEffortOrNull({args[0]}, 6, '{ZONE}')"
        if name == "toDateTime" and first and first["node"] == "Placeholder":
            return args[0]
        if name == "toDate" and first and first["node"] == "Constant":
            return f"toDateOrNull({args[0]})"
        if name == "concat":
            parts = [f"ifNull(toString({arg}), '')" for arg in args]
            return f"concat({', '.join(parts)})"
        if name == "_caseWithExpression":
            return f"caseWithExpression({', '.join(args)})"
        if name in _CALLS:
            return _CALLS[name].format(*args)
        params = f"({self.each(node['params'])})" if node.get("params") else ""
        distinct = "DISTINCT " if node.get("distinct") else ""
        where = f" FILTER (WHERE {self.expr(node['filter_expr'])})" if node.get("filter_expr") else ""
        return f"{name}{params}({distinct}{', '.join(args)}){where}"

    def WindowFunction(self, node: dict) -> str:
        over = node["over_expr"]
        parts = [f"PARTITION BY {self.each(over['partition_by'])}"] if over.get("partition_by") else []
        parts += [f"ORDER BY {self.each(over['order_by'])}"] if over.get("order_by") else []
        if over.get("frame_method"):
            first = over["frame_start"]["frame_value"]
            parts.append(f"{over['frame_method']} BETWEEN {first} PRECEDING AND CURRENT ROW")
        return f"{node['name']}({self.each(node['args'] or node['exprs'])}) OVER ({' '.join(parts)})"

    def OrderExpr(self, node: dict) -> str:
        return f"{self.expr(node['expr'])} {node['order']}"

    def SelectQuery(self, node: dict) -> str:
        return f"({self.select(node)})"


_JOINABLE = frozenset({"And", "CompareOperation"})


class Oracle:
    """chdb with the given events in it, the corpus' where none are."""

    def __init__(self, wire: Sequence[Mapping] | None = None) -> None:
        from chdb import session

        self._session = session.Session()
        self._run(
            "CREATE TABLE events (uuid UUID, event String, timestamp DateTime64(6, 'UTC'), distinct_id String, "
            "properties String, created_at DateTime64(6, 'UTC')) ENGINE = Memory"
        )
        rows = "\n".join(
            json.dumps({**event, "properties": json.dumps(event["properties"]), "created_at": event["timestamp"]})
            for event in (events() if wire is None else wire)
        )
        self._run(f"INSERT INTO events SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow {rows}")

    def ask(self, query: str, values: Mapping[str, object] | None = None) -> dict[str, list]:
        """The answer's `types` and `rows`, as JSON values."""
        values = {name: value for name, (_, value) in PLACEHOLDERS.items()} if values is None else values
        settings = (
            " SETTINGS transform_null_in = 1, output_format_json_quote_64bit_integers = 0, "
            "allow_experimental_analyzer = 1"
        )
        document = self._run(ClickHouse(values)(query) + settings + " FORMAT JSONCompact")
        found = json.loads(document)
        return {"types": [column["type"] for column in found["meta"]], "rows": found["data"]}

    def _run(self, sql: str) -> str:
        try:
            return str(self._session.query(sql))
        except Exception:
            # After an error chdb leaves half an answer in front of the next one.
            self._session.query("SELECT 1")
            raise


def comparable(value: object) -> object:
    """One cell so that both stores' ways of writing it are the same."""
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return 0.0 if value == 0 else float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d:\d\d|Z)?", value)
        if found:
            return f"{found[1]} {found[2]}{(found[3] or '').rstrip('0').rstrip('.')}"
    return value


def main() -> None:
    oracle = Oracle()
    answers = {name: oracle.ask(query) for name, query in queries().items()}
    lines = [f"{json.dumps(name)}: {json.dumps(answer, ensure_ascii=False)}" for name, answer in answers.items()]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
