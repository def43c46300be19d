"""What ClickHouse answers to every question of the catalog over a simulated night: `python -m tests.catalog_oracle`
writes `catalog_expected.json`, which the tests compare with the embedded store's rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from queries.boards import parameters
from queries.catalog import catalog
from queries.simulator import simulate
from queries.views import window as windows
from queries.views.filters import Filters
from tests import odd_events, router_events
from tests.hogql_corpus import ZONE
from tests.hogql_oracle import Oracle, comparable

EXPECTED = Path(__file__).with_name("catalog_expected.json")
# The morning after the clocks went forward in ZONE: the night has a missing hour.
MORNING = datetime(2026, 3, 29, 7, 12, tzinfo=UTC)
# Question -> what is asked besides the night: filters are part of every text.
FILTERS = {"": Filters(), " of one client": Filters("gtm-autoresearch", "moss-cosmetics")}

# What the rounds behind a number are asked for: losses, hours on both sides of the missing one, a model, a reason.
_HOURS = {"bucket": "hour", "at": "2026-03-28 23:00:00,2026-03-29 03:00:00"}
NARROWED: dict[str, dict[str, object]] = {
    "rounds": {"ids": "01KMV48JAGK8BE0W22024XRK4A\n01KMVVN6DG72S3F3Y9XG3H8VVJ"},
    "rounds_at_stage": {"reached": "round_scored", "missing": "round_kept", **_HOURS},
    "rounds_with_dimension": _HOURS,
    "rounds_escalated": {"to_model": "claude-opus-4-1", "reason": "stall", **_HOURS},
    "rounds_stopped": {"reason": "max_rounds"},
    "rounds_with_model": {"model": "claude-haiku-4-5", "source": "token_machine.request"},
    "rounds_with_tokens": {"source": "$ai_generation"},
    "rounds_with_case": {"dimension": "naming"},
    "rounds_with_scorer": {"version": "review-2.0", "variant": "full"},
    # Only the night before threw something.
    "exception_issues": {"since": MORNING - timedelta(days=2)},
    "round_variants": {"since": MORNING - timedelta(days=11), "flag": "scorer_v2"},
    "rounds_of_task": {"task_type": "prompts", "model": "claude-haiku-4-5"},
    "rounds_of_model": {"task_type": "(no task type)", "model": "claude-haiku-4-5"},
    "rounds_of_agent": {"agent": "critic"},
}
# Asked of the time of `router_events` or `odd_events` alone as well.
_ODD = MORNING - timedelta(days=12)
_ODD_TIME = {"since": _ODD, "until": _ODD + timedelta(days=1)}
_OF_ALL = (
    "router_quality", "round_quality", "router_spend", "generation_spend", "anomaly_times", "revert_hours",
    "team_summaries", "agent_nights", "finetune_batches", "kept_rounds", "rounds_of_agent",
)  # fmt: skip
ODD: dict[str, dict[str, object]] = dict.fromkeys(_OF_ALL, _ODD_TIME) | {
    "rounds_of_task": {**_ODD_TIME, "task_type": "(no task type)"},
    "rounds_of_model": {**_ODD_TIME, "task_type": "proposal"},
    "rounds_after_anomaly": {**_ODD_TIME, "type": "cost_spike"},
}
_ODDER = MORNING - timedelta(days=20)
_OF_MODELS_AND_SCORES = (
    "model_latency", "model_latency_course", "router_latency", "router_latency_course", "round_tokens",
    "generation_tokens", "case_dimensions", "run_regressions", "run_cases", "scorer_versions", "scorer_mix",
    "rounds_with_model", "rounds_with_tokens", "rounds_with_case", "rounds_regressed", "rounds_with_scorer",
)  # fmt: skip
_ODDER_TIME: dict[str, object] = {"since": _ODDER, "until": _ODDER + timedelta(days=1), "bucket": "hour"}
ODD |= dict.fromkeys(_OF_MODELS_AND_SCORES, _ODDER_TIME)
# Beside what the simulation's loops saw, corners of it. A round as it is sent: event, minutes, score, variants.
_VARIANTS: dict[str, list[tuple[str, int, object, dict[str, object]]]] = {
    "01KKTW00000000000000000001": [
        ("round_started", 0, None, {"scorer_v2": "test", "aggressive_escalation": True}),
        ("round_scored", 4, 0.91, {"scorer_v2": "test", "aggressive_escalation": True}),
        ("round_kept", 5, None, {"scorer_v2": "test"}),
    ],
    "01KKTW00000000000000000002": [
        ("round_started", 10, None, {"scorer_v2": "control"}),
        ("round_scored", 15, "0.88", {"scorer_v2": "control"}),
        ("round_scored", 16, 0.89, {"scorer_v2": "control"}),
    ],
    "01KKTW00000000000000000003": [
        ("round_started", 20, None, {"scorer_v2": "control"}),
        ("round_scored", 25, 0.7, {"scorer_v2": "test"}),
    ],
    "01KKTW00000000000000000004": [("round_started", 30, None, {"scorer_v2": "test"})],
    "01KKTW00000000000000000005": [("round_scored", 40, 0.8, {"aggressive_escalation": False})],
}


@cache
def weekend() -> list[dict]:
    batches = simulate(2, until=MORNING, tz=ZoneInfo(ZONE), nights=2)
    return [event for batch in batches for event in batch]


def everything() -> list[dict]:
    """The weekend, and before it, where only some questions look, rounds of odd variants, odd events of all kinds."""
    return [*weekend(), *_with_variants(), *router_events.events(_ODD), *odd_events.sent(_ODDER)]


def _with_variants() -> Iterator[dict]:
    for round_id, told in _VARIANTS.items():
        for place, (name, minutes, score, variants) in enumerate(told):
            at = MORNING - timedelta(days=10) + timedelta(minutes=minutes)
            properties = {f"$feature/{flag}": value for flag, value in variants.items()} | {
                "project": "autoagent", "client": "acme", "agent": f"agent-{place}", "round_id": round_id,
                "run_id": "01KKTW0000000000000000RUN0",
            }  # fmt: skip
            if score is not None:
                properties |= {"score": score, "score_goal": "max"}
            yield {
                "event": name,
                "distinct_id": "autoagent:acme:critic",
                "timestamp": at.isoformat(),
                "uuid": str(UUID(int=int(round_id[-1]) * 100 + place)),
                "properties": properties,
            }


def asked() -> dict[str, tuple[catalog.Question, dict[str, object]]]:
    """Every question with its values, by a name for the two together."""
    night = windows.night(MORNING, ZONE)
    found = {}
    for name in catalog.names():
        question = catalog.load(name)
        if "posthog.ai_events" in question.text:
            continue  # the oracle holds `events` alone; what the Trace screen shows of it is tested there
        for suffix, filters in FILTERS.items():
            given = parameters(night, night.span, filters, "") | trace_of(filters) | {"dim": "dim_naming"}
            found[name + suffix] = (question, question.values(given))
            if name in NARROWED and not suffix:
                found[f"{name} narrowed"] = (question, question.values(given | NARROWED[name]))
            if name in ODD and not suffix:
                found[f"{name} of odd events"] = (question, question.values(given | ODD[name]))
    return found


def trace_of(filters: Filters) -> dict[str, object]:
    """What the questions about one trace ask for: the night's last round, and three of its events."""
    night = windows.night(MORNING, ZONE).span
    told = [
        event
        for event in weekend()
        if "round_id" in event["properties"]
        and event["properties"]["client"] == (filters.client or event["properties"]["client"])
        and night.since <= datetime.fromisoformat(event["timestamp"]) < night.until
    ]
    round_id = told[-1]["properties"]["round_id"]
    mine = [event["uuid"] for event in told if event["properties"]["round_id"] == round_id]
    return {"id": round_id, "id_end": round_id + "!", "uuids": mine[:3]}


