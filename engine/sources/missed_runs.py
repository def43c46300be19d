"""A loop that runs nearly every night and did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from engine.sources.facts import Loop, Round, by_loop, by_night
from engine.sources.source import Evidence, Finding, Source, at, extra, named, on
from queries.views.words import counted, listed


@dataclass(frozen=True, slots=True)
class Thresholds:
    ran: int = 4
    of_nights: int = 5
    """It ran in at least `ran` of the last `of_nights` nights before the first missed one."""
    grace_hours: float = 3.0
    """After the latest start it had."""
    most_missed: int = 5
    """Nights; after more the loop has been retired."""
    first_share: float = 0.5
    """Of the weight, for the first missed night: the owner may have stopped it."""


def missed(ran: Sequence[date], last_night: date, limits: Thresholds) -> tuple[date, ...]:
    """The nights it should have run and did not, up to the last one. Weekly habits are respected: a night whose
    weekday was free a week earlier, too, was not expected."""
    nights = [last_night - timedelta(days=back) for back in range((last_night - ran[-1]).days)]
    if not nights or len(nights) > limits.most_missed:
        return ()
    week = timedelta(days=7)
    expected = [night for night in nights if night - week < ran[0] or night - week in ran]
    recent = [ran[-1] - timedelta(days=back) for back in range(limits.of_nights)]
    if sum(night in ran for night in recent) < limits.ran:
        return ()
    return tuple(sorted(expected))


@dataclass(frozen=True, slots=True)
class Missed:
    """One client's loop: the nights it missed, when it usually starts, and its last run."""

    loop: Loop
    nights: tuple[date, ...]
    nights_run: int
    should_have_started: datetime
    last: tuple[Round, ...]


def _missed(evidence: Evidence, limits: Thresholds) -> Iterator[tuple[Loop, Missed | None]]:
    """Every loop of the history, with what it missed."""
    for loop, rounds in by_loop(evidence.rounds).items():
        if rounds[-1].is_estimated:
            continue  # times of an imported log are no habit
        nights = by_night(rounds)
        found = missed(tuple(nights), evidence.last_night, limits)
        overdue = _usual_start(evidence.last_night, nights) + timedelta(hours=limits.grace_hours)
        if found and found[-1] == evidence.last_night and evidence.now < overdue:
            found = found[:-1]
        if not found:
            yield loop, None
            continue
        start = min(_usual_start(found[-1], nights), evidence.now)
        yield loop, Missed(loop, found, len(nights), start, nights[rounds[-1].night])


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    """One signal a project where none of its clients ran, else one a client."""
    projects: dict[str, list[Missed | None]] = defaultdict(list)
    for loop, found in _missed(evidence, limits):
        projects[loop.project].append(found)
    is_everything = len(projects) > 1 and all(all(clients) for clients in projects.values())
    for project, clients in projects.items():
        gone = [one for one in clients if one]
        if len(gone) > 1 and len(gone) == len(clients):
            yield _finding(project, gone, evidence, limits, is_everything)
        else:
            for one in gone:
                yield _finding(one.loop, [one], evidence, limits, is_everything)


def _finding(
    whose: Loop | str, gone: Sequence[Missed], evidence: Evidence, limits: Thresholds, is_everything: bool
) -> Finding:
    most = max(gone, key=lambda one: len(one.nights))
    last = max((one.last[-1] for one in gone), key=lambda round: round.ended)
    nights = most.nights
    said = [
        f"Missed: {', '.join(on(night) for night in nights)}. The last round ended {at(last.ended, evidence.zone)}.",
        f"It ran in {counted(most.nights_run, 'night')} of these two weeks.",
    ]
    if len(gone) > 1:
        said.append(f"None of its clients ran: {listed([named(one.loop.client) for one in gone])}.")
    if is_everything:
        said.append("No other loop ran either: look at the machine and the network first.")
    return Finding(
        entity=(whose,) if isinstance(whose, str) else (whose.project, whose.client),
        title=f"{named(whose)} did not run",
        said=tuple(said),
        occurred_at=most.should_have_started,
        share=limits.first_share if len(nights) == 1 else 1.0,
        extra=extra(
            whose,
            "runs",
            [round for one in gone for round in one.last[-3:]],
            git_sha=last.git_sha,
            run_ids=sorted({one.last[-1].run_id for one in gone} - {""}),
            nights=[night.isoformat() for night in nights],
            numbers={"missed_nights": len(nights), "nights_run": most.nights_run, "loops": len(gone)},
        ),
    )


def _usual_start(night: date, nights: dict[date, tuple[Round, ...]]) -> datetime:
    """The latest time of a night at which it ever started, moved to this one."""
    return max(rounds[0].started + (night - one) for one, rounds in nights.items())


SOURCE = Source(
    name="missed_runs",
    title="Loops that did not run",
    asks=("round_history",),
    weight=1.0,
    thresholds=Thresholds(),
    find=_find,
)
