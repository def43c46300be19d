"""A change as a blob: what the guard read is what the desk shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from engine.diff import Diff, FileChange, Hunk, Line
from workspace.errors import LoopdeskError


def written(diff: Diff) -> bytes:
    return json.dumps(asdict(diff), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def read(blob: bytes) -> Diff:
    """Raises `LoopdeskError` for what `written` did not write."""
    try:
        found = json.loads(blob.decode("utf-8", "surrogatepass"))
        files = tuple(_file(one) for one in found.pop("files"))
        return Diff(files=files, **found)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LoopdeskError("The stored change cannot be read", str(type(error).__name__)) from None


def _file(found: dict[str, Any]) -> FileChange:
    hunks = tuple(Hunk(**{**one, "lines": tuple(Line(**line) for line in one["lines"])}) for one in found.pop("hunks"))
    return FileChange(hunks=hunks, **found)
