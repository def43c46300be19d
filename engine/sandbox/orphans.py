"""Jails that lost their owner while they were being made.

bubblewrap ties a jail's first process to its own life only once that has been let go on; killed before that, it leaves
one behind that waits for ever, with nothing in it. Found by `make torture`, with bubblewrap 0.8.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_ITS_WORD = b"--die-with-parent"


def remove_orphans(folders: Iterable[Path]) -> int:
    """End those that were given something in `folders`; how many. Only where nobody starts jails meanwhile."""
    beginnings = tuple(f"{folder}/".encode() for folder in folders)
    removed = 0
    for pid in _pids():
        with suppress(OSError):  # it has ended by itself
            process = os.pidfd_open(pid)
            try:
                if _is_orphan(pid, beginnings):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    removed += 1
            finally:
                os.close(process)
    return removed


def _pids() -> Iterator[int]:
    if _PROC.is_dir():
        yield from (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _is_orphan(pid: int, beginnings: tuple[bytes, ...]) -> bool:
    """The first of its own namespace, still bubblewrap itself, under somebody else than the one that made it."""
    folder = _PROC / str(pid)
    line = (folder / "cmdline").read_bytes()
    if _ITS_WORD not in line or not any(part.startswith(beginnings) for part in line.split(b"\0")):
        return False
    facts = dict(one.split(":", 1) for one in (folder / "status").read_text().splitlines())
    if folder.stat().st_uid != os.getuid() or len(facts["NSpid"].split()) < 2:
        return False
    try:
        return (_PROC / facts["PPid"].strip() / "cmdline").read_bytes() != line
    except FileNotFoundError:
        return True
