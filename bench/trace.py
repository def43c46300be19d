"""One long round: opening its trace and moving in it through a pty, beside Textual's own Tree with as many nodes.

`python -m bench.trace N` is that Tree alone.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from bench import data, processes
from bench.processes import PYTHON
from bench.table import Cell, median, show
from bench.terminal import KEYS, Terminal
from queries.local.store import Store
from workspace.paths import Workspace

SIZES = (1_000, 10_000, 100_000)
BUDGETS = {"open": 300, "key": 10, "memory": 40}  # ms, ms, MB over the desk
_QUIET_S = 1.5
_KEYS = ("j",) * 9 + ("page",) * 5 + ("!", "m", "C", ".")
_BATCH = 5_000
ROUND_ID = "01KTRACE000000000000000BIG"
_COMMON = {
    "project": "autoresearch",
    "client": "internal",
    "run_id": "01KTRACE0000000000000000RUN",
    "round_id": ROUND_ID,
    "$ai_trace_id": ROUND_ID,
    "git_sha": "4f2c1d9e8a7b",
}
_IDEAS = ("Raise the embedding learning rate", "Clip gradients earlier", "Shorten the attention window")


def round_events(count: int, started: datetime) -> Iterator[dict]:
    """A round of exactly `count` wire events: plans, model calls, tool calls with retries, evals with cases."""
    chance = random.Random(7)
    told = _Told(started, chance)
    yield told.event("planner", "round_started", model="claude-sonnet-4-5", baseline_score=0.97, n_prior_rounds=3)
    left = count - 3
    while left > 0:
        for name, agent, properties in _cycle(chance):
            if left == 0:
                break
            left -= 1
            yield told.event(agent, name, **properties)
    yield told.event("judge", "round_scored", score=0.981, score_goal="max", dim_stability=0.8, dim_throughput=0.7)
    yield told.event("planner", "round_kept", delta=0.011, new_best=True, cost_usd=412.5)


def _cycle(chance: random.Random) -> Iterator[tuple[str, str, dict]]:
    step, suite = _id(chance), _id(chance)
    yield "$ai_generation", "planner", _call(chance, step, "plan")
    yield "step.plan", "planner", {"step_id": step, "plan": chance.choice(_IDEAS), "next_action": "read_file"}
    for tool in ("read_file", "search_code", "train"):
        call = _id(chance)
        called = {"step_id": call, "tool": tool, "args_json": '{"path": "train.py"}', "timeout_ms": 30_000}
        yield "step.tool_called", "coder", called
        returned = {"step_id": call, "tool": tool, "latency_ms": chance.randint(5, 4000), "result_bytes": 1200}
        if chance.random() < 0.05:
            yield "step.tool_returned", "coder", {**returned, "ok": False, "error": "connection reset by peer"}
            yield "step.retry", "coder", {"step_id": call, "cause": "connection reset by peer", "attempt": 2}
            yield "step.tool_called", "coder", called
        yield "step.tool_returned", "coder", {**returned, "ok": True}
    yield "step.observation", "critic", {"step_id": _id(chance), "source": "score_history", "value": 0.97}
    yield "eval.run", "judge", {"suite_id": suite, "suite": "validation", "n_cases": 4, "scorer_version": "bpb-1.4"}
    yield "$ai_generation", "judge", _call(chance, suite, "judge")
    for case in range(4):
        passed = chance.random() < 0.9
        told = {"case_id": f"validation/{case}", "dim": "stability", "score": 0.9, "passed": passed}
        yield "eval.case", "judge", {"suite_id": suite, "rationale": "good enough" if passed else "below", **told}
    yield "step.reflection", "critic", {"step_id": _id(chance), "verdict": "revert", "issues": [], "retry": False}


def _call(chance: random.Random, parent: str, name: str) -> dict:
    return {
        "$ai_span_id": f"{chance.getrandbits(64):016x}",
        "$ai_parent_id": parent,
        "$ai_span_name": name,
        "$ai_model": "claude-sonnet-4-5",
        "$ai_provider": "anthropic",
        "$ai_input_tokens": chance.randint(1000, 9000),
        "$ai_output_tokens": chance.randint(100, 900),
        "$ai_total_cost_usd": round(chance.uniform(0.001, 0.05), 6),
        "$ai_latency": round(chance.uniform(0.8, 9), 3),
    }


def _id(chance: random.Random) -> str:
    return f"01KTRACE{chance.getrandbits(80):018X}"


class _Told:
    def __init__(self, started: datetime, chance: random.Random) -> None:
        self.at, self.chance = started, chance

    def event(self, agent: str, name: str, **properties: object) -> dict:
        self.at += timedelta(milliseconds=self.chance.randint(4, 800))
        return {
            "event": name,
            "distinct_id": f"autoresearch:internal:{agent}",
            "timestamp": self.at.isoformat(),
            "uuid": str(UUID(int=self.chance.getrandbits(128), version=4)),
            "properties": {**_COMMON, "agent": agent, **properties},
        }


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a key brought: milliseconds to the first and to the last byte, and how many bytes."""

    first_ms: float
    last_ms: float
    written: int


@dataclass(frozen=True, slots=True)
class Measured:
    """`screen_ms` until the first screen was complete. Memory is over the same program before the trace was opened."""

    name: str
    opened: Pressed
    screen_ms: float | None
    key: float | None
    key_bytes: int | None
    page_bytes: int | None
    memory_mb: float | None


