"""Playing a round again: its rows in the order in which they happened, with the idle time between them cut short."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from queries.views.trace.tree import Tree

IDLE_S = 1.5  # a longer wait plays as this
LEAST_S = 0.12  # each row can be seen
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0)
SCRUBS = 20  # from end to end in so many presses


@dataclass(frozen=True, slots=True)
class Replay:
    """`rows` by when they were over, `at_us` when that was, `clock_s` when each is reached while playing at speed 1.
    `order[row]` is a row's place in `rows`."""

    rows: Sequence[int]
    order: Sequence[int]
    at_us: Sequence[int]
    clock_s: Sequence[float]

    @property
    def length_s(self) -> float:
        return self.clock_s[-1] if self.clock_s else 0.0

    def stepped(self, row: int, steps: int) -> int:
        """The row so many moments later."""
        return self.rows[max(0, min(self.order[row] + steps, len(self.rows) - 1))]

    def reached(self, clock_s: float) -> int:
        """The row that is reached when so much was played."""
        return self.rows[max(0, bisect_right(self.clock_s, clock_s) - 1)]

    def clock_of(self, row: int) -> float:
        return self.clock_s[self.order[row]]

    def scrubbed(self, row: int, steps: int) -> int:
        """The row a twentieth of the round's own time later, and always another one."""
        if len(self.at_us) < 2:
            return row
        place = self.order[row]
        span = max(1, (self.at_us[-1] - self.at_us[0]) // SCRUBS)
        wanted = bisect_left(self.at_us, self.at_us[place] + span * steps)
        least = place + 1 if steps > 0 else place - 1
        found = max(wanted, least) if steps > 0 else min(wanted, least)
        return self.rows[max(0, min(found, len(self.rows) - 1))]


def replay(tree: Tree) -> Replay:
    until = tree.until_us
    # The round itself begins it, whatever a skewed clock says.
    rows = array("i", [0, *sorted(range(1, len(tree)), key=until.__getitem__)])
    order = array("i", [0]) * len(rows)
    at_us, clock_s = array("q"), array("d")
    clock, before = 0.0, 0
    for place, row in enumerate(rows):
        order[row] = place
        at = max(before, tree.began_us if row == 0 else until[row])
        if place:
            clock += max(LEAST_S, min(IDLE_S, (at - before) / 1e6))
        at_us.append(at)
        clock_s.append(clock)
        before = at
    return Replay(rows, order, at_us, clock_s)
