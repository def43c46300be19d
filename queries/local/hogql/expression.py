"""A printed expression: SQLite's text for it and ClickHouse's type of it, and the conversions between types."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from queries.local.hogql import types as t
from queries.local.hogql.clock import parse_day, parse_instant
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.types import Type

_COLUMN = re.compile(r"\w+\.\w+")


class _NotConstant:
    pass


NOT_CONSTANT = _NotConstant()


@dataclass(frozen=True, slots=True)
class Expr:
    """`sql` is always safe to put between other operators.

    `number` is the column behind a property that is stored as a number where it is one (text where it is not), so
    that `toFloat` need not go through text. `condition` is a cheaper form where NULL and false are the same, which an
    index can serve. `constant` is the value of a literal. `key` is a cheaper form that differs wherever `sql` does, to
    group by; `shown` makes `sql` of it, with {0} for the key. `twin` is a column that mostly has the same value: only
    where it has not is this one in its index. `measure` names what only the sums of can be read (see `hourly`)."""

    sql: str
    type: Type
    number: str = ""
    constant: object = NOT_CONSTANT
    condition: str = ""
    key: str = ""
    shown: str = ""
    twin: str = ""
    measure: str = ""

    @property
    def is_null(self) -> bool:
        return self.constant is None

    @property
    def as_condition(self) -> str:
        """The SQL where only true matters. Raises `HogQLError` for what is no truth value."""
        if not self.type.is_number and not self.is_null:
            raise HogQLError(f"{self.type} is not a condition", do="Compare it with something")
        return self.condition or self.sql

    @property
    def may_be_null(self) -> bool:
        """Whether SQLite may see NULL here, be it ClickHouse's NULL or NaN."""
        return self.type.nullable or self.type.kind == "Float64"


NULL = Expr("NULL", t.NOTHING, constant=None)


def quote(text: str) -> str:
    """A SQLite string literal. It has no escapes but the doubled quote."""
    return "'" + text.replace("'", "''") + "'"


