"""The inbox with many reports: what opening it and its keys send over the line, and how long until the last byte."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import data, processes
from bench.bytes import BUDGETS
from bench.processes import PYTHON
from bench.table import Cell, show, spell
from bench.terminal import Terminal
from engine.inbox import Inbox
from engine.model import Signal
from engine.placement import placed
from engine.store import Store
from workspace.paths import Workspace

SIZES = (10, 5_000)
_STATUSES = ("potential", "ready", "pending_input", "failed", "potential", "resolved", "suppressed")
_OPEN_S, _KEY_S, _IDLE_S = 1.5, 0.5, 2.2
# What a key brings besides its own row: the report beside the list, once the cursor rests.
_ROW_AND_REPORT = 4_000
STEPS: tuple[tuple[str, str, int], ...] = (
    ("open", "3", BUDGETS["open"]),
    ("list key, and the report beside it", "j", _ROW_AND_REPORT),
    ("list key, held for ten rows, each", "j" * 10, BUDGETS["list key"]),
    ("mark", "x", _ROW_AND_REPORT),
    ("page", "page", BUDGETS["page"]),
    ("next tab", "]", _ROW_AND_REPORT),
    ("search, its first letter", "/4", BUDGETS["open"]),
    ("all again", "escape", BUDGETS["open"]),
    ("last row", "G", BUDGETS["page"]),
)


def run() -> None:
    told = {size: _measured(size) for size in SIZES}
    rows: list[list[Cell]] = []
    for place, (name, _, budget) in enumerate((*STEPS, ("idle", "", 0))):
        cells: list[Cell] = [name, budget]
        for size in SIZES:
            written, took_s = told[size][place]
            cells += [f"{spell(written)}{'*' if written > budget else ' '}", took_s * 1000]
        rows.append(cells)
    columns = ("what", "budget", *(f"{size:,}: {unit}" for size in SIZES for unit in ("bytes", "ms")))
    notes = (
        "ms are until the last byte: the report beside the list follows after 120 ms of rest. * is over the budget.",
    )
    show("The inbox by its reports, 160x48, true colour", columns, rows, notes)


def _measured(size: int) -> list[tuple[int, float]]:
    """Bytes and seconds of each step, then of doing nothing."""
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        workspace = Workspace(Path(folder) / "workspace").create()
        fill(workspace, size, data.today())
        environment = processes.environment(LOOPDESK_CONFIG_DIR=folder, HOME=folder)
        desk = [PYTHON, "-m", "tui.main", "--workspace", str(workspace.root), "--timezone", "UTC"]
        terminal = Terminal(desk, environment, str(data.ROOT))
        try:
            terminal.read(quiet_s=_OPEN_S)
            found = [_pressed(terminal, keys) for _, keys, _ in STEPS]
            found.append((terminal.read(quiet_s=_IDLE_S, at_most_s=_IDLE_S), 0.0))
        finally:
            terminal.close()
    return found


def _pressed(terminal: Terminal, keys: str) -> tuple[int, float]:
    begun = terminal.now_s
    if len(set(keys)) == 1 and len(keys) > 1:
        written = terminal.press(keys, quiet_s=0.1)
        took_s = terminal.last_byte_s - begun
        terminal.read(quiet_s=_KEY_S)
        return written // len(keys), took_s
    written = terminal.press(keys, quiet_s=_OPEN_S if keys == "3" else _KEY_S)
    return written, max(0.0, terminal.last_byte_s - begun)


def fill(workspace: Workspace, reports: int, now: datetime) -> None:
    """Reports with a signal each, in all the states that need no engine to go on."""
    now = now.astimezone(UTC)
    inbox = Inbox(workspace)
    inbox.add_signals([_signal(number, now) for number in range(reports)], now)
    inbox.close()
    store = Store.open(workspace.inbox_db)
    while store.ingest(now).total:
        pass
    with store.transaction("place"):
        for (id,) in store.connection.execute("SELECT id FROM signals").fetchall():
            store.judged(id, "passed")
        for number, (id, signal, _) in enumerate(store.unplaced(reports)):
            store.write(placed(id, signal.title, None, "bench", new_id=f"R{number:025}", now=now), now)
        for number, status in enumerate(_STATUSES):
            store.connection.execute(
                "UPDATE reports SET status = ?, priority = ?, summary = substr(title, 1, 9 + rowid % 7) || ': ' || ?, "
                "question = ? WHERE rowid % ? = ?",
                (status, f"P{number % 5}", _SUMMARY, _QUESTION, len(_STATUSES), number),
            )
    store.close()


_SUMMARY = (
    "Since the deploy of 4f2c1d9 a kept round costs $0.63 where it cost $0.41, and the best score stays at 0.974. "
    "All 31 rounds since show it; no other project does."
)
_QUESTION = "Was the scorer changed on purpose? If so, decline; if not, say which version is right."


def _signal(number: int, now: datetime) -> Signal:
    content = f"Report {number}: the score of dimension {number % 40} fell\nmeasured over 30 rounds, from 0.91 to 0.74"
    extra = {"project": f"p{number % 7}", "round_ids": [f"01JD0000000000000000{number:06}"]}
    at = now - timedelta(minutes=number)
    return Signal("loops", "drift", f"condition {number}", content, 0.25, at, extra)
