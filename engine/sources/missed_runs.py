"""A loop that runs nearly every night and did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from engine.sources.facts import Round, by_loop, by_night
from engine.sources.source import Evidence, Finding, Source, at, extra, named, on
from queries.views.words import counted


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


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    for loop, rounds in by_loop(evidence.rounds).items():
        if any(round.is_estimated for round in rounds[-1:]):
            continue  # times of an imported log are no habit
        nights = by_night(rounds)
        found = missed(tuple(nights), evidence.last_night, limits)
        if not found:
            continue
        overdue = _usual_start(evidence.last_night, nights) + timedelta(hours=limits.grace_hours)
        if found[-1] == evidence.last_night and evidence.now < overdue:
            found = found[:-1]
        if not found:
            continue
        last = nights[rounds[-1].night][-1]
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)} did not run",
            said=(
                f"Missed: {', '.join(on(night) for night in found)}. Its last round ended "
                f"{at(last.ended, evidence.zone)}.",
                f"It ran in {counted(len(nights), 'night')} of these two weeks, starting at "
                f"{at(nights[last.night][0].started, evidence.zone)[-5:]} the last time.",
            ),
            occurred_at=min(_usual_start(found[-1], nights), evidence.now),
            share=limits.first_share if len(found) == 1 else 1.0,
            extra=extra(
                loop,
                "runs",
                nights[last.night][-3:],
                git_sha=last.git_sha,
                run_ids=[last.run_id] if last.run_id else [],
                nights=[night.isoformat() for night in found],
                numbers={"missed_nights": len(found), "nights_run": len(nights)},
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
