"""A loop's log as data, and the events it stands for. Shared by all formats; pure.

What a log does not tell is not invented: no proposal, model call, cost or duration. The events of a round stand one
millisecond apart, only so that they sort.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid5

from ulid import ULID

from queries.importers.goals import Goal, is_better
from queries.importers.verdicts import Status, Verdict
from queries.importers.vocabulary import listed
from queries.local.schema import HOT_PROPERTIES
from workspace.errors import LoopdeskError

AGENT = "loop"
EVENTS_OF_A_ROUND = ("round_started", "round_scored", "round_kept", "round_reverted")
MAX_BAD_SHARE = 0.2
FEW_BAD_ROWS = 2  # a short log may have a slip or two
_TICK = timedelta(milliseconds=1)

# What events of this house mean by a name; an extra column of that name is kept as "log_<name>".
_RESERVED = frozenset(
    (
        *HOT_PROPERTIES,
        *listed("distinct_id, event, timestamp, uuid, metric, n_prior_rounds, commit, description, row, imported_from"),
        *listed("time_estimated, regressed_dimensions"),
    )
)

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at `place` ("line 12"). `lost`: the row was left out because of it and counts as a bad row."""

    place: str
    text: str
    lost: bool = False


class BadRow(ValueError):
    """Why a row cannot be a round, as a clause; its reader tells it as a lost row and goes on."""


@dataclass(frozen=True, slots=True)
class LogRound:
    """One row. `row` counts the log's data rows from 1, bad ones too, so that mending one does not move the others."""

    row: int
    place: str
    status: Status
    score: float | None
    commit: str = ""
    description: str = ""
    dims: Mapping[str, float] = field(default_factory=dict)
    extras: Mapping[str, Scalar] = field(default_factory=dict)
    model: str | None = None
    cost_usd: float | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParsedLog:
    """What a file was understood to say. `row_count` has the rows that were left out too; `about` are facts of the
    whole log, told with each round's start."""

    format: str
    metric: str
    metric_why: str
    goal: Goal
    goal_why: str
    rounds: tuple[LogRound, ...]
    row_count: int
    problems: tuple[Problem, ...] = ()
    client: str | None = None
    time_source: str = ""
    about: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgedRound:
    """A round beside the best one kept before it. `delta` is its score minus that one's, in the metric's own unit."""

    round: LogRound
    kept: bool
    failure_mode: str | None
    baseline: float | None
    delta: float | None
    new_best: bool

    @property
    def crashed(self) -> bool:
        return not self.kept and self.round.score is None and self.failure_mode != "skipped"


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    estimated: bool


@dataclass(frozen=True, slots=True)
class LogName:
    """Whose log it is. The same three names are the same log on every machine."""

    project: str
    client: str
    name: str

    @property
    def key(self) -> str:
        return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in (self.project, self.client, self.name))

    @property
    def run_id(self) -> str:
        return _ulid("run", self.project, self.client, self.name)

    def round_id(self, row: int, commit: str, description: str) -> str:
        return _ulid("round", self.project, self.client, self.name, row, commit, description)


@dataclass(frozen=True, slots=True)
class Entry:
    """A round ready for the ledger: what it is (`round_id`), what it says (`content`), and how to make its events."""

    round_id: str
    content: str
    log: ParsedLog
    name: LogName
    judged: JudgedRound
    moment: Moment

    @property
    def row(self) -> int:
        return self.judged.round.row

    @property
    def place(self) -> str:
        return self.judged.round.place

    def events(self) -> list[Mapping[str, object]]:
        """Wire events. Made when asked for: most rows of a grown log are stored already."""
        return _events(self.log, self.judged, self.moment, self.name, self.round_id)


@dataclass(frozen=True, slots=True)
class Summary:
    kept: int
    discarded: int
    crashed: int
    first_score: float | None
    best: LogRound | None
    """The best kept round; where none was kept, the best scored one."""


def judge(rounds: Iterable[LogRound], goal: Goal) -> list[JudgedRound]:
    """Walk the log in its order. Where it does not say what became of a round, a better score was kept."""
    best: float | None = None
    judged = []
    for round in rounds:
        better = round.score is not None and is_better(round.score, best, goal)
        kept = round.status.verdict is Verdict.KEPT or (round.status.verdict is Verdict.UNSAID and better)
        delta = round.score - best if round.score is not None and best is not None else None
        judged.append(JudgedRound(round, kept, _failure_mode(round, kept, better), best, delta, kept and better))
        if kept and better:
            best = round.score
    return judged


def _failure_mode(round: LogRound, kept: bool, better: bool) -> str | None:
    if kept:
        return None
    if round.status.failure_mode:
        return round.status.failure_mode
    if round.score is None:
        return "crash" if round.status.verdict is Verdict.UNSAID else "not_scored"
    return "discarded" if better else "no_improvement"


