"""A store with hand-made events, and the sheets that boards make of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from queries import boards
from queries.behind import behind
from queries.boards import NOW, Board
from queries.catalog import catalog
from queries.gallery.sheet import Row, Sheet
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views import window
from queries.views.filters import Filters
from queries.views.window import Window
from tests.events import event

MORNING = datetime(2026, 11, 20, 8, tzinfo=UTC)
NIGHT = window.night(MORNING, "UTC")
"""From 18:00 on 19 November."""


def at(clock: str, day: int = 19) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2026, 11, day, int(hour), int(minute), tzinfo=UTC)


def told(name: str, when: datetime, round_id: str = "", **properties: object) -> dict:
    """An event; with a round's id where it has one. `None` takes away what an event has by default."""
    made = event(name, at=when, key=round_id, **({"round_id": round_id} if round_id else {}), **properties)
    made["properties"] = {name: value for name, value in made["properties"].items() if value is not None}
    return made


@dataclass(frozen=True, slots=True)
class Filled:
    backend: LocalBackend

    def sheet(self, board: Board, asked: Window = NIGHT, filters: Filters | None = None) -> Sheet:
        found = []
        for name, which in board.asks:
            question = catalog.load(name)
            span = asked.span if which == NOW else asked.before
            values = question.values(boards.parameters(asked, span, filters or Filters(), asked.run_id))
            found.append(self.backend.query(question.text, values, question.types))
        shown = board.view(asked, tuple(found))
        assert isinstance(shown, Sheet)
        return shown

    def behind(self, row: Row, asked: Window = NIGHT) -> set[str]:
        """The ids of the rounds that the row leads to."""
        assert row.drill
        view = behind(row.drill, self.backend, asked, Filters()).view
        return {one.round_id for one in view.rounds.rows}  # type: ignore[attr-defined]


@contextmanager
def filled(folder: Path, events: Iterable[dict], now: datetime = MORNING) -> Iterator[Filled]:
    folder.mkdir(exist_ok=True)
    path = folder / "events.db"
    store = Store.open(path)
    assert store.ingest(list(events), now=now + timedelta(minutes=1)).rejected == ()
    store.close()
    backend = LocalBackend(path, "UTC", now=lambda: now)
    try:
        yield Filled(backend)
    finally:
        backend.close()


def by_heading(sheet: Sheet, row: Row) -> Mapping[str, object]:
    return {column.heading: cell for column, cell in zip(sheet.columns, row.cells, strict=True)}


def column(sheet: Sheet, heading: str) -> list[object]:
    return [by_heading(sheet, row)[heading] for row in sheet.rows]


def assert_whole(sheet: Sheet) -> None:
    """Each row has a cell a column and each course one a bucket; marks stand on buckets; a sentence is one line."""
    for row in sheet.rows:
        assert len(row.cells) == len(sheet.columns)
        assert all(len(cell) == len(sheet.buckets) for cell in row.cells if isinstance(cell, tuple))
    assert {mark.bucket for mark in sheet.marks} <= set(sheet.buckets)
    assert sheet.verdict.endswith(".")
