"""Times and windows as the desk says them. Always absolute, so that nothing on screen ticks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from queries.views.window import Window
from queries.views.words import day
from workspace.text import plain

if TYPE_CHECKING:
    from tui.asker import Place

_NAMES = {"night": "Last night", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "run": "One run"}


def clock_time(instant: datetime, now: datetime, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """`07:12` today, `Thu 19 Nov 07:12` on another day."""
    local = instant.astimezone(zone)
    spelled = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return spelled if local.date() == now.astimezone(zone).date() else f"{day(local)} {spelled}"


def short_time(instant: datetime, now: datetime, zone: ZoneInfo) -> str:
    """For a narrow column: `07:12` today, `Thu 07:12` within the week, `19 Nov` before."""
    local, today = instant.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if 0 < (today - local.date()).days < 7 else f"{local.day} {local:%b}"


def window_name(kind: str) -> str:
    return _NAMES.get(kind, kind)


def window_words(window: Window | None, kind: str, note: str, zone: ZoneInfo) -> str:
    """`Last night  Thu 19 Nov 18:00 – Fri 20 Nov 07:12`."""
    if window is None:
        return window_name(kind)
    since, until = window.span.since.astimezone(zone), window.span.until.astimezone(zone)
    # A note says that this is an older night.
    name = "Latest night" if note and kind == "night" else window_name(kind)
    return f"{name}  {_span(since, until)}"


def window_in_short(window: Window | None, kind: str, zone: ZoneInfo) -> str:
    """`Last night` or, for windows of days, with their dates: `7 days to Fri 20 Nov`."""
    if window is None or kind in ("7d", "30d", "24h"):
        return window_name(kind)
    since, until = window.span.since.astimezone(zone), window.span.until.astimezone(zone)
    return f"{f'{since:%a} {since:%H:%M}'}–{f'{until:%a} ' if since.date() != until.date() else ''}{until:%H:%M}"


def place_words(place: Place) -> str:
    """`window 7 days, filter project autoagent`."""
    return f"{_window(place)}, {_filter(place)}"


def change_words(before: Place, after: Place) -> str:
    """What is different now: the new window, the new filter, or both."""
    parts = (
        _window(after) if (before.kind, before.run_id) != (after.kind, after.run_id) else "",
        _filter(after) if before.filters != after.filters else "",
    )
    return ", ".join(part for part in parts if part) or "what is shown"


def sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _window(place: Place) -> str:
    return (
        f"window run {plain(place.run_id, 40)}" if place.kind == "run" else f"window {window_name(place.kind).lower()}"
    )


def _filter(place: Place) -> str:
    named = {"project": place.filters.project, "client": place.filters.client}
    chosen = ", ".join(f"{name} {plain(value, 60)}" for name, value in named.items() if value)
    return f"filter {chosen}" if chosen else "no filter"


def _span(since: datetime, until: datetime) -> str:
    if since.date() == until.date():
        return f"{day(since)} {since:%H:%M} – {until:%H:%M}"
    return f"{day(since)} {since:%H:%M} – {day(until)} {until:%H:%M}"
