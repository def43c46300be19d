"""Nights of a loop in a real `events.db`, and a fix of its report that was merged between them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

from engine.effects import Effect, Log, SaveProposal, SaveReport
from engine.model import Proposal, Report
from engine.store import Store
from queries.local.store import Store as Events
from tests.events import event
from workspace.paths import Workspace

OLD, NEW = "aaaaaaa", "bbbbbbb"


def night(
    begins: datetime,
    rounds: int = 24,
    *,
    kept: Callable[[int], bool] = lambda number: number % 6 == 5,
    sha: str = OLD,
    cost: float = 0.05,
    **scored: object,
) -> list[dict]:
    """Rounds of autoagent/internal, one every ten minutes; a kept one is 0.01 better. `scored` are properties of
    `round_scored`, given as values or as functions of the round's number."""
    found = []
    for number in range(rounds):
        at = begins + timedelta(minutes=10 * number)
        more = {"round_id": f"{begins:%d%H}-{number:03}", "run_id": f"run-{begins:%d%H}", "git_sha": sha}
        is_kept = kept(number)
        said = {name: value(number) if callable(value) else value for name, value in scored.items()}
        score = {"score": 0.51 if is_kept else 0.49, "score_goal": "max", **said}
        ending = {"cost_usd": cost * (1 + 0.02 * (number % 5))}
        found += [
            event("round_started", at=at, key=number, baseline_score=0.5, **more),
            event("round_scored", at=at + timedelta(minutes=5), key=number, **score, **more),
            event(
                "round_kept" if is_kept else "round_reverted",
                at=at + timedelta(minutes=6),
                key=number,
                **ending,
                **more,
            ),
        ]
    return found


def happened(workspace: Workspace, *nights: list[dict]) -> None:
    with closing(Events.open(workspace.events_db)) as store:
        store.connection.execute("PRAGMA synchronous = OFF")
        with store.transaction():
            for events in nights:
                at = max(datetime.fromisoformat(one["timestamp"]) for one in events)
                store.ingest(events, now=at)


def merge(workspace: Workspace, report: Report, at: datetime, id: str = "P1", **changes: object) -> Proposal:
    """A proposal of the report went all the way, and the report is resolved."""
    proposal = Proposal(id, report.id, at, at, title="Restore the limit", number=42)
    effects: list[Effect] = [SaveProposal(proposal)]
    for state in ("building", "open", "merged"):
        proposal, line = proposal.moved(state, by="engine", reason="it was", now=at)
        effects += [Log(line), SaveProposal(proposal)]
    known = {"merged_at": at, "merge_sha": "c" * 40, **changes}
    proposal = replace(proposal, **known)  # type: ignore[arg-type]
    effects.append(SaveProposal(proposal))
    if report.status != "resolved":
        resolved, line = report.moved("resolved", by="engine", reason="its fix was merged", now=at)
        effects += [Log(line), SaveReport(resolved)]
    with closing(Store.open(workspace.inbox_db)) as store, store.transaction("apply_result"):
        store.write(effects, at)
    return proposal
