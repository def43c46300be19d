"""Dates in flag conditions: ISO 8601, or so long ago ("-7d"), as PostHog's SDKs read them."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"-?(?P<number>[0-9]{1,4})(?P<unit>[hdwmy])")
_YEAR = re.compile(r"\d{4}", re.ASCII)
_SPACED_OFFSET = re.compile(r" ([+-]\d{2}:\d{2})$")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_bound(value: object, now: datetime) -> datetime:
    """What a condition compares with. Raises `ValueError`."""
    ago = _AGO.fullmatch(str(value))
    return _before(now, int(ago["number"]), ago["unit"]) if ago else parse(str(value), now)


def parse(text: str, now: datetime) -> datetime:
    """An aware time; UTC where it names no offset. Raises `ValueError`."""
    text = text.strip()
    if text.endswith("Z"):
        text = text[:-1] + "+00:00"
    elif text.upper().endswith(" UTC"):
        text = text[:-4] + "+00:00"
    elif _YEAR.fullmatch(text):
        # As the SDK does: a lone year is today's date in that year.
        return datetime(int(text), now.month, now.day, tzinfo=UTC)
    instant = datetime.fromisoformat(_SPACED_OFFSET.sub(r"\1", text))
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _before(now: datetime, number: int, unit: str) -> datetime:
    if unit in _UNITS:
        try:
            return now - timedelta(**{_UNITS[unit]: number})
        except OverflowError as error:
            raise ValueError("before the first year") from error
    return _months_before(now, number) if unit == "m" else _years_before(now, number)


def _months_before(now: datetime, number: int) -> datetime:
    first = now.year * 12 + now.month - 1
    year, month = divmod(first - number, 12)
    if year < 1:
        raise ValueError("before the first year")
    # A month at a time, the day clamped after each: March 31 less two months is January 28.
    day = now.day
    for index in range(first - 1, first - number - 1, -1):
        day = min(day, calendar.monthrange(index // 12, index % 12 + 1)[1])
        if day <= 28:
            break
    return now.replace(year=year, month=month + 1, day=day)


def _years_before(now: datetime, number: int) -> datetime:
    if now.year - number < 1:
        raise ValueError("before the first year")
    day = 28 if number and (now.month, now.day) == (2, 29) else now.day
    return now.replace(year=now.year - number, day=day)
