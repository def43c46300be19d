"""How old is old enough: nights are forgotten whole, and never the one that is running."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from queries.local.store import Store


def forget_before(now: datetime, days: int, zone: str, night_starts_hour: int) -> datetime:
    """The beginning of the latest night that is at least `days` old; `days` is 1 or more.

    A cut at any other hour would leave half of a night's rounds, and its figures would be wrong rather than absent.
    """
    if days < 1:
        raise ValueError("the running day is not forgotten")
    local = (now - timedelta(days=days)).astimezone(ZoneInfo(zone))
    start = local.replace(hour=night_starts_hour, minute=0, second=0, microsecond=0)
    # By the clock on the wall: a night begins at the same local hour when the clocks are changed.
    return start if start.timestamp() <= local.timestamp() else start - timedelta(days=1)


def forget_events(store: Store, before: datetime, told: Callable[[int], None] = lambda _: None) -> int:
    """Remove the events that happened before, in short transactions: others write in between. Returns how many.

    `told` gets the number so far. Killed in between, the rest is there and the next call goes on.
    """
    gone = 0
    while removed := store.forget_events(before):
        gone += removed
        told(gone)
    return gone
