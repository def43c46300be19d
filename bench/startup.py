"""The desk's start through a pty: 100,000 stored events, beside a Textual app with one widget."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import data, processes
from bench.hello import TEXT
from bench.news import best_score, news
from bench.processes import PYTHON
from bench.table import median, ratio, show
from bench.terminal import Terminal
from queries import boards
from queries.cache import AnswerCache
from queries.local.store import Store
from queries.views.filters import Filters
from queries.views.words import score
from workspace.paths import Workspace

EVENTS = 100_000
TURNS = 7
BUDGETS = {"cached": 1.6, "live": 2.4}  # times the one-widget app
_SHOWN = ("headline", "funnel", "trend", "heatmap", "cost", "escalations", "stops")
_SETTLED_S = 1.2  # longer than the desk waits between two looks at the store
_ON_ONE_LINE = {"headline": 150}  # characters of a sentence that surely are; in a pane fewer
_IN_A_PANE = 30


@dataclass(slots=True)
class Times:
    """Seconds from exec, one a turn."""

    hello: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    """When the last byte came, charts included."""
    start_bytes: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    """How many boards said something else."""


def run() -> None:
    until = data.today()
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        workspace = data.copy(data.workspace(EVENTS, until), Path(folder) / "workspace")
        environment = processes.environment(LOOPDESK_CONFIG_DIR=folder, HOME=folder)
        times = Times()
        for turn in range(TURNS + 1):
            measured = times if turn else Times()  # the first one fills the disk's cache and Python's
            _turn(turn, workspace, environment, measured)
            _bring_news(workspace, turn)
            _news_turn(turn, workspace, environment, measured)
        _print_times(times)


def _turn(turn: int, workspace: Workspace, environment: Mapping[str, str], times: Times) -> None:
    times.hello.append(_hello(environment))
    for path in workspace.root.glob("desk.db*"):
        path.unlink()
    desk = _desk(workspace, environment)
    times.first.append(_shown(desk, _sentences(workspace)))
    times.hello.append(_hello(environment))


def _news_turn(turn: int, workspace: Workspace, environment: Mapping[str, str], times: Times) -> None:
    """The store has what the saved answers do not: first the old sentences come, then the new ones, with a score that
    only the new events can give."""
    old = _sentences(workspace)
    desk = _desk(workspace, environment)
    new = _sentences(workspace)
    changed = {board: said for board, said in new.items() if said != old[board]}
    if not {"headline", "funnel", "cost", "escalations"} <= changed.keys():
        raise SystemExit(f"The desk did not notice the new events; it says:\n{desk.text}")
    marker = score(best_score(turn))
    cached, live = _shown(desk, old), _shown(desk, {**changed, "marker": marker})
    if _shown(desk, {"marker": marker}) <= cached:
        raise SystemExit(f"{marker} was on the screen before the new events were asked for")
    times.cached.append(cached)
    times.live.append(live)
    times.settled.append(desk.last_byte_s)
    times.changed.append(len(changed))
    times.start_bytes.append(sum(len(written) for _, written in desk.chunks))


def _hello(environment: Mapping[str, str]) -> float:
    terminal = Terminal([PYTHON, "-m", "bench.hello"], environment, str(data.ROOT))
    terminal.read(quiet_s=_SETTLED_S)
    terminal.close()
    return _shown(terminal, {"hello": TEXT})


def _desk(workspace: Workspace, environment: Mapping[str, str]) -> Terminal:
    """A desk that has come to rest and is closed; what it wrote is kept."""
    command = [PYTHON, "-m", "tui.main", "--workspace", str(workspace.root), "--timezone", "UTC"]
    terminal = Terminal(command, environment, str(data.ROOT))
    terminal.read(quiet_s=_SETTLED_S)
    terminal.close()
    return terminal


def _bring_news(workspace: Workspace, turn: int) -> None:
    store = Store.open(workspace.events_db)
    store.ingest(news(turn, data.today()))
    store.close()


def _sentences(workspace: Workspace) -> dict[str, str]:
    """How each board's saved answer begins, in whole words."""
    cache = AnswerCache(workspace.desk_db)
    saved = {board: cache.load(board, "night", Filters()) for board in _SHOWN}
    cache.close()
    missing = [boards.TITLES[board] for board, answer in saved.items() if answer is None]
    if missing:
        raise SystemExit(f"The desk saved no answer of {', '.join(missing)}")
    return {
        board: _beginning(answer.view.verdict, _ON_ONE_LINE.get(board, _IN_A_PANE))  # type: ignore[union-attr]
        for board, answer in saved.items()
    }


def _beginning(sentence: str, room: int) -> str:
    return sentence if len(sentence) <= room else sentence[:room].rpartition(" ")[0]


def _shown(terminal: Terminal, sentences: Mapping[str, str]) -> float:
    """When all sentences stood on the screen at once."""
    at = terminal.first_shown(lambda text: all(said in text for said in sentences.values()))
    if at is None:
        wanted = "\n".join(sentences.values())
        raise SystemExit(f"Not all of this was on the screen:\n{wanted}\n\nThe screen:\n{terminal.text}")
    return at


def _print_times(times: Times) -> None:
    floor = median(times.hello) or 0.0
    rows = [("one-widget Textual app", floor * 1000, min(times.hello) * 1000, "1", "-")]
    for name, seconds, budget in (
        ("desk: first launch, no caches", times.first, None),
        ("desk: cached screen complete", times.cached, BUDGETS["cached"]),
        ("desk: live figures, data changed", times.live, BUDGETS["live"]),
        ("desk: last byte of that", times.settled, None),
    ):
        spelled = f"{budget} x" if budget else "-"
        rows.append((name, (median(seconds) or 0) * 1000, min(seconds) * 1000, ratio(median(seconds), floor), spelled))
    notes = [
        "From exec until all seven sentences of Morning stand on the screen, read off a terminal emulator.",
        f"Live: at least {min(times.changed)} of them had changed since the answers were saved, and a score that only",
        "the new events can give stands there too. The one-widget app ran between.",
        f"A start with news sends {median(times.start_bytes):,.0f} bytes.",
    ]
    title = f"Start of the desk, {EVENTS:,} events, 160x48, median of {TURNS} fresh processes"
    show(title, ("what", "ms", "best ms", "x the app", "budget"), rows, notes)
