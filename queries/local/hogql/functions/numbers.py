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


def _is_number(e: Expr) -> bool:
    return isinstance(e.constant, int) and not isinstance(e.constant, bool)


def _refuse_zero(e: Expr) -> None:
    if e.constant == 0 and _is_number(e):
        raise HogQLError("Division by zero")


def _whole_quotient(call: Call) -> Expr:
    check(call, "nn")
    a, b = call.args
    _refuse_zero(b)
    return Expr(f"hq_int_divide({a.sql}, {b.sql})", INT64.maybe(a.type.nullable or b.type.nullable))


def modulo(a: Expr, b: Expr) -> Expr:
    nullable = a.type.nullable or b.type.nullable
    if a.type.is_integer and b.type.is_integer:
        _refuse_zero(b)
        sql = f"({a.sql} % {b.sql})" if _is_number(b) else f"hq_int_modulo({a.sql}, {b.sql})"
        return Expr(sql, INT64.maybe(nullable))
    return Expr(f"hq_modulo({a.sql}, {b.sql})", FLOAT.maybe(nullable))


def add(a: Expr, b: Expr, sign: str) -> Expr:
    """`+`, `-` or `*` of two numbers."""
    nullable = a.type.nullable or b.type.nullable
    if not (a.type.is_integer and b.type.is_integer):
        return Expr(f"({a.sql} {sign} {b.sql})", FLOAT.maybe(nullable))
    unsigned = a.type.is_unsigned and b.type.is_unsigned and sign != "-"
    return Expr(f"({a.sql} {sign} {b.sql})", Type("UInt64" if unsigned else "Int64", nullable))


def _extreme(function: str, careful: str) -> Function:
    """SQLite's own is NULL where any argument is; ClickHouse leaves NULLs out."""

    def render(call: Call) -> Expr:
        sqls, type = expression.unify(call.args)
        if len(sqls) == 1:
            return Expr(sqls[0], type)
        if type.is_nested:
            raise HogQLError(f"{call.name} of {type} is not supported")
        if not type.nullable:
            return Expr(f"{function}({', '.join(sqls)})", type)
        return Expr(f"{careful}({', '.join(sqls)})", type.maybe(all(arg.type.nullable for arg in call.args)))

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
        if len(call.args) == 1:
            return Expr(call.args[0].sql, type)
        if name == "round":
            return Expr(f"hq_round_integer({call.args[0].sql}, {call.args[1].sql})", type)
        return Expr(f"CAST({found.sql} AS INTEGER)", type)

    return Function(1, 2, render)


def _to_bool(call: Call) -> Expr:
    value = call.args[0]
    if value.type.is_number:
        return Expr(f"({value.sql} <> 0)", BOOL.maybe(value.type.nullable))
    check(call, "s")
    true, false = (
        "('true', 't', 'yes', 'y', 'on', 'enable', 'enabled', '1')",
        ("('false', 'f', 'no', 'n', 'off', 'disable', 'disabled', '0')"),
    )
    return Expr(f"(CASE WHEN lower({value.sql}) IN {true} THEN 1 WHEN lower({value.sql}) IN {false} THEN 0 END)",
                BOOL.maybe())  # fmt: skip


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
    sql = f"(CASE WHEN {value.sql} IS NOT NULL THEN 0 END)" if value.type.nullable else f"({value.sql} IS NULL)"
    return Expr(sql, UINT8.maybe(value.type.nullable))


def _abs(call: Call) -> Expr:
    found = simple("n", "abs({0})", first_type).render(call)
    # SQLite leaves the sign of -0.0.
    return found if found.type.is_integer else replace(found, sql=f"({found.sql} + 0.0)")


def _unless_nan(template: str) -> Function:
    """NULL stays NULL, NaN is neither finite nor infinite."""

    def render(call: Call) -> Expr:
        check(call, "n")
        value = call.args[0]
        sql = template.format(value.sql)
        return Expr(sql if value.type.nullable else f"coalesce({sql}, 0)", UINT8.maybe(value.type.nullable))

    return Function(1, 1, render)


def _bits(sign: str) -> Function:
    return simple("ii", f"({{0}} {sign} {{1}})", INT64)


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
    "abs": Function(1, 1, lambda call: _abs(call)),
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
    "intDiv": Function(2, 2, _whole_quotient),
    "negate": Function(1, 1, _negate),
    "bitAnd": _bits("&"),
    "bitOr": _bits("|"),
    "bitShiftLeft": _bits("<<"),
    "bitShiftRight": _bits(">>"),
    "greatest": _extreme("max", "hq_greatest"),
    "least": _extreme("min", "hq_least"),
    "isNaN": Function(1, 1, _is_nan),
    "isFinite": _unless_nan("(abs({0}) < 9e999)"),
    "isInfinite": _unless_nan("(abs({0}) = 9e999)"),
    "pi": simple("", "3.141592653589793", FLOAT),
    "e": simple("", "2.718281828459045", FLOAT),
}
