"""Calendar arithmetic on microseconds in a time zone, cached so that SQLite can ask it once a row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

QUARTER_HOUR = 900_000_000  # no zone of today changes its offset within a quarter of an hour
SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_SHORT_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_KEPT = 200_000  # buckets; a year has 35,000
_LOOKED_AT = 400  # days: two changes of the clocks in most zones

CLOCK_UNITS = {"second": SECOND, "minute": 60 * SECOND, "hour": 3600 * SECOND}
MONTHS = {"month": 1, "quarter": 3, "year": 12}


class _Days(dict):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def __missing__(self, quarter: int) -> int:
        if len(self) > _KEPT:
            self.clear()
        found = self[quarter] = self._zone.local(quarter * QUARTER_HOUR).toordinal() - _FIRST_DAY
        return found


class Zone:
    """One time zone. Raises `ZoneInfoNotFoundError` or `ValueError` for a name that is none."""

    def __init__(self, name: str) -> None:
        self.info = ZoneInfo(name)
        self.days = _Days(self)
        self.starts: dict[tuple[str, int], int] = {}
        # ClickHouse counts hours by the offset of 1970, even where the zone has moved by part of an hour since.
        self.first_offset = (self.local(0) - _NAIVE_EPOCH) // timedelta(microseconds=1)

    def local(self, us: int) -> datetime:
        """Wall-clock time, without a zone. Clamped to the years a datetime can hold."""
        return self.aware(us).replace(tzinfo=None)

    def aware(self, us: int) -> datetime:
        try:
            return (_EPOCH + timedelta(microseconds=us)).astimezone(self.info)
        except OverflowError:
            return (datetime.max if us > 0 else datetime.min).replace(tzinfo=UTC)

    def instant(self, local: datetime) -> int:
        """The first instant with this wall-clock time. One that is skipped in spring is moved back by the length of the
        gap, as in ClickHouse."""
        first = local.replace(tzinfo=self.info)
        second = first.replace(fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        is_skipped = before is not None and after is not None and after > before
        return ((second if is_skipped else first) - _EPOCH) // timedelta(microseconds=1)

    def boundary(self, local: datetime) -> int:
        """The instant at which an interval begins that starts at this wall-clock time: after a gap, where it is in
        one."""
        return (local.replace(tzinfo=self.info) - _EPOCH) // timedelta(microseconds=1)

    def day(self, us: int) -> int:
        return self.days[us // QUARTER_HOUR]

    def offset(self, us: int) -> int:
        """Microseconds that the wall clock is ahead of UTC."""
        return (self.local(us) - _NAIVE_EPOCH) // timedelta(microseconds=1) - us

    def change(self, since: int, until: int) -> int:
        """The first instant whose offset is not `since`'s, where that changes once before `until`."""
        before = self.offset(since)
        while until - since > 1:
            middle = (since + until) // 2
            since, until = (middle, until) if self.offset(middle) == before else (since, middle)
        return until

    def midnight(self, day: int) -> int:
        return self.boundary(datetime.combine(to_date(day), datetime.min.time()))

    def start(self, us: int, unit: str) -> int:
        """The instant at which the hour or day of `us` began. Hours are counted from midnight, so in the doubled hour
        of autumn each has its own, and where a clock moves by half an hour they begin at :30 until the next day."""
        key = unit, us // QUARTER_HOUR
        found = self.starts.get(key)
        if found is None:
            if len(self.starts) > _KEPT:
                self.starts.clear()
            found = self.midnight(self.day(us))
            if unit == "hour":
                hour = CLOCK_UNITS["hour"]
                found += (key[1] * QUARTER_HOUR - found) // hour * hour
            self.starts[key] = found
        return found

    def shift(self, us: int, count: int, unit: str) -> int:
        """`us` moved by `count` units; days and longer keep the wall-clock time, as ClickHouse does."""
        if unit in CLOCK_UNITS:
            return us + count * CLOCK_UNITS[unit]
        local = self.local(us)
        day = shift_day((local - _NAIVE_EPOCH).days, count, unit)
        return self.instant(datetime.combine(to_date(day), local.time()))


