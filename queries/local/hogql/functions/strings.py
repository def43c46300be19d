"""Text functions. Positions and lengths of `...UTF8` forms count characters; `length` counts bytes, as ClickHouse."""

from __future__ import annotations

import re
from dataclasses import replace

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, quote, to_text
from queries.local.hogql.functions.table import Call, Function, check, first_type, same, simple
from queries.local.hogql.scalars.complaints import Complaint
from queries.local.hogql.scalars.regex import compiled
from queries.local.hogql.types import STRING, UINT8, UINT64, Type, array

_MAX_PATTERN = 200  # SQLite's own GLOB and LIKE may take text times pattern; longer ones go to RE2


def _concat(call: Call) -> Expr:
    # PostHog prints every argument as ifNull(toString(x), '').
    parts = [to_text(arg) for arg in call.args]
    sqls = [f"coalesce({part.sql}, '')" if part.type.nullable else part.sql for part in parts]
    return Expr(f"({' || '.join(sqls)})", STRING)


def like(value: Expr, pattern: Expr, *, ignore_case: bool = False) -> Expr:
    """LIKE of ClickHouse is case-sensitive and SQLite's is not: a constant pattern becomes GLOB, which is."""
    type = UINT8.maybe(value.type.nullable or pattern.type.nullable)
    text = pattern.constant
    if isinstance(text, str) and "\\" not in text and len(text) < _MAX_PATTERN:
        if not ignore_case:
            glob = re.sub(r"[*?\[]", r"[\g<0>]", text).replace("%", "*").replace("_", "?")
            return Expr(f"({value.sql} GLOB {quote(glob)})", type)
        if text.isascii():
            return Expr(f"({value.sql} LIKE {quote(text)})", type)
    return Expr(f"hq_like({value.sql}, {pattern.sql}, {int(ignore_case)})", type)


def _like(ignore_case: bool, negated: bool) -> Function:
    def render(call: Call) -> Expr:
        check(call, "ss")
        found = like(*call.args, ignore_case=ignore_case)
        return Expr(f"(NOT {found.sql})", found.type) if negated else found

    return Function(2, 2, render)


def _utf8(names: str, signature: str, function: str) -> dict[str, Function]:
    """A function that counts bytes, and beside it those that count characters."""
    by_bytes = simple(signature, f"hq_{function}({{args}})", STRING)
    by_letters = simple(signature, f"hq_{function}_utf8({{args}})", STRING)
    return {name: by_letters if name.endswith("UTF8") else by_bytes for name in names.split()}


def _from_a_known_place(function: Function) -> Function:
    """SQLite's own substr counts as ClickHouse does where the place and the length are known to be above zero."""

    def render(call: Call) -> Expr:
        found = function.render(call)
        known = [arg.constant for arg in call.args[1:]]
        if len(known) == 2 and all(type(value) is int and value > 0 for value in known):
            return replace(found, sql="substr({}, {}, {})".format(*(arg.sql for arg in call.args)))
        return found

    return Function(function.least, function.most, render)


def _regex(signature: str, template: str, result: Type) -> Function:
    plain = simple(signature, template, result)

    def render(call: Call) -> Expr:
        pattern = call.args[1].constant
        if isinstance(pattern, str):
            try:
                compiled(pattern)
            except Complaint as complaint:
                raise HogQLError(str(complaint)) from None
        return plain.render(call)

    return Function(plain.least, plain.most, render)


def _measure(text: str, many: str, result: Type) -> Function:
    """A function of a text or an array."""
    of_text, of_array = simple("s", text, result), simple("a", many, result)

    def render(call: Call) -> Expr:
        return (of_array if call.args[0].type.kind == "Array" else of_text).render(call)

    return Function(1, 1, render)


def _reverse(call: Call) -> Expr:
    is_array = call.args[0].type.kind == "Array"
    if is_array:
        return simple("a", "hq_array_reverse({0})", first_type).render(call)
    return simple("s", "hq_reverse({0})", STRING).render(call)


