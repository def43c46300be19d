"""Nights on the calendar, all runs in them, and the order in which their events arrive."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from queries.simulator.knobs import knobs_of
from queries.simulator.loops import LOOPS, Client, Loop
from queries.simulator.runs import Setting, play_run
from queries.simulator.stories import SKEWED_AGENT, Script, Story, script_for, stories
from queries.simulator.tape import Event, Ids

NIGHT = timedelta(hours=8)
ENDS_HOUR = 6
SETTLES = timedelta(minutes=10)  # between the end of the last night and `until`
EVENING = timedelta(hours=18, minutes=10)  # an unfinished night is moved forward, but not before this time of day
BATCH_EVENTS = 200
LATE_S = 3600
DIM_SPREAD = 0.05

WireEvent = dict[str, object]


@dataclass(frozen=True, slots=True)
class Night:
    """From the first possible round to the last possible event, both aware."""

    start: datetime
    end: datetime


def night_spans(until: datetime, nights: int, tz: tzinfo) -> tuple[Night, ...]:
    """Oldest first: 22:00 to 06:00 in `tz`, the last one over before `until`.

    After midnight that last night would be a day old, so all nights then begin and end earlier, by the same hours.
    """
    local = until.astimezone(tz).replace(tzinfo=None)
    end = local.replace(hour=ENDS_HOUR, minute=0, second=0, microsecond=0)
    start = end - NIGHT
    if local < end + SETTLES:
        end = (local - SETTLES).replace(second=0, microsecond=0)
        evening = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1) + EVENING
        start = max(end - NIGHT, evening)
    days = [timedelta(days=back) for back in reversed(range(nights))]
    return tuple(Night((start - day).replace(tzinfo=tz), (end - day).replace(tzinfo=tz)) for day in days)


def simulate(
    seed: int, *, until: datetime, tz: tzinfo = UTC, nights: int = 4, quiet: bool = False
) -> Iterator[list[WireEvent]]:
    """Batches of wire events in arrival order; about 5,000 events a night.

    `until` is aware; the last night is over before it. `quiet` leaves all stories out. Raises `ValueError` for a naive
    `until`, and for fewer nights than the stories need (two; one where quiet).
    """
    if until.tzinfo is None:
        raise ValueError("until must be aware: give it a time zone")
    if nights < (1 if quiet else 2):
        raise ValueError("the stories need two nights, a quiet weekend one")
    return _batches(_flushes(seed, () if quiet else stories(seed), night_spans(until, nights, tz)))


def _batches(flushes: Iterator[tuple[float, list[WireEvent]]]) -> Iterator[list[WireEvent]]:
    batch: list[WireEvent] = []
    for _, events in sorted(flushes, key=lambda flush: flush[0]):
        batch += events
        if len(batch) >= BATCH_EVENTS:
            yield batch
            batch = []
    if batch:
        yield batch


def _flushes(seed: int, told: tuple[Story, ...], nights: tuple[Night, ...]) -> Iterator[tuple[float, list[WireEvent]]]:
    """What each loop sent at once, with the time of its arrival (seconds since the epoch)."""
    for loop in LOOPS:
        shas = _shas(seed, loop, len(nights), is_quiet=not told)
        for place, client in enumerate(loop.clients):
            best = client.first_score
            levels = _levels(random.Random(f"{seed}/{client.name}/{loop.project}/levels"), loop, client)
            for number, night in enumerate(nights):
                chance = random.Random(f"{seed}/{loop.project}/{client.name}/{number}")
                # Ids hold the time, and differ between two simulations of different days.
                ids = Ids(random.Random(f"{seed}/{loop.project}/{client.name}/{night.start.isoformat()}"))
                script = script_for(told, loop.project, client.name, number - len(nights))
                if not loop.carries_over:
                    best = round(client.first_score + 0.002 * number + chance.gauss(0, 0.002), loop.digits)
                slots, room_s = _slots(loop, place, night, chance)
                knobs = knobs_of(loop.project, client.name, number - len(nights))
                flags = random.Random(f"{seed}/{loop.project}/{client.name}/{number}/flags")
                setting = Setting(loop, client, script, slots, room_s, (shas[number], shas[-1]), levels, knobs, flags)
                run = play_run(setting, best, chance, ids)
                best = run.best
                yield from _sent(run.flushes, script, chance, ids)


def _slots(loop: Loop, place: int, night: Night, chance: random.Random) -> tuple[tuple[float, ...], float]:
    """The starts of a client's rounds, and the seconds that each may take. A loop with several clients takes them in
    turn: each client's round has its share of the time."""
    begin, end = night.start.timestamp() + 60 * chance.uniform(1, 4), night.end.timestamp() - 60
    slot_s = (end - begin) / loop.rounds
    room_s = slot_s / len(loop.clients)
    starts = (begin + number * slot_s + place * room_s for number in range(loop.rounds))
    return tuple(start + room_s * chance.uniform(0, 0.06) for start in starts), room_s


def _shas(seed: int, loop: Loop, nights: int, *, is_quiet: bool) -> list[str]:
    """The code's `git_sha` on each night, and one more for a deploy within the last night. On nights without a story
    now and then a deploy changes nothing."""
    chance = random.Random(f"{seed}/{loop.project}/shas")
    shas = [f"{chance.getrandbits(28):07x}"]
    for number in range(1, nights):
        is_deployed = chance.random() < 0.5 and (is_quiet or number < nights - 2)
        shas.append(f"{chance.getrandbits(28):07x}" if is_deployed else shas[-1])
    return [*shas, f"{chance.getrandbits(28):07x}"]


def _levels(chance: random.Random, loop: Loop, client: Client) -> dict[str, float]:
    """Distances from the score that add up to nothing, so that the score is about the mean of its dimensions."""
    if loop.goal == "min":
        return {dim: chance.uniform(0.72, 0.93) for dim in client.dims}
    distances = [chance.uniform(-DIM_SPREAD, DIM_SPREAD) for _ in client.dims]
    middle = sum(distances) / len(distances)
    return {dim: distance - middle for dim, distance in zip(client.dims, distances, strict=True)}


def _sent(
    flushes: list[list[Event]], script: Script, chance: random.Random, ids: Ids
) -> Iterator[tuple[float, list[WireEvent]]]:
    """A round's events leave together when it is over; neighbours may have changed places on the way."""
    for index, events in enumerate(flushes):
        shuffled = sorted(events, key=lambda event: event.at + chance.uniform(0, 3))
        # Late rounds were held back together, until the network was there again.
        last = flushes[script.late[-1]] if index in script.late else events
        delay = LATE_S + index if index in script.late else chance.uniform(0.5, 4)
        yield max(event.at for event in last) + delay, [_wire(event, script.skew_s, ids) for event in shuffled]


def _wire(event: Event, skew_s: float, ids: Ids) -> WireEvent:
    told = event.properties
    at = event.at + (skew_s if event.agent == SKEWED_AGENT else 0)
    return {
        "event": event.name,
        "distinct_id": f"{told['project']}:{told['client']}:{event.agent}",
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "uuid": ids.uuid(at),
        "properties": told,
    }
