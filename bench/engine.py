"""The engine's own time: signals taken in beside SQLite's bare inserts, and what deciding costs with many reports."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.table import show
from engine import commands
from engine.inbox import Inbox
from engine.main import Engine, Parts
from engine.model import Signal
from engine.placement import placed
from engine.reconcile import reconcile
from engine.rows import signal_text
from engine.store import Store
from workspace.paths import Workspace

_AT = datetime(2026, 11, 20, 7, tzinfo=UTC)
SIGNALS, REPORTS, COMMANDS = 20_000, 5_000, 200
_TURNS = 5


def run(signals: int = SIGNALS, reports: int = REPORTS, decided: int = COMMANDS) -> None:
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        _intake(Path(folder), signals)
        _deciding(Workspace(Path(folder) / "many").create(), reports, decided)


def _signal(number: int, weight: float = 0.25) -> Signal:
    content = f"Score of dimension {number % 40} fell\nmeasured over 30 rounds, from 0.91 to 0.74"
    extra = {"project": f"p{number % 7}", "round_ids": [f"01JD0000000000000000{number:06}"]}
    return Signal("loops", "drift", f"condition {number}", content, weight, _AT, extra)


def _intake(folder: Path, count: int) -> None:
    texts = [signal_text(_signal(number)) for number in range(count)]
    floor = sqlite3.connect(folder / "floor.db", isolation_level=None)
    floor.execute("PRAGMA journal_mode = WAL")
    floor.execute("CREATE TABLE signals (id INTEGER PRIMARY KEY, text TEXT)")
    bare = _timed(lambda: _insert(floor, texts))
    floor.close()
    workspace = Workspace(folder / "w").create()
    inbox = Inbox(workspace)
    some = [_signal(number) for number in range(count)]
    handed = _timed(lambda: [inbox.add_signals(some[at : at + 100], _AT) for at in range(0, count, 100)])
    store = Store.open(workspace.inbox_db)
    taken = _timed(lambda: _drain(store))
    inbox.add_signals(some, _AT)
    again = _timed(lambda: _drain(store))
    store.close()
    inbox.close()
    rows = [
        (name, count / seconds, seconds / bare)
        for name, seconds in (
            ("SQLite, rows of the same text, 500 a transaction", bare),
            ("handed in at the door, 100 a transaction", handed),
            ("taken in by the engine", taken),
            ("taken in once more: all known", again),
        )
    ]
    show(f"{count:,} signals", ("what", "signals/s", "x floor"), rows)


def _insert(connection: sqlite3.Connection, texts: list[str]) -> None:
    for start in range(0, len(texts), 500):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO signals(text) VALUES (?)", [(text,) for text in texts[start : start + 500]])
        connection.execute("COMMIT")


def _drain(store: Store) -> None:
    while store.ingest(_AT).total:
        pass


def _deciding(workspace: Workspace, reports: int, decided: int) -> None:
    """Reports that wait for more signals; then a night's worth of them is promoted, and a human decides on some."""
    inbox = Inbox(workspace)
    inbox.add_signals([_signal(number) for number in range(reports)], _AT)
    store = Store.open(workspace.inbox_db)
    _drain(store)
    with store.transaction("place"):
        for (id,) in store.connection.execute("SELECT id FROM signals").fetchall():
            store.judged(id, "passed")
        for number, (id, signal, _) in enumerate(store.unplaced(reports)):
            store.write(placed(id, signal.title, None, "bench", new_id=f"R{number:025}", now=_AT), _AT)
    engine = Engine(store, Parts(), clock=lambda: _AT)
    state = _best(lambda: store.state(_AT, "bench"))
    held = store.state(_AT, "bench")
    rest = _best(lambda: reconcile(held))
    turn = _best(lambda: asyncio.run(engine.turn()))
    listed = _best(lambda: inbox.reports())
    one = inbox.reports()
    for row in one[:decided]:
        made = inbox.command("snooze", row.report.id, {"signals": 1}, now=_AT, grace=timedelta())
        inbox.submit(made)
    due = store.state(_AT, "bench").due
    spent = _timed(lambda: [store.apply(id, commands.decide, _AT) for id in due])
    store.connection.execute("UPDATE reports SET weight = 1.0")
    promoted = _timed(lambda: engine.settle(_AT))
    store.close()
    inbox.close()
    rows = [
        ("its state read from inbox.db", state * 1000),
        ("reconcile, nothing to do", rest * 1000),
        ("a whole turn, nothing to do", turn * 1000),
        ("the desk's list of all", listed * 1000),
        (f"a command applied (of {len(due)})", spent / len(due) * 1000),
        ("all promoted and their research intended", promoted * 1000),
    ]
    show(f"{reports:,} reports, ms", ("what", "ms"), rows)


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _best(action: Callable[[], object]) -> float:
    return min(_timed(action) for _ in range(_TURNS))
