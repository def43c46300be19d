"""A signal comes into a report: the one that grouping chose, or a fresh one. Pure; grouping decides, this applies."""

from __future__ import annotations

from datetime import datetime

from engine.effects import Effect, PlaceSignal, SaveReport
from engine.model import Report


def placed(
    signal_id: str,
    title: str,
    chosen: Report | None,
    reason: str,
    *,
    new_id: str,
    now: datetime,
    is_before_fix: bool = False,
) -> tuple[Effect, ...]:
    """`chosen` None, or one that is resolved, opens a fresh report (`new_id`), in the second case linked to the old
    one: what comes again was not solved, unless it was seen before the fix ran (`engine.recurrence`). A declined
    report absorbs what belongs to it, and stays declined."""
    if chosen is not None and (chosen.status not in ("resolved", "deleted") or is_before_fix):
        return (PlaceSignal(signal_id, chosen.id, reason),)
    fresh = Report(new_id, created_at=now, changed_at=now, title=title)
    if chosen is not None:
        fresh = Report(new_id, created_at=now, changed_at=now, title=chosen.title or title, recurrence_of=chosen.id)
    return (SaveReport(fresh), PlaceSignal(signal_id, new_id, reason))
