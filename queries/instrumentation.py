"""What the loops sent in the last day, looked at for the mistakes that make boards wrong. The rules are pure; only
`look` asks.

A sample of each loop's newest events of a kind is read, because what a loop does wrong it does every time, and another
loop may send a thousand times as many.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queries.backend import Backend
from queries.views.words import counted
from workspace.text import plain

OK, NOTE, WRONG = "ok", "note", "wrong"
_OURS = "loopdesk"  # the engine's own events, which belong to no run
_SLACK = 0.02  # costs are rounded on their way
_SIGN = r"(?:us)?[$€£]|usd|eur"
_MONEY = re.compile(rf"\s*-?\s*(?:(?:{_SIGN})\s*-?[0-9.,]+|[0-9.,]+\s*(?:{_SIGN}))\s*", re.IGNORECASE)

# Event -> what must be a number, as the loops' contract has it. No other event is looked at.
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "round_started": ("diff_lines", "baseline_score", "n_prior_rounds"),
    "proposal_generated": ("prompt_tokens", "completion_tokens", "cost_usd", "latency_ms"),
    "proposal_applied": ("diff_bytes", "apply_latency_ms"),
    "round_scored": ("score", "quality_score"),
    "round_kept": ("delta", "cost_usd"),
    "round_reverted": ("delta", "cost_usd"),
    "model_escalated": ("stall_rounds",),
    "stop_triggered": ("rounds_completed", "total_cost_usd", "final_best_score"),
    "finetune_batch_published": ("n_examples",),
    "step.plan": (),
    "step.observation": (),
    "step.reflection": (),
    "step.retry": ("attempt",),
    "step.tool_called": ("timeout_ms",),
    "step.tool_returned": ("latency_ms", "result_bytes"),
    "eval.run": ("n_cases",),
    "eval.case": ("score",),
    "eval.regression": ("prior_score", "new_score", "delta"),
    "token_machine.request": ("input_tokens", "output_tokens", "cost_usd", "quality_score", "latency_ms"),
    "token_machine.team_summary": ("total_requests", "total_cost", "avg_quality"),
}
_OF_A_ROUND = frozenset(
    {"round_started", "proposal_generated", "proposal_applied", "round_scored", "round_kept", "round_reverted"}
) | {name for name in NUMBERS if name.startswith("step.")}
_OF_A_RUN = _OF_A_ROUND | {"model_escalated", "stop_triggered"}

_COUNTS = """
SELECT event, properties.project AS project, count() AS events
FROM events
WHERE timestamp >= now() - INTERVAL 1 DAY
GROUP BY event, project
ORDER BY events DESC, event, project
LIMIT 1000
"""
_NEWEST = """
SELECT event, distinct_id, properties
FROM events
WHERE timestamp >= now() - INTERVAL 1 DAY AND event IN {names} AND properties.project != {ours}
ORDER BY timestamp DESC
LIMIT 50 BY event, properties.project
LIMIT 10000
"""
_ENDINGS = """
SELECT count() AS rounds
FROM (
  SELECT properties.round_id AS round_id
  FROM events
  WHERE event IN ('round_kept', 'round_reverted')
    AND timestamp >= now() - INTERVAL 1 DAY
    AND properties.round_id IS NOT NULL
  GROUP BY round_id
  HAVING count() > 1
)
LIMIT 1
"""
_RUN_COSTS = """
SELECT
  properties.run_id AS run_id,
  sumIf(toFloat(properties.cost_usd), event IN ('round_kept', 'round_reverted')) AS rounds,
  sumIf(toFloat(properties.cost_usd), event = 'proposal_generated') AS proposals,
  maxIf(toFloat(properties.total_cost_usd), event = 'stop_triggered') AS total
FROM events
WHERE event IN ('round_kept', 'round_reverted', 'proposal_generated', 'stop_triggered')
  AND timestamp >= now() - INTERVAL 1 DAY
  AND properties.run_id IS NOT NULL
GROUP BY run_id
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing. `state` is ok, note or wrong; `do` is empty where nothing is to be done."""

    state: str
    said: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """`project` is None where the events name none."""

    event: str
    project: str | None
    events: int


@dataclass(frozen=True, slots=True)
class Sent:
    event: str
    distinct_id: str
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RunCost:
    """In dollars, of one run's events in the last day. `total` is None where the run has not stopped."""

    rounds: float
    proposals: float
    total: float | None


@dataclass(frozen=True, slots=True)
class Looked:
    counts: tuple[Count, ...]
    findings: tuple[Finding, ...]


def look(backend: Backend) -> Looked:
    """Blocking; four questions. Raises `LoopdeskError`."""
    counts = tuple(Count(str(event), project, int(n)) for event, project, n in backend.query(_COUNTS).rows)
    if not any(count.event in NUMBERS and count.project != _OURS for count in counts):
        nothing = Finding(
            WRONG, "No loop sent anything in the last day", "Check POSTHOG_API_KEY and POSTHOG_HOST there"
        )
        return Looked(counts, (nothing,))
    values, types = {"names": list(NUMBERS), "ours": _OURS}, {"names": "Array(String)", "ours": "String"}
    sent = [_sent(row) for row in backend.query(_NEWEST, values, types).rows]
    ((twice,),) = backend.query(_ENDINGS).rows
    costs = [
        RunCost(rounds or 0, made or 0, total or None) for _, rounds, made, total in backend.query(_RUN_COSTS).rows
    ]
    return Looked(counts, tuple(findings(counts, sent, int(twice), costs)))


