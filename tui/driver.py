"""The terminal's driver, for a line that is slow, is cut, or has nobody at its other end."""

from __future__ import annotations

import asyncio
import os
import re
import select
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from tui.wire import erases_in_colour, lean

# Of kitty's keyboard protocol only what tells escape from the beginning of a sequence. Textual asks for every key as a
# sequence: where a line is cut or the desk is killed, nobody could type `reset` into what is left.
_KEYBOARD, _MODEST_KEYBOARD = re.compile(r"\x1b\[>\d+u"), "\x1b[>1u"
HUNG_UP = 129  # as shells say it: 128 + SIGHUP


def desk_driver(base: type) -> type:
    """`base` made fit for the desk. Only drivers that write to a terminal; others are left alone."""
    if base.__name__ != "LinuxDriver":
        return base

    class DeskDriver(base):
        is_lent = False
        """Whether the desk waits for a program that it gave the terminal to, such as an editor."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._file: Any = Line(sys.__stderr__)
            self._erases = erases_in_colour(os.environ)
            watch_hang_up(self.fileno, asyncio.get_running_loop(), self._hung_up)

        def write(self, data: str) -> None:
            super().write(lean(_KEYBOARD.sub(_MODEST_KEYBOARD, data), erase=self._erases))

        def _hung_up(self) -> None:
            self._app.exit(return_code=HUNG_UP)

        @property
        def can_suspend(self) -> bool:
            return self.is_lent or is_under_a_shell()

        def _disable_mouse_support(self) -> None:
            super()._disable_mouse_support()
            if self._mouse_pixels:
                # Textual asks for the mouse in pixels where the terminal can, and does not take it back.
                self.write("\x1b[?1016l")

    return DeskDriver


class Line:
    """What the desk draws on. A terminal that went away answers every write with an error: the bytes are dropped then,
    because the thread that writes them has to go on emptying its queue until the desk has left."""

    def __init__(self, file: IO[str] | None) -> None:
        assert file is not None
        self._file = file

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError:
            return

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            return


def watch_hang_up(descriptor: int, loop: asyncio.AbstractEventLoop, gone: Callable[[], object]) -> None:
    """Call `gone` in `loop` once the terminal behind `descriptor` was hung up; a thread sleeps until then.

    SIGHUP only reaches a desk whose controlling terminal it is. On any other one, reading returns at once with
    nothing, for ever, and Textual's input thread would turn round and round.
    """
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(descriptor, 0)  # waits for no event; a hang-up is reported without being asked for

    def wait() -> None:
        if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()) and not loop.is_closed():
            loop.call_soon_threadsafe(gone)

    threading.Thread(target=wait, name="loopdesk-hang-up", daemon=True).start()


def is_under_a_shell() -> bool:
    """Whether somebody can bring a stopped desk back: its parent is a shell with job control. By `ssh HOST loopdesk`,
    `make` or in a browser it would be stopped for ever."""
    parent = os.getppid()
    try:
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except OSError:
        return False
