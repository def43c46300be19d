"""Errors that were thrown, one signal an issue: `$exception` events with one fingerprint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.sources.facts import Loop
from engine.sources.source import Evidence, Finding, Source, at, extra, named
from queries.views.words import counted, listed
from workspace.text import plain


@dataclass(frozen=True, slots=True)
class Thresholds:
    nights: int = 3
    handled: int = 3
    """Fewest occurrences of an error that the code dealt with; one that it did not deal with is told at once."""
    handled_share: float = 0.5
    """Of the weight, for an error that the code dealt with."""


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    issues: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(evidence.rows("exception_issues"), key=lambda row: row["last_at"]):
        issues[row["project"], row["fingerprint"] or ""].append(row)
    for (project, fingerprint), rows in sorted(issues.items()):
        last = rows[-1]
        moment = datetime.fromisoformat(last["last_at"])
        occurrences, unhandled = (sum(row[name] for row in rows) for name in ("occurrences", "unhandled"))
        if not evidence.is_recent(evidence.night(moment), limits.nights):
            continue
        if not unhandled and occurrences < limits.handled:
            continue
        clients = sorted({row["client"] for row in rows if row["client"]})
        whose: Loop | str = Loop(project, clients[0]) if len(clients) == 1 else project
        first = min(datetime.fromisoformat(row["first_at"]) for row in rows)
        since = f", first {at(first, evidence.zone)}" if occurrences > 1 else ""
        said = [
            plain(last["value"], 400),
            f"{counted(occurrences, 'time')}{since}, last {at(moment, evidence.zone)}; {unhandled} not handled.",
        ]
        if len(clients) > 1:
            said.append(f"It hit {listed([named(client) for client in clients])}.")
        yield Finding(
            entity=(project, fingerprint or last["type"]),
            title=f"{named(last['type']) if last['type'] else 'An exception'} in {named(whose)}",
            said=tuple(filter(None, said)),
            occurred_at=moment,
            share=1.0 if unhandled else limits.handled_share,
            extra=extra(
                whose,
                "exceptions",
                [row["last_round_id"] or "" for row in rows],
                fingerprint=fingerprint,
                issue_id=last["issue_id"],
                git_sha=last["last_git_sha"],
                run_ids=[row["last_run_id"] for row in rows if row["last_run_id"]][-20:],
                clients=clients,
                numbers={"occurrences": occurrences, "unhandled": unhandled},
            ),
        )


SOURCE = Source(
    name="exceptions",
    title="Exceptions",
    asks=("exception_issues",),
    weight=1.0,
    thresholds=Thresholds(),
    find=_find,
    source_product="error_tracking",
)
