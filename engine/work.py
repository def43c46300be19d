"""Work that can be done here or on another machine: a brief that says everything, and a result of plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from engine.model import Job
from workspace.errors import LoopdeskError


class WillNotDo(LoopdeskError):
    """It cannot be done, and trying again would end in the same way."""


class Progress(Protocol):
    """Where the attempts at a job leave what the next one goes on from: small JSON, its bulk as blobs."""

    async def latest(self) -> Mapping[str, object] | None:
        """What an earlier attempt saved last, whoever made it."""

    async def save(self, snapshot: Mapping[str, object]) -> None: ...


class Work(Protocol):
    """Research and fixes. What is done is written nowhere but into its result: the engine alone acts on that."""

    def brief(self, job: Job) -> Mapping[str, object]:
        """All that doing it needs, read at home from the inbox; JSON. Blocks. Raises `LoopdeskError`."""

    async def do(self, brief: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        """At home or on a worker: reads no inbox. Raises `Unavailable` where it has to wait, `LoopdeskError`."""
