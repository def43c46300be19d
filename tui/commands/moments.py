"""A time as a person types it after --since or --until."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from workspace.errors import LoopdeskError
from workspace.text import plain

_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment(option: str, text: str | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """`90d`, `12h` and `2w` are before now; a date or time without an offset is the desk's time zone's. Raises
    `LoopdeskError`."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - int(ago[1]) * _UNITS[ago[2]]
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise LoopdeskError(
            f"{option} {plain(text, 40)!r} is not a time", do="Use 2026-11-01, 2026-11-01T22:00 or 90d, 12h, 2w ago"
        ) from error
