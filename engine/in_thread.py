"""Work that blocks, in a thread that nobody has to wait for: an engine that is stopped does not wait for a host that
hangs, as it would with `asyncio.to_thread`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE_S = 0.25
LOOK_AGAIN = timedelta(seconds=1)


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises. Cancelled, the thread goes on by itself; what it does then is not known."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(set_: Callable[[], None]) -> None:
        def unless_left() -> None:
            if not outcome.done():
                set_()

        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(unless_left)

    def run() -> None:
        try:
            found = work()
        except BaseException as error:
            settle(lambda error=error: outcome.set_exception(error))  # type: ignore[misc]
        else:
            settle(lambda: outcome.set_result(found))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await outcome


class Flight(Generic[T]):
    """Work that a stage begins in one turn and looks after in later ones, so that no turn waits for a host that hangs.
    One at a time."""

    def __init__(self, name: str, patience_s: float = PATIENCE_S) -> None:
        self._name, self._patience_s = name, patience_s
        self._task: asyncio.Task[T] | None = None

    async def landed(self, work: Callable[[], T]) -> asyncio.Task[T] | None:
        """What has ended, to be asked once for its result; None while it is on its way. `work` begins where nothing
        is."""
        self._task = self._task or asyncio.create_task(in_thread(work, self._name), name=self._name)
        await asyncio.wait({self._task}, timeout=self._patience_s)
        if not self._task.done():
            return None
        landed, self._task = self._task, None
        return landed
