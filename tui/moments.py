"""A time as a person types it: before now for questions and marks, after it for what is put off."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from queries.moments import YEARS
from workspace.errors import LoopdeskError
from workspace.text import plain

_LENGTH = re.compile(r"(\d{1,5})\s*([mhdw])")
_AGO = re.compile(rf"{_LENGTH.pattern}(?:\s+ago)?")
_TOMORROW = re.compile(r"tomorrow(?:\s+(?:at\s+)?(\d{1,2})(?::(\d\d))?)?", re.IGNORECASE)
_MORNING = 8  # the hour that "tomorrow" alone means: when the inbox is read
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment(option: str, text: str | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """`90d`, `30m` and `2h ago` are before now; a date or time without an offset is the desk's time zone's. Raises
    `LoopdeskError`."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    try:
        found = now - int(ago[1]) * _UNITS[ago[2]] if ago else datetime.fromisoformat(text.strip())
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
        if found.year not in YEARS:
            raise ValueError("no clock of a desk shows it")
        return found
    except (ValueError, OverflowError) as error:
        raise LoopdeskError(
            f"{option} {plain(text, 40)!r} is not a time", do="Use 2026-11-01, 2026-11-01T22:00 or 90d, 12h, 2w ago"
        ) from error


def later(option: str, text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """`3d`, `12h` and `2w` are after now; `tomorrow`, `tomorrow 8:00`; a date or time without an offset is the desk's
    time zone's. In UTC. Raises `LoopdeskError`, also for a time that is over."""
    said = text.strip()
    ahead, tomorrow = _LENGTH.fullmatch(said), _TOMORROW.fullmatch(said)
    try:
        if ahead:
            found = now + int(ahead[1]) * _UNITS[ahead[2]]
        elif tomorrow:
            hour, minute = int(tomorrow[1] or _MORNING), int(tomorrow[2] or 0)
            day = now.astimezone(zone).date() + timedelta(days=1)
            found = datetime.combine(day, time(hour, minute), zone)
        else:
            found = datetime.fromisoformat(said)
            found = found if found.tzinfo else found.replace(tzinfo=zone)
        found = found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise LoopdeskError(
            f"{option} {plain(text, 40)!r} is not a time",
            do="Use 2026-11-27T08:00, tomorrow 8:00, or 12h, 3d, 2w from now",
        ) from error
    if found <= now:
        raise LoopdeskError(f"{option} {plain(text, 40)!r} is over already", do="Give a time that is still to come")
    return found