def findings(counts: Sequence[Count], sent: Sequence[Sent], twice: int, costs: Sequence[RunCost]) -> Iterator[Finding]:
    """A sentence for each kind of mistake, ok where there is none. `twice` is how many rounds ended more than once."""
    yield from _or_ok(_types(sent), "Numbers are numbers")
    yield from _or_ok(_ids(sent), "Distinct ids are project:client:agent")
    yield from _or_ok(_missing(sent), "Events name their project, run and round")
    yield from _or_ok(_costs(counts, sent, twice, costs), "Cost is counted once")


def _types(sent: Sequence[Sent]) -> Iterator[Finding]:
    found: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], object] = {}
    for one in sent:
        dims = [name for name in one.properties if name.startswith("dim_")] if one.event == "round_scored" else []
        for name in (*NUMBERS.get(one.event, ()), *dims):
            kind = _kind(one.properties.get(name))
            if kind:
                found[one.event, name, kind] += 1
                examples.setdefault((one.event, name, kind), one.properties[name])
    for (event, name, kind), n in sorted(found.items()):
        shown = plain(json.dumps(examples[event, name, kind], ensure_ascii=False), 40)
        yield Finding(
            WRONG,
            f"{plain(event)}.{plain(name, 60)} is {kind} in {counted(n, 'event')}, such as {shown}",
            "Send a plain number",
        )
    goals = {str(one.properties["score_goal"]) for one in sent if one.properties.get("score_goal") is not None}
    for goal in sorted(goals - {"max", "min"}):
        yield Finding(WRONG, f"score_goal is {plain(goal, 40)!r}", "Send max or min")


def _kind(value: object) -> str:
    """What is wrong with a number, empty for nothing; one that is absent or null is no mistake: a crashed round has no
    score."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)):
        return ""
    if isinstance(value, str):
        return "money with a currency sign" if _MONEY.fullmatch(value) else "text"
    return "true or false" if isinstance(value, bool) else "no number"


def _ids(sent: Sequence[Sent]) -> Iterator[Finding]:
    raw: dict[str, list[str]] = {}
    for one in sent:
        named = one.properties.get("project")
        parts = one.distinct_id.split(":")
        if one.event.startswith("token_machine."):
            continue  # the router's are of its own users
        if len(parts) != 3 or not all(parts) or (isinstance(named, str) and parts[0] != named):
            raw.setdefault(_project(one), []).append(one.distinct_id)
    for project, ids in sorted(raw.items()):
        yield Finding(
            WRONG,
            f"{project} sends raw distinct ids in {counted(len(ids), 'event')}, such as {plain(ids[0], 40)!r}",
            "Let the drop-in file name the agent: project:client:agent",
        )


def _missing(sent: Sequence[Sent]) -> Iterator[Finding]:
    for name, events in (("project", frozenset(NUMBERS)), ("run_id", _OF_A_RUN), ("round_id", _OF_A_ROUND)):
        lacking = Counter(
            (_project(one), one.event)
            for one in sent
            if one.event in events
            and not one.event.startswith("token_machine.")
            and not str(one.properties.get(name) or "").strip()
        )
        for (project, event), n in sorted(lacking.items()):
            yield Finding(
                WRONG, f"{project} sends {counted(n, event + ' event')} without {name}", f"Set {name} on every event"
            )


def _costs(counts: Sequence[Count], sent: Sequence[Sent], twice: int, costs: Sequence[RunCost]) -> Iterator[Finding]:
    if twice:
        yield Finding(
            WRONG,
            f"{counted(twice, 'round')} ended more than once, so that their cost counts more than once",
            "Send one round_kept or round_reverted for each round",
        )
    doubled = sum(1 for run in costs if _is_doubled(run))
    if doubled:
        yield Finding(
            WRONG,
            f"stop_triggered.total_cost_usd of {counted(doubled, 'run')} is rounds and proposals together",
            "The rounds' cost contains the proposals': add up round_kept and round_reverted alone",
        )
    made = {
        str(one.properties.get("round_id")): cost
        for one in sent
        if one.event == "proposal_generated" and (cost := _number(one.properties.get("cost_usd"))) is not None
    }
    short = sum(
        1
        for one in sent
        if one.event in ("round_kept", "round_reverted")
        and (cost := _number(one.properties.get("cost_usd"))) is not None
        and cost < made.get(str(one.properties.get("round_id")), 0.0) * (1 - _SLACK)
    )
    if short:
        yield Finding(
            WRONG,
            f"{counted(short, 'round')} cost less than the proposal that they hold",
            "round_kept.cost_usd and round_reverted.cost_usd contain proposal_generated.cost_usd",
        )
    names = {count.event for count in counts}
    if {"token_machine.request", "$ai_generation"} <= names:
        yield Finding(NOTE, "The router and the model observability both record calls: never add up the two")


def _is_doubled(run: RunCost) -> bool:
    both = run.rounds + run.proposals
    return run.total is not None and run.proposals > _SLACK * both and abs(run.total - both) <= _SLACK * both / 2


def _or_ok(found: Iterator[Finding], otherwise: str) -> Iterator[Finding]:
    rows = list(found)
    if not any(row.state == WRONG for row in rows):
        yield Finding(OK, otherwise)
    yield from rows


def _sent(row: Sequence) -> Sent:
    event, distinct_id, text = row
    try:
        properties = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        properties = None
    return Sent(str(event), str(distinct_id), properties if isinstance(properties, dict) else {})


def _project(one: Sent) -> str:
    return plain(one.properties.get("project") or "", 60) or "A loop without a project"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
