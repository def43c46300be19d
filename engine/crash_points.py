"""Named moments at which a test has the process killed: before and after each commit and each outside effect."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

# What is committed, in one transaction each; every one has a point before and a point after its commit.
COMMITS = (
    "submit", "add_signal", "undo",
    "ingest", "place", "apply_command", "reconcile", "ran",
    "enqueue", "start_job", "heartbeat", "snapshot", "return_result", "fail_job", "apply_result",
    "outcome", "reserve", "book", "notify", "notified", "announced",
)  # fmt: skip
EFFECTS = ("handler", "start_engine", "say_engine", "send_notice", "announce")
# What leaves for a forge, and what a fix leaves for its next attempt.
ON_A_FORGE = ("push", "propose", "comment", "merge", "close")
_SIDES = ("before", "after")
POINTS = tuple(f"{side}_{name}" for name in (*COMMITS, *EFFECTS, *ON_A_FORGE) for side in _SIDES)


def crash_point(name: str) -> None:
    """Nothing, except where `LOOPDESK_CRASH_AT` names this point: then SIGKILL, as a power cut would.

    Where `LOOPDESK_CRASH_TRACE` names a file, a line is added to it: which point, in which process and thread."""
    assert name in POINTS, name
    if trace := os.environ.get("LOOPDESK_CRASH_TRACE"):
        with Path(trace).open("a") as file:
            file.write(f"{name} {os.getpid()} {threading.get_native_id()}\n")
    if name == os.environ.get("LOOPDESK_CRASH_AT"):
        os.kill(os.getpid(), signal.SIGKILL)
