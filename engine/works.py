"""What can be done at home or on a worker, by kind of job: the one list of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.blobs import Blobs
from engine.budget import Purser
from engine.work import Work
from workspace.config import Config

RESERVES_USD: Mapping[str, float] = {"research": 1.0, "fix": 2.0}
"""The most that a job may cost on a worker; less where less is left of a budget."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a process does works with: where their bulk goes, and who pays."""

    blobs: Blobs
    books: Purser
    clock: Callable[[], datetime]


Build = Callable[[Means], Mapping[str, Work]]


def works(config: Config) -> Build:
    """Raises `LoopdeskError` for a configuration that makes no sense. What it returns is called for every job on a
    worker, whose books are the job's: it only puts together."""

    def build(means: Means) -> Mapping[str, Work]:
        return {}

    return build
