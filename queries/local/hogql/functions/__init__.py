"""Every function a query may call, by topic. Names are looked up as PostHog does: exactly, or in any case for those
that ClickHouse itself takes in any case."""

from __future__ import annotations

import difflib

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.functions import arrays, comparisons, conditions, dates, json, lambdas, numbers, strings
from queries.local.hogql.functions.aggregates import AGGREGATES, WINDOWS, Aggregate
from queries.local.hogql.functions.table import Function

FUNCTIONS: dict[str, Function] = {
    **strings.FUNCTIONS,
    **numbers.FUNCTIONS,
    **dates.FUNCTIONS,
    **arrays.FUNCTIONS,
    **json.FUNCTIONS,
    **conditions.FUNCTIONS,
    **comparisons.FUNCTIONS,
}

_ANY_CASE = (
    "abs", "ceil", "ceiling", "floor", "round", "sqrt", "exp", "log", "ln", "log2", "log10", "pow", "power",
    "mod", "pi", "e", "sign", "truncate", "trunc", "cbrt", "lower", "upper", "lcase", "ucase", "length",
    "char_length", "character_length", "substring", "substr", "mid", "left", "right", "trim", "ltrim",
    "rtrim", "lpad", "rpad", "repeat", "reverse", "replace", "position", "concat", "coalesce", "ifNull",
    "nullIf", "if", "greatest", "least", "now", "today", "year", "quarter", "month", "day", "dayOfMonth",
    "dayOfWeek", "dayOfYear", "hour", "minute", "second", "date_trunc", "dateTrunc", "date_diff", "dateDiff",
    "date_add", "date_sub", "count", "sum", "avg", "min", "max", "any", "any_value", "stddev_pop",
    "stddev_samp", "var_pop", "var_samp", "row_number", "rank", "dense_rank", "percent_rank", "lag", "lead",
    "first_value", "last_value", "median", "in", "like", "ilike", "and", "or", "not", "isNull", "to_date",
)  # fmt: skip
_FOLDED = {name.lower(): name for name in _ANY_CASE}


def supported() -> tuple[str, ...]:
    """All function names, aggregates with their -If forms."""
    names = set(FUNCTIONS) | set(AGGREGATES) | {f"{name}If" for name in AGGREGATES} | set(WINDOWS)
    names |= set(lambdas.FUNCTIONS) | {"arrayJoin", "in", "notIn"}
    return tuple(sorted(name for name in names if not name.startswith("_")))


def find(name: str) -> Function | None:
    return FUNCTIONS.get(name) or FUNCTIONS.get(_FOLDED.get(name.lower(), ""))


def find_aggregate(name: str) -> tuple[Aggregate, bool] | None:
    """The aggregate and whether the call's last argument is a condition (`sumIf`)."""
    found = AGGREGATES.get(name) or AGGREGATES.get(_FOLDED.get(name.lower(), ""))
    if found:
        return found, False
    base = name.removesuffix("If")
    found = None if base == name else AGGREGATES.get(base)
    return (found, True) if found else None


def find_window(name: str) -> Aggregate | None:
    return WINDOWS.get(name) or WINDOWS.get(_FOLDED.get(name.lower(), ""))


def unknown(name: str) -> str:
    """PostHog's sentence for a function that is not there."""
    close = difflib.get_close_matches(name, supported(), n=1)
    hint = f" Perhaps you meant '{close[0]}(...)'?" if close else ""
    return f"Unsupported function call '{name[:80]}(...)'.{hint}"


def check_arity(name: str, given: int, least: int, most: int | None) -> None:
    if given < least or (most is not None and given > most):
        wanted = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        raise HogQLError(f"Function '{name}' expects {wanted} arguments, found {given}")