@dataclass(frozen=True, slots=True)
class Steady:
    """A zone's offset from UTC around an instant, all in microseconds: `before` from `since` up to `change`, `after`
    from there up to `until`."""

    since: int
    change: int
    until: int
    before: int
    after: int


@lru_cache(maxsize=64)
def steady(name: str, day: int) -> Steady:
    """The offsets around the day (since the epoch, UTC), looking at most `_LOOKED_AT` days to either side."""
    place = zone(name)
    first = max(day - _LOOKED_AT, 2)  # SQLite's division rounds a negative local time up
    changes = [
        place.change(number * DAY, (number + 1) * DAY)
        for number in range(first, day + _LOOKED_AT)
        if place.offset(number * DAY) != place.offset((number + 1) * DAY)
    ]
    now = day * DAY
    past = [at for at in changes if at <= now]
    since = past[-2] if len(past) > 1 else first * DAY
    change = past[-1] if past else since
    until = next((at for at in changes if at > now), (day + _LOOKED_AT) * DAY)
    if any((place.offset(at) - place.offset(at - 1)) % CLOCK_UNITS["hour"] for at in changes):
        since = change = until = now  # hours that do not begin on the hour for the rest of a day: never by arithmetic
    return Steady(since, change, until, place.offset(since), place.offset(change))


@lru_cache(maxsize=64)
def has_whole_hours(name: str) -> bool:
    """Whether the zone is whole hours from UTC at all times from 2000 to 2040."""
    place = zone(name)
    return not any(place.offset(day * DAY) % CLOCK_UNITS["hour"] for day in range(10_957, 25_567, 14))


@lru_cache(maxsize=64)
def zone(name: str) -> Zone:
    return Zone(name)


def to_date(day: int) -> date:
    return date.fromordinal(min(max(day + _FIRST_DAY, 1), date.max.toordinal()))


def to_day(value: date) -> int:
    return value.toordinal() - _FIRST_DAY


def shift_day(day: int, count: int, unit: str) -> int:
    if unit in ("day", "week"):
        return day + count * (7 if unit == "week" else 1)
    at = to_date(day)
    months = at.year * 12 + at.month - 1 + count * MONTHS[unit]
    year, month = divmod(months, 12)
    if not 1 <= year <= 9998:
        return 0
    last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return to_day(date(year, month + 1, min(at.day, last)))


def start_of_day_unit(day: int, unit: str) -> int:
    """The first day of the week (Sunday), `monday`'s week, month, quarter or year that `day` is in."""
    at = to_date(day)
    if unit == "week":
        return day - at.isoweekday() % 7
    if unit == "monday":
        return day - at.weekday()
    if unit == "day":
        return day
    month = {"month": at.month, "quarter": (at.month - 1) // 3 * 3 + 1, "year": 1}[unit]
    return to_day(at.replace(month=month, day=1))


def parse_instant(text: str, zone_name: str) -> int | None:
    """Microseconds of an ISO 8601 or `YYYY-MM-DD hh:mm:ss` text or of seconds since the epoch; None if it is neither.

    A text without an offset is in the zone named."""
    text = text.strip()
    if text.isdigit() and len(text) in (9, 10, 13, 16):
        return int(text) * {9: SECOND, 10: SECOND, 13: 1000, 16: 1}[len(text)]
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return zone(zone_name).instant(found)
        return (found - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def parse_day(text: str) -> int | None:
    """Days since the epoch of a text that begins with `YYYY-MM-DD` and at most goes on with a time of day."""
    try:
        short = _SHORT_DAY.fullmatch(text)
        if short:
            return to_day(date(*map(int, short.groups())))
        return to_day(datetime.fromisoformat(text).date()) if "T" not in text else None
    except ValueError:
        return None
