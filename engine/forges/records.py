"""What a local forge remembers of its proposals, in one JSON file beside the mirror: each write replaces the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.forges.protocol import Check, Comment
from workspace.errors import LoopdeskError
from workspace.paths import write_private

MOST_CHECKS = 500


@dataclass(frozen=True, slots=True)
class Record:
    """`head_sha` is where the branch was last seen. `is_closed` only where it was closed here."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    head_sha: str
    opened_at: datetime
    is_closed: bool = False
    merge_sha: str = ""
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    path: Path

    def read(self) -> tuple[Record, ...]:
        return tuple(_record(one) for one in self._document()["pulls"])

    def save(self, record: Record) -> None:
        """In the place of the one with its number, or as a new one."""
        document = self._document()
        kept = [one for one in document["pulls"] if one["number"] != record.number]
        document["pulls"] = sorted([*kept, asdict(record)], key=lambda one: one["number"])
        self._write(document)

    def check(self, sha: str, command: Sequence[str]) -> Check | None:
        """What the command said of that commit. Another command is another check."""
        found = self._document()["checks"].get(_key(sha, command))
        return Check(**found) if found else None

    def save_check(self, sha: str, command: Sequence[str], check: Check) -> None:
        document = self._document()
        checks = document["checks"] | {_key(sha, command): asdict(check)}
        document["checks"] = dict(list(checks.items())[-MOST_CHECKS:])
        self._write(document)

    def _document(self) -> dict[str, Any]:
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"pulls": [], "checks": {}}
        except ValueError:
            raise LoopdeskError(
                f"{self.path} is damaged",
                "It holds the numbers, checks and comments of the local proposals",
                "Bring it back from a backup, or move it away; branches and merges are in the repository itself",
            ) from None

    def _write(self, document: Mapping[str, object]) -> None:
        write_private(self.path, json.dumps(document, default=lambda at: at.isoformat()))


def _record(document: Mapping[str, Any]) -> Record:
    comments = tuple(Comment(**one | {"at": datetime.fromisoformat(one["at"])}) for one in document["comments"])
    opened_at = datetime.fromisoformat(document["opened_at"])
    return replace(Record(**{**document, "opened_at": opened_at}), comments=comments)


def _key(sha: str, command: Sequence[str]) -> str:
    return f"{sha}-{hashlib.sha256(json.dumps(list(command)).encode()).hexdigest()[:12]}"
