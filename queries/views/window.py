"""Which stretch of time the boards show, and which one it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

KINDS = ("night", "24h", "7d", "30d", "run")
_DAYS = {"24h": 1, "7d": 7, "30d": 30}
_SETTLED = timedelta(hours=6)  # a night counts as the last one once it is six hours old


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` (included) to `until` (excluded), both aware."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """`before` is what `span` is compared with. `bucket` is the step of time charts: "hour" or "day".

    `run_id` is set where the window is one run; `run_before` is then the run it is compared with, if there is one.
    """

    kind: str
    span: Span
    before: Span
    bucket: str = "hour"
    run_id: str = ""
    run_before: str = ""

    @property
    def compared_with(self) -> str:
        """Words for the earlier stretch, as they end a sentence."""
        if self.kind == "run" and self.run_before:
            return "the run before"
        return {"night": "the night before", "24h": "the day before", "7d": "the week before"}.get(
            self.kind, "the same time before"
        )


def night(now: datetime, zone: str, starts_hour: int = 18) -> Window:
    """The last night: from the latest `starts_hour` local time that is at least 6 h ago, to now or 24 h later,
    whichever is first; compared with the same hours one day earlier."""
    local = now.astimezone(ZoneInfo(zone))
    start = local.replace(hour=starts_hour, minute=0, second=0, microsecond=0)
    while _elapsed(start, now) < _SETTLED:
        start -= timedelta(days=1)  # wall-clock arithmetic: a night begins at the same local hour across DST
    end = min(now, start + timedelta(days=1), key=lambda instant: instant.timestamp())
    return Window("night", Span(start, end), Span(start - timedelta(days=1), _a_day_before(end, zone)))


def rolling(kind: str, now: datetime) -> Window:
    """24 h, 7 days or 30 days up to now, compared with the equal window just before."""
    length = timedelta(days=_DAYS[kind])
    start = now - length
    return Window(kind, Span(start, now), Span(start - length, start), "hour" if kind == "24h" else "day")


def around(moment: datetime, now: datetime) -> Window:
    """All that may belong to what happened at a moment: the 30 days before it, and what came since."""
    start, end = moment - timedelta(days=_DAYS["30d"]), max(moment, now) + timedelta(days=1)
    return Window("30d", Span(start, end), Span(start - (end - start), start), "day")


def one_run(run_id: str, since: datetime, until: datetime, before: tuple[str, Span] | None = None) -> Window:
    """One run, compared with the run before it of the same project, else with the equal window just before."""
    end = until + timedelta(microseconds=1)
    bucket = "hour" if end - since <= timedelta(days=3) else "day"
    if before:
        return Window("run", Span(since, end), before[1], bucket, run_id, before[0])
    return Window("run", Span(since, end), Span(since - (end - since), since), bucket, run_id)


def _elapsed(start: datetime, now: datetime) -> timedelta:
    # Aware datetimes of one zone subtract by wall clock; timestamps do not.
    return timedelta(seconds=now.timestamp() - start.timestamp())


def _a_day_before(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)) - timedelta(days=1)
