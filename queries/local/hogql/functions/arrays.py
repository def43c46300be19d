"""Arrays and tuples, which SQLite holds as JSON text."""

from __future__ import annotations

from collections.abc import Sequence

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, common_type, comparable, unify
from queries.local.hogql.functions.table import Call, Function, check, first_type, same, simple
from queries.local.hogql.types import FLOAT, NOTHING, UINT8, UINT64, Type, array, tuple_of


def element(sql: str, type: Type) -> str:
    """A value as `json_array` takes it: JSON text of a nested value would otherwise become a string, and infinity has
    no JSON at all."""
    if type.kind == "Float64":
        return f"hq_finite({sql})"
    return f"json({sql})" if type.is_nested else sql


def make_array(items: Sequence[Expr]) -> Expr:
    if not items:
        return Expr("'[]'", array(NOTHING.plain()))
    sqls, type = unify(items)
    return Expr(f"json_array({', '.join(element(sql, type) for sql in sqls)})", array(type))


def make_tuple(items: Sequence[Expr]) -> Expr:
    sqls = ", ".join(element(item.sql, item.type) for item in items)
    return Expr(f"json_array({sqls})", tuple_of(item.type for item in items))


def inner(e: Expr) -> Type:
    return e.type.inner[0]


def at(e: Expr, index: Expr) -> Expr:
    """`array[index]`, from 1, or from the end if negative; out of range is the type's default value."""
    if e.type.kind == "Tuple":
        return tuple_element(e, index.constant)
    if e.type.kind != "Array":
        raise HogQLError(f"{e.type} has no elements")
    if isinstance(index.constant, int) and not isinstance(index.constant, bool):
        place = index.constant
        if place == 0:
            raise HogQLError("Array elements are counted from 1")
        path = f"$[{place - 1}]" if place > 0 else f"$[#{place}]"
        sql = f"({e.sql} ->> '{path}')"
    else:
        check(Call("arrayElement", (e, index)), "ai")
        sql = f"hq_at({e.sql}, {index.sql})"
    type = inner(e)
    if type.nullable or type.is_nested or not index.type.nullable:
        return Expr(sql if type.nullable else f"coalesce({sql}, {type.default})", type)
    return Expr(f"(CASE WHEN {index.sql} IS NOT NULL THEN coalesce({sql}, {type.default}) END)", type.maybe())


def tuple_element(e: Expr, place: object) -> Expr:
    if e.type.kind != "Tuple" or not isinstance(place, int) or not 1 <= place <= len(e.type.inner):
        raise HogQLError(f"{e.type} has no element {place}")
    return Expr(f"({e.sql} ->> '$[{place - 1}]')", e.type.inner[place - 1])


def _has(call: Call) -> Expr:
    check(Call(call.name, call.args[:1]), "a")
    values, wanted = call.args
    probe = Expr("value", inner(values))
    left, right = comparable(wanted, probe)
    if wanted.type.nullable and probe.type.nullable:
        return Expr(f"EXISTS (SELECT 1 FROM json_each({values.sql}) WHERE {right} IS {left})", UINT8)
    return Expr(f"coalesce({left} IN (SELECT {right} FROM json_each({values.sql})), 0)", UINT8)


def _keeps(name: str, signature: str = "a") -> Function:
    """A function whose result is an array of the same type."""
    return simple(signature, f"hq_array_{name}({{args}})", first_type)


def _two(name: str, type: Type) -> Function:
    return simple("aa", f"hq_array_{name}({{0}}, {{1}})", type)


def _concat(call: Call) -> Expr:
    check(call, "a*")
    return Expr(f"hq_array_concat({', '.join(arg.sql for arg in call.args)})", common_type(call.types()))


def _zip(call: Call) -> Expr:
    check(call, "a*")
    sqls = ", ".join(arg.sql for arg in call.args)
    return Expr(f"hq_array_zip({sqls})", array(tuple_of(inner(arg) for arg in call.args)))


def _push(name: str) -> Function:
    def render(call: Call) -> Expr:
        check(Call(call.name, call.args[:1]), "a")
        values, item = call.args
        type = common_type([inner(values), item.type])
        added = f"json_array({element(item.sql, item.type)})"
        sqls = (values.sql, added) if name == "back" else (added, values.sql)
        return Expr(f"hq_array_concat({', '.join(sqls)})", array(type))

    return Function(2, 2, render)


def _index_of(call: Call) -> Expr:
    check(Call(call.name, call.args[:1]), "a")
    values, wanted = call.args
    left, right = comparable(wanted, Expr("value", inner(values)))
    found = f"SELECT key + 1 FROM json_each({values.sql}) WHERE {right} IS {left} ORDER BY key LIMIT 1"
    return Expr(f"coalesce(({found}), 0)", UINT64)


def _flatten(types: list[Type]) -> Type:
    type = types[0]
    while type.kind == "Array" and type.inner[0].kind == "Array":
        type = type.inner[0]
    return type


def _number_array(types: list[Type]) -> Type:
    type = types[0].inner[0]
    if not type.is_number:
        raise HogQLError(f"{types[0]} is not an array of numbers", do="Use arrayMap(x -> toFloat(x), ...)")
    return types[0] if type.is_integer else array(FLOAT.maybe(type.nullable))


def _tuple_element(call: Call) -> Expr:
    return tuple_element(call.args[0], call.args[1].constant)


FUNCTIONS: dict[str, Function] = {
    "array": Function(0, None, lambda call: make_array(call.args)),
    "tuple": Function(1, None, lambda call: make_tuple(call.args)),
    "tupleElement": Function(2, 2, _tuple_element),
    "arrayElement": Function(2, 2, lambda call: at(*call.args)),
    "has": Function(2, 2, _has),
    "indexOf": Function(2, 2, _index_of),
    "hasAny": _two("has_any", UINT8),
    "hasAll": _two("has_all", UINT8),
    "arrayConcat": Function(1, None, _concat),
    "arrayZip": Function(1, None, _zip),
    "arrayPushBack": _push("back"),
    "arrayPushFront": _push("front"),
    "arrayPopBack": _keeps("pop_back"),
    "arrayPopFront": _keeps("pop_front"),
    "arrayReverse": _keeps("reverse"),
    "arrayDistinct": simple("a", "hq_array_distinct({0})", lambda types: array(types[0].inner[0].plain())),
    "arrayCompact": _keeps("compact"),
    "arraySlice": _keeps("slice", "ai|i"),
    "arrayFlatten": simple("a", "hq_array_flatten({0})", _flatten),
    "arrayUniq": simple("a", "hq_array_uniq({0})", UINT64),
    "arrayEnumerate": simple("a", "hq_range(1, json_array_length({0}) + 1)", array(UINT64)),
    "arrayCumSum": simple("a", "hq_array_cum_sum({0})", _number_array),
    "arrayDifference": simple("a", "hq_array_difference({0})", _number_array),
    "arrayIntersect": _keeps("intersect", "aa"),
    **same("range", simple("i|ii", "hq_range({args})", array(UINT64))),
    "arrayWithConstant": Function(2, 2, lambda call: _repeated(call)),
}


def _repeated(call: Call) -> Expr:
    check(Call(call.name, call.args[:1]), "i")
    count, item = call.args
    return Expr(f"hq_array_repeat({count.sql}, json_array({element(item.sql, item.type)}))", array(item.type))
