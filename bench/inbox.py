"""The inbox with many reports, and a change of many lines: what opening them and their keys send over the line, and how
long until the last byte."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import data, processes
from bench.bytes import BUDGETS
from bench.processes import PYTHON
from bench.table import Cell, show, spell
from bench.terminal import Terminal
from engine import changes
from engine.blobs import FolderBlobs
from engine.diff import Diff, FileChange, Hunk
from engine.diff import Line as DiffLine
from engine.inbox import Inbox
from engine.model import Proposal, Signal
from engine.placement import placed
from engine.rows import insert, row
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
CHANGES = (100, 10_000)  # lines
_HELD = 23  # rows: half a screen, with the one long repaint that belongs to it
CHANGE_STEPS: tuple[tuple[str, str, int], ...] = (
    ("open", "D", BUDGETS["open"]),
    ("list key", "j", BUDGETS["list key"]),
    ("list key, held for half a screen, each", "j" * _HELD, BUDGETS["list key"]),
    ("page", "page", BUDGETS["page"]),
    ("next file", "}", BUDGETS["page"]),
    ("next hunk", "]", BUDGETS["page"]),
    ("fold all files", "zM", BUDGETS["open"]),
    ("close", "escape", BUDGETS["open"]),
)


def run() -> None:
    _run_reports()
    _run_changes()


def _run_changes() -> None:
    told = {size: _measured_change(size) for size in CHANGES}
    rows: list[list[Cell]] = []
    for place, (name, _, budget) in enumerate((*CHANGE_STEPS, ("idle", "", 0))):
        cells: list[Cell] = [name, budget]
        for size in CHANGES:
            written, took_s = told[size][place]
            cells += [f"{spell(written)}{'*' if written > budget else ' '}", took_s * 1000]
        rows.append(cells)
    columns = ("what", "budget", *(f"{size:,} lines: {unit}" for size in CHANGES for unit in ("bytes", "ms")))
    show("The change of a proposal, 160x48, true colour", columns, rows, ("Python; * is over the budget.",))


def _measured_change(lines: int) -> list[tuple[int, float]]:
    """As `_measured`, with the change of a green proposal."""
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        workspace = Workspace(Path(folder) / "workspace").create()
        fill(workspace, 1, data.today())
        propose(workspace, lines, data.today())
        with _desk(folder, workspace) as terminal:
            terminal.press("3", quiet_s=_OPEN_S)
            found = [_pressed(terminal, keys) for _, keys, _ in CHANGE_STEPS]
            found.append((terminal.read(quiet_s=_IDLE_S, at_most_s=_IDLE_S), 0.0))
    return found


def propose(workspace: Workspace, lines: int, now: datetime) -> None:
    """A green proposal for the first report, of so many lines in files of five hundred at most."""
    each = min(lines, 500)
    files = tuple(_file(place, each) for place in range(max(1, lines // each)))
    key = FolderBlobs(workspace.blobs).put(changes.written(Diff("b" * 40, "a" * 40, files)))
    change = {"build": 1, "sha": "a" * 40, "base_sha": "b" * 40, "diff": key, "files": len(files)}
    store = Store.open(workspace.inbox_db)
    (report_id,) = store.connection.execute("SELECT id FROM reports LIMIT 1").fetchone()
    proposal = Proposal(
        "P1", report_id, now, now, "green", "A large change", base="main", head_sha="a" * 40, number=7, change=change
    )
    with store.transaction("place"):
        store.connection.execute("UPDATE reports SET status = 'ready'")
        store.connection.execute(insert(Proposal, "proposals"), row(proposal))
    store.close()


def _file(place: int, count: int) -> FileChange:
    lines = []
    for at in range(1, count + 1):
        text = f"    value_{at} = compute(rows[{at}], limit={at % 7})  # step {at} of “{place}”"
        lines.append(DiffLine("+" if at % 3 else " ", text, None if at % 3 else at, at))
    path = f"src/part_{place:02}.py"
    hunk = Hunk(1, count, 1, count, "def work(rows: list[int]) -> None:", tuple(lines))
    added = sum(line.sign == "+" for line in lines)
    return FileChange(path, path, "modified", 0o100644, 0o100644, "c" * 40, "d" * 40, added, hunks=(hunk,))


def _run_reports() -> None:
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
        with _desk(folder, workspace) as terminal:
            found = [_pressed(terminal, keys) for _, keys, _ in STEPS]
            found.append((terminal.read(quiet_s=_IDLE_S, at_most_s=_IDLE_S), 0.0))
    return found


@contextmanager
def _desk(folder: str, workspace: Workspace) -> Iterator[Terminal]:
    environment = processes.environment(LOOPDESK_CONFIG_DIR=folder, HOME=folder)
    desk = [PYTHON, "-m", "tui.main", "--workspace", str(workspace.root), "--timezone", "UTC"]
    terminal = Terminal(desk, environment, str(data.ROOT))
    try:
        terminal.read(quiet_s=_OPEN_S)
        yield terminal
    finally:
        terminal.close()


def _pressed(terminal: Terminal, keys: str) -> tuple[int, float]:
    begun = terminal.now_s
    if len(set(keys)) == 1 and len(keys) > 1:
        written = terminal.press(keys, quiet_s=0.1)
        took_s = terminal.last_byte_s - begun
        terminal.read(quiet_s=_KEY_S)
        return written // len(keys), took_s
    written = terminal.press(keys, quiet_s=_OPEN_S if keys in "3D" else _KEY_S)
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
