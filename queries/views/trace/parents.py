"""What stands under what: by span and parent ids, step and suite ids, else by time."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from itertools import compress
from operator import ge

from queries.views.trace.events import IDS, id_of
from queries.views.trace.found import CASES, NUMBERED, SAYINGS, Found
from queries.views.trace.tree import NOBODY, Mark

_GENERATION = NUMBERED["generation"]
JUST_BEFORE_US = 2_000_000  # a model call without ids belongs to the plan that follows it within this time


def parents(found: Found, trace_id: str) -> array[int]:
    """The row above each row; adds a row for a suite of cases whose start is missing, and marks what is odd."""
    events, gone = found.events, found.gone
    steps, suites, spans, parents = (_by_row(found, events.id[name]) for name in IDS)
    names = _by_row(found, events.word["event"])
    root_id, run = id_of(trace_id), events.code_of("eval.run") or NOBODY
    by_step: dict[int, int] = {}
    by_suite: dict[int, int] = {}
    by_span: dict[int, int] = {}
    for row, (step, suite, span) in enumerate(zip(steps, suites, spans, strict=True)):
        if not row or row in gone:
            continue
        if span:
            by_span.setdefault(span, row)
        elif step:
            by_step.setdefault(step, row)
        elif suite and names[row] == run:
            by_suite.setdefault(suite, row)
    parent = array("i", [NOBODY]) + array("i", [0]) * (len(found) - 1)
    homeless: list[int] = []
    by_uuid: dict[int, int] | None = None
    for row, (step, suite, span, wanted) in enumerate(zip(steps, suites, spans, parents, strict=True)):
        if not row or row in gone:
            continue
        if wanted:
            above = by_span.get(wanted) or by_step.get(wanted) or by_suite.get(wanted)
            if above is None and wanted != root_id:
                if by_uuid is None:
                    by_uuid = _by_uuid(found)
                above = by_uuid.get(wanted)
                if above is None:
                    found.marks[row] |= Mark.NO_PARENT
            if above == row:
                found.marks[row] |= Mark.PARENT_LOOP
            elif above:
                parent[row] = above
        elif span or found.kind[row] == _GENERATION:
            above = by_step.get(step) or by_suite.get(suite)
            if above and above != row:
                parent[row] = above
            else:
                homeless.append(row)
        elif step:
            above = by_step[step]
            if above != row:
                parent[row] = above
        elif suite and names[row] != run:
            above = by_suite.get(suite)
            if above is None:
                above = by_suite[suite] = found.add(NOBODY, NUMBERED["eval"], Mark.NO_START)
                parent.append(0)
            parent[row] = above
    _house(found, homeless, parent)
    _break_loops(found, parent)
    return parent


def _by_row(found: Found, column: array[int]) -> array[int]:
    """What the first event of each row has in a column; the round's own is never asked for."""
    made = array(column.typecode, [0])
    made.extend(map(column.__getitem__, found.first[1:]))
    return made


def _by_uuid(found: Found) -> dict[int, int]:
    """PostHog lets a parent be named by its event's uuid as well."""
    events = found.events
    rows = {}
    for row in range(1, len(found)):
        if found.first[row] != NOBODY and row not in found.gone:
            rows[id_of(events.uuid(found.first[row]))] = row
    return rows


def _house(found: Found, homeless: list[int], parent: array[int]) -> None:
    """Model calls that name no parent, by time: inside a tool call or an eval of the same agent, else right before
    what that agent said next."""
    if not homeless:
        return
    events = found.events
    at, agents = events.at, events.word["agent"]
    spans: list[tuple[int, int, int]] = []
    sayings: dict[int, list[tuple[int, int]]] = defaultdict(list)
    proposal = events.code_of("proposal_generated")
    last_case: dict[int, int] = {}
    for row in range(1, len(found.first)):
        place = found.first[row]
        if row not in found.gone and place != NOBODY and found.kind[row] in CASES and parent[row]:
            last_case[parent[row]] = max(last_case.get(parent[row], 0), at[place])
    for row in range(1, len(found.first)):
        place = found.first[row]
        if row in found.gone or place == NOBODY:
            continue
        if found.second[row] != NOBODY:
            spans.append((at[place], at[found.second[row]], row))
        elif row in last_case and found.kind[row] == NUMBERED["eval"]:
            spans.append((at[place], last_case[row], row))
        elif found.kind[row] in SAYINGS or (proposal and events.word["event"][place] == proposal):
            sayings[agents[place]].append((at[place], row))
    spans.sort()
    for said in sayings.values():
        said.sort()
    active: list[tuple[int, int, int]] = []
    upcoming = 0
    for row in sorted(homeless, key=lambda row: at[found.first[row]]):
        place = found.first[row]
        end = at[place]
        begin = end - found.latency_us(place)
        while upcoming < len(spans) and spans[upcoming][0] <= end:
            active.append(spans[upcoming])
            upcoming += 1
        active = [span for span in active if span[1] >= end]
        inside = [
            span
            for span in active
            if span[0] <= begin and span[2] != row and agents[found.first[span[2]]] == agents[place]
        ]
        if inside:
            parent[row] = max(inside)[2]
            continue
        said = sayings.get(agents[place], [])
        following = bisect_left(said, (end, 0))
        if following < len(said) and said[following][0] - end <= JUST_BEFORE_US:
            parent[row] = said[following][1]


def _break_loops(found: Found, parent: array[int]) -> None:
    """Parents that lead back to their child: the first row of the loop goes to the root, marked."""
    state = bytearray(len(parent))  # 0 unknown, 1 on the way, 2 leads to the root
    state[0] = 2
    # Somewhere in a loop a row stands under a later one.
    for row in compress(range(1, len(parent)), map(ge, parent[1:], range(1, len(parent)))):
        path = []
        at = row
        while state[at] == 0:
            state[at] = 1
            path.append(at)
            at = parent[at]
        if state[at] == 1:
            first = min(path[path.index(at) :])
            parent[first] = 0
            found.marks[first] |= Mark.PARENT_LOOP
        for passed in path:
            state[passed] = 2
