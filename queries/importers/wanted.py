"""What the person said about a log, as far as reading it depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from queries.importers.goals import Goal


@dataclass(frozen=True, slots=True)
class Wanted:
    """`zone` is that of times which do not say their own."""

    metric: str | None = None
    goal: Goal | None = None
    zone: tzinfo = UTC
