"""What a simulated loop tells: one clock, one set of common properties, ids from a seeded generator."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from ulid import ULID


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is seconds since the epoch, true time."""

    at: float
    agent: str
    name: str
    properties: dict[str, object]


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids that look like real ones and are the same for the same seed."""

    random: random.Random

    def ulid(self, at: float) -> str:
        return str(ULID((int(at * 1000) << 80 | self.random.getrandbits(80)).to_bytes(16, "big")))

    def uuid(self, at: float) -> str:
        """A UUIDv7, as the drop-in client gives its events."""
        bits = int(at * 1000) << 80 | self.random.getrandbits(80)
        return str(UUID(int=bits & ~(0xF << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62))

    def span(self) -> str:
        return f"{self.random.getrandbits(64):016x}"


@dataclass(slots=True)
class Tape:
    """Records one round. `at` moves forward by `wait`; each event gets `common` and its agent."""

    at: float
    common: Mapping[str, object]
    events: list[Event] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.at += seconds

    def tell(self, agent: str, name: str, properties: Mapping[str, object]) -> None:
        self.wait(0.004)  # two events of one process are never at the same instant
        self.events.append(Event(self.at, agent, name, {**self.common, "agent": agent, **properties}))
