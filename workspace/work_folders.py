"""Hidden folders for half-made files: they go when the work is done, and after a kill when the next one begins."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SETTLED_S = 60  # a younger one may be between being made and being locked


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A 0700 folder in `parent`, locked while it is used. Removes those that dead processes left. Raises `OSError`."""
    for left in parent.glob(f"{prefix}*"):
        _remove_abandoned(left)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    lock = os.open(folder, os.O_RDONLY)
    try:
        _lock(lock)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        facts = os.fstat(lock)
        if facts.st_uid == os.getuid() and time.time() - facts.st_mtime > _SETTLED_S and _lock(lock):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
