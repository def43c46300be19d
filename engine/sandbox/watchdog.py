"""Holds a running jail within its limits: looks several times a second, and says which limit was passed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.sandbox import usage
from engine.sandbox.protocol import Limits, Run, Usage, Why

LOOKS_EVERY_S = 0.1
_SHARE = 0.1  # of a core that looking may take; a large clone is looked at less often
# Memory can be hidden from the count (a memory file that is not mapped), but not from the machine.
LEAST_FREE_BYTES = 128 << 20


@dataclass(slots=True)
class Watchdog:
    """`first` is the first process of the jail's namespace, as the host numbers it."""

    run: Run
    first: int
    clock: Callable[[], float] = time.monotonic
    usage: Usage = field(default_factory=Usage)
    _started: float = 0.0

    async def watch(self) -> tuple[Why, str]:
        """Returns when a limit was passed, with a sentence. Cancel it when the jail has ended."""
        self._started = self.clock()
        while True:
            before = time.monotonic()
            passed = self.look()
            if passed is not None:
                return passed
            cost = time.monotonic() - before
            await asyncio.sleep(max(LOOKS_EVERY_S, cost / _SHARE))

    def look(self) -> tuple[Why, str] | None:
        limits, found = self.run.limits, usage.processes(self.first, self.run.limits.memory_bytes)
        now = Usage(
            wall_s=self.clock() - self._started,
            memory_bytes=found.memory_bytes,
            tasks=found.tasks,
            disk_bytes=usage.disk(self.run.writable, limits.disk_bytes),
        )
        self.usage = Usage(
            now.wall_s,
            max(now.memory_bytes, self.usage.memory_bytes),
            max(now.tasks, self.usage.tasks),
            max(now.disk_bytes, self.usage.disk_bytes),
        )
        return passed(now, limits, usage.free_memory_bytes())


def passed(now: Usage, limits: Limits, free_bytes: int) -> tuple[Why, str] | None:
    """The limit that `now` is over, and a sentence about it."""
    if now.tasks > limits.tasks:
        return Why.TASKS, f"It ran more than {limits.tasks:,} processes and threads at once"
    if now.memory_bytes > limits.memory_bytes:
        return Why.MEMORY, f"It used more than {_mb(limits.memory_bytes)} of memory"
    if free_bytes < LEAST_FREE_BYTES:
        return Why.MEMORY, f"The machine had less than {_mb(LEAST_FREE_BYTES)} of memory left"
    if now.disk_bytes > limits.disk_bytes:
        return Why.DISK, f"It wrote more than {_mb(limits.disk_bytes)}, or more files than can be counted"
    if now.wall_s > limits.wall_s:
        return Why.WALL, f"It ran longer than {limits.wall_s:,.0f} s"
    return None


def _mb(bytes_: int) -> str:
    return f"{bytes_ / (1 << 20):,.0f} MB"
