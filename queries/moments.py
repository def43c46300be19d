"""A moment as PostHog's documents hold it: a text that anybody may have written there."""

from __future__ import annotations

from datetime import UTC, datetime

YEARS = range(1900, 3000)
"""Of what can have a place on a time line. Nearer to the ends of the calendar a time zone or a few days lead out of it,
which Python raises an error for."""


def moment_of(value: object) -> datetime | None:
    """In UTC, which is taken for what has no offset. None for what is no moment of these `YEARS`."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or found.year not in YEARS:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
