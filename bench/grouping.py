"""Signals grouped per second by rules, with none and with many stored, beside SQLite's bare commits of each."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench.table import show
from engine.embedding import Lexical, blob
from engine.grouping import Grouping
from engine.inbox import Inbox
from engine.instants import stored
from engine.main import Engine, Parts, Worked
from engine.model import Report, Signal
from engine.neighbours import WITHIN
from engine.rows import SIGNAL_COLUMNS, row, signal_row, upsert
from engine.rules.judge import RulesJudge
from engine.store import Store
from workspace.paths import Workspace

_AT = datetime(2026, 11, 20, 7, tzinfo=UTC)
NEW, KNOWN = 500, 100_000
BUDGET = 50.0
"""Signals a second, at least."""
_PER_REPORT = 20
_WORDS = ("score", "cost", "round", "patch", "tone", "latency", "disk", "memory", "retry", "plateau", "judge", "queue")


def run(new: int = NEW, known: int = KNOWN) -> None:
    rows = []
    for count in (0, known):
        with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
            rows.append(_grouped(Path(folder), new, count))
    columns = ("stored before", "signals/s", "ms each", "first one ms", "floor/s", "x floor", "reports")
    show(f"{new:,} signals grouped by rules, fsync each", columns, rows, [f"budget: {BUDGET:.0f} signals/s"])


def _signal(number: int, at: datetime) -> Signal:
    """Of a few hundred conditions over a few loops; every fifth is a person's text."""
    one, two, three = (_WORDS[number * step % len(_WORDS)] for step in (1, 3, 7))
    project, client = f"p{number % 5}", f"c{number % 11}"
    if number % 5 == 0:
        text = f"The {one} of {client} looks wrong since {two}-{number % 97}\nWe saw {three} in it, number {number}"
        return Signal("user", "note", f"note {number}", text, 0.25, at, {"project": project})
    text = f"{project}/{client}: {one} went from 0.91 to 0.74\n{number % 60} rounds; {two} and {three} did not move"
    extra = {"project": project, "client": client, "metric": f"{one}_share", "git_sha": f"{number % 40:07x}"}
    return Signal("loops", "drift", f"condition {number}", text, 0.25, at, extra)


def _grouped(folder: Path, new: int, known: int) -> tuple[str, float, float, float, float, float, int]:
    workspace = Workspace(folder / "w").create()
    signals = [_signal(known + number, _AT + timedelta(seconds=number)) for number in range(new)]
    now = _AT + timedelta(seconds=new)
    with closing(Store.open(workspace.inbox_db)) as store, closing(Inbox(workspace)) as inbox:
        _store(store, known)
        engine = Engine(store, Parts((_passes, Grouping(RulesJudge(), Lexical()))), clock=lambda: now, owner="bench")
        inbox.add_signals(signals[:1], now)
        filled = _turn(engine)
        inbox.add_signals(signals[1:], now)
        seconds = _turn(engine)
        placed = store.connection.execute("SELECT count(*) FROM signals WHERE is_placed = 1").fetchone()[0]
        assert placed == known + new
        reports = store.connection.execute("SELECT count(*) FROM reports").fetchone()[0]
    rate, floor = (new - 1) / seconds, new / _floor(folder, signals)
    return f"{known:,}", rate, 1000 / rate, filled * 1000, floor, rate / floor, reports


def _turn(engine: Engine) -> float:
    started = time.perf_counter()
    asyncio.run(engine.turn())
    return time.perf_counter() - started


async def _passes(store: Store, now: datetime) -> Worked:
    found = store.unjudged(now)
    for id, _ in found:
        store.judged(id, "passed")
    return Worked(len(found))


def _floor(folder: Path, signals: list[Signal]) -> float:
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as floor:
        floor.execute("PRAGMA journal_mode = WAL")
        floor.execute("PRAGMA synchronous = FULL")
        floor.execute("CREATE TABLE signals (id TEXT PRIMARY KEY, content TEXT, embedding BLOB)")
        vector = blob(np.zeros(Lexical.dimensions, dtype=np.float32))
        started = time.perf_counter()
        for signal in signals:
            floor.execute("BEGIN IMMEDIATE")
            floor.execute("INSERT INTO signals VALUES (?, ?, ?)", (signal.id, signal.content, vector))
            floor.execute("COMMIT")
        return time.perf_counter() - started


def _store(store: Store, known: int) -> None:
    """Signals of the last weeks that are in reports, straight into the tables."""
    signals = [_signal(number, _AT - WITHIN * (number + 1) / (known + 2)) for number in range(known)]
    vectors = Lexical().embed([signal.content for signal in signals])
    with store.transaction("place"):
        connection = store.connection
        connection.executemany(
            upsert(Report, "reports", "id"),
            [
                row(
                    Report(
                        f"R{number:025}", created_at=_AT, changed_at=_AT, title=f"Report {number}", status="suppressed"
                    )
                )
                for number in range(known // _PER_REPORT + 1)
            ],
        )
        connection.executemany(
            f"INSERT INTO signals(id, {SIGNAL_COLUMNS}, arrived_at, safety, is_placed, embedding, embedded_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'passed', 1, ?, ?)",
            [
                (signal.id, *signal_row(signal), stored(_AT), blob(vector), Lexical.name)
                for signal, vector in zip(signals, vectors, strict=True)
            ],
        )
        connection.executemany(
            "INSERT INTO report_signals(report_id, signal_id, reason, placed_at) VALUES (?, ?, 'bench', ?)",
            [
                (f"R{number // _PER_REPORT:025}", signal.id, stored(signal.occurred_at))
                for number, signal in enumerate(signals)
            ],
        )
