"""Comparisons as PostHog treats NULL: never NULL themselves; two NULLs are equal, NULL differs from a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from queries.local.hogql.expression import Expr, comparable, literal
from queries.local.hogql.functions.strings import like
from queries.local.hogql.functions.table import Call, Function, check
from queries.local.hogql.types import UINT8

_ORDER = {"<": "<", ">": ">", "<=": "<=", ">=": ">="}
_LIKE = {"like": (False, False), "ilike": (True, False), "not like": (False, True), "not ilike": (True, True)}
_REGEX = {"=~": (False, False), "~": (False, False), "!~": (False, True), "=~*": (True, False), "~*": (True, False),
          "!~*": (True, True)}  # fmt: skip


def compare(op: str, a: Expr, b: Expr, *, in_join: bool = False) -> Expr | None:
    """One comparison by PostHog's operator name; None for an operator that is not here. In the ON of a join PostHog
    leaves NULL alone, so that NULL keys match nothing."""
    if op == "==":
        return _equals(a, b, in_join)
    if op == "!=":
        return _differs(a, b, in_join)
    if op in _ORDER:
        left, right = comparable(a, b)
        return _known(f"({left} {_ORDER[op]} {right})", a, b)
    if op in _LIKE:
        ignore_case, negated = _LIKE[op]
        check(Call(op, (a, b)), "ss")
        return _matched(like(a, b, ignore_case=ignore_case).sql, negated, a, b)
    if op in _REGEX:
        ignore_case, negated = _REGEX[op]
        check(Call(op, (a, b)), "ss")
        pattern = f"'(?i)' || {b.sql}" if ignore_case else b.sql
        return _matched(f"hq_match({a.sql}, {pattern})", negated, a, b)
    return None


def is_null(e: Expr) -> Expr:
    return Expr(f"({e.number or e.sql} IS NULL)" if e.type.nullable else "0", UINT8)


def is_not_null(e: Expr) -> Expr:
    return Expr(f"({e.number or e.sql} IS NOT NULL)" if e.type.nullable else "1", UINT8)


def among(value: Expr, items: Sequence[Expr], negated: bool) -> Expr:
    """`value IN (items)`; NULL is in a list that has NULL."""
    sqls = []
    left = value.sql
    for item in items:
        if not item.is_null:
            left, right = comparable(value, item)
            sqls.append(right)
    listed = Expr(f"({left} IN ({', '.join(sqls)}))", UINT8.maybe(value.may_be_null))
    if any(item.is_null for item in items) and value.type.nullable:
        listed = Expr(f"({left} IS NULL OR {listed.sql})", UINT8)
    return never_null(listed, negated)


def never_null(found: Expr, negated: bool) -> Expr:
    """A membership test with NULL read as "not in it"."""
    if not negated:
        if not found.type.nullable:
            return found
        return Expr(f"coalesce({found.sql}, 0)", UINT8, condition=found.sql)
    return Expr(f"(NOT {found.sql})" if not found.type.nullable else f"coalesce(NOT {found.sql}, 1)", UINT8)


def _equals(a: Expr, b: Expr, in_join: bool) -> Expr:
    if b.is_null or a.is_null:
        return is_null(a if b.is_null else b)
    left, right = comparable(a, b)
    if a.type.nullable and b.type.nullable and not in_join:
        return Expr(f"({left} IS {right})", UINT8)
    found = _known(f"({left} = {right})", a, b)
    if a.twin and found.condition:
        # Two indexes: of the column where it differs from its twin, and of the twin.
        either = f"(({left} = {right} AND {left} IS NOT {a.twin}) OR ({a.twin} = {right} AND {left} = {right}))"
        return replace(found, condition=either)
    return found


def _differs(a: Expr, b: Expr, in_join: bool) -> Expr:
    if b.is_null or a.is_null:
        return is_not_null(a if b.is_null else b)
    left, right = comparable(a, b)
    if in_join or not (a.may_be_null or b.may_be_null):
        return _known(f"({left} <> {right})", a, b)
    return Expr(f"({left} IS NOT {right})", UINT8)


def _known(sql: str, a: Expr, b: Expr) -> Expr:
    if a.may_be_null or b.may_be_null:
        return Expr(f"coalesce({sql}, 0)", UINT8, condition=sql)
    return Expr(sql, UINT8)


def _matched(sql: str, negated: bool, a: Expr, b: Expr) -> Expr:
    return never_null(Expr(sql, UINT8.maybe(a.type.nullable or b.type.nullable)), negated)


def _function(op: str) -> Function:
    def render(call: Call) -> Expr:
        return compare(op, *call.args) or literal(None)

    return Function(2, 2, render)


FUNCTIONS: dict[str, Function] = {
    "equals": _function("=="),
    "notEquals": _function("!="),
    "less": _function("<"),
    "greater": _function(">"),
    "lessOrEquals": _function("<="),
    "greaterOrEquals": _function(">="),
}
