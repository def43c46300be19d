"""What the demo's PostHog knows beside events: the flags that its loops read, an experiment on one of them, and what
happened when. Made through the handlers that `loopdesk serve` mounts, so it is what a person would have made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from queries.annotations import Draft
from queries.rest import Rest
from queries.simulator import Night
from queries.simulator.knobs import ESCALATION, SCORER, Knob

PLANNED_ROUNDS = 16  # scored, of each variant: the simulator's last night has more
_ARMS = {
    "multivariate": {
        "variants": [
            {"key": "control", "name": "control", "rollout_percentage": 50},
            {"key": "test", "name": "test", "rollout_percentage": 50},
        ]
    }
}

Deploys = dict[tuple[str, str], datetime]
"""When each `git_sha` of a project was first seen, by project and sha."""


def deploys_in(batch: Iterable[Mapping], seen: Deploys) -> None:
    """Adds what a batch of wire events shows."""
    for event in batch:
        told = event["properties"]
        code, at = (told["project"], told["git_sha"]), datetime.fromisoformat(event["timestamp"])
        seen[code] = min(at, seen.get(code, at))


def make_knobs(rest: Rest, nights: Sequence[Night], deploys: Deploys) -> None:
    """Raises `LoopdeskError`."""
    for flag in _flags():
        rest.ask("POST", "feature_flags/", flag)
    rest.ask("POST", "experiments/", _experiment(nights[-SCORER.nights]))
    for mark in sorted(_marks(nights, deploys), key=lambda mark: mark.at):
        rest.ask("POST", "annotations/", mark.document())


def _flags() -> Iterator[dict[str, object]]:
    by_round = {"bucketing_identifier": "device_id"}
    yield {
        "key": SCORER.flag,
        "name": "The second scorer judges rounds (test), or the first one (control).",
        "filters": {**_on(100, _of(SCORER)), **_ARMS},
        **by_round,
    }
    yield {
        "key": ESCALATION.flag,
        "name": "A loop that stalls takes the larger model sooner.",
        "filters": _on(50, _of(ESCALATION)),
        **by_round,
    }
    yield {
        "key": "gtm_dim_weights_v3",
        "name": "The third weights of dimensions (test), or the second (control).",
        "active": False,
        "filters": {**_on(100, [_is("project", ESCALATION.project)]), **_ARMS},
        **by_round,
    }
    yield {
        "key": "diff_size_cap_32",
        "name": "A proposal may change 32 lines at most.",
        "active": False,
        "filters": {**_on(100), **_payload(diff_lines=32)},
    }
    yield {
        "key": "nightly_budget_20usd",
        "name": "A run stops when its night has cost $20.",
        "filters": {**_on(100), **_payload(usd=20)},
    }
    yield {
        "key": "stop_loops",
        "name": "While it is on no loop begins another round.",
        "active": False,
        "filters": _on(100),
    }


def _experiment(began: Night) -> dict[str, object]:
    plan = f"loopdesk plan: {PLANNED_ROUNDS} scored rounds of each variant."
    return {
        "name": "Does the second scorer find better rounds?",
        "feature_flag_key": SCORER.flag,
        "description": plan,
        "start_date": began.start.isoformat(),
    }


def _marks(nights: Sequence[Night], deploys: Deploys) -> Iterator[Draft]:
    yield Draft(f"{SCORER.flag}: half of {SCORER.project}'s rounds from tonight on", nights[-SCORER.nights].start)
    client = f"{ESCALATION.project}, {ESCALATION.client}"
    yield Draft(f"{ESCALATION.flag}: half of the rounds of {client}", nights[-ESCALATION.nights].start)
    for (project, sha), at in deploys.items():
        if any(other == project and earlier < at for (other, _), earlier in deploys.items()):
            yield Draft(f"deploy of {project}", at, sha)


def _of(knob: Knob) -> list[dict[str, object]]:
    return [_is("project", knob.project), _is("client", knob.client)]


def _is(name: str, value: str) -> dict[str, object]:
    return {"key": name, "type": "person", "operator": "exact", "value": [value]}


def _on(percent: int, properties: Sequence[Mapping[str, object]] = ()) -> dict[str, object]:
    return {"groups": [{"properties": list(properties), "rollout_percentage": percent}]}


def _payload(**told: object) -> dict[str, object]:
    return {"payloads": {"true": json.dumps(told)}}
