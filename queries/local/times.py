"""When an event happened, by PostHog's rules. Pure: the clock is an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MAX_FUTURE = timedelta(hours=23)  # a later timestamp is a broken clock: PostHog takes the time of arrival
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(stamp: int) -> datetime:
    """Of microseconds since the epoch, in UTC."""
    return _EPOCH + timedelta(microseconds=stamp)


def clock_skew(sent_at: object, now: datetime) -> timedelta:
    """Server time minus sender time by the batch's `sent_at`; zero where it is absent or unreadable."""
    sent = parse_time(sent_at)
    return now - sent if sent else timedelta(0)


def event_time(timestamp: object, offset: object, now: datetime, skew: timedelta) -> datetime:
    """`timestamp` corrected by `skew`; browsers send an `offset` in milliseconds before `now` instead."""
    sent = parse_time(timestamp)
    if sent is None and isinstance(offset, int | float) and not isinstance(offset, bool):
        return _arrived_before(now, offset)
    if sent is None or sent.year < 1971 or sent.year > 9000:
        return now
    try:
        adjusted = sent + skew
    except OverflowError:
        return now
    # Correcting by a broken clock may lead before 1970, where SQLite and Python divide into other hours.
    return now if adjusted > now + MAX_FUTURE or adjusted.year < 1971 else adjusted


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time, or seconds or milliseconds since the epoch, as an aware UTC datetime; None on anything else."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _arrived_before(now: datetime, offset_ms: float) -> datetime:
    try:
        at = now - timedelta(milliseconds=offset_ms)
    except (OverflowError, ValueError):
        return now
    return now if at > now + MAX_FUTURE or at.year < 1971 else at