def rows_of(rows: list) -> list:
    return [[comparable(cell) for cell in row] for row in rows]


def alike(question: catalog.Question, rows: list) -> list:
    """Rows without what is the embedded store's own: when an event arrived, where prompts are kept, and the cost of a
    call and the issue of an exception, which PostHog's pipeline works out before ClickHouse sees them."""
    names = [column.name for column in question.columns]
    own = {"arrived_us": _nothing, "properties": _sent, "fingerprint": _nothing, "issue_id": _nothing}
    if "arrived_us" in names:
        own["cost_usd"] = _nothing
    if question.name == "generation_spend":
        own |= {"priced": _nothing, "spent_usd": _nothing}
    return [[own.get(name, _same)(cell) for name, cell in zip(names, row, strict=True)] for row in rows]


def _nothing(cell: object) -> None:
    return None


def _sent(cell: str) -> dict:
    return {name: value for name, value in json.loads(cell).items() if not name.startswith(("$ai_", "$exception"))}


def _same(cell: object) -> object:
    return cell


def answers(oracle: Oracle) -> dict[str, list]:
    return {
        name: alike(question, rows_of(oracle.ask(question.text, values)["rows"]))
        for name, (question, values) in asked().items()
    }


if __name__ == "__main__":
    found = answers(Oracle(everything()))
    lines = (f"{json.dumps(name)}: {json.dumps(rows, ensure_ascii=False)}" for name, rows in found.items())
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