def summarise(judged: Sequence[JudgedRound], goal: Goal) -> Summary:
    scored = [each for each in judged if each.round.score is not None]
    kept = [each.round for each in scored if each.kept]
    pick = min if goal == "min" else max
    best = pick(kept or [each.round for each in scored], key=lambda round: round.score or 0.0, default=None)
    crashed = sum(each.crashed for each in judged)
    kept_count = sum(each.kept for each in judged)
    return Summary(
        kept=kept_count,
        discarded=len(judged) - kept_count - crashed,
        crashed=crashed,
        first_score=scored[0].round.score if scored else None,
        best=best,
    )


def doubt_about_goal(judged: Sequence[JudgedRound], goal: Goal) -> str | None:
    """A sentence when most kept rounds moved the other way, so that the goal was probably read wrong."""
    scores = [each.round.score for each in judged if each.kept and each.round.score is not None]
    steps = [(before, after) for before, after in pairwise(scores) if before != after]
    wrong = sum(not is_better(after, before, goal) for before, after in steps)
    if len(steps) < 3 or wrong * 2 <= len(steps):
        return None
    way, other = ("rise", "max") if goal == "min" else ("fall", "min")
    return f"most kept scores {way} though the goal is {goal}; if that is wrong, use --goal {other} --replace"


def entries(log: ParsedLog, judged: Sequence[JudgedRound], moments: Sequence[Moment], name: LogName) -> Iterator[Entry]:
    """One entry a round; `moments` are parallel to `judged`."""
    for each, moment in zip(judged, moments, strict=True):
        round = each.round
        round_id = name.round_id(round.row, round.commit, round.description)
        yield Entry(round_id, _content(log, round), log, name, each, moment)


def event_uuid(round_id: str, event: str) -> str:
    return str(uuid5(UUID(int=int(ULID.from_str(round_id))), event))


def property_name(column: str) -> str:
    """The property an extra column becomes: its own name, unless that would claim to be something it is not."""
    taken = column in _RESERVED or column.startswith(("$", "dim_"))
    return f"log_{column.lstrip('$')}" if taken else column


def refuse_if_mostly_bad(problems: Sequence[Problem], rows: int) -> None:
    """Raises `LoopdeskError` when too many of a log's rows could not be read to trust the others."""
    bad = [problem for problem in problems if problem.lost]
    if len(bad) == rows or (len(bad) > FEW_BAD_ROWS and len(bad) > MAX_BAD_SHARE * rows):
        shown = "; ".join(f"{problem.place}: {problem.text}" for problem in bad[:3])
        raise LoopdeskError(
            f"{len(bad)} of its {rows} rows cannot be read ({shown}{'; ...' if len(bad) > 3 else ''})",
            "That is too many to trust the rest, so nothing of it was stored",
            "Mend the rows, or name the metric's column with --metric",
        )


def _events(
    log: ParsedLog, judged: JudgedRound, moment: Moment, name: LogName, round_id: str
) -> list[Mapping[str, object]]:
    round = judged.round
    common: dict[str, object] = {
        "project": name.project, "client": name.client, "run_id": name.run_id, "round_id": round_id, "agent": AGENT,
        "$ai_trace_id": round_id, "imported_from": name.name, "row": round.row, "commit": round.commit or None,
        "description": round.description or None, "time_estimated": True if moment.estimated else None,
    }  # fmt: skip
    extras: dict[str, object] = {property_name(column): value for column, value in round.extras.items()}
    started: dict[str, object] = {
        "baseline_score": judged.baseline,
        "n_prior_rounds": round.row - 1,
        "model": round.model,
    }
    started |= {property_name(key): value for key, value in log.about.items()}
    ending: dict[str, object] = {"delta": judged.delta, "new_best": judged.new_best, "cost_usd": round.cost_usd}
    told: list[tuple[str, dict[str, object]]] = [("round_started", started)]
    if round.score is None:
        ending |= extras
    else:
        dims = {f"dim_{dim}": value for dim, value in round.dims.items()}
        scored = {"score": round.score, "score_goal": log.goal, "metric": log.metric}
        told.append(("round_scored", {**extras, **dims, **scored}))
    ending["failure_mode"] = judged.failure_mode
    told.append(("round_kept" if judged.kept else "round_reverted", ending))
    return [
        {
            "event": event,
            "distinct_id": f"{name.project}:{name.client}:{AGENT}",
            "timestamp": (moment.at + place * _TICK).isoformat(),
            "uuid": event_uuid(round_id, event),
            "properties": {key: value for key, value in (properties | common).items() if value is not None},
        }
        for place, (event, properties) in enumerate(told)
    ]


def _content(log: ParsedLog, round: LogRound) -> str:
    """A digest of all a row says beside its identity, read with this metric and goal."""
    status = round.status
    said = [log.metric, log.goal, status.verdict.value, status.failure_mode, round.score, dict(round.dims)]
    return _digest(*said, dict(round.extras), round.model, round.cost_usd).hex()


def _ulid(*parts: object) -> str:
    # Its time part is digest too: a log's times may be estimates. The top bit stays 0, so that reading it as a time
    # gives a year that calendars know.
    bits = int.from_bytes(_digest(*parts)[:16], "big") & ~(1 << 127)
    return str(ULID.from_int(bits))


def _digest(*parts: object) -> bytes:
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).digest()
