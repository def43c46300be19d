"""How the tree of a round grows: call and return become one row, model calls stand under what made them.

Events come from several machines: late, twice, out of order, with skewed clocks, or never. Every event is in exactly
one row or a counted duplicate of one that is; what is missing or odd is marked on its row.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from queries.views.rounds import RUNNING
from queries.views.trace.events import Events
from queries.views.trace.found import NUMBERED, Found
from queries.views.trace.parents import parents
from queries.views.trace.tree import KIND_OF, NOBODY, Mark, Tree

_OTHER = NUMBERED["observation"]

SKEW_US = 60_000_000  # an event this far outside its round's start and end has another clock
LATE_US = 60_000_000  # an event that arrives this long after the round's outcome did, though it was before, is late


def grow(trace_id: str, events: Events, now_us: int) -> Tree:
    """`now_us` decides whether a round without an ending still runs. The order of arrival changes nothing."""
    return _Grower(trace_id, events, now_us).grow()


class _Grower:
    """Rows are numbered as they are found, and put in order at the end."""

    def __init__(self, trace_id: str, events: Events, now_us: int) -> None:
        self.trace_id, self.events, self.now_us = trace_id, events, now_us
        self.found = Found(events)
        self.extra: dict[int, list[int]] = defaultdict(list)
        self.outcome = self.started = NOBODY

    def grow(self) -> Tree:
        repeats = self.events.repeats()  # before the order is made: both at once need much memory
        order, twins = self._unique(self._in_order(), repeats)
        self._make_rows(order)
        self._place_twins(twins)
        del order
        parent = parents(self.found, self.trace_id)
        start, end, until = self._times()
        self._mark_odd_times()
        return self._in_tree_order(parent, start, end, until)

    # Which events there are

    def _in_order(self) -> list[int]:
        """By time; at one instant a start comes before what it starts, and then the ids decide."""
        events = self.events
        at = events.at
        order = sorted(range(len(events)), key=at.__getitem__)
        ranks = [_RANKS.get(word, 2) for word in events.words]
        names = events.word["event"]
        begin = 0
        for end in range(1, len(order) + 1):
            if end == len(order) or at[order[end]] != at[order[begin]]:
                if end - begin > 1:
                    tied = order[begin:end]
                    order[begin:end] = sorted(tied, key=lambda place: (ranks[names[place]], events.key(place)))
                begin = end
        return order

    def _unique(self, order: list[int], repeats: bool) -> tuple[list[int], list[tuple[int, int]]]:
        """The events without their duplicates, and the duplicates with what they repeat: the same uuid, or the same
        words at the same instant (a batch that was sent again with new uuids)."""
        events, at = self.events, self.events.at
        columns = [*events.word.values(), *events.id.values()]
        kept: list[int] = []
        twins: list[tuple[int, int]] = []
        seen: dict[bytes, int] = {}
        said: dict[tuple[int, ...], int] = {}
        instant: int | None = None
        key = events.key
        for place in order:
            uuid = key(place) if repeats else b""
            earlier = seen.get(uuid) if repeats else None
            if earlier is None:
                if at[place] != instant:
                    instant, alone = at[place], place
                    said = {}
                else:
                    if not said:
                        said[tuple(column[alone] for column in columns)] = alone
                    earlier = said.setdefault(tuple(column[place] for column in columns), place)
                    earlier = None if earlier == place else earlier
            if earlier is not None:
                twins.append((place, earlier))
            else:
                if repeats:
                    seen[uuid] = place
                kept.append(place)
        return kept, twins

    # Which rows they make

    def _make_rows(self, order: list[int]) -> None:
        events = self.events
        name_of, ok = events.word["event"], events.word["ok"]
        kinds = [NUMBERED.get(KIND_OF.get(word, ""), _OTHER) for word in events.words]
        code = {name: events.code_of(name) for name in (*KIND_OF, "true", "false")}
        started, called, returned = code["round_started"], code["step.tool_called"], code["step.tool_returned"]
        kept, reverted, exception, regression = (
            code[name] for name in ("round_kept", "round_reverted", "$exception", "eval.regression")
        )
        yes, no = code["true"], code["false"]
        waiting: dict[object, list[int]] = {}
        orphans: dict[object, list[int]] = {}
        for place in order:
            name = name_of[place]
            said = ok[place]
            marks = Mark.FAILED if said == no and said else Mark.PASSED if said == yes and said else 0
            if name == called:
                row = self.found.add(place, kinds[name])
                waiting.setdefault(self._call_key(place), []).append(row)
            elif name == returned:
                key = self._call_key(place)
                calls = waiting.get(key)
                if calls:
                    row = calls.pop(0)
                    if not calls:
                        del waiting[key]
                    self.found.second[row] = place
                    self.found.marks[row] |= marks
                else:
                    row = self.found.add(place, kinds[name], marks)
                    orphans.setdefault(key, []).append(row)
            elif name == started and self.started == NOBODY:
                self.started = self.found.first[0] = place
            else:
                if name in (exception, regression) and name is not None:
                    marks |= Mark.FAILED
                self.found.add(place, kinds[name], marks)
                if name in (kept, reverted) and name is not None:
                    self.outcome = place
        self._pair_across_clocks(waiting, orphans)
        if self.started == NOBODY:
            self.found.marks[0] |= Mark.NO_START

    def _call_key(self, place: int) -> object:
        step = self.events.id["step_id"][place]
        return step or (self.events.word["agent"][place], self.events.word["tool"][place])

    def _pair_across_clocks(self, waiting: dict[object, list[int]], orphans: dict[object, list[int]]) -> None:
        """A return that came before its call by the clocks of two machines still is its return."""
        for key, calls in waiting.items():
            returns = orphans.get(key, [])
            while calls and returns:
                call, answer = calls.pop(0), returns.pop(0)
                self.found.second[call] = self.found.first[answer]
                self.found.marks[call] |= self.found.marks[answer] | Mark.CLOCK
                self.found.gone.add(answer)
            for call in calls:
                self.found.marks[call] |= Mark.NO_RETURN
        for returns in orphans.values():
            for answer in returns:
                self.found.marks[answer] |= Mark.NO_CALL

    def _place_twins(self, twins: list[tuple[int, int]]) -> None:
        if not twins:
            return
        wanted = {original for _, original in twins}
        found: dict[int, int] = {}
        for row, (first, second) in enumerate(zip(self.found.first, self.found.second, strict=True)):
            if row in self.found.gone:
                continue
            if first in wanted:
                found[first] = row
            if second in wanted:
                found[second] = row
        for place, original in twins:
            row = found[original]
            self.extra[row].append(place)
            self.found.marks[row] |= Mark.TWICE

    # When it was

    def _times(self) -> tuple[array[int], array[int], array[int]]:
        """Start and end of each row's own events. A call's return says when it ended, a model call's latency when it
        began."""
        at = self.events.at
        start, end = array("q"), array("q")
        ending = {NUMBERED["generation"], NUMBERED["tool"]}
        applied = self.events.code_of("proposal_applied")
        for row, (place, other) in enumerate(zip(self.found.first, self.found.second, strict=True)):
            if place == NOBODY:
                start.append(0)
                end.append(0)
            elif other != NOBODY:
                start.append(min(at[place], at[other]))
                end.append(max(at[place], at[other]))
            else:
                is_ending = self.found.kind[row] in ending and not self.found.marks[row] & Mark.NO_RETURN
                is_ending |= bool(applied) and self.events.word["event"][place] == applied
                start.append(at[place] - (self.found.latency_us(place) if is_ending else 0))
                end.append(at[place])
        return start, end, array("q", end)

    def _mark_odd_times(self) -> None:
        at, arrived = self.events.at, self.events.arrived
        first = at[self.started] - SKEW_US if self.started != NOBODY else None
        last = at[self.outcome] + SKEW_US if self.outcome != NOBODY else None
        told = arrived[self.outcome] + LATE_US if self.outcome != NOBODY else None
        over = at[self.outcome] if self.outcome != NOBODY else 0
        for row in range(1, len(self.found.first)):
            for place in (self.found.first[row], self.found.second[row]):
                if place == NOBODY:
                    continue
                if (first is not None and at[place] < first) or (last is not None and at[place] > last):
                    self.found.marks[row] |= Mark.OUTSIDE
                if told is not None and at[place] < over and arrived[place] > told:
                    self.found.marks[row] |= Mark.LATE

    # In what order it is shown

    def _in_tree_order(self, parent: array[int], start: array[int], end: array[int], until: array[int]) -> Tree:
        count = len(self.found.first)
        children: dict[int, list[int]] = defaultdict(list)
        for row in range(1, count):
            if row not in self.found.gone:
                children[parent[row]].append(row)
        walked: list[int] = [0]
        for row in walked:  # it grows while it is walked
            walked.extend(children.get(row, ()))
        size = array("i", [1]) * count
        for row in reversed(walked):
            for child in children.get(row, ()):
                size[row] += size[child]
                if not start[row] and self.found.first[row] == NOBODY:
                    start[row], end[row], until[row] = start[child], end[child], start[child]
                start[row], end[row] = min(start[row], start[child]), max(end[row], end[child])
        for under in children.values():
            under.sort(key=start.__getitem__)
        order, depth, placed = array("i"), array("H", [0]) * count, array("i", [0]) * count
        stack = [0]
        while stack:
            row = stack.pop()
            placed[row] = len(order)
            order.append(row)
            for child in reversed(children.get(row, [])):
                depth[child] = min(depth[row] + 1, 65_535)
                stack.append(child)
        began, ended = self._frame(order, start, end)
        is_running = self._is_running(count)
        marks = array("H", (self.found.marks[row] for row in order))
        if is_running:
            for row, mark in enumerate(marks):
                if mark & Mark.NO_RETURN:
                    marks[row] = mark & ~Mark.NO_RETURN | Mark.RUNNING
        return Tree(
            trace_id=self.trace_id,
            events=self.events,
            first=array("i", (self.found.first[row] for row in order)),
            second=array("i", (self.found.second[row] for row in order)),
            parent=array("i", (NOBODY if row == 0 else placed[parent[row]] for row in order)),
            depth=array("H", (depth[row] for row in order)),
            size=array("i", (size[row] for row in order)),
            kind=array("B", (self.found.kind[row] for row in order)),
            marks=marks,
            start_us=array("q", (start[row] for row in order)),
            end_us=array("q", (end[row] for row in order)),
            until_us=array("q", (until[row] for row in order)),
            extra={placed[row]: tuple(places) for row, places in self.extra.items()},
            began_us=began,
            ended_us=ended,
            is_running=is_running,
        )

    def _frame(self, order: Sequence[int], start: array[int], end: array[int]) -> tuple[int, int]:
        """What the bars are drawn in: events with another clock would squeeze it."""
        inside = [row for row in order[1:] if not self.found.marks[row] & Mark.OUTSIDE]
        inside = inside or list(order[1:]) or [0]
        leaves = [row for row in inside if self.found.first[row] != NOBODY] or inside
        at = self.events.at
        began = min(
            min(at[self.found.first[row]] if self.found.marks[row] & Mark.OUTSIDE else start[row], end[row])
            for row in leaves
        )
        ended = max(end[row] for row in leaves)
        if self.started != NOBODY:
            began, ended = min(began, at[self.started]), max(ended, at[self.started])
        return began, max(began, ended)

    def _is_running(self, count: int) -> bool:
        if self.outcome != NOBODY or not len(self.events):
            return False
        return self.now_us - max(self.events.at) < RUNNING // timedelta(microseconds=1)


_RANKS = {"round_started": 0, "step.tool_called": 1, "eval.run": 1, "round_kept": 3, "round_reverted": 3}
_RANKS |= {"stop_triggered": 4}
