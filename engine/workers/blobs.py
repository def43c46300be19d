"""Blobs as rows of a megabyte each in Postgres, so that another worker goes on from them; and carrying them between
there and the engine's own folder, which is all that the rest of the engine and the desk know."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.blobs import MOST_BYTES, FolderBlobs
from engine.workers.postgres import connect, explained
from workspace.errors import LoopdeskError

CHUNK_BYTES = 1 << 20
KEPT_DAYS = 14
"""Whatever is in use is used again within these: a brief brings along what it names."""
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PostgresBlobs:
    """`engine.blobs.Blobs`: methods block, and raise `LoopdeskError`."""

    url: str

    def put(self, content: bytes) -> str:
        if len(content) > MOST_BYTES:
            raise LoopdeskError(f"A blob of {len(content):,} bytes is not kept; at most {MOST_BYTES:,} are")
        key = hashlib.sha256(content).hexdigest()
        if self.has(key):
            return key
        with explained(), connect(self.url) as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO loopdesk_blobs(key) VALUES (%s) ON CONFLICT DO NOTHING", (key,))
            if cursor.rowcount:
                view = memoryview(content)
                for part, start in enumerate(range(0, len(content), CHUNK_BYTES)):
                    chunk = view[start : start + CHUNK_BYTES]
                    cursor.execute("INSERT INTO loopdesk_chunks VALUES (%s, %s, %b)", (key, part, chunk))
        return key

    def get(self, key: str) -> bytes:
        if not _KEY.fullmatch(key):
            raise LoopdeskError("That is no blob's key")
        found = bytearray()
        with explained(), connect(self.url) as connection, connection.transaction():
            # A cursor of the server's, by its name: a quarter of a gigabyte is not held twice.
            cursor = connection.cursor("chunks", binary=True)
            cursor.itersize = 4
            cursor.execute("SELECT content FROM loopdesk_chunks WHERE key = %s ORDER BY part", (key,))
            for (chunk,) in cursor:
                found += chunk
                if len(found) > MOST_BYTES:
                    break
        if hashlib.sha256(found).hexdigest() != key:
            raise LoopdeskError(f"There is no blob {key[:12]} in Postgres any more")
        return bytes(found)

    def has(self, key: str) -> bool:
        """What is asked for is kept for longer."""
        with explained(), connect(self.url) as connection:
            used = connection.execute("UPDATE loopdesk_blobs SET used_at = now() WHERE key = %s", (key,))
            return used.rowcount == 1

    def prune(self) -> int:
        """Forget what nothing has asked for in `KEPT_DAYS`; how many."""
        with explained(), connect(self.url) as connection:
            gone = connection.execute(
                "DELETE FROM loopdesk_blobs WHERE used_at < now() - make_interval(days => %s)", (KEPT_DAYS,)
            )
            return gone.rowcount


def keys_in(document: object) -> Iterator[str]:
    """Every text in it that may be a blob's key."""
    if isinstance(document, str):
        if _KEY.fullmatch(document):
            yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from keys_in(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from keys_in(value)


def send(keys: Iterable[str], home: FolderBlobs, away: PostgresBlobs) -> None:
    """Of these, what is in the folder; the others are no keys, or are there already."""
    for key in dict.fromkeys(keys):
        if home.has(key) and not away.has(key):
            away.put(home.get(key))


def fetch(keys: Iterable[str], away: PostgresBlobs, home: FolderBlobs) -> None:
    """Of these, what is in Postgres and not in the folder."""
    for key in dict.fromkeys(keys):
        if not home.has(key) and away.has(key):
            home.put(away.get(key))
