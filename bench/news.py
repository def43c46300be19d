"""Rounds that nobody had sent when the answers were saved: they change what every board says."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from uuid import UUID

_ROUNDS = 3


def best_score(turn: int) -> float:
    """What `autoagent` scores in a turn's news, better than anything before."""
    return 0.95017 + turn / 1000


def news(turn: int, until: datetime) -> list[dict[str, object]]:
    """One more run of `autoagent` within the night before `until`, other figures on every turn."""
    chance = random.Random(turn)
    start = until - timedelta(hours=2)
    run_id = f"RUN-{turn}"
    events: list[dict[str, object]] = []

    def send(name: str, minute: float, round_id: str | None, **properties: object) -> None:
        common = {
            "project": "autoagent",
            "client": "internal",
            "agent": "coder",
            "git_sha": "new",
            "run_id": run_id,
        }
        events.append(
            {
                "event": name,
                "distinct_id": "autoagent:internal:coder",
                "timestamp": (start + timedelta(minutes=minute)).isoformat(),
                "uuid": str(UUID(int=chance.getrandbits(128), version=4)),
                "properties": {**common, **({"round_id": round_id} if round_id else {}), **properties},
            }
        )

    for number in range(_ROUNDS):
        round_id, minute = f"ROUND-{turn}-{number}", 10.0 * number + turn / 60
        score = best_score(turn)
        send("round_started", minute, round_id, model="small")
        send("proposal_generated", minute + 1, round_id, cost_usd=1.0)
        send("proposal_applied", minute + 2, round_id, target="prompt")
        send("round_scored", minute + 3, round_id, score=score, score_goal="max", dim_news=0.01 * (turn % 20 + 1))
        send("round_kept", minute + 4, round_id, delta=0.01, new_best=True, cost_usd=10.0 + turn)
        send("model_escalated", minute + 5, round_id, from_model="small", to_model="large", reason="stall")
    send("stop_triggered", 10.0 * _ROUNDS + 5, None, reason="max_rounds", rounds_completed=_ROUNDS, total_cost_usd=30.0)
    return events
