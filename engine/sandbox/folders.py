"""The folders of running jails, each with a lock that dies with its owner; what dead owners left is removed.

runs/<name>/          what one run is given and leaves
runs/<name>.lock      held by the process that owns it
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import LoopdeskError

_LOCK = ".lock"
_NAME = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """0700. `clone`, `session` and `out` are the jail's: only the jail and `bundles` look into them."""

    root: Path

    @property
    def clone(self) -> Path:
        return self.root / "clone"

    @property
    def session(self) -> Path:
        return self.root / "session"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def received(self) -> Path:
        """The host's own copies of what left."""
        return self.root / "received"

    @property
    def socket(self) -> Path:
        return self.root / "gateway.sock"


@contextmanager
def run_folder(runs: Path) -> Iterator[RunFolder]:
    """A new one in `runs`, removed at the end. Raises `LoopdeskError`."""
    try:
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = None
        while lock is None:  # whoever removes leftovers may be faster by a moment
            name = secrets.token_hex(8)
            lock = _locked(runs / f"{name}{_LOCK}")
    except OSError as error:
        raise LoopdeskError(f"Cannot make a folder for a run in {runs}: {error.strerror}") from error
    folder = RunFolder(runs / name)
    try:
        folder.root.mkdir(mode=0o700)
        for inner in (folder.clone, folder.session, folder.out, folder.received):
            inner.mkdir(mode=0o700)
        yield folder
    finally:
        remove(folder.root)
        _unlock(runs / f"{name}{_LOCK}", lock)


def remove_leftovers(runs: Path) -> int:
    """Remove the folders whose owner is gone, by a signal too; how many. At the start of an owner."""
    removed = 0
    names = {path.name.removesuffix(_LOCK) for path in runs.iterdir()} if runs.is_dir() else set()
    for name in sorted(filter(_NAME.fullmatch, names)):
        lock = _locked(runs / f"{name}{_LOCK}")
        if lock is None:
            continue
        removed += (runs / name).exists()
        remove(runs / name)
        _unlock(runs / f"{name}{_LOCK}", lock)
    return removed


def remove(folder: Path) -> None:
    """Whatever is in it, after its jail is gone: folders without rights, a thousand of them within each other.

    Not `shutil.rmtree`, which ends at Python's recursion limit. Neither program follows a link.
    """
    if not folder.is_symlink() and not folder.exists():
        return
    for program in (["chmod", "-R", "u+rwX"], ["rm", "-rf", "--one-file-system"]):
        path = shutil.which(program[0])
        if path is not None:
            subprocess.run([path, *program[1:], "--", str(folder)], stdin=subprocess.DEVNULL, capture_output=True)


def _locked(path: Path) -> int | None:
    """A descriptor that holds `path`; None where another process does. It is not inherited."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:  # removed between the two steps: it locks nothing
        os.close(descriptor)
        return None
    return descriptor


def _unlock(path: Path, lock: int) -> None:
    path.unlink(missing_ok=True)
    os.close(lock)
