"""GitHub's last answers with their ETags, in a folder of small files: asked again with the ETag, what has not changed
costs nothing of the hourly limit, also after a restart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from workspace.paths import write_private

MOST_FILES = 500


@dataclass(frozen=True, slots=True)
class Answer:
    etag: str
    document: object


@dataclass(frozen=True, slots=True)
class Answers:
    """`folder` is made at the first answer. A file that cannot be read is no answer."""

    folder: Path

    def of(self, address: str) -> Answer | None:
        try:
            found = json.loads(self._file(address).read_text(encoding="utf-8"))
            return Answer(str(found["etag"]), found["document"]) if found["address"] == address else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, address: str, answer: Answer) -> None:
        """The oldest ones go where there are too many."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"address": address, "etag": answer.etag, "document": answer.document})
        write_private(self._file(address), text)
        files = list(self.folder.glob("*.json"))
        if len(files) > MOST_FILES:
            for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)[: MOST_FILES // 10]:
                file.unlink(missing_ok=True)

    def _file(self, address: str) -> Path:
        return self.folder / f"{hashlib.sha256(address.encode()).hexdigest()[:32]}.json"
