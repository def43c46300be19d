"""Time: truncation, parts, differences and shifts, all in the project's time zone unless the query names another."""

from __future__ import annotations

import re
from dataclasses import replace

from queries.local.hogql import clock
from queries.local.hogql.errors import HogQLError
from queries.local.hogql.expression import Expr, quote, start_of_hour, to_date, to_instant, zone_sql
from queries.local.hogql.functions.table import Call, Function, check, same, simple
from queries.local.hogql.scalars.times import FORMATS
from queries.local.hogql.types import DATE, DATETIME, DATETIME64, INT64, STRING, UINT8, Type

UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_SHORT = {"ss": "second", "mi": "minute", "hh": "hour", "dd": "day", "wk": "week", "ww": "week", "mm": "month",
          "qq": "quarter", "yy": "year", "yyyy": "year"}  # fmt: skip


def _unit(call: Call, place: int) -> str:
    word = call.word(place).lower()
    unit = _SHORT.get(word, word.removesuffix("s"))
    if unit not in UNITS:
        raise HogQLError(f"Unknown unit '{word}' in {call.name}", do=f"Use one of {', '.join(UNITS)}")
    return unit


def checked_zone(name: str) -> str:
    try:
        clock.zone(name)
    except (ValueError, OSError, LookupError):
        raise HogQLError(f"Unknown time zone '{name}'") from None
    return name


def start_of(value: Expr, unit: str) -> Expr:
    """The start of the `unit` that `value` is in: an instant up to a day, a Date from a week on (weeks: Sunday)."""
    nullable, zone = value.type.nullable, value.type.zone
    if unit in ("second", "minute", "hour", "day"):
        if value.type.kind == "Date" and unit != "day":
            raise HogQLError(f"A Date has no {unit}", do="Convert it with toDateTime(...)")
        value = to_instant(value)
        kind = "DateTime64" if unit == "second" and value.type.kind == "DateTime64" else "DateTime"
        type = Type(kind, nullable, zone=zone)
        if unit in ("second", "minute"):
            return _floor(value, clock.CLOCK_UNITS[unit], type)
        if unit == "hour":
            return Expr(start_of_hour(value.sql, zone_sql(value.type)), type)
        return Expr(f"hq_start({value.sql}, '{unit}', {zone_sql(value.type)})", type)
    return Expr(f"hq_start_day({to_date(value).sql}, '{unit}')", DATE.maybe(nullable))


def _floor(value: Expr, size: int, type: Type) -> Expr:
    return Expr(f"({value.sql} - {value.sql} % {size})", type)


def _start(unit: str) -> Function:
    def render(call: Call) -> Expr:
        check(call, "d")
        return start_of(call.args[0], unit)

    return Function(1, 1, render)


def _start_of_minutes(minutes: int) -> Function:
    def render(call: Call) -> Expr:
        check(call, "t")
        value = call.args[0]
        return _floor(value, minutes * clock.CLOCK_UNITS["minute"], replace(value.type, kind="DateTime"))

    return Function(1, 1, render)


def _start_of_week(call: Call) -> Expr:
    check(call, "d|i")
    mode = call.args[1].constant if len(call.args) > 1 else 0
    if mode not in range(10):
        raise HogQLError("The mode of toStartOfWeek must be a constant from 0 to 9")
    return start_of(call.args[0], "monday" if mode % 2 else "week")  # type: ignore[operator]


def _trunc(call: Call) -> Expr:
    value = call.args[1]
    check(replace(call, args=(value,)), "d")
    unit = _unit(call, 0)
    return start_of(value, "monday" if unit == "week" else unit)


def _start_of_interval(call: Call) -> Expr:
    check(call, "dv")
    value, interval = call.args
    unit = interval.type.kind.removeprefix("Interval").lower()
    if not isinstance(interval.constant, int) or interval.constant < 1:
        raise HogQLError("toStartOfInterval needs a constant interval of one or more units")
    if interval.constant == 1:
        return start_of(value, "monday" if unit == "week" else unit)
    instant = to_instant(value)
    sql = f"hq_start_of_interval({instant.sql}, {interval.constant}, '{unit}', {zone_sql(instant.type)})"
    if unit in ("week", "month", "quarter", "year"):
        return Expr(sql, DATE.maybe(value.type.nullable))
    return Expr(sql, Type("DateTime", value.type.nullable, zone=value.type.zone))


def _part(part: str, type: Type) -> Function:
    def render(call: Call) -> Expr:
        check(call, "d|i")
        value = call.args[0]
        if value.type.kind == "Date":
            if part in clock.CLOCK_UNITS:
                raise HogQLError(f"A Date has no {part}", do="Convert it with toDateTime(...)")
            sql = f"hq_day_part({value.sql}, '{part}')"
        else:
            sql = f"hq_part({value.sql}, '{part}', {zone_sql(value.type)})"
        return Expr(sql, type.maybe(value.type.nullable))

    return Function(1, 1, render)


