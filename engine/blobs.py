"""Bundles, sessions, transcripts and diffs by the hash of what they hold: in `blobs/`, where there is one machine."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workspace.errors import LoopdeskError

MOST_BYTES = 256 << 20
_KEY = re.compile(r"[0-9a-f]{64}")


class Blobs(Protocol):
    """Methods block, and raise `LoopdeskError`."""

    def put(self, content: bytes) -> str:
        """Its key, the same for the same content."""

    def get(self, key: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class FolderBlobs:
    folder: Path

    def put(self, content: bytes) -> str:
        if len(content) > MOST_BYTES:
            raise LoopdeskError(f"A blob of {len(content):,} bytes is not kept; at most {MOST_BYTES:,} are")
        key = hashlib.sha256(content).hexdigest()
        path = self._path(key)
        if path.exists():
            return key
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_name(f".{key}.{os.getpid()}.part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise LoopdeskError(f"Cannot write into {self.folder}: {error.strerror}") from error
        return key

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except OSError as error:
            raise LoopdeskError(f"There is no blob {key[:12]} any more: {error.strerror}") from error

    def has(self, key: str) -> bool:
        return self._path(key).exists()

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise LoopdeskError("That is no blob's key")
        return self.folder / key[:2] / key
