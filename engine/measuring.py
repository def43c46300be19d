"""A metric, measured: catalog questions over a span, and their answers by night. Blocks; asks any `Backend`.

Everything is counted by night and client, because what is compared later must not hang on one night, nor on which
clients happened to run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from engine.metrics import Metric
from engine.sources.facts import Round, by_night, history, night_of
from engine.sources.registry import OWN_PROJECT
from queries.backend import Backend
from queries.catalog import catalog
from queries.views.answers import UNNAMED, better, goal_of, records

SILENT = timedelta(hours=3)
"""After which a night without any further round is over, although its hours are not."""
_BEYOND_BELIEF = 1e15  # an event may claim any number, also none that is one
_SHORTEST_SHA = 7
_PAGE = 1000  # the limit of `rounds_with_dimension`

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Nights:
    """When nights begin: the local hour, in this time zone."""

    zone: str
    starts_hour: int

    def of(self, moment: datetime) -> date:
        return night_of(moment, self.zone, self.starts_hour)

    def start(self, night: date) -> datetime:
        return datetime.combine(night, time(self.starts_hour), ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """`amount` for `of` of what is counted: 53 kept of 171 rounds, one score of one round, a cost of no kept round."""

    night: date
    client: str
    amount: float
    of: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was observed, and the rounds that ran, by (night, client). `is_less_better` as the metric or the rounds' own
    goal says."""

    metric: Metric
    observed: tuple[Observed, ...] = ()
    ran: Mapping[tuple[date, str], int] | None = None
    is_less_better: bool = False

    @property
    def unit(self) -> str:
        return self.metric.kind.unit

    @property
    def value(self) -> float | None:
        of = sum(one.of for one in self.observed)
        return sum(one.amount for one in self.observed) / of if of else None

    @property
    def rounds(self) -> int:
        return sum((self.ran or {}).values())

    @property
    def nights(self) -> tuple[date, ...]:
        return tuple(sorted({night for night, _ in self.ran or {}}))

    @property
    def clients(self) -> frozenset[str]:
        return frozenset(client for _, client in self.ran or {})

    def of_nights(self, is_one: Callable[[date], bool]) -> Measurement:
        return self._only(lambda night, client: is_one(night))

    def of_clients(self, clients: Iterable[str]) -> Measurement:
        kept = frozenset(clients)
        return self._only(lambda night, client: client in kept)

    def _only(self, is_one: Callable[[date, str], bool]) -> Measurement:
        return replace(
            self,
            observed=tuple(one for one in self.observed if is_one(one.night, one.client)),
            ran={key: rounds for key, rounds in (self.ran or {}).items() if is_one(*key)},
        )


@dataclass(frozen=True, slots=True)
class Running:
    """Since when rounds ran the code that was merged: None while none did. `old` are the versions from before, `until`
    is where the last night that is over ends, and `rounds` are all since the merge, whatever they ran."""

    old: frozenset[str]
    since: datetime | None
    until: datetime
    rounds: int


def running(
    backend: Backend,
    metric: Metric,
    seen_from: datetime,
    merged_at: datetime,
    now: datetime,
    nights: Nights,
    merge_sha: str = "",
) -> Running:
    """A round that says a version which also ran before the merge cannot have the fix; one that says none may. A merge
    by somebody else is noticed late: a round of that very commit was after it. Raises `LoopdeskError`."""
    rounds = _rounds(backend, metric, seen_from, now, nights)
    merged_at = min([merged_at, *(one.started for one in rounds if _is_same(one.git_sha, merge_sha))])
    old = frozenset(one.git_sha for one in rounds if one.started < merged_at and one.git_sha)
    later = [one for one in rounds if one.started >= merged_at]
    fixed = [one for one in later if one.git_sha not in old]
    tonight = nights.of(now)
    is_going_on = any(one.night == tonight and now - one.ended < SILENT for one in later)
    until = nights.start(tonight) if is_going_on else now
    return Running(old, min((one.started for one in fixed), default=None), until, len(later))


def _is_same(sha: str, whole: str) -> bool:
    """Loops shorten a commit's name."""
    return len(sha) >= _SHORTEST_SHA and whole.startswith(sha)


