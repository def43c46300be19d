"""A lock that dies with its process: one of a kind at a time, whatever happened to the one before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from workspace.errors import LoopdeskError


@contextmanager
def only_one(path: Path, busy: LoopdeskError) -> Iterator[None]:
    """Holds `path` (0600) locked. Raises `busy` where another process holds it. The file stays: removing it would let
    two processes lock two files of one name."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LoopdeskError(f"Cannot lock {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b") as file:
        if not _lock(file):
            raise busy
        yield


def _lock(file: IO[bytes]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
