"""Whether a jail starts on this machine and holds: started as for an agent, and looked at from within."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from engine.sandbox.bubblewrap import Bubblewrap, find
from engine.sandbox.protocol import Limits, NoSandbox, Run
from workspace.errors import LoopdeskError

_LIMITS = Limits(wall_s=10.0, tasks=64, scratch_bytes=1 << 20)


@dataclass(frozen=True, slots=True)
class Found:
    """`leaks` are what a jail must not have and has, empty where it is sound. `limits` is what holds them: `scope` or
    `watchdog`. `is_root`: the engine would run as root, where a fault of the kernel's weighs more."""

    name: str
    limits: str
    leaks: tuple[str, ...]
    is_root: bool


def look() -> Found:
    """Raises `NoSandbox`, with the sentence that mends it. Blocks for about a quarter of a second."""
    return asyncio.run(examine(find()))


async def examine(sandbox: Bubblewrap) -> Found:
    """Raises `NoSandbox`."""
    jail = await sandbox.start(Run([sandbox.python, "-I", "-S", f"{sandbox.scripts}/probe.py"], limits=_LIMITS))
    said = await jail.stdout.read()
    ended = await jail.wait()
    try:
        facts = json.loads(said)
    except ValueError:
        raise NoSandbox(f"A jail started and ended at once (exit code {ended.exit_code})", ended.said) from None
    return Found(sandbox.name, "scope" if sandbox.scope else "watchdog", leaks(facts), os.getuid() == 0)


def leaks(facts: Mapping[str, object]) -> tuple[str, ...]:
    """What `inside/probe.py` found, against what it has to find."""
    wrong = {
        "a network": facts["interfaces"] != ["lo"],
        "processes of the machine": facts["processes"] != "own",
        "a writable system": bool(facts["writable"]),
        "further user namespaces": bool(facts["namespaces"]),
        "capabilities": facts["capabilities"] != 0,
        "a user that is root": facts["uid"] == 0,
        "variables of the host": bool(facts["variables"]),
    }
    return tuple(name for name, is_so in wrong.items() if is_so)


def refuse_leaks(found: Found) -> None:
    """Raises `LoopdeskError` where a jail would not hold."""
    if found.leaks:
        raise LoopdeskError(
            f"The jail on this machine has {', '.join(found.leaks)}",
            "No agent is let into it",
            "A fault of loopdesk or of bubblewrap: please report it",
        )
