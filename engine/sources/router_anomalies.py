"""What the model router itself finds unusual. It does not say on which grounds, so its word weighs little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.sources.facts import Loop, by_loop
from engine.sources.source import Evidence, Finding, Source, at, extra, named
from queries.views.words import counted
from workspace.text import plain


@dataclass(frozen=True, slots=True)
class Thresholds:
    nights: int = 3
    """How far back it is told if it was said before."""
    times: int = 2
    """What was said less often than this is told until the loop's next night: what did not come back was nothing."""


# Words in the router's types -> what our own sources call it, so that both stand in one report.
_METRICS = {"cost": "cost_usd", "slow": "model_latency", "latency": "model_latency", "error": "model_errors"}


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    latest = {loop: rounds[-1].night for loop, rounds in by_loop(evidence.rounds).items()}
    for row in evidence.rows("router_anomalies"):
        moment = datetime.fromisoformat(row["last_at"])
        loop, kind, night = Loop(row["project"], row["client"] or ""), row["type"] or "", evidence.night(moment)
        is_over = row["times"] < limits.times and night < latest.get(loop, night)
        if is_over or not evidence.is_recent(night, limits.nights):
            continue
        yield Finding(
            entity=(loop.project, loop.client, kind, row["user_id"] or "", row["task_type"] or ""),
            title=f"{named(loop)}: the model router reports {named(kind)}",
            said=(
                f"Said {counted(row['times'], 'time')}, last {at(moment, evidence.zone)}, of {named(row['user_id'])} "
                f"and tasks of type {named(row['task_type'])}.",
                f"It recommends: {plain(row['recommendation'] or 'nothing', 400)}",
            ),
            occurred_at=moment,
            extra=extra(
                loop,
                next((metric for word, metric in _METRICS.items() if word in kind.lower()), "router_anomaly"),
                anomaly=kind,
                task_type=row["task_type"],
                run_ids=[row["last_run_id"]] if row["last_run_id"] else [],
                numbers={"times": row["times"]},
            ),
        )


SOURCE = Source(
    name="router_anomalies",
    title="Router anomalies",
    asks=("router_anomalies", "round_history"),
    weight=0.25,
    thresholds=Thresholds(),
    find=_find,
    source_product="model_router",
)
