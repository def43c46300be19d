"""Instants as the rows hold them: whole microseconds since 1970, UTC. No row holds a local time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stored(instant: datetime) -> int:
    """Raises `ValueError` for a time without a zone: it could mean any of 38 instants."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return (instant - _EPOCH) // _MICROSECOND


def read(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
