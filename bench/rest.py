"""At rest with 100,000 events: what server, engine and desk hold in memory, and whether they do anything."""

from __future__ import annotations

import http.client
import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import data, processes
from bench.processes import PYTHON, Server, Usage
from bench.table import Cell, show
from bench.terminal import Terminal

EVENTS = 100_000
REST_S, LONG_S = 30.0, 600.0
BUDGETS = {"both": (150, 1.0), "desk": (70, 0.3)}  # MB, % of one core
_SETTLED_S = 1.5


@dataclass(frozen=True, slots=True)
class Rest:
    """Memory at the end; CPU and bytes of the whole time."""

    usage: Usage
    cpu_percent: float | None
    written: int | None


def run(rest_s: float = REST_S) -> None:
    """The engine has judged the events before; within ten minutes (`LONG_S`) it looks at them again by itself."""
    until = data.today()
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        workspace = data.copy(data.workspace(EVENTS, until), Path(folder) / "workspace")
        with processes.serving(workspace) as server, processes.engine_running(workspace) as engine:
            _use_a_little(server)
            pids = server.process.pid, engine.pid
            for pid in pids:
                processes.wait_until_idle(pid)
            before = [processes.usage(pid) for pid in pids]
            time.sleep(rest_s)
            serve, judge = (
                _rest(one, processes.usage(pid), None, rest_s) for one, pid in zip(before, pids, strict=True)
            )
        hello = _in_a_terminal(["-m", "bench.hello"], folder)
        desk = _in_a_terminal(["-m", "tui.main", "--workspace", str(workspace.root), "--timezone", "UTC"], folder)
    rows = [
        _row("loopdesk serve (after 1,000 more events)", serve, None),
        _row("loopdesk engine run", judge, None),
        _row("both", _both(serve, judge), "both"),
        _row("desk on Morning", desk, "desk"),
        _row("one-widget Textual app", hello, None),
    ]
    notes = ["PSS counts a page that several processes share in parts; CPU is of one core, in ticks of 10 ms."]
    columns = ("what", "RSS MB", "PSS MB", "budget MB", "CPU %", "budget %", "bytes")
    notes.append(f"Server and engine rested {rest_s:g} s, the others {REST_S:g} s.")
    show(f"At rest, {EVENTS:,} events", columns, rows, notes)


def _use_a_little(server: Server) -> None:
    """What is only loaded with the first request is loaded then."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for body in itertools.islice(data.bodies(1_000), 10):
        sent = f'{{"api_key":"{server.project_key}","batch":'.encode() + body + b"}"
        connection.request("POST", "/batch/", sent, {"content-type": "application/json"})
        connection.getresponse().read()
    connection.close()


def _in_a_terminal(arguments: list[str], folder: str) -> Rest:
    environment = processes.environment(LOOPDESK_CONFIG_DIR=folder, HOME=folder)
    terminal = Terminal([PYTHON, *arguments], environment, str(data.ROOT))
    try:
        terminal.read(quiet_s=_SETTLED_S)
        before = processes.usage(terminal.pid)
        written = terminal.read(quiet_s=REST_S, at_most_s=REST_S)
        return _rest(before, processes.usage(terminal.pid), written, REST_S)
    finally:
        terminal.close()


def _rest(before: Usage, after: Usage, written: int | None, rest_s: float) -> Rest:
    spent = None if before.cpu_s is None or after.cpu_s is None else (after.cpu_s - before.cpu_s) / rest_s * 100
    return Rest(after, spent, written)


def _both(one: Rest, other: Rest) -> Rest:
    def total(mine: float | None, theirs: float | None) -> float | None:
        return None if mine is None or theirs is None else mine + theirs

    usage = Usage(
        total(one.usage.rss_mb, other.usage.rss_mb),
        total(one.usage.pss_mb, other.usage.pss_mb),
        total(one.usage.cpu_s, other.usage.cpu_s),
    )
    return Rest(usage, total(one.cpu_percent, other.cpu_percent), None)


def _row(name: str, rest: Rest, budget: str | None) -> list[Cell]:
    memory_mb, cpu_percent = BUDGETS[budget] if budget else (None, None)
    return [name, rest.usage.rss_mb, rest.usage.pss_mb, memory_mb, rest.cpu_percent, cpu_percent, rest.written]
