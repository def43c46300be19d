"""Runs that ended badly: those that said so (crash, kill switch), and those that just went silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from engine.sources.facts import Loop, Round
from engine.sources.source import Evidence, Finding, Source, at, extra, named
from queries.views.words import counted, listed, money


@dataclass(frozen=True, slots=True)
class Bad:
    nights: int = 3
    """How far back a stop is still told."""
    words: tuple[str, ...] = ("crash", "error", "exception", "fail", "kill", "oom", "panic", "abort")
    """In a stop reason, meaning that something broke; the loops speak several dialects."""


@dataclass(frozen=True, slots=True)
class Silent:
    nights: int = 3
    runs: int = 3
    """Fewest runs of the loop that did say why they stopped; a loop that never does is not silent."""
    hours: float = 1.0
    """Since its last event, and at least three times its longest pause."""


def _bad(evidence: Evidence, limits: Bad) -> Iterator[Finding]:
    found: dict[tuple[Loop, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(evidence.rows("run_stops"), key=lambda row: row["at"]):
        reason = row["reason"] or ""
        is_recent = evidence.is_recent(evidence.night(datetime.fromisoformat(row["at"])), limits.nights)
        if is_recent and any(word in reason.lower() for word in limits.words):
            found[Loop(row["project"], row["client"] or ""), reason].append(row)
    errors = {row["last_run_id"]: row for row in evidence.rows("exception_issues")}
    for (loop, reason), rows in sorted(found.items(), key=lambda item: item[0]):
        yield _stopped(loop, reason, rows, errors, evidence)


def _stopped(
    loop: Loop,
    reason: str,
    rows: Sequence[Mapping[str, Any]],
    errors: Mapping[str, Mapping[str, Any]],
    evidence: Evidence,
) -> Finding:
    last = rows[-1]
    moment = datetime.fromisoformat(last["at"])
    error = errors.get(last["run_id"])
    mine = [round for round in evidence.rounds if round.run_id and round.run_id == last["run_id"]]
    open_rounds = [round for round in mine if not round.is_decided]
    usual = sorted(
        row["rounds_completed"]
        for row in evidence.rows("run_stops")
        if row["rounds_completed"] is not None
        and (row["project"], row["client"] or "") == (loop.project, loop.client)
        and row["run_id"] != last["run_id"]
    )
    said = [f"The run stopped {at(moment, evidence.zone)} with {named(reason)}."]
    if last["rounds_completed"] is not None:
        other = f"; other runs end after {usual[len(usual) // 2]:.0f} (median)" if usual else ""
        said.append(f"{last['rounds_completed']:.0f} rounds were completed{other}.")
    if last["total_cost_usd"] is not None:
        said.append(f"It had spent {money(last['total_cost_usd'])}, by its own count.")
    if open_rounds:
        said.append(f"{counted(len(open_rounds), 'round')} never ended.")
    if error:
        said.append(f"The last exception of that run: {named(error['type'])}: {named(error['value'])}")
    if len(rows) > 1:
        said.append(f"It stopped so {len(rows)} times in the last nights.")
    return Finding(
        entity=(loop.project, loop.client, reason),
        title=f"{named(loop)} stopped on {named(reason)}",
        said=tuple(said),
        occurred_at=moment,
        extra=extra(
            loop,
            "stop_reason",
            open_rounds or mine[-3:],
            reason=reason,
            run_ids=[row["run_id"] for row in rows if row["run_id"]][-20:],
            fingerprint=error["fingerprint"] if error else "",
            git_sha=mine[-1].git_sha if mine else "",
            numbers={
                "stops": len(rows),
                "rounds_completed": last["rounds_completed"],
                "total_cost_usd": last["total_cost_usd"],
                "rounds_without_end": len(open_rounds),
            },
        ),
    )


def _silent(evidence: Evidence, limits: Silent) -> Iterator[Finding]:
    said_why = {row["run_id"] for row in evidence.rows("run_stops")}
    runs: dict[Loop, dict[str, list[Round]]] = defaultdict(lambda: defaultdict(list))
    for round in evidence.rounds:
        if round.run_id and not round.is_estimated:
            runs[round.loop][round.run_id].append(round)
    for loop, mine in sorted(runs.items()):
        told = sum(run_id in said_why for run_id in mine)
        silent = [
            (run_id, rounds)
            for run_id, rounds in mine.items()
            if run_id not in said_why
            and evidence.is_recent(rounds[-1].night, limits.nights)
            and evidence.now - _last(rounds) > _patience(rounds, limits)
        ]
        if told < limits.runs or not silent:
            continue
        _, rounds = silent[-1]
        open_rounds = [round for round in rounds if not round.is_decided]
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)} went silent without a stop reason",
            said=(
                f"Its last event came {at(_last(rounds), evidence.zone)}, after {counted(len(rounds), 'round')}; "
                f"{told} of {len(mine)} runs of these nights said why they stopped.",
                f"Rounds that never ended: {len(open_rounds)}.",
                f"Silent runs: {listed([named(run_id) for run_id, _ in silent])}.",
            ),
            occurred_at=_last(rounds),
            extra=extra(
                loop,
                "stop_reason",
                open_rounds or rounds[-3:],
                run_ids=[one for one, _ in silent][-20:],
                git_sha=rounds[-1].git_sha,
                numbers={"rounds": len(rounds), "runs_that_said_why": told, "silent_runs": len(silent)},
            ),
        )


def _last(rounds: Sequence[Round]) -> datetime:
    return max(round.ended for round in rounds)


def _patience(rounds: Sequence[Round], limits: Silent) -> timedelta:
    pauses = [later.started - earlier.started for earlier, later in pairwise(rounds)]
    return max(timedelta(hours=limits.hours), 3 * max(pauses, default=timedelta()))


BAD = Source(
    name="bad_stops",
    title="Crashes and kill switches",
    asks=("run_stops", "exception_issues", "round_history"),
    weight=1.0,
    thresholds=Bad(),
    find=_bad,
)
SILENT = Source(
    name="silent_runs",
    title="Runs that went silent",
    asks=("round_history", "run_stops"),
    weight=0.5,
    thresholds=Silent(),
    find=_silent,
)
