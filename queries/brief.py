"""Ask every board of the morning once, for a brief."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from queries import boards, morning
from queries.backend import Backend
from queries.views.brief import BOARDS, Brief
from queries.views.filters import Filters
from workspace.config import Config
from workspace.errors import LoopdeskError

_AT_ONCE = 3  # what PostHog runs at a time for one organisation


def gather(backend: Backend | None, config: Config, kind: str, filters: Filters, *, now: datetime) -> Brief:
    """Blocking. A board that cannot be asked leaves the others standing; raises `LoopdeskError` where none could."""
    is_simulated = config.workspace.demo_marker.exists() and getattr(backend, "name", "embedded") == "embedded"
    if backend is None:
        return Brief(now, config.zone, "", filters, is_simulated=is_simulated)
    chosen = morning.choose_window(backend, kind, now=now, zone=config.zone, night_starts_hour=config.night_starts_hour)
    views: dict[str, object] = {}
    failed: dict[str, LoopdeskError] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {name: pool.submit(boards.ask, name, backend, chosen.window, filters) for name in BOARDS}
    for name, answer in asked.items():
        try:
            views[name] = answer.result().view
        except LoopdeskError as error:
            failed[name] = error
    if not views:
        raise next(iter(failed.values()))
    is_empty = not getattr(views.get("headline"), "rounds", 1)
    if is_empty and not morning.scope(backend, now=now).projects:
        return Brief(now, config.zone, backend.name, filters, is_simulated=is_simulated)
    return Brief(
        asked_at=now,
        zone=config.zone,
        backend=backend.name,
        filters=filters,
        window=chosen.window,
        note=chosen.note,
        is_simulated=is_simulated,
        views=views,
        failed={name: str(error) for name, error in failed.items()},
    )
