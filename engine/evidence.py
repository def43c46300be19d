"""What the stored events say about a report: catalog questions, chosen by the sources of its signals, each answer one
measured sentence.

A signal's text never enters a question. Of its `extra` a project's and a client's name become bound parameters, and
only in the spelling of the store, which must know them; other names are compared with the answers' rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from statistics import median
from typing import Any

from engine.judge import Evidence
from engine.model import Signal
from engine.sources.facts import Loop
from engine.sources.registry import OWN_PROJECT
from engine.sources.source import at, named
from queries.backend import Backend
from queries.catalog import catalog
from queries.views import window
from queries.views.answers import best_of, goal_of
from queries.views.words import counted, money, score, share
from workspace.errors import LoopdeskError

NIGHTS = 3
HISTORY = timedelta(days=14)
MOST = 16
"""Sentences a report; the first signals' come first."""
_AHEAD = timedelta(days=1)  # a loop's clock may be ahead of ours
LAST, BEFORE = f"in the last {NIGHTS} nights", f"in the {NIGHTS} before"

Row = Mapping[str, Any]


@dataclass
class Asking:
    """The questions about one report: each is asked once for each span and loop."""

    backend: Backend
    now: datetime
    zone: str
    night_starts_hour: int
    _answers: dict[tuple, list[Row]] = field(default_factory=dict)

    @property
    def night(self) -> datetime:
        """When the last night began."""
        return window.night(self.now, self.zone, self.night_starts_hour).span.since

    @property
    def recent(self) -> datetime:
        """When the first of the last nights began. A night begins at the same local hour across a change of clocks."""
        return self.night - timedelta(days=NIGHTS - 1)

    @property
    def before(self) -> datetime:
        return self.recent - timedelta(days=NIGHTS)

    def rows(self, name: str, since: datetime, until: datetime | None = None, whose: Loop | None = None) -> list[Row]:
        """Raises `LoopdeskError`."""
        question = catalog.load(name)
        values = question.values(self.parameters(since, until, whose))
        key = (name, *values.items())
        if key not in self._answers:
            result = self.backend.query(question.text, values, question.types)
            self._answers[key] = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        return self._answers[key]

    def row(self, name: str, since: datetime, until: datetime | None, whose: Loop) -> Row:
        """Of a question that has a row a project; empty where nothing was sent."""
        return next(iter(self.rows(name, since, until, whose)), {})

    def mine(self, name: str, since: datetime, whose: Loop) -> list[Row]:
        """Rows of the loop, of a question that takes no project."""
        return [
            row
            for row in self.rows(name, since)
            if row["project"] == whose.project and whose.client in ("", row["client"] or "")
        ]

    def parameters(self, since: datetime, until: datetime | None, whose: Loop | None) -> dict[str, object]:
        loop = {"project": whose.project, "client": whose.client} if whose else {}
        return {"since": since, "until": until or self.now + _AHEAD, **loop}

    def evidence(self, question: str, since: datetime, whose: Loop, said: str, **values: object) -> Evidence:
        asked = self.parameters(since, None, whose)
        spelled = {name: one.isoformat() if isinstance(one, datetime) else one for name, one in asked.items()}
        return Evidence(question, said, spelled, {name: _stored(value) for name, value in values.items()})


def _stored(value: object) -> object:
    """JSON has no infinity, and an event may claim any cost."""
    return None if isinstance(value, float) and not isfinite(value) else value


Fact = Callable[[Asking, Loop, Signal], Evidence | None]
"""One measured thing about a loop; None where the answers have nothing to say about it."""


def gathered(backend: Backend, signals: Iterable[Signal], now: datetime, zone: str, starts_hour: int) -> list[Evidence]:
    """Blocking. A question that cannot be answered is left out, and the others stand."""
    asking = Asking(backend, now, zone, starts_hour)
    try:
        known = _known(asking)
    except LoopdeskError:
        return []
    found: dict[tuple[str, object], Evidence] = {}
    for signal in signals:
        whose = loop_of(signal, known)
        for fact in FACTS.get(signal.source_type, _OF_ANYTHING) if whose else ():
            if len(found) == MOST:
                return list(found.values())
            try:
                evidence = fact(asking, whose, signal)  # type: ignore[arg-type]
            except LoopdeskError:
                continue
            if evidence is not None:
                found.setdefault((evidence.said, evidence.values.get("signal")), evidence)
    return list(found.values())


