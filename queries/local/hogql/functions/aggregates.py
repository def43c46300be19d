"""Aggregate functions, their -If forms and window functions.

NULLs are skipped. A group without values gives 0, '' or the epoch where the type has no NULL, else NULL, as ClickHouse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, literal
from queries.local.hogql.functions.arrays import element
from queries.local.hogql.functions.table import Call, arity, check
from queries.local.hogql.types import FLOAT, UINT64, Type, array


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`render(call, tail)`: `tail` is the FILTER and OVER that follow SQLite's call. `params` counts those of the
    first parentheses; `in_window` says whether SQLite can run it OVER a window."""

    signature: str
    render: Callable[[Call, str], Expr]
    params: tuple[int, int] = (0, 0)
    in_window: bool = False

    @property
    def arity(self) -> tuple[int, int | None]:
        return arity(self.signature)


def _filled(sql: str, type: Type) -> Expr:
    return Expr(sql if type.nullable else f"coalesce({sql}, {type.default})", type)


def _count(call: Call, tail: str) -> Expr:
    counted = call.args[0].sql if call.args and call.args[0].type.nullable else "*"
    return Expr(f"count({counted}){tail}", UINT64)


def _sum(call: Call, tail: str) -> Expr:
    type = call.args[0].type
    kind = "Float64" if not type.is_integer else "UInt64" if type.is_unsigned else "Int64"
    return _filled(f"sum({call.args[0].sql}){tail}", Type(kind, type.nullable))


def _avg(call: Call, tail: str) -> Expr:
    return Expr(f"avg({call.args[0].sql}){tail}", FLOAT.maybe(call.args[0].type.nullable))


def _extreme(name: str) -> Callable[[Call, str], Expr]:
    def render(call: Call, tail: str) -> Expr:
        value = call.args[0]
        if value.type.is_nested and call.name[:3] in ("min", "max"):
            raise HogQLError(f"{call.name} of {value.type} is not supported")
        return _filled(f"{name}({value.sql}){tail}", value.type)

    return render


def _uniq(call: Call, tail: str) -> Expr:
    if len(call.args) == 1:
        return Expr(f"count(DISTINCT {call.args[0].sql}){tail}", UINT64)
    packed = ", ".join(element(arg.sql, arg.type) for arg in call.args)
    known = " AND ".join(f"{arg.sql} IS NOT NULL" for arg in call.args if arg.type.nullable)
    packed = f"json_array({packed})"
    return Expr(f"count(DISTINCT {f'CASE WHEN {known} THEN {packed} END' if known else packed}){tail}", UINT64)


def _arg_extreme(name: str) -> Callable[[Call, str], Expr]:
    def render(call: Call, tail: str) -> Expr:
        value, key = call.args
        if value.is_null or key.type.is_nested:
            raise HogQLError(f"{call.name} of {value.type}, {key.type} is not supported")
        type = value.type.maybe(key.type.nullable)
        if value.type.is_text and key.type.is_instant:
            # Key and value as one text, whose maximum SQLite finds several times faster than a Python aggregate.
            # The number added gives every time from the year 1 to 9999 the same 19 digits.
            packed = f"{name}(({key.sql} + 2000000000000000000) || {value.sql}){tail}"
            return _filled(f"substr({packed}, 20)", type)
        return _filled(f"hq_arg_{name}({value.sql}, {key.sql}){tail}", type)

    return render


def _only_known(value: Expr, tail: str) -> str:
    """The tail that also leaves out NULLs, for SQLite functions that would take them in."""
    if not value.type.nullable:
        return tail
    known = f"{value.sql} IS NOT NULL"
    return tail.replace("WHERE ", f"WHERE {known} AND ", 1) if tail else f" FILTER (WHERE {known})"


def _group_array(distinct: bool) -> Callable[[Call, str], Expr]:
    def render(call: Call, tail: str) -> Expr:
        value = call.args[0]
        if distinct and value.type.is_nested:
            raise HogQLError(f"groupUniqArray of {value.type} is not supported")
        item = ("DISTINCT " if distinct else "") + element(value.sql, value.type)
        sql = f"json_group_array({item}){_only_known(value, tail)}"
        if call.params:
            sql = f"hq_array_slice({sql}, 1, {_whole(call, 0)})"
        return Expr(sql, array(value.type.plain()))

    return render


def _whole(call: Call, place: int) -> int:
    value = call.params[place]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise HogQLError(f"Parameter {place + 1} of {call.name} must be a positive integer")
    return value


def _levels(call: Call) -> list[float]:
    for level in call.params:
        if not isinstance(level, int | float) or not 0 <= level <= 1:
            raise HogQLError(f"A level of {call.name} must be a number from 0 to 1")
    return [float(level) for level in call.params]  # type: ignore[arg-type]


def _sorted(value: Expr, tail: str) -> str:
    return f"hq_sorted({value.sql}){tail}"


def _quantile(how: str) -> Callable[[Call, str], Expr]:
    def render(call: Call, tail: str) -> Expr:
        value = call.args[0]
        level = (_levels(call) or [0.5])[0]
        sql = f"hq_quantile({_sorted(value, tail)}, {literal(level).sql}, '{how}')"
        return Expr(sql, FLOAT.maybe(value.type.nullable)) if how == "between" else _filled(sql, value.type)

    return render


