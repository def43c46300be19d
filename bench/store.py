"""The store itself: what a text costs to compile, what readers and a writer do to each other, and bytes on the disk."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from bench import data, processes
from bench.processes import PYTHON
from bench.table import percentile, show
from queries import boards
from queries.catalog import catalog
from queries.local.backend import LocalBackend
from queries.local.hogql.compiler import Compiled, compile_query, fingerprint
from queries.local.hogql.parser import parse
from queries.local.store import Store
from queries.views.filters import Filters
from queries.views.window import rolling
from workspace.paths import Workspace

_SIZES = (10_000, 100_000, 1_000_000)
_READ_EVENTS = 100_000
_WRITTEN = 20_000
_TURNS = 5


def run() -> None:
    _compile_cost()
    _together()
    _disk()


def _compile_cost() -> None:
    """Each text of the catalog: parsed and printed, and found compiled."""
    questions = [catalog.load(path.stem) for path in sorted(Path(catalog.__file__).parent.glob("*.sql"))]
    parsed, compiled, found = [], [], []
    compile_query("SELECT 1", {})  # loads the parser
    for question in questions:
        document = json.dumps(compile_query(question.text, question.types).to_json())
        parsed.append(_best_ms(lambda text=question.text: parse(text)))
        compiled.append(_best_ms(lambda asked=question: compile_query(asked.text, asked.types)))
        found.append(_best_ms(lambda asked=question, kept=document: _found(asked, kept)))
    rows = [
        (name, sum(spent), percentile(spent, 0.5), max(spent))
        for name, spent in (
            ("PostHog's parser", parsed),
            ("parser, printer and SQLite's consent", compiled),
            ("found compiled: its hash and its JSON", found),
        )
    ]
    show(f"{len(questions)} texts of the catalog, ms, best of {_TURNS}", ("what", "all", "median", "most"), rows)


def _found(question: catalog.Question, document: str) -> Compiled:
    fingerprint(question.text, question.types)
    return Compiled.from_json(json.loads(document))


def _best_ms(action: Callable[[], object]) -> float:
    spent = []
    for _ in range(_TURNS):
        started = time.perf_counter()
        action()
        spent.append((time.perf_counter() - started) * 1000)
    return min(spent)


def _together() -> None:
    """One process writes batches of 100 as fast as it can while another asks the boards of Morning."""
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        workspace = data.copy(data.workspace(_READ_EVENTS), Path(folder) / "store")
        bodies = Path(folder) / "bodies"
        later = data.FIXED + timedelta(days=2)  # ids that the store does not hold
        events = [event for batch in data.batches(2 * _WRITTEN, later) for event in batch]
        halves = events[:_WRITTEN], events[_WRITTEN : 2 * _WRITTEN]
        alone_read = _read(workspace, lambda: False, 20)
        _write_bodies(bodies, halves[0])
        alone_write = _finished(_writer(bodies, workspace))
        _write_bodies(bodies, halves[1])
        writer = _writer(bodies, workspace)
        read = _read(workspace, lambda: writer.poll() is None, 1)
        write = _finished(writer)
    rows = [
        (name, len(spent), percentile(spent, 0.5), percentile(spent, 0.99), max(spent))
        for name, spent in (
            ("six boards, nobody writes", alone_read),
            ("six boards, a writer beside them", read),
            ("a batch of 100 stored, nobody reads", alone_write),
            ("a batch of 100 stored, a reader beside it", write),
        )
    ]
    title = f"Two processes on one file of {_READ_EVENTS:,} events, ms"
    show(title, ("what", "times", "p50", "p99", "most"), rows)


def _read(workspace: Workspace, goes_on: Callable[[], bool], least: int) -> list[float]:
    backend = LocalBackend(workspace.events_db, now=lambda: data.FIXED)
    window, spent = rolling("30d", data.FIXED), []
    while len(spent) < least or goes_on():
        started = time.perf_counter()
        for board in ("funnel", "trend", "heatmap", "cost", "escalations", "stops"):
            boards.ask(board, backend, window, Filters())
        spent.append((time.perf_counter() - started) * 1000)
    backend.close()
    return spent


def _write_bodies(path: Path, events: Sequence[data.WireEvent]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, len(events), 100):
            file.write(json.dumps(events[start : start + 100]) + "\n")


def _writer(bodies: Path, workspace: Workspace) -> subprocess.Popen[str]:
    command = [PYTHON, "-m", "bench.ingest", str(bodies), str(workspace.events_db)]
    return subprocess.Popen(
        command, cwd=data.ROOT, env=processes.environment(), stdout=subprocess.PIPE, text=True, stderr=sys.stderr
    )


def _finished(writer: subprocess.Popen[str]) -> list[float]:
    answer, _ = writer.communicate()
    return json.loads(answer)


def _disk() -> None:
    """Where the bytes are. The whole file counts, with pages that are not full."""
    rows = []
    for size in _SIZES:
        store = Store.open(data.workspace(size).events_db, read_only=True)
        execute = store.connection.execute
        count = execute("SELECT count(*) FROM bodies").fetchone()[0]
        pages = dict(execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
        store.close()
        summed = sum(pages.get(name, 0) for name in ("hours", "dim_hours", "rounds", "rounds_id"))
        indexes = sum(pages[name] for name in pages if name.startswith(("events_", "sqlite_autoindex_bodies")))
        parts = (pages["bodies"], pages["events"], indexes, pages["ai_payloads"], pages["dims"], summed)
        rows.append((f"{count:,}", sum(pages.values()) / count, *(part / count for part in parts)))
    columns = ("events", "bytes / event", "JSON", "events", "indexes", "prompts", "dims", "hours and rounds")
    show("Size on disk, bytes an event", columns, rows)
