"""`make torture`: doors and engines killed at random moments, for as long as it is told; the seed is printed.

Every round starts an engine on the same workspace, and while it works a door that adds signals, decides and takes back;
both are killed (SIGKILL) after a random time. The invariants are read by code that does not import the engine.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from engine.inbox import Inbox
from tests import inbox_invariants
from tests.conftest import NOW
from tests.crashing import PROJECTS
from tests.engines import signal
from workspace.errors import LoopdeskError
from workspace.paths import Workspace

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="loopdesk-torture-"))
    ends = time.monotonic() + options.seconds
    told: dict[str, set[str]] = {"signal": set(), "command": set()}
    rounds = killed = 0
    while time.monotonic() < ends:
        rounds += 1
        killed += _round(folder / "w", chance, rounds, told)
        inbox_invariants.check(folder / "w" / "inbox.db", signals=told["signal"], commands=told["command"])
    _finish(folder / "w", rounds)
    inbox_invariants.check(folder / "w" / "inbox.db", signals=told["signal"], commands=told["command"])
    print(
        f"{rounds} rounds, {killed} processes killed, {len(told['signal'])} signals, {len(told['command'])} commands: "
        "nothing lost, nothing twice"
    )
    shutil.rmtree(folder)
    return 0


def _round(folder: Path, chance: random.Random, number: int, told: dict[str, set[str]]) -> int:
    workspace = Workspace(folder).create()
    engine = _start(folder, [f"engine:{number * 60 + step}" for step in range(20)])
    door = _start(folder, chance.sample(["door", "decide", "decide"], 3), at=number * 60)
    inbox = Inbox(workspace)
    for _ in range(chance.randrange(4)):
        with contextlib.suppress(LoopdeskError):  # not told as taken, then
            _decide(inbox, chance, number, told)
    inbox.close()
    time.sleep(chance.uniform(0, 1.5))
    dead = 0
    for process in (engine, door):
        if chance.random() < 0.8:
            process.kill()
        out, err = process.communicate()
        dead += process.returncode == -9
        assert "Traceback" not in err or "LoopdeskError" in err, err
        for line in out.splitlines():
            kind, _, value = line.partition(" ")
            told.get(kind, set()).add(value)
    return dead


def _decide(inbox: Inbox, chance: random.Random, number: int, told: dict[str, set[str]]) -> None:
    now = NOW + timedelta(minutes=number)
    project = chance.choice(PROJECTS)
    one = signal(f"{project} {chance.randrange(50)}", project=project, weight=chance.choice([0.25, 0.5, 1.0]), at=now)
    inbox.add_signal(one, now)
    told["signal"].add(one.source_id)
    for listed in inbox.reports():
        verb, arguments = chance.choice(
            [("decline", {"reason": "other"}), ("reopen", {}), ("resolve", {}), ("research", {}), ("wake", {})]
        )
        command = inbox.submit(inbox.command(verb, listed.report.id, arguments, now=now))
        told["command"].add(command.id)
        if chance.random() < 0.5:
            inbox.undo(command.id, now)


def _start(folder: Path, steps: list[str], at: int | None = None) -> subprocess.Popen[str]:
    arguments = steps if at is None else [f"{step}:{at}" for step in steps]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crashing", str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(folder: Path, rounds: int) -> None:
    """One engine that is left in peace brings everything to its end."""
    later = [f"engine:{rounds * 60 + 10_000 * step}" for step in range(1, 6)]
    command = [sys.executable, "-m", "tests.crashing", str(folder), *later]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    inbox = Inbox(Workspace(folder))
    counts = inbox.counts()
    inbox.close()
    assert counts["signals_in"] == counts["commands"] == 0, counts


if __name__ == "__main__":
    sys.exit(main())
