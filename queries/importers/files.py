"""Read a log file: an ordinary file, not endless, and text."""

from __future__ import annotations

import codecs
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.text import plain

MAX_BYTES = 200_000_000
MAX_LINE = 200_000
"""Characters; a longer line is no row of a log, and an event made of it could not be stored."""
_LOOKED_AT = 65_536
_MAX_STRANGE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class LogFile:
    name: str
    text: str
    modified: datetime


def read(path: Path, *, limit: int = MAX_BYTES) -> LogFile:
    """The file as text: UTF-8, or UTF-16 where a byte order mark says so. Raises `LoopdeskError`."""
    try:
        # Non-blocking: a pipe without a writer must not hold the import for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LoopdeskError("It is not an ordinary file", do="Name the log file itself")
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = plain(getattr(error, "strerror", None) or error, 200)
        raise LoopdeskError(f"It cannot be read: {reason}", do="Check its name and permissions") from error
    if len(content) > limit:
        raise LoopdeskError(
            f"It is larger than {limit // 1_000_000} MB",
            "A loop's log is far smaller, so nothing of it was read",
            "Check that it is the right file, or divide it",
        )
    return LogFile(path.name, decode(content), datetime.fromtimestamp(status.st_mtime, UTC))


def decode(content: bytes) -> str:
    """Text without its byte order mark; bytes that are not UTF-8 become U+FFFD. Raises `LoopdeskError` on binary data
    and on an empty file."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if wide else "utf-8-sig", "replace")
    if not text.strip():
        raise LoopdeskError(
            "It is empty", "There are no rounds in it", "Import it again once the loop has written some"
        )
    start = text[:_LOOKED_AT]
    strange = sum(char == "\ufffd" or (char < " " and char not in "\t\n\r\f\v\x1b") for char in start)
    if "\0" in text or strange > max(1, _MAX_STRANGE_SHARE * len(start)):
        raise LoopdeskError(
            "It holds binary data, not text",
            "loopdesk imports results.tsv logs, loop-result JSON and spooled events",
            "Unpack it first if it is compressed, or name another file",
        )
    return text


def lines(text: str) -> list[str]:
    """Its lines without their ends. Not `splitlines`: U+2028 or a form feed in a description does not end a row."""
    text = text.replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.split("\n")
