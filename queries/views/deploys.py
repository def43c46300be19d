"""What a change of the loop's own code did: score, kept rate and cost by `git_sha`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queries.backend import QueryResult
from queries.views.answers import best_of, goal_of, is_improvement, records
from queries.views.words import counted, listed


@dataclass(frozen=True, slots=True)
class Deploy:
    """One `git_sha` of one project, in order of first appearance. `is_better` compares `best` with the one before."""

    project: str
    git_sha: str
    first_seen: datetime
    rounds: int
    best: float | None
    kept_share: float | None
    per_kept_usd: float | None
    is_better: bool | None


@dataclass(frozen=True, slots=True)
class Deploys:
    deploys: tuple[Deploy, ...]
    verdict: str


def deploys(now: QueryResult) -> Deploys:
    """From `deploys`' rows: each project's shas in order of first appearance."""
    found: list[Deploy] = []
    latest: dict[str, tuple[float | None, str]] = {}
    for row in sorted(records(now), key=lambda row: (row["project"], row["first_seen"])):
        project, goal = row["project"], goal_of(row["goal"])
        best = best_of(goal, row) if row["rounds"] else None
        earlier, _ = latest.get(project, (None, ""))
        change = best - earlier if best is not None and earlier is not None else None
        kept, outcomes, spent = row["kept"], row["outcomes"], row["spent_usd"]
        found.append(
            Deploy(
                project=project,
                git_sha=row["git_sha"],
                first_seen=datetime.fromisoformat(row["first_seen"]),
                rounds=row["rounds"],
                best=best,
                kept_share=kept / outcomes if outcomes else None,
                per_kept_usd=spent / kept if spent is not None and kept else None,
                is_better=is_improvement(goal, change),
            )
        )
        latest[project] = (best if best is not None else earlier, goal)
    return Deploys(tuple(found), _verdict(found))


def _verdict(found: list[Deploy]) -> str:
    if not found:
        return "Nobody sends git_sha in this window."
    changed = [deploy for place, deploy in enumerate(found) if place and found[place - 1].project == deploy.project]
    if not changed:
        return (
            f"No deploy of a loop's code in this window; {listed(sorted({d.git_sha[:7] for d in found}))} throughout."
        )
    last = changed[-1]
    how = {True: "with a better best score", False: "with a worse best score", None: "with the same best score"}
    return (
        f"{last.project} moved to {last.git_sha[:7]} {how[last.is_better]}; {counted(len(changed), 'deploy')} in all."
    )
