"""Flags that the simulated loops read as a round begins, as the drop-in client puts them on its events.

A variant is drawn after its round was decided, from a random stream of its own, so that a flag changes nothing else of
a weekend. That one of the variants is better is in the draw: good rounds ran under it more often than bad ones, which
is what a scorer that helps looks like in the events.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from queries.simulator.loops import AUTOAGENT, GTM_AUTORESEARCH


@dataclass(frozen=True, slots=True)
class Knob:
    """Read in the last `nights` of one client. `variants` are the usual side and the other; `lift` is the chance that a
    good round ran under the other one, and a bad round under the usual: 0.5 is a flag that does nothing."""

    flag: str
    project: str
    client: str
    nights: int
    variants: tuple[bool | str, bool | str]
    lift: float = 0.5


# Both stay below 60 scored rounds of each variant, from where on the engine's own source would speak of them.
SCORER = Knob("scorer_v2", AUTOAGENT.project, "internal", 1, ("control", "test"), lift=0.9)
ESCALATION = Knob("aggressive_escalation", GTM_AUTORESEARCH.project, "northpine-outdoor", 3, (False, True))
KNOBS = (SCORER, ESCALATION)


def knobs_of(project: str, client: str, night: int) -> tuple[Knob, ...]:
    """`night` counts from the end, as in `Story`: -1 is the last one."""
    return tuple(one for one in KNOBS if (one.project, one.client) == (project, client) and night >= -one.nights)


def variants(knobs: Iterable[Knob], is_good: bool | None, chance: random.Random) -> dict[str, object]:
    """The properties of one round's events. `is_good` None: it has no score."""
    found: dict[str, object] = {}
    for knob in knobs:
        share = 0.5 if is_good is None else knob.lift if is_good else 1 - knob.lift
        found[f"$feature/{knob.flag}"] = knob.variants[chance.random() < share]
    return found
