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


def _lock(file: IO[bytes], *, alone: bool = True) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether a process holds `path` for itself. Whoever looks is in nobody's way who looks too. Does not make the
    file."""
    return _is_locked(path, alone=False)


def is_shared(path: Path) -> bool:
    """Whether any process holds `path`, also together with others (`shared`). Does not make the file."""
    return _is_locked(path, alone=True)


def _is_locked(path: Path, *, alone: bool) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    with os.fdopen(descriptor, "r+b") as file:
        return not _lock(file, alone=alone)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Holds `path` (0600) together with others; `is_shared` says so. Raises `LoopdeskError`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LoopdeskError(f"Cannot lock {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b") as file:
        if os.name != "nt":
            import fcntl

            # Waits for whoever looks whether it is held, which takes no time.
            fcntl.flock(file, fcntl.LOCK_SH)
        yield
