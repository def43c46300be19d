"""Choice and logic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import NULL, Expr, comparable, quote, unify
from queries.local.hogql.functions import comparisons
from queries.local.hogql.functions.table import Call, Function, check, same
from queries.local.hogql.types import BOOL, STRING, UINT8

# Placeholders compared with words: what is the same for every row.
_FIXED = re.compile(r"\(:p_\w+ (=|<>|IS|IS NOT) '\w*'\)")


def choose(pairs: Sequence[tuple[str, Expr]], otherwise: Expr) -> Expr:
    """CASE WHEN (condition) THEN (value) ... ELSE `otherwise`, all values in one type."""
    sqls, type = unify([value for _, value in pairs] + [otherwise])
    conditions = [condition for condition, _ in pairs]
    found = Expr(_case(conditions, sqls), type)
    values = [value for _, value in pairs] + [otherwise]
    if not any(value.key for value in values) or not all(map(_FIXED.fullmatch, conditions)):
        return found
    # The same arm for every row, so the arms' keys are as good as their values.
    keys = [value.key or sql for value, sql in zip(values, sqls, strict=True)]
    return replace(
        found, key=_case(conditions, keys), shown=_case(conditions, [value.shown or "{0}" for value in values])
    )


def _case(conditions: Sequence[str], values: Sequence[str]) -> str:
    arms = " ".join(f"WHEN {condition} THEN {value}" for condition, value in zip(conditions, values, strict=False))
    return f"(CASE {arms} ELSE {values[-1]} END)"


def _if(call: Call) -> Expr:
    condition, then, otherwise = call.args
    return choose([(condition.as_condition, then)], otherwise)


def _multi_if(call: Call) -> Expr:
    if len(call.args) % 2 == 0:
        raise HogQLError("multiIf needs pairs of condition and value, and a last value")
    pairs = zip(call.args[:-1:2], call.args[1::2], strict=True)
    return choose([(condition.as_condition, value) for condition, value in pairs], call.args[-1])


def _case_of(call: Call) -> Expr:
    subject, *rest = call.args
    otherwise = rest.pop() if len(rest) % 2 else NULL
    pairs = [
        ((comparisons.compare("==", subject, value) or NULL).as_condition, result)
        for value, result in zip(rest[::2], rest[1::2], strict=True)
    ]
    return choose(pairs, otherwise)


def _coalesce(call: Call) -> Expr:
    args = []
    for arg in call.args:
        if not arg.is_null:
            args.append(arg)
        if not arg.type.nullable:
            break
    if len(args) < 2:
        return args[0] if args else NULL
    sqls, type = unify(args)
    return Expr(f"coalesce({', '.join(sqls)})", replace(type, nullable=args[-1].type.nullable))


def _null_if(call: Call) -> Expr:
    a, b = call.args
    if b.is_null:
        return a
    left, right = comparable(a, b)
    return Expr(f"nullif({left}, {right})", a.type.maybe())


def logic(word: str, parts: Sequence[Expr]) -> Expr:
    """`parts` joined by AND or OR; three-valued, as both ClickHouse and SQLite are."""
    conditions = [part.as_condition for part in parts]
    sql = f"({f' {word} '.join(part.sql for part in parts)})"
    condition = f"({f' {word} '.join(conditions)})"
    type = (BOOL if any(part.type.kind == "Bool" for part in parts) else UINT8).maybe(
        any(part.type.nullable for part in parts)
    )
    return Expr(sql, type, condition="" if condition == sql else condition)


def negation(e: Expr) -> Expr:
    e.as_condition  # noqa: B018  refuses what is no truth value
    return Expr(f"(NOT {e.sql})", (BOOL if e.type.kind == "Bool" else UINT8).maybe(e.type.nullable))


def _xor(call: Call) -> Expr:
    check(call, "nn")
    a, b = call.args
    return Expr(f"(({a.sql} <> 0) <> ({b.sql} <> 0))", UINT8.maybe(a.type.nullable or b.type.nullable))


def _type_name(call: Call) -> Expr:
    return Expr(quote(str(call.args[0].type)), STRING)


FUNCTIONS: dict[str, Function] = {
    "if": Function(3, 3, _if),
    "multiIf": Function(3, None, _multi_if),
    "_caseWithExpression": Function(3, None, _case_of),
    **same("coalesce ifNull", Function(1, None, _coalesce)),
    "nullIf": Function(2, 2, _null_if),
    "isNull": Function(1, 1, lambda call: comparisons.is_null(call.args[0])),
    "isNotNull": Function(1, 1, lambda call: comparisons.is_not_null(call.args[0])),
    "assumeNotNull": Function(1, 1, lambda call: _assume_not_null(call.args[0])),
    "toNullable": Function(1, 1, lambda call: replace(call.args[0], type=call.args[0].type.maybe())),
    "and": Function(2, None, lambda call: logic("AND", call.args)),
    "or": Function(2, None, lambda call: logic("OR", call.args)),
    "not": Function(1, 1, lambda call: negation(call.args[0])),
    "xor": Function(2, 2, _xor),
    "toTypeName": Function(1, 1, _type_name),
}


def _assume_not_null(e: Expr) -> Expr:
    type = e.type.plain()
    return Expr(f"coalesce({e.sql}, {type.default})", type) if e.type.nullable else e
