"""The six boards of Morning over 30 days: the embedded store beside DuckDB and ClickHouse, warm, at three sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from bench import data, peers
from bench.peers import Peer
from bench.table import Cell, ratio, show
from queries import boards
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.filters import Filters
from queries.views.window import Span, Window, rolling
from workspace.paths import Workspace

MORNING = ("funnel", "trend", "heatmap", "cost", "escalations", "stops")
_WINDOW = rolling("30d", data.FIXED)
_CLOSE = 1e-9  # sums of floats in another order


@dataclass(frozen=True, slots=True)
class Load:
    """How many events, how often each board is asked, and what the six may take together."""

    events: int
    turns: int
    budget_ms: float | None = None
    most_nights: int = data.MONTH
    times: int = 1


LOADS = (Load(10_000, 25), Load(100_000, 25, 25.0), Load(1_000_000, 9, 200.0))
HISTORY = Load(1_000_000, 15, 200.0, most_nights=1_000)
"""What one team sends in 200 nights: most of it lies before both windows."""
HUGE = Load(10_000_000, 5, times=10)
"""Two hundred loops at once."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds, medians. `ask_ms` is all of a board: its questions and the view made of their rows."""

    board: str
    questions: int
    rows: int
    ask_ms: float
    questions_ms: float
    peers_ms: tuple[float, ...]
    differs: tuple[str, ...]


def run(loads: Sequence[Load]) -> None:
    for load in loads:
        workspace = data.workspace(load.events // load.times, most_nights=load.most_nights)
        if load.times > 1:
            workspace = data.multiplied(workspace, load.times)
        found, missing = peers.installed(workspace)
        backend = LocalBackend(workspace.events_db, now=lambda: data.FIXED)
        try:
            measured = [_measure(board, backend, found, load.turns) for board in MORNING]
        finally:
            for peer in found:
                peer.close()
        at_once_ms = _two_at_a_time(backend, load.turns)  # without the peers' threads
        stored = backend.data_version()
        backend.close()
        names = [peer.name for peer in found]
        spread = f"{stored:,} events of {_days(workspace)} days"
        title = f"Six boards over 30 days, {spread}, warm, median of {load.turns}"
        notes = [*_notes(load, measured, at_once_ms), *_about_peers(measured, names, missing)]
        _print(title, measured, names, notes)


def _measure(board: str, backend: LocalBackend, found: Sequence[Peer], turns: int) -> Measured:
    asks = [(question, _span(_WINDOW, which)) for question, which in boards.BOARDS[board].asks]
    answers = [result.rows for result in boards.ask(board, backend, _WINDOW, Filters()).results]
    told = [_ask_all(peer, asks) for peer in found]
    ours: list[float] = []
    in_questions: list[float] = []
    theirs: list[list[float]] = [[] for _ in found]
    # In turns, so that a busy moment of the machine meets all of them.
    for _ in range(turns):
        started = time.perf_counter()
        answer = boards.ask(board, backend, _WINDOW, Filters())
        ours.append(_since_ms(started))
        in_questions.append(sum(result.elapsed_ms for result in answer.results))
        for peer, spent in zip(found, theirs, strict=True):
            started = time.perf_counter()
            _ask_all(peer, asks)
            spent.append(_since_ms(started))
    return Measured(
        board=boards.TITLES[board],
        questions=len(asks),
        rows=sum(map(len, answers)),
        ask_ms=statistics.median(ours),
        questions_ms=statistics.median(in_questions),
        peers_ms=tuple(map(statistics.median, theirs)),
        differs=tuple(
            f"{peer.name} answers {question} differently"
            for peer, others in zip(found, told, strict=True)
            for (question, _), mine, other in zip(asks, answers, others, strict=True)
            if not same_answer(mine, other)
        ),
    )


def _two_at_a_time(backend: LocalBackend, turns: int) -> float:
    """All six, from two threads as in the desk: the median of the whole, in milliseconds."""
    spent = []
    with ThreadPoolExecutor(2) as threads:
        for _ in range(turns):
            started = time.perf_counter()
            list(threads.map(lambda board: boards.ask(board, backend, _WINDOW, Filters()), MORNING))
            spent.append(_since_ms(started))
    return statistics.median(spent)


def same_answer(mine: Sequence[tuple], other: Sequence[tuple]) -> bool:
    """The same rows, whatever a time or a float's last digit looks like."""
    if len(mine) != len(other):
        return False
    return all(_same_cell(*pair) for rows in zip(mine, other, strict=True) for pair in zip(*rows, strict=True))


def _same_cell(mine: object, other: object) -> bool:
    if isinstance(mine, int | float) and isinstance(other, int | float):
        return abs(mine - other) <= _CLOSE * max(abs(mine), abs(other), 1.0)
    if mine is None or other is None:
        return mine is other
    if isinstance(other, datetime) or (isinstance(mine, str) and "T" in mine and isinstance(other, str)):
        return _moment(mine) == _moment(other)
    return mine == other


def _moment(cell: object) -> object:
    try:
        return datetime.fromisoformat(str(cell)).replace(tzinfo=None)
    except ValueError:
        return cell


def _span(window: Window, which: str) -> Span:
    return window.span if which == boards.NOW else window.before


def _ask_all(peer: Peer, asks: Sequence[tuple[str, Span]]) -> list[Sequence[tuple]]:
    return [peer.ask(question, span) for question, span in asks]


def _since_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _days(workspace: Workspace) -> int:
    store = Store.open(workspace.events_db, read_only=True)
    try:
        text = "SELECT (max(timestamp) - min(timestamp)) / 86400000000 + 1 FROM events"
        return store.connection.execute(text).fetchone()[0]
    finally:
        store.close()


def _notes(load: Load, measured: Sequence[Measured], at_once_ms: float) -> list[str]:
    total_ms = sum(one.ask_ms for one in measured)
    notes = [f"Asked from two threads, as the desk does, all six are there after {at_once_ms:.1f} ms."]
    if load.budget_ms:
        compared = ratio(total_ms, load.budget_ms)
        notes.append(f"Budget for the six: {load.budget_ms:g} ms. One after the other {compared} of it.")
    return notes


def _about_peers(measured: Sequence[Measured], names: Sequence[str], missing: Sequence[str]) -> list[str]:
    notes = [f"{name} is not installed: left out." for name in missing]
    if names:
        notes += [
            "All run the same questions (a board asks its window and the one before) and fetch all rows. A board's ask",
            "makes its view as well, which the ratios leave out. SQLite works on one thread for a question.",
        ]
        notes += [said for one in measured for said in one.differs] or ["Row for row, the answers are the same."]
    return notes


def _print(title: str, measured: Sequence[Measured], names: Sequence[str], notes: Sequence[str]) -> None:
    total = Measured(
        board="six boards",
        questions=sum(one.questions for one in measured),
        rows=sum(one.rows for one in measured),
        ask_ms=sum(one.ask_ms for one in measured),
        questions_ms=sum(one.questions_ms for one in measured),
        peers_ms=tuple(map(sum, zip(*(one.peers_ms for one in measured), strict=True))),
        differs=(),
    )
    columns = ["board", "questions", "rows", "ask ms", "in questions", *(f"{name} ms" for name in names)]
    columns += [f"questions / {name.partition(' ')[0]}" for name in names]
    show(title, columns, map(_row, [*measured, total]), notes)


def _row(one: Measured) -> list[Cell]:
    ratios = [ratio(one.questions_ms, peer_ms) for peer_ms in one.peers_ms]
    return [one.board, one.questions, one.rows, one.ask_ms, one.questions_ms, *one.peers_ms, *ratios]
