"""The engine as a process of a workspace: whether one runs, starting one that outlives the terminal, and stopping it.

Light enough for the desk: nothing of the engine's own work is loaded here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from engine.crash_points import crash_point
from workspace.errors import LoopdeskError
from workspace.locks import is_held, is_shared, only_one, shared
from workspace.paths import Workspace, write_private

LOCK, FACTS, LOG, DESKS = "engine.lock", "engine.json", "engine.log", "desks.lock"
MOST_LOG = 1_000_000  # bytes; a longer log is begun anew when an engine starts
_STOPS_WITHIN_S = 30.0
_LOOKS_EVERY_S = 0.05
_TRIES = 5
# Kept, so that the desk is told when they end: a child that nobody waits for stays in the process table.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class Running:
    """The engine that holds the workspace. `pid` is 0 where it has not said yet who it is."""

    pid: int
    started_at: datetime | None
    is_detached: bool


@contextmanager
def only_engine(workspace: Workspace) -> Iterator[None]:
    """This process is the workspace's engine. Raises `LoopdeskError` where another one is."""
    who = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_LOOKS_EVERY_S)
        lock = only_one(workspace.root / LOCK, _Busy(""))
        try:
            lock.__enter__()
        except _Busy:
            # Whoever only looks whether it is held holds it for that moment.
            running = find(workspace)
            who = f" (process {running.pid})" if running and running.pid else ""
            continue
        try:
            yield
        finally:
            lock.__exit__(None, None, None)
        return
    raise LoopdeskError(
        f"An engine already runs for {workspace.root}{who}",
        "There is one for each workspace",
        "Use that one, or end it with: loopdesk engine stop",
    )


class _Busy(LoopdeskError):
    pass


def say_running(workspace: Workspace, now: datetime, *, is_detached: bool) -> None:
    """Leave word of who the engine is. Only whoever holds the lock."""
    crash_point("before_say_engine")
    facts = {"pid": os.getpid(), "started_at": now.isoformat(), "detached": is_detached}
    try:
        write_private(workspace.root / FACTS, json.dumps(facts))
    except OSError as error:
        raise LoopdeskError(f"Cannot write {workspace.root / FACTS}: {error.strerror}") from error
    crash_point("after_say_engine")


def find(workspace: Workspace) -> Running | None:
    """The engine that runs now; the lock decides, whatever an ended one left behind."""
    if not is_held(workspace.root / LOCK):
        return None
    try:
        facts = json.loads((workspace.root / FACTS).read_text(encoding="utf-8"))
        return Running(int(facts["pid"]), datetime.fromisoformat(facts["started_at"]), bool(facts["detached"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Running(0, None, False)


def start_detached(workspace: Workspace) -> bool:
    """Start an engine in a session of its own, unless one runs; it survives the terminal's hang-up, writes what it has
    to say to `engine.log` (0600), and leaves when it has nothing to do and no desk is open. Whether one was started."""
    if is_held(workspace.root / LOCK):
        return False
    path = workspace.root / LOG
    try:
        is_long = path.exists() and path.stat().st_size > MOST_LOG
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | (os.O_TRUNC if is_long else 0)
        log = os.open(path, flags, 0o600)
    except OSError as error:
        raise LoopdeskError(f"Cannot write {path}: {error.strerror}", "The engine was not started") from error
    # -P: whatever lies in the workspace is not imported.
    command = [
        sys.executable,
        "-P",
        "-m",
        "tui.main",
        "engine",
        "run",
        "--detached",
        "--workspace",
        str(workspace.root),
    ]
    crash_point("before_start_engine")
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=workspace.root
        )
    except OSError as error:
        raise LoopdeskError(f"The engine could not be started: {error.strerror}") from error
    finally:
        os.close(log)
    _started[:] = [child for child in _started if child.poll() is None]
    _started.append(process)
    crash_point("after_start_engine")
    return True


def stop(workspace: Workspace, within_s: float = _STOPS_WITHIN_S) -> Running | None:
    """Ask the running engine to end, and wait until it has. None where none runs. Raises `LoopdeskError` where it does
    not end in time."""
    running = find(workspace)
    if running is None:
        return None
    until = time.monotonic() + within_s
    asked = False
    while time.monotonic() < until:
        if running is None:
            return None
        if running.pid and not asked:
            try:
                os.kill(running.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            except PermissionError as error:
                raise LoopdeskError(f"The engine (process {running.pid}) is another user's") from error
            asked, told = True, running
        time.sleep(_LOOKS_EVERY_S)
        running = find(workspace)
        if running is None and asked:
            return told
    raise LoopdeskError(
        f"The engine did not end within {within_s:g} s", "It may be busy with a job", "Try again, or look at engine.log"
    )


@contextmanager
def connected(workspace: Workspace) -> Iterator[None]:
    """While this is held a desk is open: an engine that a desk started stays."""
    with shared(workspace.root / DESKS):
        yield


def anyone_connected(workspace: Workspace) -> bool:
    return is_shared(workspace.root / DESKS)
