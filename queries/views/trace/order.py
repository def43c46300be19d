"""Which events a round has and in what order they happened, whatever order they came in and however often."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress, islice
from operator import eq, le

from queries.views.trace.events import Events

Twins = list[tuple[int, int]]


def in_order(events: Events, among: Sequence[int] | None = None) -> tuple[list[int], Twins]:
    """The places of the events, or of those `among` them, by time and without duplicates; and the duplicates with what
    they repeat: the same uuid, or the same words at the same instant (a batch that was sent again with new uuids).

    At one instant a start comes before what it starts, and then the ids decide.
    """
    repeats = events.repeats()  # before the order is made: both at once need much memory
    order, tied = _by_time(events, range(len(events)) if among is None else among)
    if repeats:
        twins = _twins(events, order, by_uuid=True)
    else:  # only events of one instant can be the same
        twins = _twins(events, [place for begin, end in tied for place in order[begin:end]], by_uuid=False)
    if twins:
        gone = {twin for twin, _ in twins}
        order = [place for place in order if place not in gone]
    return order, twins


def _by_time(events: Events, among: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """The places in order, and where in it are several of one instant, as (first, one behind the last)."""
    at = events.at
    order = list(among)
    times = array("q", map(at.__getitem__, order))  # a list of them would take four times as much
    if not all(map(le, times, islice(times, 1, None))):
        order.sort(key=at.__getitem__)
        times = array("q", map(at.__getitem__, order))
    tied: list[tuple[int, int]] = []
    for place in compress(range(len(times)), map(eq, times, islice(times, 1, None))):
        if tied and tied[-1][1] == place + 1:
            tied[-1] = (tied[-1][0], place + 2)
        else:
            tied.append((place, place + 2))
    if tied:
        ranks, names = [_RANKS.get(word, 2) for word in events.words], events.word["event"]
        for begin, end in tied:
            order[begin:end] = sorted(order[begin:end], key=lambda place: (ranks[names[place]], events.key(place)))
    return order, tied


def _twins(events: Events, among: list[int], *, by_uuid: bool) -> Twins:
    """Those of `among`, which are in order, that repeat an earlier one."""
    at, key = events.at, events.key
    columns = [*events.word.values(), *events.id.values()]
    twins: Twins = []
    seen: dict[bytes, int] = {}
    said: dict[tuple[int, ...], int] = {}
    instant: int | None = None
    for place in among:
        earlier = seen.get(key(place)) if by_uuid else None
        if earlier is None:
            if at[place] != instant:
                instant, said = at[place], {}
            earlier = said.setdefault(tuple(column[place] for column in columns), place)
        if earlier != place:
            twins.append((place, earlier))
        elif by_uuid:
            seen[key(place)] = place
    return twins


_RANKS = {"round_started": 0, "step.tool_called": 1, "eval.run": 1, "round_kept": 3, "round_reverted": 3}
_RANKS |= {"stop_triggered": 4}
