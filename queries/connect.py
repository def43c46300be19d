"""Trying a PostHog connection before it is kept: can it be asked, and does it hold rounds of loops?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queries.backend import Backend
from queries.remote_errors import PostHogFailed
from queries.views.words import counted

# Only `query:read` is needed for this, as for the boards.
_PROBE = """
SELECT count(), max(timestamp) FROM events
WHERE event IN ('round_started', 'round_scored', 'round_kept', 'round_reverted', 'stop_triggered')
  AND timestamp > now() - INTERVAL 30 DAY
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a PostHog holds of the last 30 days. `newest_at` is None where that is nothing."""

    events: int
    newest_at: datetime | None

    @property
    def verdict(self) -> str:
        if not self.events:
            return "PostHog answers, but no loop has sent a round to this project in the last 30 days."
        return f"PostHog answers: {counted(self.events, 'event')} of rounds in the last 30 days."


def probe(backend: Backend) -> Found:
    """Blocking. Raises `LoopdeskError` that says which part of the connection is wrong."""
    rows = backend.query(_PROBE).rows
    try:
        ((count, newest),) = rows
        return Found(int(count), datetime.fromisoformat(newest) if count else None)
    except (TypeError, ValueError) as error:
        raise PostHogFailed(
            "PostHog answered, but not to the question", "Something else may answer in its place", "Check the host"
        ) from error
