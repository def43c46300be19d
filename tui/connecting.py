"""Trying a connection and keeping it: what the desk's dialog and `loopdesk connect` both do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from queries import connect as trying
from queries.connect import Found
from queries.remote import open_remote
from workspace import connection
from workspace.config import Config
from workspace.connection import Connection


@dataclass(frozen=True, slots=True)
class Connected:
    """What was found there, and the file that now names it."""

    found: Found
    path: Path

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person is told, with what could still come in the way."""
        told = [self.found.verdict, f"Written to {self.path}; only you can read it."]
        if overridden := connection.overridden():
            told.append(f"Your environment sets {' and '.join(overridden)}, which wins over that file.")
        if os.environ.get("LOOPDESK_BACKEND") == "embedded":
            told.append("LOOPDESK_BACKEND=embedded in your environment still chooses the embedded store.")
        return tuple(told)


def connect(made: Connection, zone: str) -> Connected:
    """Ask it one question, then write it down. Blocking. Raises `LoopdeskError`, and then nothing was written."""
    backend = open_remote(
        Config(
            timezone=zone,
            posthog_host=made.host,
            posthog_project_id=made.project_id,
            posthog_personal_key=made.personal_key,
        )
    )
    try:
        found = trying.probe(backend)
    finally:
        backend.close()
    return Connected(found, connection.save(made))
