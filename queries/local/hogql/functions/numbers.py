"""Arithmetic, and the functions that turn one type into another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from queries.local.hogql import expression
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr
from queries.local.hogql.functions.table import Call, Function, check, first_type, same, simple
from queries.local.hogql.types import BOOL, FLOAT, INT64, UINT8, UUID, Type

Convert = Callable[[Expr], Expr]


def _convert(convert: Convert) -> Function:
    return Function(1, 1, lambda call: convert(call.args[0]))


def _or_default(convert: Convert, type: Type, default: str) -> Function:
    """Junk becomes the default, NULL stays NULL."""

    def render(call: Call) -> Expr:
        value = call.args[0]
        check(replace(call, args=call.args[1:]), "n")
        fallback = call.args[1].sql if len(call.args) > 1 else default
        sql = f"coalesce({convert(value).sql}, {fallback})"
        if value.type.nullable:
            sql = f"(CASE WHEN {value.number or value.sql} IS NOT NULL THEN {sql} END)"
        return Expr(sql, type.maybe(value.type.nullable))

    return Function(1, 2, render)


def divide(a: Expr, b: Expr) -> Expr:
    """ClickHouse divides in floating point and by zero too: the answer is infinite, or NaN."""
    type = FLOAT.maybe(a.type.nullable or b.type.nullable)
    if isinstance(b.constant, int | float) and b.constant:
        return Expr(f"({a.sql} * 1.0 / {b.sql})", type)
    return Expr(f"hq_divide({a.sql}, {b.sql})", type)


def modulo(a: Expr, b: Expr) -> Expr:
    nullable = a.type.nullable or b.type.nullable
    if a.type.is_integer and b.type.is_integer:
        return Expr(f"({a.sql} % {b.sql})", INT64.maybe(nullable))
    return Expr(f"hq_modulo({a.sql}, {b.sql})", FLOAT.maybe(nullable))


def add(a: Expr, b: Expr, sign: str) -> Expr:
    """`+`, `-` or `*` of two numbers."""
    nullable = a.type.nullable or b.type.nullable
    if not (a.type.is_integer and b.type.is_integer):
        return Expr(f"({a.sql} {sign} {b.sql})", FLOAT.maybe(nullable))
    unsigned = a.type.is_unsigned and b.type.is_unsigned and sign != "-"
    return Expr(f"({a.sql} {sign} {b.sql})", Type("UInt64" if unsigned else "Int64", nullable))


def _extreme(template: str) -> Function:
    def render(call: Call) -> Expr:
        sqls, type = expression.unify(call.args)
        if len(sqls) == 1:
            return Expr(sqls[0], type)
        return Expr(template.format(", ".join(sqls)), type)

    return Function(1, None, render)


def _keeps_integer(name: str) -> Function:
    """Rounding: an integer with no places asked for is already round."""
    plain = simple("n|i", f"hq_{name}({{args}})", FLOAT)

    def render(call: Call) -> Expr:
        check(call, "n|i")
        found = plain.render(call)
        if not call.args[0].type.is_integer:
            return found
        type = first_type(call.types()).maybe(call.args[0].type.nullable)
        return Expr(call.args[0].sql if len(call.args) == 1 else f"CAST({found.sql} AS INTEGER)", type)

    return Function(1, 2, render)


def _to_bool(call: Call) -> Expr:
    value = call.args[0]
    if value.type.is_number:
        return Expr(f"({value.sql} <> 0)", BOOL.maybe(value.type.nullable))
    check(call, "s")
    words = "WHEN 'true' THEN 1 WHEN '1' THEN 1 WHEN 'false' THEN 0 WHEN '0' THEN 0"
    return Expr(f"(CASE lower({value.sql}) {words} END)", BOOL.maybe())


def cast(value: Expr, name: str, type: Type | None) -> Expr:
    """`x::type` and `CAST(x AS type)`; what does not fit is NULL."""
    if type is None:
        raise HogQLError(f"Unsupported type {name}")
    if type.is_text:
        return expression.to_text(value)
    if type.kind == "Date":
        return expression.to_date(value)
    if type.is_instant:
        return expression.to_instant(value)
    if type.kind == "Bool":
        return _to_bool(Call("toBool", (value,)))
    if type.is_integer:
        if value.type.kind == "Float64" and not value.number:
            return Expr(f"CAST({value.sql} AS INTEGER)", type.maybe(value.type.nullable))
        return expression.to_int(value)
    if type.kind == "Float64":
        return expression.to_float(value)
    raise HogQLError(f"Cannot cast to {name}")


def _negate(call: Call) -> Expr:
    check(call, "n")
    return add(expression.literal(0), call.args[0], "-")


def _arithmetic(sign: str) -> Function:
    def render(call: Call) -> Expr:
        check(call, "nn")
        return add(call.args[0], call.args[1], sign)

    return Function(2, 2, render)


def _binary(make: Callable[[Expr, Expr], Expr]) -> Function:
    def render(call: Call) -> Expr:
        check(call, "nn")
        return make(*call.args)

    return Function(2, 2, render)


def _is_nan(call: Call) -> Expr:
    check(call, "n")
    value = call.args[0]
    # Where NULL is possible it stands for NULL, and NaN cannot be told from it.
    sql = f"({value.sql} * 0 <> 0)" if value.type.nullable else f"({value.sql} IS NULL)"
    return Expr(sql, UINT8.maybe(value.type.nullable))


def _real(name: str) -> Function:
    return simple("n", f"hq_{name}({{0}})", FLOAT)


FUNCTIONS: dict[str, Function] = {
    **same("toFloat toFloat64 toFloat64OrNull toFloatOrNull", _convert(expression.to_float)),
    **same("toInt toInt64 toInt64OrNull toIntOrNull", _convert(expression.to_int)),
    **same("toFloatOrZero toFloatOrDefault", _or_default(expression.to_float, FLOAT, "0.0")),
    **same("toIntOrZero toIntOrDefault", _or_default(expression.to_int, INT64, "0")),
    "toString": _convert(expression.to_text),
    "toBool": Function(1, 1, _to_bool),
    "toUUID": simple("s", "hq_uuid({0})", UUID, nullable=True),
    **same("toDate to_date", _convert(expression.to_date)),
    "toDateOrNull": _convert(expression.to_date),
    "abs": simple("n", "abs({0})", first_type),
    "sign": simple("n", "hq_sign({0})", INT64),
    "round": _keeps_integer("round"),
    "floor": _keeps_integer("floor"),
    **same("ceil ceiling", _keeps_integer("ceil")),
    **same("trunc truncate", _keeps_integer("trunc")),
    "sqrt": _real("sqrt"),
    "cbrt": _real("cbrt"),
    "exp": _real("exp"),
    **same("log ln", _real("ln")),
    "log2": _real("log2"),
    "log10": _real("log10"),
    **same("pow power", simple("nn", "hq_pow({0}, {1})", FLOAT)),
    "plus": _arithmetic("+"),
    "minus": _arithmetic("-"),
    "multiply": _arithmetic("*"),
    "divide": _binary(divide),
    **same("modulo mod", _binary(modulo)),
    "intDiv": simple("nn", "(CAST({0} AS INTEGER) / CAST({1} AS INTEGER))", INT64),
    "negate": Function(1, 1, _negate),
    "greatest": _extreme("max({})"),
    "least": _extreme("min({})"),
    "isNaN": Function(1, 1, _is_nan),
    "isFinite": simple("n", "coalesce(abs({0}) < 9e999, 0)", UINT8),
    "isInfinite": simple("n", "coalesce(abs({0}) = 9e999, 0)", UINT8),
    "pi": simple("", "3.141592653589793", FLOAT),
    "e": simple("", "2.718281828459045", FLOAT),
}