def literal(value: object) -> Expr:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return Expr(str(int(value)), t.BOOL, constant=value)
    if isinstance(value, str):
        return Expr(quote(value), t.STRING, constant=value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        sql = str(value) if value >= 0 else f"({value})" if value > -(2**63) else "(-9223372036854775807 - 1)"
        return Expr(sql, Type(_integer_kind(value)), constant=value)
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return Expr("NULL", t.FLOAT, constant=number)
    if math.isinf(number):
        return Expr("9e999" if number > 0 else "(-9e999)", t.FLOAT, constant=number)
    return Expr(repr(number) if number >= 0 else f"({number!r})", t.FLOAT, constant=number)


def _integer_kind(value: int) -> str:
    bits = (8, 16, 32, 64)
    if value >= 0:
        return next((f"UInt{n}" for n in bits if value < 2**n), "UInt64")
    return next(f"Int{n}" for n in bits if value >= -(2 ** (n - 1)))


def zone_sql(*types: Type) -> str:
    """The time zone in which the first type with a zone of its own is read, as SQL."""
    named = next((type.zone for type in types if type.zone), None)
    return quote(named) if named else ":tz"


def day_number(instant: str, zone: str) -> str:
    """SQL of the days since the epoch of an instant in a zone."""
    by_clock = f"hq_day({instant}, {zone})"
    return _in_project_zone(instant, zone, "({0} + {1}) / 86400000000", by_clock)


def start_of_hour(instant: str, zone: str) -> str:
    by_clock = f"hq_start({instant}, 'hour', {zone})"
    return _in_project_zone(instant, zone, "{0} - ({0} + {1}) % 3600000000", by_clock)


def _in_project_zone(instant: str, zone: str, by_offset: str, by_clock: str) -> str:
    """Arithmetic for the times around now whose offset is bound (see `clock.steady`): a function of ours takes as long
    as all the rest of a row. Not for an expression, which would be computed for each comparison."""
    if zone != ":tz" or not _COLUMN.fullmatch(instant):
        return by_clock
    after, before = by_offset.format(instant, ":tz_after"), by_offset.format(instant, ":tz_before")
    return (
        f"(CASE WHEN {instant} >= :tz_until THEN {by_clock} WHEN {instant} >= :tz_change THEN {after} "
        f"WHEN {instant} >= :tz_since THEN {before} ELSE {by_clock} END)"
    )


def to_text(e: Expr) -> Expr:
    """`toString`: the value as ClickHouse writes it."""
    kind, sql = e.type.kind, e.sql
    type = t.STRING.maybe(e.type.nullable)
    if e.type.is_text:
        return e if e.type.kind == "String" else Expr(sql, type)
    if e.is_null:
        return Expr("NULL", type, constant=None)
    if kind in ("Float64", "Decimal"):
        return Expr(f"hq_number_text({sql})", type)
    if kind == "Bool":
        return Expr(f"(CASE {sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)", type)
    if e.type.is_integer:
        return Expr(f"CAST({sql} AS TEXT)", type)
    if kind == "Date":
        shown = "date({0} * 86400, 'unixepoch')"
        return Expr(shown.format(sql), type, key=sql, shown=shown)
    if e.type.is_instant:
        return Expr(f"hq_instant_text({sql}, {6 if kind == 'DateTime64' else 0}, {zone_sql(e.type)})", type)
    raise HogQLError(f"toString of {e.type} is not supported", do="Use arrayStringConcat for an array of strings")


def to_float(e: Expr) -> Expr:
    """`toFloat`: PostHog's `accurateCastOrNull(x, 'Float64')`, NULL on junk."""
    type = t.FLOAT.maybe()
    if e.number:
        sql = f"(CASE typeof({e.number}) WHEN 'text' THEN hq_float({e.number}) ELSE {e.number} + 0.0 END)"
        return Expr(sql, type)
    if e.type.is_number:
        return e if e.type == type else Expr(f"({e.sql} + 0.0)", type)
    if e.type.is_text or e.is_null:
        return Expr(f"hq_float({e.sql})", type)
    if e.type.is_instant:
        return Expr(f"({e.sql} / 1000000.0)", type)
    if e.type.kind == "Date":
        return Expr(f"({e.sql} + 0.0)", type)
    raise HogQLError(f"{e.type} cannot become a number")


def to_int(e: Expr) -> Expr:
    """`toInt`: PostHog's `accurateCastOrNull(x, 'Int64')`: NULL on junk and on numbers with a fraction."""
    type = t.INT64.maybe()
    if e.number:
        sql = f"(CASE typeof({e.number}) WHEN 'integer' THEN {e.number} ELSE hq_int({e.number}) END)"
        return Expr(sql, type)
    if e.type.is_integer:
        return Expr(e.sql, type)
    if e.type.is_number or e.type.is_text or e.is_null:
        return Expr(f"hq_int({e.sql})", type)
    if e.type.is_instant:
        return Expr(f"({e.sql} / 1000000)", type)
    if e.type.kind == "Date":
        return Expr(e.sql, type)
    raise HogQLError(f"{e.type} cannot become an integer")


def to_date(e: Expr) -> Expr:
    if e.type.kind == "Date":
        return e
    if e.type.is_instant:
        return Expr(day_number(e.sql, zone_sql(e.type)), t.DATE.maybe(e.type.nullable))
    if isinstance(e.constant, str):
        day = parse_day(e.constant)
        return Expr("NULL" if day is None else f"({day})", t.DATE.maybe())
    if e.type.is_text or e.is_null:
        return Expr(f"hq_parse_day({e.sql})", t.DATE.maybe())
    if e.type.is_integer:
        # ClickHouse takes small numbers for days since the epoch, others for seconds.
        sql = f"(CASE WHEN {e.sql} BETWEEN 0 AND 65535 THEN {e.sql} ELSE hq_day({e.sql} * 1000000, :tz) END)"
        return Expr(sql, t.DATE.maybe(e.type.nullable))
    raise HogQLError(f"{e.type} cannot become a Date")


def to_instant(e: Expr, zone: str | None = None) -> Expr:
    """A value as an instant, as exact as it is: a date is its midnight, a text is parsed, in `zone`, else the
    project's."""
    at = quote(zone) if zone else zone_sql(e.type)
    if e.type.is_instant:
        return e
    if e.type.kind == "Date":
        return Expr(f"hq_midnight({e.sql}, {at})", Type("DateTime", e.type.nullable, zone=zone))
    if e.type.is_text or e.is_null:
        return Expr(f"hq_parse_instant({e.sql}, {at})", Type("DateTime64", True, zone=zone))
    if e.type.is_number:
        return Expr(f"CAST({e.sql} * 1000000 AS INTEGER)", Type("DateTime", e.type.nullable, zone=zone))
    raise HogQLError(f"{e.type} cannot become a DateTime")


def convert(e: Expr, type: Type) -> str:
    """The SQL of `e` as a value of `type`, which must be a supertype of its own."""
    if e.type.kind == "Date" and type.is_instant:
        return to_instant(e).sql
    return e.sql


def unify(exprs: Sequence[Expr]) -> tuple[list[str], Type]:
    """All values in their common type. Raises `HogQLError` where there is none."""
    type = common_type([e.type for e in exprs])
    return [convert(e, type) for e in exprs], type


def common_type(types: Iterable[Type]) -> Type:
    types = list(types)
    found = t.supertype(types)
    if found is None:
        names = ", ".join(dict.fromkeys(map(str, types)))
        raise HogQLError(
            f"There is no common type for {names}",
            do="Convert with toFloat(...), toString(...) or toDateTime(...)",
        )
    return found


def comparable(a: Expr, b: Expr) -> tuple[str, str]:
    """Both sides of a comparison in one type. A text constant beside a time or a number is read as one, as ClickHouse
    does; anything else must already fit."""
    a, b = _read_constant(a, b), _read_constant(b, a)
    number = next((e.type for e in (a, b) if e.type.is_number), None)
    if number and (a.type.is_text or b.type.is_text):
        remedy = "compare with 'true' or 'false'" if number.kind == "Bool" else "wrap the property in toFloat(...)"
        raise HogQLError(f"Cannot compare {a.type} with {b.type}", do=f"Event properties are text: {remedy}")
    left, right = unify([a, b])[0]
    return left, right


def _read_constant(e: Expr, other: Expr) -> Expr:
    if e.type.kind != "String" or other.type.is_text:
        return e
    if other.type.is_instant:
        if isinstance(e.constant, str):
            if parse_instant(e.constant, "UTC") is None:
                raise HogQLError(f"Cannot parse '{e.constant}' as a DateTime")
        elif not e.sql.startswith(":p_"):
            return e
        return Expr(f"hq_parse_instant({e.sql}, {zone_sql(other.type)})", t.DATETIME64)
    if not isinstance(e.constant, str):
        return to_date(e) if other.type.kind == "Date" and e.sql.startswith(":p_") else e
    if other.type.kind == "Date":
        if parse_day(e.constant) is None:
            raise HogQLError(f"Cannot parse '{e.constant}' as a Date")
        return to_date(e)
    if other.type.is_number and other.type.kind != "Bool":
        try:
            return literal(float(e.constant) if other.type.kind == "Float64" else int(e.constant))
        except ValueError:
            raise HogQLError(f"Cannot parse '{e.constant}' as {other.type}") from None
    return e