def _join(call: Call) -> Expr:
    check(call, "as")
    inner = call.args[0].type.inner[0]
    if not (inner.is_text or inner.is_number or inner.kind == "Nothing"):
        raise HogQLError(f"arrayStringConcat of {call.args[0].type} is not supported", do="Map toString over it")
    return simple("a|s", "hq_join({args})", STRING).render(call)


FUNCTIONS: dict[str, Function] = {
    "concat": Function(1, None, _concat),
    **same("lower lcase", simple("s", "lower({0})", STRING)),
    **same("upper ucase", simple("s", "upper({0})", STRING)),
    "lowerUTF8": simple("s", "hq_lower({0})", STRING),
    "upperUTF8": simple("s", "hq_upper({0})", STRING),
    "length": _measure("length(CAST({0} AS BLOB))", "json_array_length({0})", UINT64),
    **same("lengthUTF8 char_length character_length", simple("s", "length({0})", UINT64)),
    "empty": _measure("({0} = '')", "({0} = '[]')", UINT8),
    "notEmpty": _measure("({0} <> '')", "({0} <> '[]')", UINT8),
    **_utf8("substring substr mid substringUTF8", "si|i", "substring"),
    "substringUTF8": _from_a_known_place(simple("si|i", "hq_substring_utf8({args})", STRING)),
    **_utf8("left leftUTF8", "si", "left"),
    **_utf8("right rightUTF8", "si", "right"),
    **same("trim trimBoth", simple("s|s", "hq_trim({args})", STRING)),
    **same("trimLeft ltrim", simple("s|s", "hq_ltrim({args})", STRING)),
    **same("trimRight rtrim", simple("s|s", "hq_rtrim({args})", STRING)),
    **_utf8("leftPad lpad leftPadUTF8", "si|s", "lpad"),
    **_utf8("rightPad rpad rightPadUTF8", "si|s", "rpad"),
    "repeat": simple("si", "hq_repeat({0}, {1})", STRING),
    "reverse": Function(1, 1, lambda call: _reverse(call)),
    "reverseUTF8": simple("s", "hq_reverse_utf8({0})", STRING),
    "startsWith": simple("ss", "(substr({0}, 1, length({1})) = {1})", UINT8),
    "endsWith": simple("ss", "hq_ends_with({0}, {1})", UINT8),
    "position": simple("ss", "hq_position({0}, {1})", UINT64),
    "positionUTF8": simple("ss", "hq_position_utf8({0}, {1})", UINT64),
    "positionCaseInsensitive": simple("ss", "hq_position(lower({0}), lower({1}))", UINT64),
    "positionCaseInsensitiveUTF8": simple("ss", "hq_position_utf8(hq_lower({0}), hq_lower({1}))", UINT64),
    "countSubstrings": simple("ss", "hq_count_substrings({0}, {1})", UINT64),
    **same("replace replaceAll", simple("sss", "hq_replace({0}, {1}, {2})", STRING)),
    "replaceOne": simple("sss", "hq_replace_one({0}, {1}, {2})", STRING),
    "replaceRegexpAll": _regex("sss", "hq_replace_regexp({0}, {1}, {2}, 0)", STRING),
    "replaceRegexpOne": _regex("sss", "hq_replace_regexp({0}, {1}, {2}, 1)", STRING),
    "match": _regex("ss", "hq_match({0}, {1})", UINT8),
    "extract": _regex("ss", "hq_extract({0}, {1})", STRING),
    "extractAll": _regex("ss", "hq_extract_all({0}, {1})", array(STRING)),
    "like": _like(ignore_case=False, negated=False),
    "ilike": _like(ignore_case=True, negated=False),
    "notLike": _like(ignore_case=False, negated=True),
    "notILike": _like(ignore_case=True, negated=True),
    "splitByChar": simple("ss", "hq_split({0}, {1})", array(STRING)),
    "splitByString": simple("ss", "hq_split({0}, {1})", array(STRING)),
    "arrayStringConcat": Function(1, 2, lambda call: _join(call)),
}
