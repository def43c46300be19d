"""The boards beyond the six over 100,000 events: each with all its questions and its view, warm, beside the six of
Morning in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

from bench import data
from bench.boards import MORNING
from bench.table import Cell, ratio, show
from queries import boards
from queries.gallery import registry
from queries.local.backend import LocalBackend
from queries.views.filters import Filters
from queries.views.window import Window, night, rolling

_EVENTS, _TURNS = 100_000, 9


def run() -> None:
    workspace = data.workspace(_EVENTS)
    backend = LocalBackend(workspace.events_db, now=lambda: data.FIXED)
    windows = (rolling("30d", data.FIXED), rolling("7d", data.FIXED), night(data.FIXED, "UTC"))
    try:
        rows: list[list[Cell]] = [
            [registry.title(name), len(registry.find(name).asks), *(_ask_ms(backend, [name], one) for one in windows)]
            for name in registry.names()
        ]
        six = [_ask_ms(backend, MORNING, one) for one in windows]
    finally:
        backend.close()
    asked = sum(len(boards.BOARDS[name].asks) for name in MORNING)
    slowest = max(rows, key=lambda row: float(row[2] or 0))
    notes = [f"Over 30 days the slowest, {slowest[0]}, takes {ratio(float(slowest[2] or 0), six[0])} of the six."]
    columns = ["board", "questions", "30 days ms", "7 days ms", "night ms"]
    title = f"Boards beyond the six, {_EVENTS:,} events, median of {_TURNS}"
    show(title, columns, [*rows, ["the six", asked, *six]], notes)


def _ask_ms(backend: LocalBackend, names: Iterable[str], window: Window) -> float:
    """All of these boards, one after the other."""
    names = tuple(names)
    spent = []
    for turn in range(_TURNS + 1):
        started = time.perf_counter()
        for name in names:
            boards.ask(name, backend, window, Filters())
        if turn:  # the first warms up
            spent.append((time.perf_counter() - started) * 1000)
    return statistics.median(spent)
