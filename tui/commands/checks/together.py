"""Slow looks at the world, side by side and with an end: a name server that never answers holds nothing up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """`value`, or the `error` that was raised; neither where the time ran out."""

    value: T | None = None
    error: Exception | None = None

    @property
    def is_late(self) -> bool:
        return self.value is None and self.error is None


def together(tasks: Mapping[str, Callable[[], T]], limit_s: float) -> dict[str, Outcome[T]]:
    """Run each in a thread of its own. One that is not done in time is left alone: its thread dies with the process."""
    found: dict[str, Outcome[T]] = {}

    def run(name: str, task: Callable[[], T]) -> None:
        try:
            found[name] = Outcome(value=task())
        except Exception as error:  # whatever it is, it is said in a line
            found[name] = Outcome(error=error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in tasks.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {name: found.get(name, Outcome()) for name in tasks}
