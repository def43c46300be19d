"""What no loop should send, but one will: numbers as text, names left out, words where numbers belong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

_ROUNDS = tuple(f"01KK0DD000000000000000000{place}" for place in range(6))
_RUN = "01KK0DD0000000000000000RUN"
_HOME = {"project": "autoagent", "client": "acme", "run_id": _RUN}

# Minutes, event, properties. None is left out.
_TOLD: tuple[tuple[int, str, dict[str, object]], ...] = (
    (0, "$ai_generation", {"$ai_latency": 2.0}),
    (1, "$ai_generation", {"$ai_model": "", "$ai_latency": "3.5", "round_id": _ROUNDS[0]}),
    (2, "$ai_generation", {"$ai_model": "m-1", "$ai_latency": "slow", "round_id": _ROUNDS[0]}),
    (3, "$ai_generation", {"$ai_model": "m-1", "$ai_latency": 0.5, "$ai_is_error": True, "round_id": _ROUNDS[0]}),
    (4, "$ai_generation", {"$ai_model": "m-1", "$ai_is_error": "true", "round_id": _ROUNDS[1]}),
    (70, "$ai_generation", {"$ai_model": "m-1", "$ai_latency": 4, "$ai_is_error": False, "$ai_input_tokens": "1200",
                            "round_id": _ROUNDS[0]}),
    (71, "$ai_generation", {"$ai_model": "m-1", "$ai_latency": 8, "$ai_input_tokens": 300, "$ai_output_tokens": 40,
                            "round_id": _ROUNDS[1], "client": None}),
    (72, "$ai_generation", {"$ai_model": "m-1", "$ai_latency": 6, "$ai_input_tokens": "many", "project": None}),
    (73, "$ai_generation", {"$ai_model": "m-1", "$ai_latency": 900, "$ai_input_tokens": 9, "project": "loopdesk"}),
    (5, "token_machine.request", {"model_used": "m-1", "latency_ms": "1500", "round_id": _ROUNDS[0]}),
    (6, "token_machine.request", {"model_used": "m-1", "round_id": _ROUNDS[0]}),
    (7, "token_machine.request", {"latency_ms": 2500}),
    (70, "token_machine.request", {"model_used": "m-1", "latency_ms": "-", "round_id": _ROUNDS[2]}),
    (71, "token_machine.request", {"model_used": "m-1", "latency_ms": 700, "round_id": _ROUNDS[2]}),
    (8, "proposal_generated", {"prompt_tokens": 1000, "completion_tokens": 100, "round_id": _ROUNDS[0]}),
    (70, "proposal_generated", {"prompt_tokens": "2000", "round_id": _ROUNDS[0]}),
    (71, "proposal_generated", {"prompt_tokens": "unknown", "completion_tokens": 50, "round_id": _ROUNDS[1]}),
    (72, "proposal_generated", {"prompt_tokens": 9000, "completion_tokens": 900}),
    (9, "eval.case", {"dim": "clarity", "case_id": "a", "score": "0.5", "round_id": _ROUNDS[0]}),
    (10, "eval.case", {"dim": "dim_clarity", "case_id": "b", "score": 0.7, "round_id": _ROUNDS[0]}),
    (11, "eval.case", {"dim": "clarity", "case_id": "c", "score": "n/a", "round_id": _ROUNDS[1]}),
    (12, "eval.case", {"score": 1, "round_id": _ROUNDS[1], "client": None}),
    (13, "eval.case", {"dim": "cost", "score": 3, "run_id": None, "project": "autoresearch"}),
    (14, "eval.regression", {"dim": "clarity", "case_id": "a", "delta": "-0.2", "round_id": _ROUNDS[0]}),
    (15, "eval.regression", {"dim": "clarity", "case_id": "a", "delta": -0.1, "round_id": _ROUNDS[0]}),
    (16, "eval.regression", {"dim": "clarity", "case_id": "c", "delta": 0.4, "round_id": _ROUNDS[1]}),
    (17, "eval.regression", {"dim": "cost", "delta": 0.3, "run_id": None, "project": "autoresearch"}),
    (18, "eval.regression", {"delta": "worse", "case_id": "d"}),
    (20, "round_scored", {"score": "0.9", "scorer_version": "v1", "scorer_variant": "full", "round_id": _ROUNDS[0]}),
    (21, "round_scored", {"score": 0.7, "scorer_version": "v2", "scorer_variant": "", "round_id": _ROUNDS[0]}),
    (22, "round_scored", {"score": "crashed", "scorer_version": "v2", "round_id": _ROUNDS[1]}),
    (23, "round_scored", {"score": 0.8, "round_id": _ROUNDS[2], "client": None}),
    (24, "round_scored", {"score": 0.98, "scorer_version": 3, "score_goal": "min", "round_id": _ROUNDS[3],
                          "project": "autoresearch"}),
    (25, "round_scored", {"score": 0.96, "scorer_version": 3, "round_id": _ROUNDS[4], "project": "autoresearch"}),
    (26, "round_scored", {"score": 0.99, "scorer_version": 3, "project": "autoresearch"}),
    (30, "round_kept", {"round_id": _ROUNDS[0]}),
    (31, "round_reverted", {"round_id": _ROUNDS[2]}),
    (32, "round_kept", {"round_id": _ROUNDS[4], "project": "autoresearch"}),
    (33, "round_kept", {}),
)  # fmt: skip


def sent(since: datetime) -> Iterator[dict]:
    for place, (minutes, name, told) in enumerate(_TOLD):
        properties = {key: value for key, value in (_HOME | told).items() if value is not None}
        yield {
            "event": name,
            "distinct_id": "autoagent:acme:critic",
            "timestamp": (since + timedelta(minutes=minutes)).isoformat(),
            "uuid": str(UUID(int=900_000 + place)),
            "properties": properties,
        }
