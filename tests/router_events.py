"""What no simulated loop sends: requests, summaries, batches and rounds with properties missing, odd or of the wrong
type, for the questions of the boards about the router, the agents and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

_ROUND = "01KKTX0000000000000000000"

# Event, minutes after the start, properties. None takes a common property away.
TOLD: tuple[tuple[str, float, dict[str, object]], ...] = (
    ("token_machine.request", 1, {"task_type": "proposal", "model_used": "small", "cost_usd": 0.5,
                                  "quality_score": 0.9, "efficiency_grade": "A"}),
    ("token_machine.request", 2, {"task_type": "proposal", "model_used": "small", "cost_usd": "0.25",
                                  "quality_score": "0.8", "efficiency_grade": "B"}),
    ("token_machine.request", 3, {"task_type": "proposal", "model_used": "small", "cost_usd": "$0.25",
                                  "quality_score": "good"}),
    ("token_machine.request", 4, {"task_type": "", "model_used": None, "cost_usd": None, "quality_score": -1.5}),
    ("token_machine.request", 5, {"task_type": ["a", "b"], "model_used": {"name": "x"}, "cost_usd": True,
                                  "quality_score": 1e150, "efficiency_grade": 3}),
    ("token_machine.request", 65, {"model_used": "large\u202e", "cost_usd": 1e-12, "quality_score": 0}),
    ("token_machine.request", 66, {"project": "loopdesk", "task_type": "proposal", "cost_usd": 99}),
    ("token_machine.request", 67, {"project": None, "client": None, "round_id": None, "task_type": "score",
                                   "model_used": "small", "cost_usd": 0.125}),
    ("$ai_generation", 1, {"task_type": "proposal", "$ai_model": "no such model"}),
    ("$ai_generation", 2, {"task_type": 7, "$ai_model": "no such model"}),
    ("token_machine.anomaly", 10, {"type": "cost_spike"}),
    ("token_machine.anomaly", 11, {"type": "cost_spike", "client": None}),
    ("token_machine.anomaly", 12, {"type": None, "client": "globex"}),
    ("token_machine.anomaly", 500, {"type": "slow", "project": None}),
    ("token_machine.team_summary", 20, {"total_requests": "12", "total_cost": "dear", "avg_quality": None,
                                        "best_performer": {"user": "x"}, "escalation_candidates": "a, b"}),
    ("token_machine.team_summary", 21, {"total_requests": 1.5, "client": None, "run_id": None,
                                        "escalation_candidates": [{"user_id": 4}, "c", None]}),
    ("finetune_batch_published", 75, {"batch_id": "b-1", "n_examples": 12, "r2_key": "x/1.jsonl",
                                      "target_model": "tiny"}),
    ("finetune_batch_published", 76, {"batch_id": None, "n_examples": "many"}),
    ("finetune_batch_published", 77, {"project": "loopdesk", "batch_id": "b-2"}),
    # A round with a type of task, kept after the first anomaly's hour; scored twice, the later one counts.
    ("round_started", 1, {"round": 1, "agent": "planner", "model": "small", "task_type": "proposal"}),
    ("round_scored", 30, {"round": 1, "agent": "judge", "score": 0.5, "quality_score": 0.7, "score_goal": "min"}),
    ("round_scored", 31, {"round": 1, "agent": "judge", "score": "0.25", "quality_score": "0.75",
                          "score_goal": "min"}),
    ("round_kept", 71, {"round": 1, "agent": "planner", "cost_usd": "0.5"}),
    # Reverted exactly an hour after the first anomaly, nobody named.
    ("round_scored", 40, {"round": 2, "agent": None, "score": None, "quality_score": "junk"}),
    ("round_reverted", 70, {"round": 2, "agent": None, "cost_usd": None}),
    # Reverted before any anomaly, by another client; and after the hour.
    ("round_started", 2, {"round": 3, "agent": "coder", "client": "globex", "model": ""}),
    ("round_scored", 5, {"round": 3, "agent": "coder", "client": "globex", "score": 1}),
    ("round_reverted", 9, {"round": 3, "agent": "coder", "client": "globex", "cost_usd": 0.125}),
    ("round_reverted", 72, {"round": 4, "agent": "coder", "client": "globex", "cost_usd": "free"}),
    ("step.reflection", 33, {"round": 1, "agent": "critic"}),
    ("round_scored", 35, {"round": 5, "project": "loopdesk", "score": 1, "quality_score": 1}),
)  # fmt: skip


def events(start: datetime) -> Iterator[dict]:
    """Of one run from `start` on. The same start gives the same events."""
    for place, (name, minutes, told) in enumerate(TOLD):
        properties: dict[str, object] = {
            "project": "autoagent", "client": "acme", "agent": "coder", "run_id": "01KKTX0000000000000000RUN0",
            "round_id": f"{_ROUND}{told.get('round', 9)}", **told,
        }  # fmt: skip
        properties.pop("round", None)
        yield {
            "event": name,
            "distinct_id": "autoagent:acme:coder",
            "timestamp": (start + timedelta(minutes=minutes)).isoformat(),
            "uuid": str(uuid5(NAMESPACE_URL, f"router events {start.isoformat()} {place}")),
            "properties": {name: value for name, value in properties.items() if value is not None},
        }
