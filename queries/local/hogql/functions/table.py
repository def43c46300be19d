"""What a row of the function tables is, and the short way to write most of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, zone_sql
from queries.local.hogql.types import Type


@dataclass(frozen=True, slots=True)
class Call:
    """One call with its printed arguments, and `params`, those in the first pair of parentheses of two."""

    name: str
    args: tuple[Expr, ...]
    params: tuple[object, ...] = ()

    def types(self) -> list[Type]:
        return [arg.type for arg in self.args]

    def word(self, place: int) -> str:
        """A constant text argument, such as a unit or a zone."""
        value = self.args[place].constant
        if not isinstance(value, str):
            raise HogQLError(f"Argument {place + 1} of {self.name} must be a constant string")
        return value


@dataclass(frozen=True, slots=True)
class Function:
    """How a call is printed. `most` is None where any number of arguments will do."""

    least: int
    most: int | None
    render: Callable[[Call], Expr]


_KINDS: dict[str, tuple[str, Callable[[Type], bool]]] = {
    "s": ("a String", lambda type: type.is_text),
    "n": ("a number", lambda type: type.is_number),
    "i": ("an integer", lambda type: type.is_integer),
    "a": ("an Array", lambda type: type.kind == "Array"),
    "d": ("a Date or DateTime", lambda type: type.is_instant or type.kind == "Date"),
    "t": ("a DateTime", lambda type: type.is_instant),
    "x": ("a value", lambda type: not type.is_interval),
    "v": ("an interval", lambda type: type.is_interval),
}

Result = Type | Callable[[list[Type]], Type]


def simple(signature: str, template: str, result: Result, *, nullable: bool | None = None) -> Function:
    """A function that is one SQL template over checked arguments.

    `signature` has a letter for each argument (`_KINDS`), those after `|` may be absent, a final `*` repeats the last.
    The template may use `{0}`, `{1}`, ..., `{args}` (all, with commas) and `{zone}`. The result is nullable where an
    argument is, unless `nullable` says otherwise.
    """
    least, most = arity(signature)

    def render(call: Call) -> Expr:
        check(call, signature)
        sqls = [arg.sql for arg in call.args]
        sql = template.format(*sqls, args=", ".join(sqls), zone=zone_sql(*call.types()))
        type = result(call.types()) if callable(result) else result
        may_be_null = any(arg.type.nullable for arg in call.args) if nullable is None else nullable
        return Expr(sql, type.maybe(may_be_null))

    return Function(least, most, render)


def arity(signature: str) -> tuple[int, int | None]:
    kinds = signature.rstrip("*")
    required, _, optional = kinds.partition("|")
    return len(required), None if signature.endswith("*") else len(required) + len(optional)


def check(call: Call, signature: str) -> None:
    """Raises `HogQLError` where an argument is of another kind than the signature asks for."""
    kinds = signature.replace("|", "").rstrip("*")
    for place, arg in enumerate(call.args):
        kind = kinds[min(place, len(kinds) - 1)]
        name, fits = _KINDS[kind]
        is_free_null = arg.type.kind == "Nothing" and kind not in "av"
        if not (fits(arg.type) or is_free_null):
            hint = f"Convert it with {_CONVERSION[name]}" if name in _CONVERSION else ""
            raise HogQLError(f"Argument {place + 1} of {call.name} is {arg.type}, not {name}", do=hint)


_CONVERSION = {
    "a String": "toString(...)",
    "a number": "toFloat(...)",
    "an integer": "toInt(...)",
    "a DateTime": "toDateTime(...)",
    "a Date or DateTime": "toDateTime(...)",
}


def same(names: str, function: Function) -> dict[str, Function]:
    """One function under several names, written with spaces between."""
    return dict.fromkeys(names.split(), function)


def first_type(types: Sequence[Type]) -> Type:
    return types[0].plain()
