"""One long round: opening its trace and moving in it, beside Textual's own Tree with as many nodes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

ROUND_ID = "01KTRACE000000000000000BIG"
_COMMON = {
    "project": "autoresearch",
    "client": "internal",
    "run_id": "01KTRACE0000000000000000RUN",
    "round_id": ROUND_ID,
    "$ai_trace_id": ROUND_ID,
    "git_sha": "4f2c1d9e8a7b",
}
_IDEAS = ("Raise the embedding learning rate", "Clip gradients earlier", "Shorten the attention window")


def round_events(count: int, started: datetime) -> Iterator[dict]:
    """A round of exactly `count` wire events: plans, model calls, tool calls with retries, evals with cases."""
    chance = random.Random(7)
    told = _Told(started, chance)
    yield told.event("planner", "round_started", model="claude-sonnet-4-5", baseline_score=0.97, n_prior_rounds=3)
    left = count - 3
    while left > 0:
        for name, agent, properties in _cycle(chance):
            if left == 0:
                break
            left -= 1
            yield told.event(agent, name, **properties)
    yield told.event("judge", "round_scored", score=0.981, score_goal="max", dim_stability=0.8, dim_throughput=0.7)
    yield told.event("planner", "round_kept", delta=0.011, new_best=True, cost_usd=412.5)


def _cycle(chance: random.Random) -> Iterator[tuple[str, str, dict]]:
    step, suite = _id(chance), _id(chance)
    yield "$ai_generation", "planner", _call(chance, step, "plan")
    yield "step.plan", "planner", {"step_id": step, "plan": chance.choice(_IDEAS), "next_action": "read_file"}
    for tool in ("read_file", "search_code", "train"):
        call = _id(chance)
        called = {"step_id": call, "tool": tool, "args_json": '{"path": "train.py"}', "timeout_ms": 30_000}
        yield "step.tool_called", "coder", called
        returned = {"step_id": call, "tool": tool, "latency_ms": chance.randint(5, 4000), "result_bytes": 1200}
        if chance.random() < 0.05:
            yield "step.tool_returned", "coder", {**returned, "ok": False, "error": "connection reset by peer"}
            yield "step.retry", "coder", {"step_id": call, "cause": "connection reset by peer", "attempt": 2}
            yield "step.tool_called", "coder", called
        yield "step.tool_returned", "coder", {**returned, "ok": True}
    yield "step.observation", "critic", {"step_id": _id(chance), "source": "score_history", "value": 0.97}
    yield "eval.run", "judge", {"suite_id": suite, "suite": "validation", "n_cases": 4, "scorer_version": "bpb-1.4"}
    yield "$ai_generation", "judge", _call(chance, suite, "judge")
    for case in range(4):
        passed = chance.random() < 0.9
        told = {"case_id": f"validation/{case}", "dim": "stability", "score": 0.9, "passed": passed}
        yield "eval.case", "judge", {"suite_id": suite, "rationale": "good enough" if passed else "below", **told}
    yield "step.reflection", "critic", {"step_id": _id(chance), "verdict": "revert", "issues": [], "retry": False}


def _call(chance: random.Random, parent: str, name: str) -> dict:
    return {
        "$ai_span_id": f"{chance.getrandbits(64):016x}",
        "$ai_parent_id": parent,
        "$ai_span_name": name,
        "$ai_model": "claude-sonnet-4-5",
        "$ai_provider": "anthropic",
        "$ai_input_tokens": chance.randint(1000, 9000),
        "$ai_output_tokens": chance.randint(100, 900),
        "$ai_total_cost_usd": round(chance.uniform(0.001, 0.05), 6),
        "$ai_latency": round(chance.uniform(0.8, 9), 3),
    }


def _id(chance: random.Random) -> str:
    return f"01KTRACE{chance.getrandbits(80):018X}"


class _Told:
    def __init__(self, started: datetime, chance: random.Random) -> None:
        self.at, self.chance = started, chance

    def event(self, agent: str, name: str, **properties: object) -> dict:
        self.at += timedelta(milliseconds=self.chance.randint(4, 800))
        return {
            "event": name,
            "distinct_id": f"autoresearch:internal:{agent}",
            "timestamp": self.at.isoformat(),
            "uuid": str(UUID(int=self.chance.getrandbits(128), version=4)),
            "properties": {**_COMMON, "agent": agent, **properties},
        }