def _quantiles(call: Call, tail: str) -> Expr:
    levels = ", ".join(literal(level).sql for level in _levels(call))
    return Expr(f"hq_quantiles({_sorted(call.args[0], tail)}, json_array({levels}))", array(FLOAT))


def _top(call: Call, tail: str) -> Expr:
    value = call.args[0]
    count = _whole(call, 0) if call.params else 10
    if value.type.is_nested:
        raise HogQLError(f"topK of {value.type} is not supported")
    return Expr(f"hq_top({value.sql}, {count}){tail}", array(value.type.plain()))


def _statistic(name: str) -> Callable[[Call, str], Expr]:
    def render(call: Call, tail: str) -> Expr:
        sqls = ", ".join(arg.sql for arg in call.args)
        return Expr(f"hq_{name}({sqls}){tail}", FLOAT.maybe(any(arg.type.nullable for arg in call.args)))

    return render


AGGREGATES: dict[str, Aggregate] = {
    "count": Aggregate("|x", _count, in_window=True),
    "sum": Aggregate("n", _sum, in_window=True),
    "avg": Aggregate("n", _avg, in_window=True),
    "min": Aggregate("x", _extreme("min"), in_window=True),
    "max": Aggregate("x", _extreme("max"), in_window=True),
    **dict.fromkeys(("any", "any_value"), Aggregate("x", _extreme("min"), in_window=True)),
    "anyLast": Aggregate("x", _extreme("max"), in_window=True),
    "argMin": Aggregate("xx", _arg_extreme("min")),
    "argMax": Aggregate("xx", _arg_extreme("max")),
    **dict.fromkeys(("uniq", "uniqExact", "uniqHLL12", "uniqCombined", "countDistinct"), Aggregate("x*", _uniq)),
    **dict.fromkeys(("groupArray", "array_agg"), Aggregate("x", _group_array(distinct=False), (0, 1))),
    "groupUniqArray": Aggregate("x", _group_array(distinct=True), (0, 1)),
    "quantile": Aggregate("n", _quantile("between"), (0, 1)),
    "quantileExact": Aggregate("n", _quantile("exact"), (0, 1)),
    "median": Aggregate("n", _quantile("between")),
    "quantiles": Aggregate("n", _quantiles, (1, 20)),
    "topK": Aggregate("x", _top, (0, 1)),
    **dict.fromkeys(("stddevPop", "stddev_pop"), Aggregate("n", _statistic("stddev_pop"))),
    **dict.fromkeys(("stddevSamp", "stddev_samp"), Aggregate("n", _statistic("stddev_samp"))),
    **dict.fromkeys(("varPop", "var_pop"), Aggregate("n", _statistic("var_pop"))),
    **dict.fromkeys(("varSamp", "var_samp"), Aggregate("n", _statistic("var_samp"))),
    "corr": Aggregate("nn", _statistic("corr")),
    "covarPop": Aggregate("nn", _statistic("covar_pop")),
    "covarSamp": Aggregate("nn", _statistic("covar_samp")),
    "avgWeighted": Aggregate("nn", _statistic("avg_weighted")),
}


def render(name: str, aggregate: Aggregate, call: Call, tail: str) -> Expr:
    """Raises `HogQLError` for arguments that do not fit."""
    check(call, aggregate.signature)
    least, most = aggregate.params
    if not least <= len(call.params) <= most:
        raise HogQLError(f"{name} takes {least} to {most} parameters, not {len(call.params)}")
    return aggregate.render(call, tail)


def _ranking(sql: str, type: Type) -> Callable[[Call, str], Expr]:
    return lambda call, tail: Expr(f"{sql}(){tail}", type)


def _neighbour(name: str) -> Callable[[Call, str], Expr]:
    def render_neighbour(call: Call, tail: str) -> Expr:
        value = call.args[0]
        sqls = ", ".join(arg.sql for arg in call.args)
        return _filled(f"{name}({sqls}){tail}", value.type)

    return render_neighbour


def _edge(name: str) -> Callable[[Call, str], Expr]:
    def render_edge(call: Call, tail: str) -> Expr:
        value = call.args[0]
        if value.type.nullable:
            raise HogQLError(
                f"{call.name} of {value.type} is not supported",
                do="ClickHouse skips NULLs there and SQLite does not; wrap it in ifNull(..., '')",
            )
        return _filled(f"{name}({value.sql}){tail}", value.type)

    return render_edge


# Functions that only make sense OVER a window.
WINDOWS: dict[str, Aggregate] = {
    "row_number": Aggregate("", _ranking("row_number", UINT64), in_window=True),
    "rank": Aggregate("", _ranking("rank", UINT64), in_window=True),
    "dense_rank": Aggregate("", _ranking("dense_rank", UINT64), in_window=True),
    "percent_rank": Aggregate("", _ranking("percent_rank", FLOAT), in_window=True),
    **dict.fromkeys(("lag", "lagInFrame"), Aggregate("x|ix", _neighbour("lag"), in_window=True)),
    **dict.fromkeys(("lead", "leadInFrame"), Aggregate("x|ix", _neighbour("lead"), in_window=True)),
    "first_value": Aggregate("x", _edge("first_value"), in_window=True),
    "last_value": Aggregate("x", _edge("last_value"), in_window=True),
}
