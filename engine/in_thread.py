"""Work that blocks, in a thread that nobody has to wait for: an engine that is stopped does not wait for a host that
hangs, as it would with `asyncio.to_thread`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


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
