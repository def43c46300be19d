"""A round that runs gets longer at its end: a large tree is not grown anew for each event that arrives.

The round's own steps stand in order of time. Those that no arriving event can change are kept as they are, and the tree
is grown from the first of the others on. Where that cannot be told for sure, all of it is grown.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import chain, compress

from queries.views.trace.events import IDS
from queries.views.trace.grower import grow
from queries.views.trace.parents import JUST_BEFORE_US
from queries.views.trace.tree import KINDS, NOBODY, Mark, Tree

_ODD = Mark.OUTSIDE | Mark.LATE | Mark.NO_PARENT | Mark.PARENT_LOOP
_OPEN = Mark.RUNNING | Mark.NO_RETURN | Mark.NO_CALL
_TURNS = ("round_started", "round_kept", "round_reverted")  # what makes other rows look different
_GENERATION = KINDS.index("generation")
_MOST_LOOKS = 8


def grow_on(tree: Tree, added: Sequence[int], now_us: int) -> Tree:
    """The tree with the events at `added` places of its `events` as well; the same as `grow` makes of all."""
    cut = kept_rows(tree, added)
    if cut is not None:
        tail = grow(tree.trace_id, tree.events, now_us, among=_places(tree, cut, added))
        if tail.is_running and not any(map(_ODD.__and__, tail.marks)):
            return _joined(tree, cut, tail)
    return grow(tree.trace_id, tree.events, now_us)


def kept_rows(tree: Tree, added: Sequence[int]) -> int | None:
    """How many rows stay as they are, the round's own first; None where all may change."""
    events = tree.events
    started = tree.first[0]
    if not added or not tree.is_running or started == NOBODY or any(map(_ODD.__and__, tree.marks)) or events.repeats():
        return None
    latency = events.number["latency_ms"]
    begun = min(events.at[place] - (int(latency[place] * 1000) if 0 < latency[place] < 1e12 else 0) for place in added)
    if begun <= events.at[started] or any(latency[place] >= 1e12 for place in added):
        return None
    tops = [row for row, above in enumerate(tree.parent) if above == 0]
    at = bisect_left(tops, begun, key=tree.start_us.__getitem__)
    for row in compress(range(len(tree)), map(_OPEN.__and__, tree.marks)):
        if not events.id["step_id"][tree.first[row]]:  # its other half may come without naming it
            at = min(at, bisect_right(tops, row) - 1)
    for _ in range(_MOST_LOOKS):
        if at <= 0:
            return None
        cut = tops[at] if at < len(tops) else len(tree)
        changing = _places(tree, cut, added)
        named = _first_named(tree, cut, changing)
        if named is None:
            return cut if _is_apart(tree, cut, changing, added, begun) else None
        at = bisect_right(tops, named) - 1
    return None


def _places(tree: Tree, cut: int, added: Sequence[int]) -> list[int]:
    own = chain(tree.first[cut:], tree.second[cut:], *(places for row, places in tree.extra.items() if row >= cut))
    return [*(place for place in own if place != NOBODY), *added]


def _first_named(tree: Tree, cut: int, changing: Sequence[int]) -> int | None:
    """The first of the kept rows that shares an id with an event of the others."""
    columns = [tree.events.id[name] for name in IDS]
    ids = {column[place] for column in columns for place in changing} - {0}
    first = [place for place in tree.first[1:cut] if place != NOBODY]
    if all(ids.isdisjoint(map(column.__getitem__, first)) for column in columns):
        return None
    named = {place for place in first if any(column[place] in ids for column in columns)}
    return next(row for row in range(1, cut) if tree.first[row] in named)


def _is_apart(tree: Tree, cut: int, changing: Sequence[int], added: Sequence[int], begun: int) -> bool:
    """Whether nothing that goes by time alone reaches over the cut: model calls without a parent, and duplicates."""
    events = tree.events
    names, at, spans, parents = events.word["event"], events.at, events.id["span_id"], events.id["parent_id"]
    turns = {events.code_of(name) for name in _TURNS}
    calls = {events.code_of(name) for name in ("$ai_generation", "$ai_embedding")}

    def is_homeless(place: int) -> bool:
        return not parents[place] and (names[place] in calls or bool(spans[place]))

    if any(names[place] in turns or is_homeless(place) for place in changing):
        return False
    near = min(begun, tree.start_us[cut] if cut < len(tree) else begun) - JUST_BEFORE_US
    kept = [place for place in chain(tree.first[1:cut], tree.second[1:cut]) if place != NOBODY]
    if not {at[place] for place in added}.isdisjoint(map(at.__getitem__, kept)):
        return False
    return not any(is_homeless(place) for place in kept if at[place] >= near)


def _joined(tree: Tree, cut: int, tail: Tree) -> Tree:
    """The first `cut` rows of one tree, and those of the other but its round."""
    at = tree.events.at[tree.first[0]]
    start = min(at, *(tree.start_us[1:cut]), *tail.start_us[1:])
    end = max(at, *(tree.end_us[1:cut]), *tail.end_us[1:])

    def both(name: str) -> array[int]:
        return getattr(tree, name)[:cut] + getattr(tail, name)[1:]

    columns = {name: both(name) for name in ("first", "second", "depth", "kind", "marks", "until_us")}
    sizes, starts, ends = both("size"), both("start_us"), both("end_us")
    sizes[0], starts[0], ends[0] = cut + len(tail) - 1, start, end
    above = (row and row + cut - 1 for row in tail.parent[1:])
    extra = {row: places for row, places in tree.extra.items() if row < cut}
    extra |= {row + cut - 1: places for row, places in tail.extra.items()}
    return Tree(
        trace_id=tree.trace_id,
        events=tree.events,
        parent=array("i", [*tree.parent[:cut], *above]),
        size=sizes,
        start_us=starts,
        end_us=ends,
        extra=extra,
        began_us=start,
        ended_us=end,
        is_running=True,
        **columns,
    )
