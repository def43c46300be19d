"""Bring a workspace back from a backup: all of it is checked first, and what was there before is moved, not deleted."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from workspace import manifest
from workspace.errors import LoopdeskError
from workspace.manifest import CONTENT, DATABASES, Kept, Manifest
from workspace.paths import Workspace
from workspace.text import plain
from workspace.work_folders import work_folder

PREFIX = ".loopdesk-restore."
ASIDE = "replaced-"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Restored:
    """`aside` is the folder with what the workspace held before; None where it was empty."""

    manifest: Manifest
    aside: Path | None


def restore_backup(
    file: Path, workspace: Workspace, schemas: Mapping[str, int], *, now: datetime, replace: bool = False
) -> Restored:
    """Check `file` whole, then put its content into the workspace. `schemas` are the newest known, by database.

    Raises `LoopdeskError` with the workspace as it was: for a file that is not a whole backup or of a newer schema,
    for a workspace that holds data (unless `replace`) or is in use.
    """
    if not file.is_file():
        raise LoopdeskError(f"There is no file {file}")
    workspace.create()
    root = workspace.root
    if _present(root) and not replace:
        raise LoopdeskError(
            f"{root} already holds {_present(root)[0]}",
            "Restoring would put other data in its place",
            "Restore into an empty folder with --workspace DIR, or add --replace to move what is there aside",
        )
    try:
        with work_folder(root, PREFIX) as folder:
            found = _unpacked(file, folder, schemas)
            with ExitStack() as locks:
                for name in DATABASES:
                    if (root / name).exists():
                        locks.enter_context(held(root / name))
                aside = _move_aside(root, now)
                # Keys before events: a workspace without its keys would make new ones, which no loop knows.
                placed: list[str] = []
                try:
                    for kept in reversed(found.files):
                        (folder / kept.name).rename(root / kept.name)
                        placed.append(kept.name)
                except OSError:
                    for name in placed:
                        (root / name).rename(folder / name)
                    _move_back(root, aside)
                    raise
    except OSError as error:
        raise LoopdeskError(f"{file.name} could not be restored into {root}: {error.strerror or error}") from error
    return Restored(found, aside)


def _present(root: Path) -> list[str]:
    return [name for name in CONTENT if (root / name).exists()]


def _move_aside(root: Path, now: datetime) -> Path | None:
    present = _present(root)
    if not present:
        return None
    aside = root / f"{ASIDE}{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    aside.mkdir(mode=0o700)
    for name in present:
        for suffix in ("-wal", "-shm", "-journal", ""):  # a log that stays behind would be applied to the new file
            if (root / (name + suffix)).exists():
                (root / (name + suffix)).rename(aside / (name + suffix))
    return aside


def _move_back(root: Path, aside: Path | None) -> None:
    if aside is not None:
        for file in aside.iterdir():
            file.rename(root / file.name)
        aside.rmdir()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The database for this process alone. Raises `LoopdeskError` while another process has it open."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        try:
            # In WAL mode every open connection shares a lock on the file, so that only nobody else lets this one in.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # Without a write-ahead log no file of that name is touched once the database has been moved.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise LoopdeskError(
                    f"{path.name} is in use by another loopdesk",
                    "What it writes would be lost beside the restored data",
                    "Stop `loopdesk serve` and the engine (loopdesk service status, loopdesk engine stop), close the "
                    "desk, then restore again",
                ) from error
            raise LoopdeskError(f"{path} cannot be locked ({error})", do="Check the folder's rights") from error
        except sqlite3.DatabaseError:
            pass  # damaged: perhaps the reason to restore; it is moved aside like any other
        yield
    finally:
        connection.close()


def _unpacked(file: Path, folder: Path, schemas: Mapping[str, int]) -> Manifest:
    try:
        with tarfile.open(file, "r:gz") as tar:
            found = _manifest(tar, schemas)
            free = shutil.disk_usage(folder).free
            if found.bytes > free:
                raise LoopdeskError(
                    f"The backup needs {found.bytes / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free in {folder.parent}"
                )
            _extract(tar, {kept.name: kept for kept in found.files}, folder)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise _strange(f"it cannot be read to its end ({plain(error, 80)})") from error
    except OSError as error:
        if isinstance(error, tarfile.ReadError) or error.errno is None:  # gzip's own complaints
            raise _strange(f"it cannot be read to its end ({plain(error, 80)})") from error
        raise
    for kept in found.files:
        if kept.name in DATABASES:
            _check_database(folder / kept.name, kept)
    return found


def _manifest(tar: tarfile.TarFile, schemas: Mapping[str, int]) -> Manifest:
    first = tar.next()
    if first is None or first.name != manifest.NAME or not first.isreg() or first.size > manifest.MAX_BYTES:
        raise _strange("it does not begin with a manifest")
    content = tar.extractfile(first)
    assert content is not None
    found = manifest.parsed(content.read(manifest.MAX_BYTES))
    for kept in found.files:
        known = schemas.get(kept.name)
        if kept.schema is not None and (known is None or kept.schema > known):
            raise LoopdeskError(
                f"The backup is of a newer loopdesk ({found.made_by}: {kept.name} has schema {kept.schema}, "
                f"this one knows {known or 'no such file'})",
                do="Update loopdesk, then restore again",
            )
    return found


def _extract(tar: tarfile.TarFile, expected: Mapping[str, Kept], folder: Path) -> None:
    """Only plain files that the manifest names, each once: no paths, links or devices."""
    missing = dict(expected)
    while member := tar.next():
        kept = missing.pop(member.name, None)
        if kept is None or not member.isreg() or member.issparse():
            raise _strange(f"it holds {plain(member.name, 60)!r}, which is not a file of its manifest")
        if member.size != kept.bytes:
            raise _strange(f"{kept.name} has another size than its manifest says")
        content = tar.extractfile(member)
        assert content is not None
        if _copied(content, folder / kept.name) != kept.sha256:
            raise _strange(f"{kept.name} is not what was backed up (its SHA-256 differs)")
    if missing:
        raise _strange(f"{next(iter(missing))} is missing from it")


def _copied(content: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _check_database(path: Path, kept: Kept) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said, schema = str(error), kept.schema
    if said != "ok":
        raise _strange(f"{kept.name} in it is damaged ({plain(said, 80)})")
    if schema != kept.schema:
        raise _strange(f"{kept.name} has schema {schema}, and its manifest says {kept.schema}")


def _strange(why: str) -> LoopdeskError:
    return LoopdeskError(
        f"This is not a whole backup of loopdesk: {why}",
        "Nothing was changed",
        "Use another file that `loopdesk backup` made",
    )
