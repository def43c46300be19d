"""What a backup says about itself: its first member, `manifest.json`.

`{"format": 1, "made_by": "loopdesk 0.1.0", "made_at": ISO 8601, "files": [{"name", "bytes", "sha256", "schema",
"rows"}]}`; `schema` and `rows` (table -> count) are null for what is no database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workspace.errors import LoopdeskError
from workspace.text import plain

FORMAT = 1
NAME = "manifest.json"
MAX_BYTES = 1_000_000
# Everything a workspace holds that cannot be made again. `config.toml` is not among it: it may hold PostHog's key, and
# other workspaces share it.
DATABASES = ("events.db", "desk.db", "inbox.db")
DOCUMENTS = ("keys.json", "demo.json")
CONTENT = (*DATABASES, *DOCUMENTS)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a backup. `rows` counts each table's rows."""

    name: str
    bytes: int
    sha256: str
    schema: int | None = None
    rows: Mapping[str, int] | None = None

    @property
    def events(self) -> int | None:
        return (self.rows or {}).get("bodies")


@dataclass(frozen=True, slots=True)
class Manifest:
    made_by: str
    made_at: str
    files: tuple[Kept, ...]

    @property
    def bytes(self) -> int:
        return sum(kept.bytes for kept in self.files)


def spelled(manifest: Manifest) -> bytes:
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode()


def parsed(text: bytes) -> Manifest:
    """Raises `LoopdeskError` for a newer format and for what no loopdesk wrote."""
    try:
        found = json.loads(text)
        if not isinstance(found["format"], int):
            raise TypeError
        if found["format"] > FORMAT:
            raise LoopdeskError(
                f"The backup has a newer form ({found['format']}; this loopdesk knows {FORMAT})", do="Update loopdesk"
            )
        files = tuple(_kept(entry) for entry in found["files"])
        manifest = Manifest(plain(found["made_by"], 60), plain(found["made_at"], 40), files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _strange() from error
    if len({kept.name for kept in files}) != len(files):
        raise _strange()
    return manifest


def _kept(entry: Mapping[str, Any]) -> Kept:
    kept = Kept(**{name: entry[name] for name in Kept.__dataclass_fields__})
    is_whole = isinstance(kept.bytes, int) and kept.bytes >= 0 and _SHA256.fullmatch(kept.sha256)
    is_versioned = isinstance(kept.schema, int) if kept.name in DATABASES else kept.schema is None
    if kept.name not in CONTENT or not is_whole or not is_versioned:
        raise ValueError(kept.name)
    return kept


def _strange() -> LoopdeskError:
    return LoopdeskError("Its manifest is not one that loopdesk wrote", do="Use a file that `loopdesk backup` made")