class Timed(Terminal):
    def timed(self, key: str, quiet_s: float) -> Pressed:
        before, at = len(self.chunks), time.perf_counter() - self._started
        os.write(self._fd, KEYS.get(key, key.encode()))
        written = self.read(quiet_s=quiet_s)
        came = [(when - at) * 1000 for when, _ in self.chunks[before:]]
        return Pressed(came[0], came[-1], written) if came else Pressed(0.0, 0.0, 0)


def run(sizes: Sequence[int] = SIZES) -> None:
    rows: list[list[Cell]] = []
    for events in sizes:
        with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
            workspace = _workspace(Path(folder) / "workspace", events)
            rows += [_row(events, _desk(workspace, folder, events)), _row(events, _tree(folder, events))]
    notes = [
        f"Budget at 100,000 events: {BUDGETS['open']} ms from the key to the last byte of the open trace,",
        f"{BUDGETS['key']} ms for a key in it, {BUDGETS['memory']} MB over the desk. `complete` is when the first",
        "screen stood; what follows are the figures of the whole round, once it was read. Keys: medians of",
        f"{len(_KEYS)} (rows, pages, next error, model call and case, a step). Memory is RSS.",
    ]
    columns = ("what", "events", "open ms", "complete", "KB", "key ms", "key B", "page B", "MB more")
    show("A trace in a terminal of 160x48", columns, rows, notes)


def _workspace(root: Path, events: int) -> Workspace:
    root.mkdir(mode=0o700)
    made, now = Workspace(root), datetime.now(UTC)
    store = Store.open(made.events_db)
    told = round_events(events, now - timedelta(seconds=events * 0.45 + 600))
    with store.transaction():
        while batch := list(islice(told, _BATCH)):
            store.ingest(batch, now=now)
    store.close()
    return made


def _desk(workspace: Workspace, folder: str, events: int) -> Measured:
    command = [PYTHON, "-m", "tui.main", "--workspace", str(workspace.root), "--timezone", "UTC", "--window", "7d"]
    terminal = Timed(command, processes.environment(LOOPDESK_CONFIG_DIR=folder, HOME=folder), str(data.ROOT))
    try:
        terminal.read(quiet_s=_QUIET_S)
        terminal.timed("2", _QUIET_S)
        # What opening any trace loads once is not what this one needs.
        before = processes.usage(terminal.pid).rss_mb
        seen = len(terminal.chunks)
        opened = terminal.timed("enter", _QUIET_S)
        begun = terminal.chunks[seen][0] * 1000 - opened.first_ms
        while "Reading" in terminal.text and time.perf_counter() - terminal._started < 60:
            terminal.read(quiet_s=_QUIET_S)
        if "round_started" not in terminal.text:
            raise SystemExit(f"The trace did not open:\n{terminal.text}")
        complete = terminal.first_shown(lambda text: "round_started" in text)
        written = sum(len(chunk) for _, chunk in terminal.chunks[seen:])
        opened = Pressed(opened.first_ms, terminal.chunks[-1][0] * 1000 - begun, written)
        screen_ms = complete * 1000 - begun if complete else None
        return _keys("loopdesk", terminal, opened, screen_ms, before)
    finally:
        terminal.close()


def _tree(folder: str, events: int) -> Measured:
    environment = processes.environment(HOME=folder)
    terminal = Timed([PYTHON, "-m", "bench.trace", str(events)], environment, str(data.ROOT))
    try:
        terminal.read(quiet_s=_QUIET_S)
        before = processes.usage(terminal.pid).rss_mb
        opened = terminal.timed("enter", 20.0)
        return _keys("Textual Tree", terminal, opened, None, before)
    finally:
        terminal.close()


def _keys(name: str, terminal: Timed, opened: Pressed, screen_ms: float | None, before: float | None) -> Measured:
    after = processes.usage(terminal.pid).rss_mb
    told = {key: [terminal.timed(key, 0.6) for _ in range(_KEYS.count(key))] for key in dict.fromkeys(_KEYS)}
    keys = [one.first_ms for several in told.values() for one in several if one.written]
    return Measured(
        name=name,
        opened=opened,
        screen_ms=screen_ms,
        key=median(keys),
        key_bytes=int(median([one.written for one in told["j"]]) or 0),
        page_bytes=int(median([one.written for one in told["page"]]) or 0),
        memory_mb=after - before if after is not None and before is not None else None,
    )


def _row(events: int, one: Measured) -> list[Cell]:
    return [
        one.name,
        events,
        one.opened.last_ms,
        one.screen_ms,
        one.opened.written / 1024,
        one.key,
        one.key_bytes,
        one.page_bytes,
        one.memory_mb,
    ]


def _peer(nodes: int) -> None:
    """Textual's Tree with as many nodes, twenty under each of the first level, built when Enter is pressed."""
    from textual.app import App, ComposeResult
    from textual.widgets import Static, Tree

    class Peer(App[None]):
        def compose(self) -> ComposeResult:
            yield Static("Enter builds the tree")

        async def on_key(self, event) -> None:  # type: ignore[no-untyped-def]
            if event.key != "enter" or self.query(Tree):
                return
            tree: Tree[None] = Tree("round")
            tree.root.expand()
            for number in range(0, nodes, 20):
                branch = tree.root.add(f"step {number}", expand=True)
                for leaf in range(number, min(number + 19, nodes)):
                    branch.add_leaf(f"+{leaf}s  tool  read_file")
            await self.mount(tree)
            tree.focus()

    peer = Peer()
    peer.animation_level = "none"
    peer.run()


if __name__ == "__main__":
    _peer(int(sys.argv[1]))
