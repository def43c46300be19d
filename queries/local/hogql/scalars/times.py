"""Times (microseconds since the epoch) and dates (days since the epoch) in a time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from queries.local.hogql import clock
from queries.local.hogql.clock import MONTHS, zone

_EPOCH = datetime(1970, 1, 1)


def day(us: int | None, tz: str) -> int | None:
    return None if us is None else zone(tz).days[us // clock.QUARTER_HOUR]


def midnight(number: int | None, tz: str) -> int | None:
    return None if number is None else zone(tz).midnight(number)


def start(us: int | None, unit: str, tz: str) -> int | None:
    return None if us is None else zone(tz).start(us, unit)


def start_day(number: int | None, unit: str) -> int | None:
    return None if number is None else clock.start_of_day_unit(number, unit)


def start_of_interval(us: int | None, count: int, unit: str, tz: str) -> int | None:
    """Hours are counted from local midnight, days from the epoch, weeks from 5 January 1970,
    months from January 1900, years from the year 0."""
    if us is None:
        return None
    place = zone(tz)
    if unit in ("second", "minute"):
        size = count * clock.CLOCK_UNITS[unit]
        return us // size * size
    number = place.day(us)
    if unit == "hour":
        local = place.local(us)
        return place.boundary(local.replace(hour=local.hour // count * count, minute=0, second=0, microsecond=0))
    if unit == "day":
        return place.midnight(number // count * count)
    if unit == "week":
        return (number - 4) // (7 * count) * (7 * count) + 4
    at = clock.to_date(number)
    if unit == "year":
        return clock.to_day(at.replace(year=max(at.year // count * count, 1), month=1, day=1))
    size = MONTHS[unit] * count
    months = ((at.year - 1900) * 12 + at.month - 1) // size * size
    return clock.to_day(at.replace(year=max(1900 + months // 12, 1), month=months % 12 + 1, day=1))


def part(us: int | None, name: str, tz: str) -> int | None:
    if us is None:
        return None
    return _PARTS[name](zone(tz).local(us))


def day_part(number: int | None, name: str) -> int | None:
    if number is None:
        return None
    return _PARTS[name](datetime.combine(clock.to_date(number), datetime.min.time()))


_PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "quarter": lambda at: (at.month + 2) // 3,
    "month": lambda at: at.month,
    "day": lambda at: at.day,
    "weekday": lambda at: at.isoweekday(),
    "yearday": lambda at: at.timetuple().tm_yday,
    "isoweek": lambda at: at.isocalendar().week,
    "isoyear": lambda at: at.isocalendar().year,
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "second": lambda at: at.second,
    "yyyymm": lambda at: at.year * 100 + at.month,
    "yyyymmdd": lambda at: (at.year * 100 + at.month) * 100 + at.day,
}


def diff(first: int | None, second: int | None, unit: str, tz: str) -> int | None:
    """How many boundaries of `unit` lie between two instants."""
    if first is None or second is None:
        return None
    place = zone(tz)
    if unit == "hour":
        size = clock.CLOCK_UNITS["hour"]
        return (second - place.first_offset) // size - (first - place.first_offset) // size
    a, b = place.local(first), place.local(second)
    if unit in ("day", "week"):
        days = [(at - _EPOCH).days for at in (a, b)]
        return days[1] - days[0] if unit == "day" else (days[1] + 3) // 7 - (days[0] + 3) // 7
    size = MONTHS[unit]
    return (b.year * 12 + b.month - 1) // size - (a.year * 12 + a.month - 1) // size


def shift(us: int | None, count: int | None, unit: str, tz: str) -> int | None:
    return None if us is None or count is None else zone(tz).shift(us, _bounded(count), unit)


def shift_day(number: int | None, count: int | None, unit: str) -> int | None:
    return None if number is None or count is None else clock.shift_day(number, _bounded(count), unit)


def _bounded(count: int) -> int:
    return max(-4_000_000, min(count, 4_000_000))


def instant_text(us: int | None, digits: int, tz: str) -> str | None:
    if us is None:
        return None
    return zone(tz).local(us).isoformat(" ", "microseconds" if digits else "seconds")


def parse_instant(text: str | None, tz: str) -> int | None:
    return None if text is None else clock.parse_instant(text, tz)


def parse_day(text: str | None) -> int | None:
    return None if text is None else clock.parse_day(text)


# Not strftime's, which speaks the language of the machine.
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FORMATS: dict[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "C": lambda at: f"{at.year // 100:02}",
    "m": lambda at: f"{at.month:02}",
    "c": lambda at: f"{at.month:02}",
    "d": lambda at: f"{at.day:02}",
    "e": lambda at: str(at.day),
    "D": lambda at: f"{at.month:02}/{at.day:02}/{at.year % 100:02}",
    "F": lambda at: f"{at:%Y-%m-%d}",
    "H": lambda at: f"{at.hour:02}",
    "k": lambda at: f"{at.hour:02}",
    **dict.fromkeys("hIl", lambda at: f"{(at.hour + 11) % 12 + 1:02}"),
    "r": lambda at: f"{(at.hour + 11) % 12 + 1:02}:{at.minute:02} {'AM' if at.hour < 12 else 'PM'}",
    "i": lambda at: f"{at.minute:02}",
    "M": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "W": lambda at: _DAYS[at.weekday()],
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "R": lambda at: f"{at.hour:02}:{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "s": lambda at: f"{at.second:02}",
    "T": lambda at: f"{at.hour:02}:{at.minute:02}:{at.second:02}",
    "f": lambda at: f"{at.microsecond:06}",
    "u": lambda at: str(at.isoweekday()),
    "w": lambda at: str(at.isoweekday() % 7),
    "j": lambda at: f"{at.timetuple().tm_yday:03}",
    "V": lambda at: f"{at.isocalendar().week:02}",
    "G": lambda at: str(at.isocalendar().year),
    "g": lambda at: f"{at.isocalendar().year % 100:02}",
    "n": lambda at: "\n",
    "t": lambda at: "\t",
    "z": lambda at: f"{at:%z}",
    "Q": lambda at: str((at.month + 2) // 3),
    "%": lambda at: "%",
}


def format_time(us: int | None, template: str | None, tz: str) -> str | None:
    if us is None or template is None:
        return None
    place = zone(tz)
    at = place.aware(us)
    parts = iter(template)
    return "".join(FORMATS.get(next(parts, "%"), lambda at: "")(at) if letter == "%" else letter for letter in parts)


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_day": (2, day),
    "hq_midnight": (2, midnight),
    "hq_start": (3, start),
    "hq_start_day": (2, start_day),
    "hq_start_of_interval": (4, start_of_interval),
    "hq_part": (3, part),
    "hq_day_part": (2, day_part),
    "hq_diff": (4, diff),
    "hq_shift": (4, shift),
    "hq_shift_day": (3, shift_day),
    "hq_instant_text": (3, instant_text),
    "hq_parse_instant": (2, parse_instant),
    "hq_parse_day": (1, parse_day),
    "hq_format": (3, format_time),
}