def _known(asking: Asking) -> Mapping[str, frozenset[str]]:
    """Projects and their clients, in the store's spelling."""
    found: dict[str, set[str]] = {}
    for row in asking.rows("projects", asking.now - HISTORY):
        if row["project"] and row["project"] != OWN_PROJECT:
            found.setdefault(row["project"], set()).add(row["client"] or "")
    return {project: frozenset(clients) for project, clients in found.items()}


def loop_of(signal: Signal, known: Mapping[str, frozenset[str]]) -> Loop | None:
    """None for a project that the store has never heard of."""
    project = next((name for name in known if name == signal.extra.get("project")), None)
    if project is None:
        return None
    return Loop(project, next((name for name in known[project] if name == signal.extra.get("client")), ""))


def _kept(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    now, before = _both(asking, "headline", whose)
    decided, decided_before = now.get("outcomes", 0), before.get("outcomes", 0)
    if not decided and not decided_before:
        return None
    said = (
        f"{named(whose)} kept {now['kept']:,} of {counted(decided, 'round')} {LAST}"
        if decided
        else f"{named(whose)} decided no round {LAST}"
    )
    said += f", {before['kept']:,} of {decided_before:,} {BEFORE}." if decided_before else f", and none {BEFORE}."
    return asking.evidence(
        "headline",
        asking.recent,
        whose,
        said,
        kept=now.get("kept", 0),
        decided=decided,
        kept_before=before.get("kept", 0),
        decided_before=decided_before,
    )


def _best(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    now = asking.row("headline", asking.night, None, whose)
    before = asking.row("headline", asking.night - timedelta(days=NIGHTS), asking.night, whose)
    goal = goal_of(now.get("goal"))
    best, best_before = (best_of(goal, row) if row else None for row in (now, before))
    if best is None or best_before is None:
        return None
    way = "lower" if goal == "min" else "higher"
    said = (
        f"{named(whose)}: best score {score(best)} last night, {score(best_before)} in the {NIGHTS} nights before "
        f"({way} is better)."
    )
    return asking.evidence("headline", asking.night, whose, said, best=best, best_before=best_before, goal=goal)


def _cost(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    last = asking.rows("cost_per_kept", asking.night, None, whose)
    before = asking.rows("cost_per_kept", asking.night - timedelta(days=NIGHTS), asking.night, whose)
    (spent, rounds), (spent_before, rounds_before) = (
        (sum(row["spent_usd"] or 0.0 for row in rows), sum(row["priced"] for row in rows)) for rows in (last, before)
    )
    if not rounds:
        return None
    each, each_before = spent / rounds, spent_before / rounds_before if rounds_before else None
    said = f"{named(whose)} spent {money(spent)} on {counted(rounds, 'round')} last night, {money(each)} each"
    said += f"; {money(each_before)} each in the {NIGHTS} nights before." if each_before is not None else "."
    return asking.evidence(
        "cost_per_kept",
        asking.night,
        whose,
        said,
        spent_usd=spent,
        rounds=rounds,
        per_round_usd=each,
        per_round_usd_before=each_before,
    )


def _funnel(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    now, before = _both(asking, "round_funnel", whose)
    if not now.get("started"):
        return None
    said = f"{named(whose)}: of {counted(now['started'], 'started round')} {now['scored']:,} got a score {LAST}"
    said += f", {before['scored']:,} of {before['started']:,} {BEFORE}." if before.get("started") else "."
    return asking.evidence("round_funnel", asking.recent, whose, said, started=now["started"], scored=now["scored"])


def _escalated(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    now, before = _both(asking, "headline", whose)
    if not now.get("rounds"):
        return None
    said = f"{named(whose)} escalated {counted(now['escalations'], 'time')} in {counted(now['rounds'], 'round')} {LAST}"
    said += f", {before['escalations']:,} in {before['rounds']:,} {BEFORE}." if before else "."
    return asking.evidence(
        "headline", asking.recent, whose, said, escalations=now["escalations"], escalated_of=now["rounds"]
    )


def _stops(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    runs = sorted(asking.mine("run_stops", asking.now - HISTORY, whose), key=lambda row: row["at"])
    same = [row for row in runs if row["reason"] and row["reason"] == signal.extra.get("reason")]
    if not same:
        return None
    since = [row for row in runs if row["at"] > same[-1]["at"]]
    said = (
        f"{len(same)} of {counted(len(runs), 'run')} of {named(whose)} in two weeks stopped on "
        f"{named(same[-1]['reason'])}; {counted(len(since), 'later run')} ended otherwise."
    )
    return asking.evidence(
        "run_stops",
        asking.now - HISTORY,
        whose,
        said,
        stops=len(same),
        runs=len(runs),
        runs_since=len(since),
        signal=signal.id,
    )


def _since(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    """Whether the loop went on after what was observed."""
    seen = asking.mine("projects", asking.now - HISTORY, whose)
    if not seen:
        return None
    last = max(datetime.fromisoformat(row["last_at"]) for row in seen)
    since = signal.occurred_at + timedelta(seconds=2)
    rounds = asking.row("headline", since, None, whose).get("rounds", 0)
    hours = max((asking.now - last).total_seconds() / 3600, 0.0)
    said = (
        f"{counted(rounds, 'round')} of {named(whose)} ran after {at(signal.occurred_at, asking.zone)}; "
        f"its last event came {hours:.0f} h ago."
    )
    return asking.evidence("projects", since, whose, said, rounds_since=rounds, hours_silent=hours, signal=signal.id)


def _thrown(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    fingerprint = signal.extra.get("fingerprint")
    mine = [
        row
        for row in asking.mine("exception_issues", asking.now - HISTORY, Loop(whose.project, ""))
        if row["fingerprint"] and row["fingerprint"] == fingerprint
    ]
    if not mine:
        return None
    last = max(datetime.fromisoformat(row["last_at"]) for row in mine)
    times = sum(row["occurrences"] for row in mine)
    rounds = asking.row("headline", last + timedelta(seconds=2), None, whose).get("rounds", 0)
    said = (
        f"{named(mine[0]['type'])} was thrown {'once' if times == 1 else f'{times:,} times'} in two weeks, last "
        f"{at(last, asking.zone)}; {counted(rounds, 'round')} of {named(whose)} ran since."
    )
    return asking.evidence(
        "exception_issues", asking.now - HISTORY, whose, said, thrown=times, rounds_since=rounds, signal=signal.id
    )


def _dimension(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    rows = asking.rows("dimension_heatmap", asking.recent, None, whose)
    earlier = asking.rows("dimension_heatmap", asking.before, asking.recent, whose)
    wanted = str(signal.extra.get("dimension") or "").removeprefix("dim_")
    own, before = (_average(found, lambda dim: dim == wanted) for found in (rows, earlier))
    others = _average(rows, lambda dim: dim != wanted)
    dim = next((row["dim"] for row in rows if row["dim"].removeprefix("dim_") == wanted), "")
    if own is None or not wanted:
        return None
    said = f"{named(whose)}: {named(dim.removeprefix('dim_'))} averages {score(own)} {LAST}"
    said += f", {score(before)} {BEFORE}" if before is not None else ""
    said += f"; its other dimensions {score(others)}." if others is not None else "."
    return asking.evidence(
        "dimension_heatmap",
        asking.recent,
        whose,
        said,
        average=own,
        average_before=before,
        others=others,
        signal=signal.id,
    )


def _average(rows: Iterable[Row], wanted: Callable[[str], bool]) -> float | None:
    mine = [row for row in rows if row["average"] is not None and wanted(row["dim"].removeprefix("dim_"))]
    rounds = sum(row["rounds"] for row in mine)
    return sum(row["average"] * row["rounds"] for row in mine) / rounds if rounds else None


def _regressed(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    rows = asking.mine("dimension_regressions", asking.before, whose)
    now = {row["round_id"] for row in rows if datetime.fromisoformat(row["at"]) >= asking.recent}
    before = {row["round_id"] for row in rows} - now
    if not rows:
        return None
    said = f"{named(whose)}: dimensions regressed in {counted(len(now), 'round')} {LAST}, {len(before):,} {BEFORE}."
    return asking.evidence(
        "dimension_regressions", asking.recent, whose, said, regressed=len(now), regressed_before=len(before)
    )


def _calls(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    model = signal.extra.get("model")
    mine = [row for row in asking.mine("model_calls", asking.recent, whose) if row["model"] and row["model"] == model]
    if not mine:
        return None
    calls, errors = (sum(row[name] for row in mine) for name in ("calls", "errors"))
    times = [row["latency_s"] for row in mine if row["latency_s"] is not None]
    took = f"; an answer took {median(times):.1f} s (median)" if times else ""
    said = f"{errors:,} of {counted(calls, 'call')} to {named(mine[0]['model'])} failed {LAST}{took}."
    return asking.evidence("model_calls", asking.recent, whose, said, calls=calls, errors=errors, signal=signal.id)


def _version(asking: Asking, whose: Loop, signal: Signal) -> Evidence | None:
    """A deploy's rounds beside those of the version before it, and whether it still runs."""
    rows = {row["git_sha"]: row for row in asking.rows("deploys", asking.now - HISTORY, None, whose) if row["git_sha"]}
    sha, sha_before = (rows.get(signal.extra.get(name)) for name in ("git_sha", "git_sha_before"))
    if sha is None:
        return None
    runs = [row for row in asking.rows("rounds", asking.recent, None, whose) if row["git_sha"]]
    newest = max(runs, key=lambda row: row["started"], default=sha)["git_sha"]
    said = f"{_outcome(sha)}"
    said += f", {_outcome(sha_before)}" if sha_before else ""
    still = "it runs now" if newest == sha["git_sha"] else f"{_sha(newest)} runs now"
    return asking.evidence(
        "deploys",
        asking.now - HISTORY,
        whose,
        f"{said}; {still}.",
        kept=sha["kept"],
        decided=sha["outcomes"],
        is_running=int(newest == sha["git_sha"]),
        signal=signal.id,
    )


def _outcome(row: Row) -> str:
    kept = f" ({share(row['kept'] / row['outcomes'])})" if row["outcomes"] else ""
    return f"{_sha(row['git_sha'])} kept {row['kept']:,} of {counted(row['outcomes'], 'round')}{kept}"


def _sha(sha: str) -> str:
    return named(sha)[:12]


def _both(asking: Asking, question: str, whose: Loop) -> tuple[Row, Row]:
    return (
        asking.row(question, asking.recent, None, whose),
        asking.row(question, asking.before, asking.recent, whose),
    )


_OF_ANYTHING: tuple[Fact, ...] = (_kept, _cost)
FACTS: Mapping[str, tuple[Fact, ...]] = {
    "deploys": (_version, _best),
    "plateau": (_kept, _best, _cost, _escalated),
    "bad_stops": (_stops, _since),
    "silent_runs": (_since, _funnel),
    "missed_runs": (_since,),
    "cost_spike": (_cost, _kept),
    "cost_drift": (_cost, _kept),
    "eval_regressions": (_regressed, _dimension, _kept),
    "funnel_leak": (_funnel, _kept),
    "escalation_streak": (_escalated, _cost, _kept),
    "weak_dimension": (_dimension,),
    "scorer_drift": (_best, _kept),
    "exceptions": (_thrown,),
    "model_errors": (_calls, _kept),
    "model_latency": (_calls,),
    "router_anomalies": (_cost,),
    "experiment": (_best, _kept),
}
"""By the signal's source; anything else of a known loop is given its plainest figures."""
