"""A running round that gets longer: the tree is the same as if it were grown anew, and mostly is not."""

from __future__ import annotations

import random
from dataclasses import fields
from datetime import timedelta
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.trace import round_events
from queries.views.trace.events import Event, Events
from queries.views.trace.grower import grow
from queries.views.trace.tail import grow_on, kept_rows
from queries.views.trace.tree import Tree
from tests.conftest import NOW
from tests.test_trace_tree import ROUND, START, STARTED, ev, generation, of_wire

SOON = START + 300_000_000


def columns(found: Tree) -> dict[str, object]:
    values = {one.name: getattr(found, one.name) for one in fields(found) if one.name != "events"}
    return {name: list(value) if hasattr(value, "typecode") else value for name, value in values.items()}


def both(before: list[Event], more: list[Event]) -> tuple[Tree, Tree, int | None]:
    """The tree that got longer, the one grown anew, and how many rows of the first were kept."""
    events = Events.of(before)
    tree = grow(ROUND, events, SOON)
    events.extend(more)
    added = range(len(before), len(events))
    return grow_on(tree, added, SOON), grow(ROUND, events, SOON), kept_rows(tree, added)


LONG = [
    of_wire({**one, "properties": {**one["properties"], "latency_ms": one["properties"].get("latency_ms")}})
    for one in islice(round_events(400, NOW - timedelta(seconds=240)), 398)
]


def harmed(events: list[Event], chance: random.Random) -> list[Event]:
    """As they may come: some never, some without their ids, by another clock or twice, some that begin much earlier."""
    odds = chance.choice((0.0, 0.0, 0.02, 0.1))
    found: list[Event] = []
    for event in events:
        if chance.random() < odds:
            harm = chance.randrange(7)
            changes: tuple[dict[str, object], ...] = (
                {"step_id": None},
                {"parent_id": None},
                {"at_us": event.at_us - chance.randrange(6_000_000)},
                {"latency_ms": chance.choice((0.5, 900.0, 8_000.0))},
                {"step_id": chance.choice(events).step_id},
                {"event": chance.choice(events).event},
            )
            if harm == len(changes):
                continue
            event = event._replace(**changes[harm])
        found.append(event)
        if chance.random() < odds / 8:
            found.append(event)
    return found


@settings(max_examples=1000, deadline=None)
@given(st.randoms(use_true_random=True))
def test_a_longer_round_is_the_tree_of_all_its_events(chance: random.Random):
    first = chance.randrange(300)
    events = [STARTED, *harmed([moved(one, place) for place, one in enumerate(LONG[first : first + 90])], chance)]
    last = chance.randrange(1, 12)
    longer, anew, _ = both(events[:-last], events[-last:])
    assert columns(longer) == columns(anew)


def moved(event: Event, place: int) -> Event:
    """Into the round's time."""
    at = START + 1_000_000 + place * 100_000
    return event._replace(at_us=at, arrived_us=at)


def test_only_the_end_of_a_large_round_is_grown_anew():
    events = [STARTED, *(moved(one, place) for place, one in enumerate(LONG))]
    longer, anew, kept = both(events[:-5], events[-5:])
    assert columns(longer) == columns(anew)
    assert kept is not None and len(anew) - kept < 60


def test_a_return_of_the_first_call_is_still_its_return():
    before = [STARTED, ev("step.tool_called", 1, step_id="S", tool="run")]
    before += [ev("step.plan", 2 + place, step_id=f"P{place}", text="x") for place in range(20)]
    longer, anew, kept = both(before, [ev("step.tool_returned", 40, step_id="S", tool="run", ok="true")])
    assert columns(longer) == columns(anew) and kept is None


def test_a_model_call_that_names_no_parent_may_stand_anywhere():
    before = [STARTED, *(ev("step.plan", 2 + place, step_id=f"P{place}", text="x") for place in range(20))]
    assert both(before, [generation(30)])[2] is None
