"""The tree of a round, as rows in the order they are shown, and the kinds and marks that a row may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queries.views.trace.events import Events

KINDS = (
    "round", "plan", "tool", "generation", "observation", "reflection", "retry", "eval", "case", "escalation",
    "regression", "error",
)  # fmt: skip
KIND_OF: Mapping[str, str] = {
    "round_started": "round",
    "proposal_generated": "round",
    "proposal_applied": "round",
    "round_scored": "round",
    "round_kept": "round",
    "round_reverted": "round",
    "stop_triggered": "round",
    "finetune_batch_published": "round",
    "model_escalated": "escalation",
    "step.plan": "plan",
    "step.tool_called": "tool",
    "step.tool_returned": "tool",
    "step.observation": "observation",
    "step.reflection": "reflection",
    "step.retry": "retry",
    "eval.run": "eval",
    "eval.case": "case",
    "eval.regression": "regression",
    "$ai_generation": "generation",
    "$ai_embedding": "generation",
    "$ai_span": "tool",
    "$ai_trace": "round",
    "$exception": "error",
}

NOBODY = -1


class Mark:
    """What is odd about a row, or how it ended: bits of one number. No enum: its members are slow to join."""

    FAILED = 1
    PASSED = 2
    RUNNING = 4
    NO_RETURN = 8
    NO_CALL = 16
    NO_START = 32
    NO_PARENT = 64
    PARENT_LOOP = 128
    CLOCK = 256
    OUTSIDE = 512
    LATE = 1024
    TWICE = 2048


@dataclass(frozen=True, slots=True)
class Tree:
    """Rows in the order they are shown, in columns. Row 0 is the round itself.

    `first` and `second` are places of events, `NOBODY` where there is none (a suite whose start is missing has no event
    at all). `size` counts a row and everything under it. `start_us` and `end_us` span a row and what is under it;
    `until_us` is when its own last event was. `extra` are the duplicates of a row's events.
    """

    trace_id: str
    events: Events
    first: Sequence[int]
    second: Sequence[int]
    parent: Sequence[int]
    depth: Sequence[int]
    size: Sequence[int]
    kind: Sequence[int]
    marks: Sequence[int]
    start_us: Sequence[int]
    end_us: Sequence[int]
    until_us: Sequence[int]
    extra: Mapping[int, tuple[int, ...]]
    began_us: int
    ended_us: int
    is_running: bool

    def __len__(self) -> int:
        return len(self.first)

    @property
    def duplicates(self) -> int:
        return sum(map(len, self.extra.values()))

    def places(self, row: int) -> tuple[int, ...]:
        """The events of a row: its first, its second, then duplicates."""
        own = tuple(place for place in (self.first[row], self.second[row]) if place != NOBODY)
        return own + self.extra.get(row, ())

    def ancestors(self, row: int) -> Iterator[int]:
        while (row := self.parent[row]) != NOBODY:
            yield row
