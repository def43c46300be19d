"""When the router finds something unusual, is a round reverted within the hour, and more often than chance would do?

Loops revert most of what they try, so nearly any moment of a night is followed by a revert: the base rate says how
often, and stands beside the share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit, empty
from queries.statistics import binomial_tail
from queries.views import drill
from queries.views.answers import instant, records
from queries.views.window import Window
from queries.views.words import counted, share

HOUR = timedelta(hours=1)
SURE = 0.05
FEW = 5
"""Trials below which nothing is said, however it comes out: those of one run are not independent."""

NO_TYPE = "(no type)"

Reverts = tuple[datetime | None, datetime | None]
"""The first and the last revert of an hour; None where it had none."""

Active = Mapping[datetime, Reverts]
"""The hours in which rounds were active, by their start."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One type of anomaly: `seen` anomalies in `hours` that can be compared, `followed` of which by a revert. `base` is
    None where no hour can be compared. `chance` is P of as many by chance, `chance_of_fewer` of as few, and `at_best`
    what `chance` would be if all had been followed."""

    type: str
    seen: int
    hours: int
    followed: int
    base: float | None
    chance: float = 1.0
    chance_of_fewer: float = 1.0
    at_best: float = 1.0

    @property
    def is_more(self) -> bool:
        return self.hours >= FEW and self.chance < SURE

    @property
    def word(self) -> str:
        if self.hours < FEW:
            return "too few to tell"
        if self.is_more:
            return "more than chance"
        if self.chance_of_fewer < SURE:
            return "less than chance"
        return "no more than chance" if self.at_best < SURE else "too few to tell"


def anomaly_reverts(window: Window, anomalies: QueryResult, hours: QueryResult) -> Sheet:
    """From `anomaly_times`' and `revert_hours`' rows.

    An anomaly at t is followed where a round of its project and client (of its project, where it names no client) was
    reverted in (t, t + 1 h]. Several of one type, project and client in one clock hour are one trial: the first counts.
    The base rate of a project and client is the chance that a random moment of its active hours is followed in the same
    way: the part of the time in those hours for which (t, t + 1 h] holds a revert. Active is a clock hour with one of
    round_started, round_scored, round_kept, round_reverted; hours that the window cuts, and those whose next hour is
    not over, are left out. A type's base rate is the mean of its trials' own rates. P is `binomial_tail`, of
    either side by itself, times the number of types (Bonferroni's correction, Dunn, 1961).
    """
    found = records(anomalies)
    if not found:
        return empty("The router found nothing unusual in this window.")
    settled = min(hours.asked_at, window.span.until + HOUR)
    old = [row for row in found if _at(row) + HOUR <= settled]
    owners = {_owner(row) for row in old}
    active = {owner: activity(owner, records(hours)) for owner in owners}
    rates = {owner: base_rate(active[owner], window.span.since, settled) for owner in owners}
    comparable = [row for row in old if rates[_owner(row)] is not None]
    seen = Counter(row["type"] or NO_TYPE for row in found)
    tested = []
    for kind, times in seen.items():
        trials = _first_of_hours(row for row in comparable if (row["type"] or NO_TYPE) == kind)
        hits = sum(is_followed(_at(row), _hour(row), active[_owner(row)]) for row in trials)
        expected = [rates[_owner(row)] or 0.0 for row in trials]
        tested.append(_tested(kind, times, hits, expected, len(seen)))
    tested.sort(key=lambda one: (not one.is_more, -one.seen, one.type))
    columns = (
        Column("anomaly"),
        Column("seen", Unit.COUNT),
        Column("hours", Unit.COUNT, 1),
        Column("reverted", Unit.COUNT, 2),
        Column("share", Unit.SHARE),
        Column("base rate", Unit.SHARE),
        Column("by chance", Unit.SHARE, 3),
    )
    cut = (*missing.cut(anomalies, "anomalies"), *missing.cut(hours, "hours of rounds"))
    notes = (*_notes(len(found) - len(old), len(old) - len(comparable)), *cut)
    return Sheet(_verdict(tested[0]), columns, tuple(map(_row, tested)), notes=notes)


def activity(owner: tuple[str, str], rows: Iterable[Mapping]) -> Active:
    """Of a project and client; of all clients of the project where the client is empty."""
    project, client = owner
    found: dict[datetime, Reverts] = {}
    for row in rows:
        if row["project"] != project or client not in ("", row["client"]):
            continue
        first, last = found.get(_hour(row), (None, None))
        firsts = [moment for moment in (first, instant(row["first_revert"])) if moment]
        lasts = [moment for moment in (last, instant(row["last_revert"])) if moment]
        found[_hour(row)] = (min(firsts, default=None), max(lasts, default=None))
    return found


def is_followed(at: datetime, hour: datetime, active: Active) -> bool:
    """Whether (at, at + 1 h] holds a revert. Two clock hours reach over it, and of each an end is enough to know."""
    last = active.get(hour, (None, None))[1]
    coming = active.get(hour + HOUR, (None, None))[0]
    return (last is not None and last > at) or (coming is not None and coming <= at + HOUR)


def base_rate(active: Active, since: datetime, settled: datetime) -> float | None:
    """The chance that a random moment of the whole, settled hours is followed by a revert; None where there is none."""
    hours = [hour for hour in active if hour >= since and hour + 2 * HOUR <= settled]
    if not hours:
        return None
    # Not followed are the moments after an hour's last revert, up to an hour before the next hour's first one.
    bare = timedelta()
    for hour in hours:
        last = active[hour][1] or hour
        coming = active.get(hour + HOUR, (None, None))[0]
        bare += max(timedelta(), (coming - HOUR if coming else hour + HOUR) - last)
    return 1 - bare / (len(hours) * HOUR)


def _first_of_hours(rows: Iterable[Mapping]) -> list[Mapping]:
    firsts: dict[tuple, Mapping] = {}
    for row in rows:
        key = (_owner(row), _hour(row))
        if key not in firsts or _at(row) < _at(firsts[key]):
            firsts[key] = row
    return list(firsts.values())


def _tested(kind: str, seen: int, hits: int, expected: Sequence[float], types: int) -> Tested:
    hours = len(expected)
    if not hours:
        return Tested(kind, seen, 0, 0, None)
    base = sum(expected) / hours
    tails = (binomial_tail(hits, hours, base), binomial_tail(hours - hits, hours, 1 - base), base**hours)
    return Tested(kind, seen, hours, hits, base, *(min(1.0, types * tail) for tail in tails))


def _owner(row: Mapping) -> tuple[str, str]:
    return (row["project"], row["client"] or "")


def _at(row: Mapping) -> datetime:
    return datetime.fromisoformat(row["at"])


def _hour(row: Mapping) -> datetime:
    return datetime.fromisoformat(row["hour"]).astimezone(UTC)


def _row(one: Tested) -> Row:
    measured = one.base is not None
    cells = (
        one.type,
        one.seen,
        one.hours,
        one.followed if measured else None,
        one.followed / one.hours if measured else None,
        one.base,
        one.chance if measured else None,
    )
    return Row(cells, one.word, Tone.BAD if one.is_more else Tone.PLAIN, drill.after_anomaly(one.type))


def _verdict(top: Tested) -> str:
    """The one that is more than chance, else the most frequent one."""
    if top.base is None:
        return f"{top.type}: {counted(top.seen, 'anomaly', 'anomalies')}, none with rounds to compare."
    said = f"{top.type}: reverts after {top.followed} of {top.hours} ({share(top.followed / top.hours)})"
    return f"{said}, base rate {share(top.base)}: {top.word}."


def _notes(young: int, unmatched: int) -> tuple[str, ...]:
    said = ["Reverted: within the hour after. Base rate: the same for a random moment of hours with rounds."]
    if young:
        said.append(f"{counted(young, 'anomaly', 'anomalies')} less than an hour ago: still open, left out.")
    if unmatched:
        said.append(f"{counted(unmatched, 'anomaly', 'anomalies')} of loops without a whole hour of rounds: left out.")
    return tuple(said)
