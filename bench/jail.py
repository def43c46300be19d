"""What a jail costs: its start beside a bare process, a large repository's clone, snapshot and resume, an agent's
memory; and the guard over a change of 600 lines."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.table import Cell, median, show
from engine.agents.keeping import keep, restore
from engine.blobs import FolderBlobs
from engine.forges.mirror import Mirror
from engine.forges.trees import read_diff
from engine.git import Git
from engine.guard import guard
from engine.guard_rules import configured
from engine.sandbox.bubblewrap import Bubblewrap, find
from engine.sandbox.bundles import fill_clone, run_script
from engine.sandbox.protocol import Run
from engine.secrets import Canaries
from tests.agent_api import agent_api, answers
from tests.agent_bench import GOOD, SYSTEM, Bench
from tests.messages_api import Request
from tests.repositories import bare

REPOSITORY_MB = 100
TURNS = 5


def run(megabytes: int = REPOSITORY_MB) -> None:
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as name:
        asyncio.run(_run(Path(name), find(), megabytes))


async def _run(folder: Path, sandbox: Bubblewrap, megabytes: int) -> None:
    repo = bare(folder / "code.git")
    chance = random.Random(6)
    base = repo.commit("main", {f"d{n}/f.bin": chance.randbytes(1 << 20) for n in range(megabytes)})
    clone, session, again = folder / "clone", folder / "session", folder / "again"
    for one in (clone, session / "projects", again, folder / "received"):
        one.mkdir(parents=True)
    (session / "projects" / "s.jsonl").write_bytes(b'{"said": "%s"}\n' % (b"word " * 100) * 400)
    blobs = FolderBlobs(folder / "blobs")
    bare_ms = [await _timed(lambda: _bare()) for _ in range(TURNS)]
    jail_ms = [await _timed(lambda: run_script(sandbox, Run(["/usr/bin/true"]))) for _ in range(TURNS)]
    cloned = await _timed(lambda: fill_clone(sandbox, repo.folder, base, clone))
    (clone / "d0" / "f.bin").write_text("less\n")
    kept: list[Any] = []

    async def snapshot() -> None:
        kept.append(await keep(sandbox, blobs, session, clone, base, folder / f"kept-{len(kept)}"))

    snapshots = [await _timed(snapshot) for _ in range(TURNS)]
    resumed = await _timed(lambda: restore(sandbox, blobs, kept[-1].session, again, folder / "received"))
    rows: list[list[Cell]] = [
        ["a bare process", median(bare_ms), min(bare_ms), max(bare_ms)],
        ["a jail, from start to end", median(jail_ms), min(jail_ms), max(jail_ms)],
        [f"clone of {megabytes} MB in {megabytes} files, in a jail", cloned, None, None],
        ["snapshot of it: session and work", median(snapshots), min(snapshots), max(snapshots)],
        ["resume: the session unpacked, in a jail", resumed, None, None],
        ["guard over a change of 600 lines: read, judged", *_guard(folder)],
    ]
    size = sum(len(blobs.get(key)) for key in (kept[-1].session, kept[-1].bundle) if key)
    show(
        "Jails, ms", ("what", "median", "least", "most"), rows, [f"A snapshot here is {size / 1024:,.0f} KB of blobs."]
    )
    await _memory(folder, sandbox)


async def _bare() -> None:
    process = await asyncio.create_subprocess_exec("/usr/bin/true")
    await process.wait()


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


def _guard(folder: Path) -> tuple[float | None, float, float]:
    repo = bare(folder / "guarded.git")
    lines = [f"value_{n} = {n}\n" for n in range(300)]
    base = repo.commit("main", {"a.py": "".join(lines)})
    head = repo.commit("main", {"a.py": "".join(f"value_{n} = {n + 1}\n" for n in range(300))})
    mirror = Mirror.opened(folder / "mirrors", str(repo.folder), Git.found())
    mirror.fetch("main")
    rules, canaries = configured({}), Canaries(("canary-0123456789abcdef",))
    took = []
    for _ in range(TURNS):
        started = time.perf_counter()
        verdict = guard(read_diff(mirror, base, head), rules, canaries, {"title": "Another value"})
        took.append((time.perf_counter() - started) * 1000)
        assert verdict.head == head
    return median(took), min(took), max(took)


async def _memory(folder: Path, sandbox: Bubblewrap) -> None:
    """While its first request is answered: all processes of the jail together."""
    before = set(_below(os.getpid()))
    found: list[tuple[float, float, int]] = []

    def looked(_: Request) -> Any:
        pids = [pid for pid in _below(os.getpid()) if pid not in before]
        found.append((*(sum(_of(pid, name) for pid in pids) for name in ("Rss", "Anonymous")), len(pids)))  # type: ignore[arg-type]
        return answers(GOOD)

    with agent_api({SYSTEM: [looked]}) as api:
        took = await _timed(lambda: Bench(sandbox, folder / "agent").asks(api))
    rss, anonymous, processes = found[0]
    rows: list[list[Cell]] = [["one agent at work", processes, rss, anonymous, took]]
    show("Memory of an agent", ("what", "processes", "RSS MB", "anonymous MB", "ms for one answer"), rows)


def _below(pid: int) -> list[int]:
    said = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout
    pairs = [(int(one), int(other)) for one, other in (line.split() for line in said.splitlines())]
    found, fresh = [], {pid}
    while fresh:
        fresh = {one for one, parent in pairs if parent in fresh}
        found += fresh
    return found


def _of(pid: int, name: str) -> float:
    """MB; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)
