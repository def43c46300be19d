"""How the tree of a round grows: call and return become one row, model calls stand under what made them.

Events come from several machines: late, twice, out of order, with skewed clocks, or never. Every event is in exactly
one row or a counted duplicate of one that is; what is missing or odd is marked on its row.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import chain, compress, count

from queries.views.rounds import RUNNING
from queries.views.trace.events import Events
from queries.views.trace.found import NUMBERED, Found
from queries.views.trace.order import in_order
from queries.views.trace.parents import parents
from queries.views.trace.tree import KIND_OF, NOBODY, Mark, Tree

SKEW_US = 60_000_000  # an event this far outside its round's start and end has another clock
LATE_US = 60_000_000  # an event that arrives this long after the round's outcome did, though it was before, is late


def grow(trace_id: str, events: Events, now_us: int, among: Sequence[int] | None = None) -> Tree:
    """`now_us` decides whether a round without an ending still runs. The order of arrival changes nothing. `among` are
    the places of the events to look at, where those are not all."""
    return _Grower(trace_id, events, now_us).grow(among)


class _Grower:
    """Rows are numbered as they are found, and put in order at the end.

    A large round has 100,000 events: what is done for each of them is done by `map` where that reads as well.
    """

    def __init__(self, trace_id: str, events: Events, now_us: int) -> None:
        self.trace_id, self.events, self.now_us = trace_id, events, now_us
        self.found = Found(events)
        self.extra: dict[int, list[int]] = defaultdict(list)
        self.outcome = self.started = NOBODY

    def grow(self, among: Sequence[int] | None) -> Tree:
        order, twins = in_order(self.events, among)
        self._make_rows(order)
        del order
        self._place_twins(twins)
        parent = parents(self.found, self.trace_id)
        start, end = self._times()
        until = array("q", end)
        self._mark_odd_times()
        return self._in_tree_order(parent, start, end, until)

    # Which rows they make

    def _make_rows(self, order: list[int]) -> None:
        events, found = self.events, self.found
        name_of, first, second, gone = events.word["event"], found.first, found.second, found.gone
        does = [_DOES.get(word, _IS_A_ROW) for word in events.words]
        waiting: dict[object, list[int]] = {}
        orphans: dict[object, list[int]] = {}
        called: list[int] = []
        rows = 1
        for place in order:
            doing = does[name_of[place]]
            if doing == _CALLS:
                waiting.setdefault(self._call_key(place), []).append(rows)
                called.append(rows)
            elif doing == _RETURNS:
                key = self._call_key(place)
                calls = waiting.get(key)
                if calls:
                    second[calls.pop(0)] = place
                    if not calls:
                        del waiting[key]
                    continue
                orphans.setdefault(key, []).append(rows)
            elif doing == _STARTS and self.started == NOBODY:
                self.started = first[0] = place
                continue
            elif doing == _ENDS:
                self.outcome = place
            first.append(place)
            second.append(NOBODY)
            rows += 1
        self._describe(called)
        for row in _pairs_across_clocks(waiting, orphans):
            call, answer = row
            second[call] = first[answer]
            found.marks[call] |= found.marks[answer] | Mark.CLOCK
            gone.add(answer)
        for calls in waiting.values():
            for call in calls:
                found.marks[call] |= Mark.NO_RETURN
        for answers in orphans.values():
            for answer in answers:
                found.marks[answer] |= Mark.NO_CALL
        # A trace that names no round was never one, and lacks no start.
        is_of_a_round = any(word.startswith(_OF_A_ROUND) for word in events.words)
        if self.started == NOBODY and (is_of_a_round or events.code_of("$ai_trace") is None):
            found.marks[0] |= Mark.NO_START

    def _describe(self, called: list[int]) -> None:
        """Kind and marks of each row but the round's: what its event says, of a call what its return says."""
        events, found = self.events, self.found
        names, said = events.word["event"], events.word["ok"]
        kinds = [NUMBERED.get(KIND_OF.get(word, ""), _OTHER) for word in events.words]
        marks = [{"true": Mark.PASSED, "false": Mark.FAILED}.get(word, 0) for word in events.words]
        rows = found.first[1:]
        found.kind.extend(map(kinds.__getitem__, map(names.__getitem__, rows)))
        found.marks.extend(map(marks.__getitem__, map(said.__getitem__, rows)))
        for row in called:
            answer = found.second[row]
            found.marks[row] = marks[said[answer]] if answer != NOBODY else 0
        for name in ("$exception", "eval.regression"):
            code = events.code_of(name)
            if code is not None:
                for row in compress(count(1), map(code.__eq__, map(names.__getitem__, rows))):
                    found.marks[row] |= Mark.FAILED

    def _call_key(self, place: int) -> object:
        step = self.events.id["step_id"][place]
        return step or (self.events.word["agent"][place], self.events.word["tool"][place])

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

    def _times(self) -> tuple[array[int], array[int]]:
        """Start and end of each row's own events. A call's return says when it ended, a model call's latency when it
        began."""
        at, found = self.events.at, self.found
        end = array("q", map(at.__getitem__, found.first)) if at else array("q", [0]) * len(found)
        applied = self.events.code_of("proposal_applied")
        latency, names = self.events.number["latency_ms"], self.events.word["event"]
        start = array("q", end)
        for row, (place, other) in enumerate(zip(found.first, found.second, strict=True)):
            if other != NOBODY:
                start[row], end[row] = min(at[place], at[other]), max(at[place], at[other])
            elif place == NOBODY:
                start[row] = end[row] = 0
            elif latency[place] > 0 and (
                (found.kind[row] in _ENDING and not found.marks[row] & Mark.NO_RETURN) or names[place] == applied
            ):
                start[row] -= found.latency_us(place)
        return start, end

    def _mark_odd_times(self) -> None:
        at, arrived = self.events.at, self.events.arrived
        first = at[self.started] - SKEW_US if self.started != NOBODY else None
        last = at[self.outcome] + SKEW_US if self.outcome != NOBODY else None
        told = arrived[self.outcome] + LATE_US if self.outcome != NOBODY else None
        over = at[self.outcome] if self.outcome != NOBODY else 0
        # Mostly none is odd, and three looks tell.
        first = first if first is not None and min(at) < first else None
        last = last if last is not None and max(at) > last else None
        told = told if told is not None and max(arrived) > told else None
        if first is last is told is None:
            return
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
        found, rows = self.found, len(self.found.first)
        children: dict[int, list[int]] = defaultdict(list)
        for row, above in enumerate(parent):
            if above != NOBODY and row not in found.gone:
                children[above].append(row)
        size = self._span(children, start, end, until)
        order, depth, placed = array("i"), array("H", [0]) * rows, array("i", [0]) * rows
        stack = [0]
        while stack:
            row = stack.pop()
            placed[row] = len(order)
            order.append(row)
            under = children.get(row)
            if under:
                below = min(depth[row] + 1, 65_535)
                for child in under:
                    depth[child] = below
                stack += reversed(under)
        began, ended = self._frame(order, start, end)
        is_running = self.outcome == NOBODY and len(self.events) > 0 and _is_young(self.events, self.now_us)
        children.clear()  # as large as all of the columns

        def picked(column: array[int]) -> array[int]:
            made = array(column.typecode)
            made.extend(map(column.__getitem__, order))
            return made

        marks = picked(found.marks)
        if is_running:
            for row, mark in enumerate(marks):
                if mark & Mark.NO_RETURN:
                    marks[row] = mark & ~Mark.NO_RETURN | Mark.RUNNING
        return Tree(
            trace_id=self.trace_id,
            events=self.events,
            first=picked(found.first),
            second=picked(found.second),
            parent=array("i", chain((NOBODY,), map(placed.__getitem__, map(parent.__getitem__, order[1:])))),
            depth=picked(depth),
            size=picked(size),
            kind=picked(found.kind),
            marks=marks,
            start_us=picked(start),
            end_us=picked(end),
            until_us=picked(until),
            extra={placed[row]: tuple(places) for row, places in self.extra.items()},
            began_us=began,
            ended_us=ended,
            is_running=is_running,
        )

    def _span(
        self, children: dict[int, list[int]], start: array[int], end: array[int], until: array[int]
    ) -> array[int]:
        """How many rows are at and under each; puts children in order of their start, and lets each row last as long as
        what is under it."""
        size = array("i", [1]) * len(start)
        walked = [0]
        for row in walked:  # it grows while it is walked
            walked += [child for child in children.get(row, ()) if child in children]
        for row in reversed(walked):
            under = children.get(row)
            if not under:
                continue
            size[row] += sum(map(size.__getitem__, under))
            if self.found.first[row] == NOBODY and not start[row]:
                start[row] = until[row] = start[under[0]]
                end[row] = end[under[0]]
            start[row] = min(start[row], min(map(start.__getitem__, under)))
            end[row] = max(end[row], max(map(end.__getitem__, under)))
            under.sort(key=start.__getitem__)
        return size

    def _frame(self, order: Sequence[int], start: array[int], end: array[int]) -> tuple[int, int]:
        """What the bars are drawn in: events with another clock would squeeze it."""
        at, marks = self.events.at, self.found.marks
        inside: Sequence[int] = order[1:] or order
        if any(map(Mark.OUTSIDE.__and__, marks)):
            inside = [row for row in inside if not marks[row] & Mark.OUTSIDE] or inside
            inside = [row for row in inside if self.found.first[row] != NOBODY] or inside
        if any(marks[row] & Mark.OUTSIDE for row in inside[:1]):  # none has the round's own clock
            began = min(min(at[self.found.first[row]], end[row]) for row in inside)
        else:
            began = min(map(start.__getitem__, inside))
        ended = max(map(end.__getitem__, inside))
        if self.started != NOBODY:
            began, ended = min(began, at[self.started]), max(ended, at[self.started])
        return began, max(began, ended)


def is_running(tree: Tree, now_us: int) -> bool:
    """Whether the round of a tree runs now, if nothing arrived: it does not end by itself, it gets old."""
    return tree.is_running and _is_young(tree.events, now_us)


def _is_young(events: Events, now_us: int) -> bool:
    return now_us - max(events.at) < RUNNING // timedelta(microseconds=1)


def _pairs_across_clocks(
    waiting: dict[object, list[int]], orphans: dict[object, list[int]]
) -> Iterator[tuple[int, int]]:
    """A return that came before its call by the clocks of two machines still is its return: taken out of both."""
    for key, calls in waiting.items():
        answers = orphans.get(key, [])
        while calls and answers:
            yield calls.pop(0), answers.pop(0)


_OTHER = NUMBERED["observation"]
_ENDING = frozenset({NUMBERED["generation"], NUMBERED["tool"]})
_IS_A_ROW, _CALLS, _RETURNS, _STARTS, _ENDS = range(5)
_DOES = {"step.tool_called": _CALLS, "step.tool_returned": _RETURNS, "round_started": _STARTS}
_DOES |= {"round_kept": _ENDS, "round_reverted": _ENDS}
_OF_A_ROUND = ("round_", "proposal_")
