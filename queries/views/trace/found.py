"""The rows of a trace while they are being found, numbered as they are found."""

from __future__ import annotations

from array import array

from queries.views.trace.events import Events
from queries.views.trace.tree import KINDS, NOBODY

NUMBERED = {kind: number for number, kind in enumerate(KINDS)}
CASES = frozenset({NUMBERED["case"], NUMBERED["regression"]})
SAYINGS = frozenset({NUMBERED["plan"], NUMBERED["reflection"]})


class Found:
    """Row 0 is the round. `gone` are rows that turned out to be the other half of another one."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.first, self.second = array("i", [NOBODY]), array("i", [NOBODY])
        self.kind, self.marks = array("B", [NUMBERED["round"]]), array("H", [0])
        self.gone: set[int] = set()

    def __len__(self) -> int:
        return len(self.first)

    def add(self, place: int, kind: int, marks: int = 0) -> int:
        self.first.append(place)
        self.second.append(NOBODY)
        self.kind.append(kind)
        self.marks.append(marks)
        return len(self.first) - 1

    def latency_us(self, place: int) -> int:
        latency = self.events.number["latency_ms"][place]
        return int(min(latency, 1e12) * 1000) if latency > 0 else 0  # not of NaN