def _weekday(call: Call) -> Expr:
    """Modes: 0 and 1 begin with Monday, 2 and 3 with Sunday; 1 and 2 count from 0."""
    mode = call.args[1].constant if len(call.args) > 1 else 0
    if mode not in range(4):
        raise HogQLError("The mode of toDayOfWeek must be a constant from 0 to 3")
    found = _part("weekday", UINT8).render(replace(call, args=call.args[:1]))
    shown = {0: "{0}", 1: "({0} - 1)", 2: "({0} % 7)", 3: "({0} % 7 + 1)"}[mode]  # type: ignore[index]
    return replace(found, sql=shown.format(found.sql))


def _diff(call: Call) -> Expr:
    unit = _unit(call, 0)
    first, second = call.args[1], call.args[2]
    check(replace(call, args=(first, second)), "dd")
    zone = quote(checked_zone(call.word(3))) if len(call.args) > 3 else zone_sql(first.type, second.type)
    a, b = to_instant(first), to_instant(second)
    type = INT64.maybe(a.type.nullable or b.type.nullable)
    if unit in ("second", "minute"):
        size = clock.CLOCK_UNITS[unit]
        return Expr(f"({b.sql} / {size} - {a.sql} / {size})", type)
    return Expr(f"hq_diff({a.sql}, {b.sql}, '{unit}', {zone})", type)


def shift(value: Expr, interval: Expr, sign: int) -> Expr:
    """`value` plus (`sign` 1) or minus (-1) an interval."""
    unit = interval.type.kind.removeprefix("Interval").lower()
    nullable = value.type.nullable or interval.type.nullable
    if value.type.kind == "Date" and unit not in clock.CLOCK_UNITS:
        if unit in ("day", "week"):
            days = interval.sql if unit == "day" else f"{interval.sql} * 7"
            return Expr(f"({value.sql} {'-' if sign < 0 else '+'} {days})", DATE.maybe(nullable))
        return Expr(f"hq_shift_day({value.sql}, {sign} * {interval.sql}, '{unit}')", DATE.maybe(nullable))
    if value.type.is_text:
        raise HogQLError("Cannot add an interval to text", do="Wrap it in toDateTime(...)")
    instant = to_instant(value)
    type = instant.type.maybe(nullable)
    if unit in clock.CLOCK_UNITS:
        size = clock.CLOCK_UNITS[unit]
        return Expr(f"({instant.sql} {'-' if sign < 0 else '+'} {interval.sql} * {size})", type)
    return Expr(f"hq_shift({instant.sql}, {sign} * {interval.sql}, '{unit}', {zone_sql(instant.type)})", type)


def interval(unit: str) -> Function:
    def render(call: Call) -> Expr:
        check(call, "i")
        count = call.args[0]
        return Expr(count.sql, Type(f"Interval{unit.capitalize()}", count.type.nullable), constant=count.constant)

    return Function(1, 1, render)


def _shift_by(unit: str, sign: int) -> Function:
    def render(call: Call) -> Expr:
        check(call, "di")
        return shift(call.args[0], interval(unit).render(replace(call, args=call.args[1:])), sign)

    return Function(2, 2, render)


def _date_add(sign: int) -> Function:
    def render(call: Call) -> Expr:
        check(call, "dv")
        return shift(call.args[0], call.args[1], sign)

    return Function(2, 2, render)


def _to_datetime(call: Call) -> Expr:
    value = call.args[0]
    zone = checked_zone(call.word(1)) if len(call.args) > 1 else None
    found = to_instant(value, zone)
    if found.type.kind == "DateTime64" and value.type.is_instant and not value.sql.startswith(":p_"):
        # A stored time loses its fraction, as in ClickHouse; a placeholder stands for a text and keeps it.
        found = _floor(value, clock.SECOND, replace(value.type, kind="DateTime"))
    return replace(found, type=replace(found.type, zone=zone)) if zone else found


def _to_datetime64(call: Call) -> Expr:
    check(call, "x|is")
    zone = checked_zone(call.word(2)) if len(call.args) > 2 else None
    digits = call.args[1].constant if len(call.args) > 1 else 3
    if digits not in range(10):
        raise HogQLError("The scale of toDateTime64 must be a constant from 0 to 9")
    found = to_instant(call.args[0], zone)
    type = replace(found.type, kind="DateTime64", zone=zone or found.type.zone)
    unit = 10 ** max(0, 6 - digits)  # type: ignore[operator]
    return _floor(found, unit, type) if unit > 1 else replace(found, type=type)