def measure(
    backend: Backend,
    metric: Metric,
    since: datetime,
    until: datetime,
    nights: Nights,
    without: frozenset[str] = frozenset(),
) -> Measurement:
    """From `since` (included) to `until` (excluded); `without` the rounds of these versions. Raises `LoopdeskError`."""
    rounds = _rounds(backend, metric, since, until, nights)
    mine = tuple(one for one in rounds if one.git_sha not in without)
    old = frozenset(one.run_id for one in rounds) - {one.run_id for one in mine}
    asked = _Asked(backend, metric, since, until, nights, mine, old, without)
    goals = [one.goal for one in mine if one.score is not None]
    is_less = metric.kind.better == "less" or (metric.kind.better == "goal" and _most(goals) == "min")
    ran = Counter((one.night, one.loop.client) for one in mine)
    observed = [one for one in _SAMPLES[metric.name](asked) if abs(one.amount) < _BEYOND_BELIEF]
    return Measurement(metric, tuple(observed), dict(ran), is_less)


def _most(goals: Sequence[str]) -> str:
    return goal_of(max(goals, key=goals.count, default=None))


def _rounds(backend: Backend, metric: Metric, since: datetime, until: datetime, nights: Nights) -> tuple[Round, ...]:
    rows = [row for row in _rows(backend, "round_history", since, until) if _is_of(row, metric)]
    return history(rows, nights.zone, nights.starts_hour)


def _rows(backend: Backend, name: str, since: datetime, until: datetime, **parameters: object) -> list[dict]:
    question = catalog.load(name)
    values = question.values({"since": since, "until": until, **parameters})
    return records(backend.query(question.text, values, question.types))


def _is_of(row: Row, metric: Metric) -> bool:
    is_own = row["project"] == metric.project and metric.project != OWN_PROJECT
    return is_own and metric.client in ("", row["client"] or "")


@dataclass(frozen=True, slots=True)
class _Asked:
    backend: Backend
    metric: Metric
    since: datetime
    until: datetime
    nights: Nights
    rounds: tuple[Round, ...]
    old_runs: frozenset[str]
    without: frozenset[str]

    def rows(self, name: str, **parameters: object) -> list[dict]:
        return [
            row for row in _rows(self.backend, name, self.since, self.until, **parameters) if _is_of(row, self.metric)
        ]


def _each(rounds: Iterable[Round], amount: Callable[[Round], float], of: float = 1.0) -> Iterator[Observed]:
    return (Observed(one.night, one.loop.client, float(amount(one)), of) for one in rounds)


def _decided(asked: _Asked) -> list[Round]:
    return [one for one in asked.rounds if one.is_decided]


def _kept(asked: _Asked) -> Iterator[Observed]:
    return _each(_decided(asked), lambda one: one.is_kept)


def _bests(asked: _Asked) -> Iterator[Observed]:
    return _each(_decided(asked), lambda one: one.is_best)


def _scored(asked: _Asked) -> Iterator[Observed]:
    return _each(_decided(asked), lambda one: "scored" in one.stages)


def _escalated(asked: _Asked) -> Iterator[Observed]:
    return _each(asked.rounds, lambda one: bool(one.escalated_to))


def _regressed(asked: _Asked) -> Iterator[Observed]:
    wanted = asked.metric.dimension.removeprefix("dim_")
    rows = asked.rows("dimension_regressions")
    hit = {row["round_id"] for row in rows if wanted in ("", (row["dim"] or "").removeprefix("dim_"))}
    return _each((one for one in asked.rounds if one.score is not None), lambda one: one.round_id in hit)


def _scores(asked: _Asked) -> Iterator[Observed]:
    return _each((one for one in asked.rounds if one.score is not None), lambda one: one.score or 0.0)


def _best_of_nights(asked: _Asked) -> Iterator[Observed]:
    """Of fewer rounds the best is worse: a night with less than half of the usual number says nothing about it."""
    scored: dict[tuple[date, str], list[Round]] = defaultdict(list)
    for one in asked.rounds:
        if one.score is not None:
            scored[one.night, one.loop.client].append(one)
    for client in {client for _, client in scored}:
        mine = {night: rounds for (night, whose), rounds in scored.items() if whose == client}
        usual = median(len(rounds) for rounds in mine.values())
        for night, rounds in mine.items():
            best: float | None = None
            for one in rounds:
                best = better(one.goal, best, one.score)
            if best is not None and len(rounds) >= usual / 2:
                yield Observed(night, client, best, 1.0)


