"""What the engine works on: plain, frozen records. How they are stored is the store's, how they change a decision's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HALF_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Signal:
    """One normalised observation that something may be wrong or worth doing.

    `source_id` names the condition and what it is about, never the night, so that a revision of the same condition is
    the same signal. `content` is written to be searched: its first line is a title, the rest says what was measured.
    `weight` is what the source gives it, before it ages. `extra` is JSON: what the source measured, the ids of rounds
    and traces behind it (`round_ids`, `trace_ids`), and for structural grouping `project`, `client`, `dimension`,
    `fingerprint`, `metric` where they apply.
    """

    source_product: str
    source_type: str
    source_id: str
    content: str
    weight: float
    occurred_at: datetime
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """32 hex digits, the same for every revision of the condition."""
        key = "\x1f".join((self.source_product, self.source_type, self.source_id))
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def title(self) -> str:
        return self.content.partition("\n")[0]


def aged(weight: float, age: timedelta) -> float:
    """What is left of a weight: half of it every seven days. A time in the future counts as now."""
    return weight * 0.5 ** (max(age, timedelta()) / HALF_LIFE)