def _to_time_zone(call: Call) -> Expr:
    check(call, "ds")
    found = to_instant(call.args[0])
    return replace(found, type=replace(found.type, zone=checked_zone(call.word(1))))


def _format(call: Call) -> Expr:
    check(call, "ds|s")
    value, template = to_instant(call.args[0]), call.word(1)
    unknown = next((part for part in re.findall(r"%(.?)", template, re.DOTALL) if part not in FORMATS), None)
    if unknown is not None:
        raise HogQLError(f"formatDateTime does not know %{unknown}")
    zone = quote(checked_zone(call.word(2))) if len(call.args) > 2 else zone_sql(value.type)
    return Expr(f"hq_format({value.sql}, {call.args[1].sql}, {zone})", STRING.maybe(value.type.nullable))


def _unix(call: Call) -> Expr:
    if call.args[0].type.kind == "Date":  # in UTC, whatever the project's zone
        return Expr(f"({call.args[0].sql} * 86400)", Type("UInt32", call.args[0].type.nullable))
    value = to_instant(call.args[0])
    return Expr(f"({value.sql} / 1000000)", Type("UInt32", value.type.nullable))


def _last_day_of_month(call: Call) -> Expr:
    check(call, "d")
    first = start_of(call.args[0], "month")
    return Expr(f"(hq_shift_day({first.sql}, 1, 'month') - 1)", first.type)


FUNCTIONS: dict[str, Function] = {
    **same("now now64", simple("|i", ":now", DATETIME64)),
    **same("today", simple("", "hq_day(:now, :tz)", DATE)),
    "yesterday": simple("", "(hq_day(:now, :tz) - 1)", DATE),
    **same("toDateTime toDateTimeOrNull parseDateTimeBestEffort parseDateTimeBestEffortOrNull "
           "parseDateTime64BestEffort parseDateTime64BestEffortOrNull", Function(1, 2, _to_datetime)),
    "toDateTime64": Function(1, 3, _to_datetime64),
    "toTimeZone": Function(2, 2, _to_time_zone),
    **{f"toStartOf{unit.capitalize()}": _start(unit) for unit in UNITS if unit != "week"},
    "toStartOfWeek": Function(1, 2, _start_of_week),
    "toMonday": _start("monday"),
    "toStartOfFiveMinutes": _start_of_minutes(5),
    "toStartOfFiveMinute": _start_of_minutes(5),
    "toStartOfTenMinutes": _start_of_minutes(10),
    "toStartOfFifteenMinutes": _start_of_minutes(15),
    "toStartOfInterval": Function(2, 2, _start_of_interval),
    **same("dateTrunc date_trunc", Function(2, 2, _trunc)),
    **same("toYear year", _part("year", Type("UInt16"))),
    **same("toQuarter quarter", _part("quarter", UINT8)),
    **same("toMonth month", _part("month", UINT8)),
    **same("toDayOfMonth day dayOfMonth", _part("day", UINT8)),
    **same("toDayOfWeek dayOfWeek", Function(1, 2, lambda call: _weekday(call))),
    **same("toDayOfYear dayOfYear", _part("yearday", Type("UInt16"))),
    "toISOWeek": _part("isoweek", UINT8),
    "toISOYear": _part("isoyear", Type("UInt16")),
    **same("toHour hour", _part("hour", UINT8)),
    **same("toMinute minute", _part("minute", UINT8)),
    **same("toSecond second", _part("second", UINT8)),
    "toYYYYMM": _part("yyyymm", Type("UInt32")),
    "toYYYYMMDD": _part("yyyymmdd", Type("UInt32")),
    "toLastDayOfMonth": Function(1, 1, _last_day_of_month),
    "toUnixTimestamp": Function(1, 1, _unix),
    "toUnixTimestamp64Milli": simple("t", "({0} / 1000)", INT64),
    "toUnixTimestamp64Micro": simple("t", "{0}", INT64),
    **same("fromUnixTimestamp", simple("i", "({0} * 1000000)", DATETIME)),
    "fromUnixTimestamp64Milli": simple("i", "({0} * 1000)", DATETIME64),
    "fromUnixTimestamp64Micro": simple("i", "{0}", DATETIME64),
    **same("formatDateTime", Function(2, 3, _format)),
    **same("dateDiff date_diff", Function(3, 4, _diff)),
    **same("dateAdd date_add", _date_add(1)),
    **same("dateSub date_sub", _date_add(-1)),
    **{f"toInterval{unit.capitalize()}": interval(unit) for unit in UNITS},
    **{f"add{unit.capitalize()}s": _shift_by(unit, 1) for unit in UNITS},
    **{f"subtract{unit.capitalize()}s": _shift_by(unit, -1) for unit in UNITS},
}  # fmt: skip
