"""When an app under test has come to rest, asked of its event loop instead of the machine's clock.

Textual's own wait sleeps 20 ms at a time, twice or more a key, until the process used next to no CPU in one of them:
slow on an idle machine, and on a busy one given up after a second, whatever is still to come. A loop that has nothing
to run, and no timer that is due soon, does nothing more by itself. What other threads do is not waited for, here or
there.
"""

from __future__ import annotations

import asyncio
import sys

SOON_S = 0.05  # the longest timer after which a screen counts as settled is 0.03 s: `tui.screens.base.SETTLES_S`
FRAME_S = 0.002


async def at_rest(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Until every callback has run and no timer is due within `SOON_S`, or for `max_sleep` seconds where one always
    is."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + max_sleep
    await asyncio.sleep(min_sleep)
    while (now := loop.time()) < ends:
        await asyncio.sleep(0)
        # asyncio has no public word for these; all its own loops have them.
        if loop._ready:  # type: ignore[attr-defined]
            continue
        timers = [timer.when() for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        due = min(timers, default=ends)
        if due > now + SOON_S:
            return
        await asyncio.sleep(max(0.0, due - now))


def wait_for_rest() -> None:
    """Every pilot waits like this from now on, and a changed screen is drawn at once rather than at 60 Hz."""
    if "textual.pilot" in sys.modules:
        from textual import app, pilot, screen

        app.wait_for_idle = pilot.wait_for_idle = at_rest  # type: ignore[attr-defined]
        screen.UPDATE_PERIOD = FRAME_S  # type: ignore[misc]
