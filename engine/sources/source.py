"""What a source is: the questions it asks, what it believes, and a pure function from answers to signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.model import Signal
from engine.sources.facts import Loop, Round, history, night_of
from queries.views.words import day
from workspace.errors import LoopdeskError
from workspace.text import plain

if TYPE_CHECKING:
    from queries.rest_experiments import Running

RECENT_NIGHTS = 3
VARIANT_DAYS = 30
"""How far back rounds are read with their variants: a planned sample may take weeks."""
MOST_ROUND_IDS = 20
MOST_CHARACTERS = 4000  # of a signal's content: what is embedded and read by a model has a bound
_NAME_CHARACTERS = 80


@dataclass(frozen=True)
class Evidence:
    """The answers that all sources share. `answers` holds the records of each question, or why there are none.

    `blame` finds the deploys that made their project worse, as (project, git_sha): what went wrong under one of them is
    the deploy's, and no plateau or regression of its own. `experiments` are those of PostHog; it raises the
    `LoopdeskError` that reading them ended with.
    """

    now: datetime
    zone: str
    starts_hour: int
    answers: Mapping[str, tuple[Mapping[str, Any], ...] | LoopdeskError]
    blame: Callable[[Sequence[Round]], frozenset[tuple[str, str]]] = lambda rounds: frozenset()
    experiments: Callable[[], Sequence[Running]] = tuple

    def rows(self, question: str) -> tuple[Mapping[str, Any], ...]:
        """Raises the `LoopdeskError` that the question failed with."""
        found = self.answers[question]
        if isinstance(found, LoopdeskError):
            raise found
        return found

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """All rounds of the history, oldest first."""
        return history(self.rows("round_history"), self.zone, self.starts_hour)

    @cached_property
    def undisturbed(self) -> tuple[Round, ...]:
        """The rounds that did not run under a deploy that is to blame."""
        blamed = self.blame(self.rounds)
        return tuple(round for round in self.rounds if (round.loop.project, round.git_sha) not in blamed)

    @property
    def last_night(self) -> date:
        return self.night(self.now)

    def night(self, moment: datetime) -> date:
        return night_of(moment, self.zone, self.starts_hour)

    def is_recent(self, night: date, nights: int = RECENT_NIGHTS) -> bool:
        """Whether this night is one of the last few: what lies further back has been told."""
        return (self.last_night - night).days < nights


@dataclass(frozen=True, slots=True)
class Finding:
    """What a source found. `entity` is whom the condition is about, and with the source's name makes the signal's
    identity; `said` are measured sentences; `share` is of the source's weight, 0..1."""

    entity: tuple[str, ...]
    title: str
    said: tuple[str, ...]
    occurred_at: datetime
    extra: Mapping[str, object]
    share: float = 1.0


@dataclass(frozen=True)
class Source:
    """`find(evidence, thresholds)` is pure. `thresholds` is a frozen dataclass; its values are the defaults."""

    name: str
    title: str
    asks: tuple[str, ...]
    weight: float
    thresholds: Any
    find: Callable[[Evidence, Any], Iterable[Finding]]
    source_product: str = "loops"

    def signals(self, evidence: Evidence, thresholds: Any = None, weight: float | None = None) -> list[Signal]:
        """One signal a condition. Raises the `LoopdeskError` of a question that failed."""
        chosen = self.thresholds if thresholds is None else thresholds
        heavy = self.weight if weight is None else weight
        return [self._signal(finding, heavy) for finding in self.find(evidence, chosen)]

    def _signal(self, finding: Finding, weight: float) -> Signal:
        return signal_of(self.source_product, self.name, finding, weight)


def signal_of(product: str, kind: str, finding: Finding, weight: float) -> Signal:
    """Parts of an entity are joined so that no two entities can give one id."""
    parts = (part.replace("%", "%25").replace("/", "%2F") for part in finding.entity)
    lines = (plain(finding.title, 200), *(plain(line, 1000) for line in finding.said))
    return Signal(
        source_product=product,
        source_type=kind,
        source_id=f"{kind}:{'/'.join(parts)}",
        content="\n".join(lines)[:MOST_CHARACTERS],
        weight=weight * finding.share,
        occurred_at=finding.occurred_at.astimezone(UTC),
        extra=finding.extra,
    )


def extra(
    loop: Loop | str, metric: str, rounds: Iterable[Round | str] = (), *, numbers: Mapping[str, object], **more: object
) -> dict[str, object]:
    """A finding's JSON. Of `rounds` (ids, or rounds) the last 20 are named; a round's id is its trace's too."""
    ids = [one if isinstance(one, str) else one.round_id for one in rounds]
    ids = [one for one in dict.fromkeys(ids) if one][-MOST_ROUND_IDS:]
    found: dict[str, object] = {"project": loop if isinstance(loop, str) else loop.project, "metric": metric}
    if isinstance(loop, Loop) and loop.client:
        found["client"] = loop.client
    if ids:
        found |= {"round_ids": ids, "trace_ids": list(ids)}
    return found | {name: value for name, value in more.items() if value not in ("", None, [])} | {"numbers": numbers}


def named(name: object) -> str:
    """A name from an event, as a sentence can hold it."""
    return plain(name, _NAME_CHARACTERS) or "(unnamed)"


def at(moment: datetime, zone: str) -> str:
    """`Thu 19 Nov 23:05`."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{day(local)} {local:%H:%M}"


def on(night: date) -> str:
    """`the night of Thu 19 Nov`."""
    return f"the night of {day(night)}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that could not look, and why; the others did."""

    source: str
    error: LoopdeskError


@dataclass(frozen=True, slots=True)
class Gathered:
    signals: tuple[Signal, ...]
    failures: tuple[Failure, ...]
    asked: Mapping[str, float] = field(default_factory=dict)
    """Question -> milliseconds."""
