"""Memory that a burst of work leaves behind, for processes that rest afterwards."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Return freed memory to the machine. glibc keeps what lies between blocks that are still in use until it is asked
    (`malloc_trim`); other C libraries have no such call, and nothing happens."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
