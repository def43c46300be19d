"""Opening a SQLite file that several processes share: private, migrated forward, never overwritten when damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.paths import refuse_writable_by_others

BUSY_MS = 10_000
_MIGRATING_MS = 120_000  # a large store is copied first


def open_database(path: Path, migrations: Sequence[str], *, read_only: bool = False) -> sqlite3.Connection:
    """Open `path`, bringing it to the newest schema (`PRAGMA user_version` counts applied migrations).

    A file that is not a database is moved aside, never deleted. Raises `LoopdeskError` for a newer schema, a missing
    file when read-only, a full disk or missing rights. Connections are in autocommit; writers open transactions.
    """
    try:
        return _open(path, migrations, read_only)
    except sqlite3.DatabaseError as error:
        if is_damage(error) and not read_only:
            aside = move_aside(path)
            raise LoopdeskError(
                f"{path.name} was damaged ({error}) and has been moved to {aside.name}",
                "Nothing was deleted; what it held is in that file",
                "Start again to begin with an empty one",
            ) from error
        raise explained(error, path) from error
    except OSError as error:
        raise LoopdeskError(f"Cannot open {path}: {error.strerror}") from error


def _open(path: Path, migrations: Sequence[str], read_only: bool) -> sqlite3.Connection:
    if read_only:
        if not path.exists():
            raise LoopdeskError(f"There is no {path.name} in {path.parent}", "Nothing has been stored there yet")
        connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
    else:
        _create_private(path)
        connection = _connect(path.absolute().as_uri())
    try:
        refuse_writable_by_others(path)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA query_only = ON" if read_only else "PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, path, migrations, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    # The store hands a connection to one thread at a time; SQLite itself is built serialised.
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _create_private(path: Path) -> None:
    # SQLite gives -wal and -shm the mode of the main file, so it must be right before the first byte. Only where there
    # is none: closing any descriptor of a file takes away the locks that this process holds on it through SQLite.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str], read_only: bool) -> None:
    version = _version(connection, path, len(migrations))
    if version == len(migrations):
        return
    if read_only:
        raise LoopdeskError(
            f"{path.name} has an older schema ({version} of {len(migrations)})",
            do="Open it once without --read-only to bring it up to date",
        )
    # A second process waits here while the first one copies and migrates.
    connection.execute(f"PRAGMA busy_timeout = {_MIGRATING_MS}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        version = _version(connection, path, len(migrations))
        if 0 < version < len(migrations):
            copy_before_migration(path, version)
        for script in migrations[version:]:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled back already
            connection.execute("ROLLBACK")
        raise
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")


def _version(connection: sqlite3.Connection, path: Path, known: int) -> int:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > known:
        raise LoopdeskError(
            f"{path.name} was written by a newer loopdesk (schema {version}, this one knows {known})",
            do="Update loopdesk, or name another workspace with --workspace DIR",
        )
    return version


def schema_copy(path: Path, version: int) -> Path:
    """Where the copy lies that is made before a migration away from `version`."""
    return path.with_name(f"{path.name}.schema-{version}")


def copy_before_migration(path: Path, version: int) -> None:
    """Copy a database beside itself, 0600, under its name only once it is complete. An earlier copy of the same
    schema is replaced. Raises `LoopdeskError`; then there is no half copy."""
    for left in path.parent.glob(f".{path.name}.schema-*.part*"):
        left.unlink(missing_ok=True)  # of a process that died; whoever is here holds the write lock
    part = path.with_name(f".{path.name}.schema-{version}.part")
    try:
        copy_database(path, part)
        part.replace(schema_copy(path, version))
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise
        needed = path.stat().st_size / 1e6
        raise LoopdeskError(
            f"{path.name} could not be copied before its schema changes ({error})",
            "Nothing was changed",
            f"Make room for {needed:,.0f} MB in {path.parent}, and start again",
        ) from error


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy as one file, 0600 and on the disk, while others read and write `source`.

    Raises `sqlite3.Error` or `OSError`; what is left of `target` is then the caller's to remove.
    """
    _create_private(target)
    reader = _connect(f"{source.absolute().as_uri()}?mode=ro")
    try:
        copy = sqlite3.connect(target, isolation_level=None)
        try:
            reader.backup(copy)
            # Out of WAL mode, so that nothing of it lies in a second file.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
    finally:
        reader.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def is_damage(error: sqlite3.Error) -> bool:
    """Whether `error` says that the file itself is broken, rather than the statement or the disk."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def move_aside(path: Path) -> Path:
    """Rename a damaged database with its WAL; returns the new name of the main file."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside


def explained(error: sqlite3.Error, path: Path) -> LoopdeskError:
    """The sentence for a SQLite error that a person can do something about."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return LoopdeskError(f"The disk with {path} is full", "The last write was not stored", "Free some space")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return LoopdeskError(
            f"{path} cannot be written ({error})", do="Check the folder's rights, or use --workspace DIR"
        )
    if name.startswith("SQLITE_BUSY"):
        return LoopdeskError(f"{path.name} is locked by another process for over {BUSY_MS // 1000} s", do="Try again")
    if is_damage(error):
        return LoopdeskError(
            f"{path} is damaged ({error})", do="Restore a copy, or move the file away to begin with an empty one"
        )
    return LoopdeskError(f"{path.name}: {error}")
