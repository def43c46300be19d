"""Whose turn it is to ask PostHog. Pure: what was asked, who asks and who waits, in; go, or why to wait, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from queries.remote_errors import duration

_MINUTE_S, _HOUR_S = 60.0, 3600.0


class Priority(IntEnum):
    """Who goes first. A lower number does not wait for a higher one."""

    DESK = 0
    RESEARCH = 1
    SYNC = 2


# What a class may use of a limit, so that a long sync never leaves the desk without a question.
_SHARE = {Priority.DESK: 1.0, Priority.RESEARCH: 0.75, Priority.SYNC: 0.5}
_PLACES_LEFT_FREE = {Priority.DESK: 0, Priority.RESEARCH: 1, Priority.SYNC: 2}


@dataclass(frozen=True, slots=True)
class Limits:
    """PostHog's limits of one personal key (posthog/rate_limit.py, clickhouse/client/limit.py)."""

    at_once: int = 3
    minute: int = 240
    hour: int = 2400


@dataclass(frozen=True, slots=True)
class Usage:
    """`asked` are the times of the last hour's questions, oldest first; `ahead` are waiting and go first.

    `hour_limit` is a lower limit that PostHog has shown; times are seconds since the epoch."""

    asked: Sequence[float] = ()
    running: int = 0
    ahead: int = 0
    blocked_until: float = 0.0
    hour_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """`seconds` are None where it depends on how long another question takes."""

    why: str
    seconds: float | None = None

    @property
    def sentence(self) -> str:
        long = f"Waiting {duration(self.seconds)}" if self.seconds else "Waiting"
        return f"{long}: {self.why}."


def decide(usage: Usage, limits: Limits, priority: Priority, now: float) -> Wait | None:
    """None where the question may be asked now."""
    if usage.blocked_until > now:
        return Wait("PostHog said that its limit of questions is reached", usage.blocked_until - now)
    for window, limit, name in (
        (_HOUR_S, min(limits.hour, usage.hour_limit or limits.hour), "an hour"),
        (_MINUTE_S, limits.minute, "a minute"),
    ):
        recent = [at for at in usage.asked if at > now - window]
        allowed = max(1, int(limit * _SHARE[priority]))
        if len(recent) >= allowed:
            of = f"PostHog takes {limit:,} questions {name}"
            kept = f" and {limit - allowed:,} of them are kept for the desk" if allowed < limit else ""
            return Wait(f"{of}{kept}", recent[len(recent) - allowed] + window - now)
    if usage.running >= max(1, limits.at_once - _PLACES_LEFT_FREE[priority]):
        return Wait(f"PostHog answers {limits.at_once} questions at once")
    if usage.ahead:
        return Wait("a more urgent question goes first")
    return None
