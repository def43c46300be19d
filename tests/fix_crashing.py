"""A fix in a process that may be killed, step by step: `STEP:SECONDS`, as in `tests.crashing`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from engine.sandbox.bubblewrap import find
from tests.conftest import NOW
from tests.engines import signal
from tests.fixes import Loop, Played, writes

MERGES = ("signal:0", "engine:1", "start:2", "engine:20", "say:30", "engine:50", "merge:60", "engine:80", "engine:600")
DECLINES = ("signal:0", "engine:1", "start:2", "engine:20", "decline:60", "engine:80", "engine:600")


def run(loop: Loop, step: str) -> None:
    if step == "signal":
        loop.comes(signal("crash"))
    elif step == "engine":
        loop.turn()
    elif step == "start":
        loop.decides("approve", loop.report(), expect="start")
    elif step == "say":
        loop.decides("comment", loop.report(), note="Seen.")
    elif step == "decline":
        loop.decides("decline", loop.report(), reason="other")
    else:
        seen = {"now": loop.now, "seen_sha": loop.proposal().head_sha}
        command = loop.inbox.command("approve", loop.report().id, {"expect": "merge"}, **seen)  # type: ignore[arg-type]
        loop.inbox.submit(command)


def run_forked(folder: Path, repository: Path, steps: Sequence[str], crash_at: str, output: Path) -> None:
    """In a process of its own that has loaded everything already; the steps it began go to `output`."""
    os.environ["LOOPDESK_CRASH_AT"] = crash_at
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    loop = Loop(folder, find(), {"path": str(repository)}, agent=Played(writes()))
    for step in steps:
        print("step", step, flush=True)
        name, _, seconds = step.partition(":")
        loop.now = NOW + timedelta(seconds=float(seconds))
        run(loop, name)
    loop.close()
