"""Which files a workspace has, what each is for, and how large it is."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# What a file is, and the words for it. The order is the order on screen.
KINDS: Mapping[str, str] = {
    "events": "events and prompts (events.db)",
    "desk": "what the desk remembers (desk.db)",
    "inbox": "the engine's reports (inbox.db)",
    "blobs": "changes, sessions and transcripts of fixes (blobs)",
    "mirrors": "copies of repositories, and local proposals (mirrors)",
    "dependencies": "prepared dependencies of repositories",
    "documents": "keys and marks",
    "running": "locks and logs of what runs",
    "copies": "copies from before a schema changed",
    "aside": "damaged or replaced files that were moved aside",
    "unfinished": "left by a backup or restore that was interrupted",
    "backups": "backups",
    "spool": "events that wait to be sent",
    "other": "other files",
}
_PATTERNS = (
    ("copies", r"(events|desk|inbox)\.db\.schema-\d+"),
    ("aside", r"(events|desk|inbox)\.db\.damaged-.*|replaced-.*"),
    ("unfinished", r"\.loopdesk-(restore|backup)\..*|\..*\.part.*|\.keys\..*"),
    ("events", r"events\.db(-wal|-shm|-journal)?"),
    ("desk", r"desk\.db(-wal|-shm|-journal)?"),
    ("inbox", r"inbox\.db(-wal|-shm|-journal)?"),
    ("blobs", r"blobs"),
    ("mirrors", r"mirrors"),
    ("dependencies", r"dependencies"),
    ("documents", r"(keys|demo)\.json"),
    ("running", r"(engine|desks)\.lock|engine\.json|(engine|serve)\.log|runs"),
    ("backups", r"loopdesk-backup-.*\.tar\.gz"),
    ("spool", r"spool"),
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`name` is relative to the workspace; a file within a folder is of the folder's kind."""

    name: str
    path: Path
    kind: str
    bytes: int


def kind_of(name: str) -> str:
    """What the file or folder of this name in the workspace is."""
    return next((kind for kind, pattern in _PATTERNS if re.fullmatch(pattern, name)), "other")


def inventory(root: Path) -> tuple[StoredFile, ...]:
    """Every file, sorted by name; links are not followed. A file that goes away meanwhile is left out."""
    found = []
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        try:
            facts = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(facts.st_mode):
            found.append(StoredFile(name, path, kind_of(name.partition("/")[0]), facts.st_size))
    return tuple(sorted(found, key=lambda file: file.name))


def _files(folder: Path) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        else:
            yield entry


def megabytes(size: int) -> str:
    """A size in words: `23.4 MB`, small ones in kB."""
    return f"{size / 1e6:,.1f} MB" if size >= 50_000 else f"{size / 1e3:,.1f} kB"
