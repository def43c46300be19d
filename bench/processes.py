"""Other processes: a server on a core of its own, and what the kernel says about a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.data import ROOT
from workspace.paths import Workspace

PYTHON = sys.executable
_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A process that takes events: the embedded PostHog, or one that only says 200."""

    process: subprocess.Popen
    port: int
    project_key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(workspace: Workspace) -> Iterator[Server]:
    """`loopdesk serve` on a free port and one core."""
    arguments = ["-m", "tui.main", "serve", "--port", "0", "--json", "--workspace", str(workspace.root)]
    with _started(arguments) as (process, line):
        said = json.loads(line)
        yield Server(process, int(said["url"].rpartition(":")[2]), said["project_key"])


@contextmanager
def engine_running(workspace: Workspace) -> Iterator[subprocess.Popen]:
    """`loopdesk engine run` on the same core as the server."""
    arguments = ["-m", "tui.main", "engine", "run", "--workspace", str(workspace.root)]
    with _started(arguments, stderr=subprocess.STDOUT) as (process, _):
        yield process


@contextmanager
def null_server() -> Iterator[Server]:
    """A server that reads a request and answers 200 at once, on the same core."""
    with _started(["-m", "bench.null_server"]) as (process, line):
        yield Server(process, int(line), "phc_nobody_looks")


@contextmanager
def _started(arguments: Sequence[str], stderr: int | None = None) -> Iterator[tuple[subprocess.Popen, str]]:
    """The process and the first line that it prints. It is ended by its id."""
    command = [PYTHON, *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        try:
            pin(process.pid, first=True)
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{' '.join(arguments)} did not start")
            yield process, line
        finally:
            process.terminate()


def environment(**more: str) -> Mapping[str, str]:
    """Ours without anybody's keys, settings and themes."""
    foreign = ("POSTHOG_", "AUTORESEARCH_", "LOOPDESK_", "TEXTUAL_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(foreign) and name != "NO_COLOR"}
    return {**ours, "TZ": "UTC", "PYTHONPATH": str(ROOT), **more}


def pin(pid: int, *, first: bool) -> str:
    """Put a process on the first core, or on all others; threads that it starts later stay there. In words."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) < 2:
        return "not pinned"
    os.sched_setaffinity(pid, cores[:1] if first else cores[1:])
    return "one core" if first else f"{len(cores) - 1} other core(s)"


@contextmanager
def on_other_cores() -> Iterator[None]:
    """This process (and what it starts meanwhile) keeps off the server's core."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(0, first=False)
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory in MB (PSS shares common pages with whoever maps them as well), CPU time in seconds."""

    rss_mb: float | None
    pss_mb: float | None
    cpu_s: float | None


def usage(pid: int) -> Usage:
    """Each figure is None where the system does not tell it."""
    status = _fields(Path(f"/proc/{pid}/status"))
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return Usage(_megabytes(status.get("VmRSS")), _megabytes(rollup.get("Pss")), _cpu_s(pid))


def wait_until_idle(pid: int) -> None:
    """Returns when a second passed without a tick of CPU time, or after a while."""
    deadline = time.monotonic() + _READY_S
    before = _cpu_s(pid)
    while time.monotonic() < deadline:
        time.sleep(1)
        now = _cpu_s(pid)
        if now == before:
            return
        before = now


def _fields(path: Path) -> Mapping[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _megabytes(value: str | None) -> float | None:
    return int(value.split()[0]) / 1024 if value else None


def _cpu_s(pid: int) -> float | None:
    try:
        # The name in parentheses may hold spaces; user and system time are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
