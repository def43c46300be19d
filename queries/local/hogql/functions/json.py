"""Reading JSON text. A path is object keys and array places (from 1, or from the end if negative)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, quote
from queries.local.hogql.functions.table import Call, Function, check, simple
from queries.local.hogql.types import FLOAT, INT64, STRING, UINT8, UINT64, Type, array, parse_type

# What can stand between the quotes of a SQLite JSON path and mean itself.
_PLAIN_KEY = re.compile(r'[^"\\\x00-\x1f]+')


def raw(document: Expr, path: Sequence[Expr]) -> str:
    """SQL for the JSON text at `path`, NULL where nothing is there. SQLite's own operator reads it where the document
    is known to be JSON and the path is plain; it raises on text that is not JSON, so ours reads everything else."""
    if not path:
        return document.sql if document.type.is_json else f"hq_json_raw({document.sql})"
    plain = _sqlite_path([step.constant for step in path]) if document.type.is_json else None
    if plain is not None:
        return f"({document.sql} -> {quote(plain)})"
    return f"hq_json_raw({document.sql}, {', '.join(step.sql for step in path)})"


def _sqlite_path(steps: Sequence[object]) -> str | None:
    path = "$"
    for step in steps:
        if isinstance(step, str) and _PLAIN_KEY.fullmatch(step):
            path += f'."{step}"'
        else:
            # A place counts an object's keys too in ClickHouse, but not in SQLite.
            return None
    return path


def property_text(document: Expr, path: Sequence[Expr]) -> Expr:
    """A property as PostHog shows it: the JSON text without its outer quotes, NULL where it is absent or null."""
    return Expr(f"hq_unquote({raw(document, path)})", STRING.maybe())


def typed(text: str, type: Type) -> Expr:
    """The JSON text as `type`; what does not fit is NULL, or the default of a type that has no NULL."""
    plain = type.plain()
    found = f"hq_json_as({text}, '{plain}')"
    return Expr(found if type.nullable else f"coalesce({found}, {plain.default})", type)


def _reader(finish: Callable[[str], Expr], least: int = 1) -> Function:
    def render(call: Call) -> Expr:
        document, *path = call.args
        check(Call(call.name, (document,)), "s")
        for step in path:
            if not (step.type.is_text or step.type.is_integer):
                raise HogQLError(f"A step of a JSON path must be a key or a place, not {step.type}")
        return finish(raw(document, path))

    return Function(least, None, render)


def _extract(call: Call) -> Expr:
    """`JSONExtract(json, path..., 'Type')`."""
    type = parse_type(call.word(len(call.args) - 1))
    if type is None or type.is_instant or type.kind in ("Date", "UUID"):
        raise HogQLError(f"JSONExtract does not support the type '{call.word(len(call.args) - 1)}'")
    return _reader(lambda text: typed(text, type)).render(Call(call.name, call.args[:-1]))


FUNCTIONS: dict[str, Function] = {
    "JSONExtract": Function(2, None, _extract),
    "JSONExtractString": _reader(lambda text: typed(text, STRING)),
    "JSONExtractFloat": _reader(lambda text: Expr(f"coalesce(hq_json_as({text}, 'strict Float64'), 0.0)", FLOAT)),
    "JSONExtractInt": _reader(lambda text: Expr(f"coalesce(hq_json_as({text}, 'strict Int64'), 0)", INT64)),
    "JSONExtractUInt": _reader(lambda text: Expr(f"coalesce(hq_json_as({text}, 'strict UInt64'), 0)", UINT64)),
    "JSONExtractBool": _reader(lambda text: Expr(f"hq_json_bool({text})", UINT8)),
    "JSONExtractRaw": _reader(lambda text: Expr(f"coalesce(hq_normal({text}), '')", STRING)),
    "JSONExtractArrayRaw": _reader(lambda text: Expr(f"hq_json_items({text})", array(STRING))),
    "JSONExtractKeys": _reader(lambda text: Expr(f"hq_json_keys({text})", array(STRING))),
    "JSONHas": _reader(lambda text: Expr(f"({text} IS NOT NULL)", UINT8), least=2),
    "JSONLength": _reader(lambda text: Expr(f"hq_json_length({text})", UINT64)),
    "JSONType": _reader(lambda text: Expr(f"hq_json_type({text})", STRING)),
    "isValidJSON": simple("s", "(CASE WHEN {0} IS NOT NULL THEN json_valid({0}) END)", UINT8),
}
