"""One file that holds a whole workspace, made while everything runs."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from workspace import manifest
from workspace.databases import copy_database, explained
from workspace.errors import LoopdeskError
from workspace.manifest import DATABASES, DOCUMENTS, Kept, Manifest
from workspace.paths import Workspace
from workspace.work_folders import work_folder

PREFIX = ".loopdesk-backup."
_COMPRESSION = 5  # of 9: a minute less for a gigabyte, a few per cent more


def make_backup(workspace: Workspace, target: Path, *, made_by: str, now: datetime, replace: bool = False) -> Manifest:
    """Write a `.tar.gz` (0600) that appears under its name once it is whole and on the disk.

    Each database is copied as it is at one moment. Raises `LoopdeskError`; then nothing is left at `target`.
    """
    if target.exists() and not replace:
        raise LoopdeskError(f"{target} is there already", do="Name another file, or add --replace")
    if not any((workspace.root / name).exists() for name in manifest.CONTENT):
        raise LoopdeskError(
            f"There is nothing to back up in {workspace.root}", do="Name a workspace with --workspace DIR"
        )
    try:
        with work_folder(target.parent, PREFIX) as folder:
            kept = [*_copy_databases(workspace.root, folder), *_copy_documents(workspace.root, folder)]
            made = Manifest(made_by, now.isoformat(), tuple(kept))
            archive = folder / "archive"
            _write(archive, made, folder)
            archive.replace(target)
            _sync(target.parent)
    except OSError as error:
        raise LoopdeskError(
            f"The backup could not be written to {target.parent}: {error.strerror or error}",
            "Nothing of it is left there",
            "Make room, or name a file elsewhere",
        ) from error
    return made


def _copy_databases(root: Path, folder: Path) -> list[Kept]:
    found = []
    for name in DATABASES:
        source, copy = root / name, folder / name
        if not source.exists():
            continue
        try:
            copy_database(source, copy)
            schema, rows = _facts(copy)
        except sqlite3.Error as error:
            if shutil.disk_usage(folder).free < source.stat().st_size:
                raise OSError(f"the disk is full ({error})") from error
            raise explained(error, source) from error
        found.append(Kept(name, copy.stat().st_size, sha256_of(copy), schema, rows))
    return found


def _facts(path: Path) -> tuple[int, dict[str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        rows = {
            name: connection.execute('SELECT count(*) FROM "' + name.replace('"', '""') + '"').fetchone()[0]
            for (name,) in tables.fetchall()
        }
        return connection.execute("PRAGMA user_version").fetchone()[0], rows


def _copy_documents(root: Path, folder: Path) -> list[Kept]:
    found = []
    for name in DOCUMENTS:
        if (root / name).is_file():
            shutil.copyfile(root / name, folder / name)
            found.append(Kept(name, (folder / name).stat().st_size, sha256_of(folder / name)))
    return found


def _write(archive: Path, made: Manifest, folder: Path) -> None:
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_COMPRESSION, format=tarfile.PAX_FORMAT) as tar:
            text = manifest.spelled(made)
            tar.addfile(_member(manifest.NAME, len(text)), io.BytesIO(text))
            for kept in made.files:
                with (folder / kept.name).open("rb") as content:
                    tar.addfile(_member(kept.name, kept.bytes), content)
        file.flush()
        os.fsync(file.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