def _priced(asked: _Asked) -> list[Round]:
    return [one for one in _decided(asked) if one.cost_usd is not None]


def _costs(asked: _Asked) -> Iterator[Observed]:
    return _each(_priced(asked), lambda one: one.cost_usd or 0.0)


def _costs_of_kept(asked: _Asked) -> Iterator[Observed]:
    for one in _priced(asked):
        yield Observed(one.night, one.loop.client, one.cost_usd or 0.0, float(one.is_kept))


def _dimension(asked: _Asked) -> Iterator[Observed]:
    of = {one.round_id: one for one in asked.rounds}
    dim = f"dim_{asked.metric.dimension.removeprefix('dim_')}"
    project = "" if asked.metric.project == UNNAMED else asked.metric.project
    until, seen = asked.until, set[str]()
    while True:
        rows = _rows(
            asked.backend,
            "rounds_with_dimension",
            asked.since,
            until,
            dim=dim,
            project=project,
            client=asked.metric.client,
        )
        fresh = [row for row in rows if row["round_id"] not in seen]
        for row in fresh:
            one = of.get(row["round_id"])
            if one is not None and row["value"] is not None:
                yield Observed(one.night, one.loop.client, row["value"], 1.0)
        if len(rows) < _PAGE or not fresh:
            return
        seen |= {row["round_id"] for row in rows}
        until = datetime.fromisoformat(rows[-1]["started"]) + timedelta(seconds=1)


def _of_nights(asked: _Asked, hit: Iterable[date]) -> Iterator[Observed]:
    """One of each night that ran."""
    found = set(hit)
    return (Observed(night, "", float(night in found), 1.0) for night in by_night(asked.rounds))


def _stopped(asked: _Asked) -> Iterator[Observed]:
    """A run that broke before its first round is among them; one that ran another version is not."""
    of = {one.run_id: one.night for one in asked.rounds if one.run_id}
    rows = [row for row in asked.rows("run_stops") if row["run_id"] not in asked.old_runs]
    same = [row for row in rows if row["reason"] == asked.metric.reason]
    nights = [of.get(row["run_id"]) or asked.nights.of(datetime.fromisoformat(row["at"])) for row in same]
    return _of_nights(asked, nights)


def _silent(asked: _Asked) -> Iterator[Observed]:
    said_why = {row["run_id"] for row in asked.rows("run_stops")}
    return _of_nights(asked, (one.night for one in asked.rounds if one.run_id and one.run_id not in said_why))


def _thrown(asked: _Asked) -> Iterator[Observed]:
    """A question a night: an answer over all of them only says when it was thrown first and last."""
    hit = []
    for night in by_night(asked.rounds):
        since = max(asked.since, asked.nights.start(night))
        until = min(asked.until, asked.nights.start(night + timedelta(days=1)))
        rows = _rows(asked.backend, "exception_issues", since, until)
        mine = [row for row in rows if _is_of(row, asked.metric) and row["last_git_sha"] not in asked.without]
        if any(row["fingerprint"] == asked.metric.fingerprint for row in mine):
            hit.append(night)
    return _of_nights(asked, hit)


def _calls(asked: _Asked) -> list[dict]:
    return [row for row in asked.rows("model_calls") if asked.metric.model in ("", row["model"] or "")]


def _failed_calls(asked: _Asked) -> Iterator[Observed]:
    for row in _calls(asked):
        yield Observed(date.fromisoformat(row["day"]), row["client"] or "", float(row["errors"]), float(row["calls"]))


def _latency(asked: _Asked) -> Iterator[Observed]:
    for row in _calls(asked):
        if row["per_token_s"] is not None:
            yield Observed(date.fromisoformat(row["day"]), row["client"] or "", row["per_token_s"], 1.0)


_SAMPLES: Mapping[str, Callable[[_Asked], Iterable[Observed]]] = {
    "kept_rate": _kept,
    "new_best_rate": _bests,
    "best_score": _best_of_nights,
    "round_score": _scores,
    "scored_share": _scored,
    "dimension_mean": _dimension,
    "regression_rate": _regressed,
    "cost_per_round": _costs,
    "cost_per_kept": _costs_of_kept,
    "escalation_rate": _escalated,
    "stop_nights": _stopped,
    "silent_nights": _silent,
    "exception_nights": _thrown,
    "model_error_rate": _failed_calls,
    "model_latency": _latency,
}
