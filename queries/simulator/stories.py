"""What is special about a simulated weekend. A story is data: whom and which night it touches, and what it changes.

Where a story lies within its night, and which client and dimension it picks, follows from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from queries.simulator.loops import AUTOAGENT, AUTORESEARCH, GTM_AUTORESEARCH

LAST, BEFORE = -1, -2
STALL_LIMIT = 46  # rounds without a new best after which a stalled loop gives up
SKEWED_AGENT = "judge"  # the one with a machine, and a clock, of its own
_NONE = range(0)


@dataclass(frozen=True, slots=True)
class Script:
    """How one run departs from a quiet night; the default is a quiet night. Rounds are counted from 0."""

    stalled_from: int | None = None  # nothing is kept from this round on; the run stops at its stall limit
    crash_at: int | None = None  # this round and the one prepared behind it never end
    deploy_at: int | None = None  # a worse `git_sha` from this round on
    escalated: range = _NONE
    late: range = _NONE  # events of these rounds arrive an hour late
    gain_factor: float = 1.0  # of a kept round's step
    token_factor: float = 1.0  # of all model calls, and so of cost
    weak_dim: str = ""
    skew_s: float = 0.0  # the judge's clock minus the true time


@dataclass(frozen=True, slots=True)
class Story:
    """`night` counts from the end (-1 is the last one), None is every night; `client` "" is every client.

    `subject` is the dimension, agent or model it is about. `effects` are fields of `Script`.
    """

    name: str
    project: str
    client: str
    night: int | None
    what: str
    subject: str = ""
    effects: Mapping[str, object] = field(default_factory=dict)

    def touches(self, project: str, client: str, night: int) -> bool:
        return project == self.project and self.client in ("", client) and self.night in (None, night)


def stories(seed: int) -> tuple[Story, ...]:
    """The stories of the weekend of this seed. It needs two nights at least; earlier ones are quiet but for the weak
    dimension."""
    chance = random.Random(f"{seed}/stories")
    weak, tardy = chance.sample(GTM_AUTORESEARCH.clients, 2)
    return (
        _plateau(chance),
        _cost_spike(),
        _escalation_streak(chance),
        _weak_dimension(weak.name, chance.choice(weak.dims)),
        _crashed_run(chance),
        _bad_deploy(chance),
        _improvement(),
        _late_batch(chance, tardy.name),
        _skewed_clock(chance),
    )


def script_for(told: Iterable[Story], project: str, client: str, night: int) -> Script:
    """All that the stories do to one run. `night` counts from the end, as in `Story`."""
    effects: dict[str, object] = {}
    for story in told:
        if story.touches(project, client, night):
            effects |= story.effects
    return Script(**effects)  # type: ignore[arg-type]


def _plateau(chance: random.Random) -> Story:
    start = chance.randint(3, 6)
    return Story(
        "plateau",
        AUTOAGENT.project,
        "internal",
        LAST,
        f"No new best from round {start + 1} on; after {STALL_LIMIT} rounds the loop stops itself with stall_limit.",
        effects={"stalled_from": start},
    )


def _cost_spike() -> Story:
    return Story(
        "cost_spike",
        AUTORESEARCH.project,
        "internal",
        LAST,
        "Every model call reads and writes three times as much, so a round costs three times as much.",
        effects={"token_factor": 3.0},
    )


def _escalation_streak(chance: random.Random) -> Story:
    start, length = chance.randint(18, 40), chance.randint(13, 17)
    return Story(
        "escalation_streak",
        AUTOAGENT.project,
        "internal",
        BEFORE,
        f"{length} rounds in a row are handed to {AUTOAGENT.bigger}, from round {start + 1} on.",
        subject=AUTOAGENT.bigger,
        effects={"escalated": range(start, start + length)},
    )


def _weak_dimension(client: str, dim: str) -> Story:
    return Story(
        "weak_dimension",
        GTM_AUTORESEARCH.project,
        client,
        None,
        f"{dim} stays near 0.45 every night, far below the client's other dimensions.",
        subject=dim,
        effects={"weak_dim": dim},
    )


def _crashed_run(chance: random.Random) -> Story:
    crash_at = chance.randint(36, 50)
    return Story(
        "crashed_run",
        AUTORESEARCH.project,
        "internal",
        BEFORE,
        f"Out of GPU memory in round {crash_at + 1}: stop reason crash, that round and the next one never end.",
        effects={"crash_at": crash_at},
    )


def _bad_deploy(chance: random.Random) -> Story:
    deploy_at = chance.randint(5, 8)
    return Story(
        "bad_deploy",
        GTM_AUTORESEARCH.project,
        "",
        LAST,
        f"A new git_sha from each client's round {deploy_at + 1} on: scores fall and almost nothing is kept.",
        effects={"deploy_at": deploy_at},
    )


def _improvement() -> Story:
    return Story(
        "improvement",
        AUTORESEARCH.project,
        "internal",
        LAST,
        "Kept rounds gain several times as much as on the nights before.",
        effects={"gain_factor": 4.0},
    )


def _late_batch(chance: random.Random, client: str) -> Story:
    start = chance.randint(8, 20)
    return Story(
        "late_batch",
        GTM_AUTORESEARCH.project,
        client,
        BEFORE,
        f"The events of rounds {start + 1} to {start + 4} arrive together, an hour late.",
        effects={"late": range(start, start + 4)},
    )


def _skewed_clock(chance: random.Random) -> Story:
    behind_s = chance.randint(90, 150)
    return Story(
        "skewed_clock",
        AUTOAGENT.project,
        "internal",
        BEFORE,
        f"The judge's machine is {behind_s} s slow: its verdicts seem older than the trials they judge.",
        subject=SKEWED_AGENT,
        effects={"skew_s": -float(behind_s)},
    )
