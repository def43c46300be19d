"""A scorer whose numbers no longer mean what they meant: a version that scores otherwise, or quality that moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from engine.sources.facts import Loop, Round, by_loop, by_night
from engine.sources.source import Evidence, Finding, Source, at, extra, named, on
from engine.sources.stats import mad, rank_sum_less, robust_z
from queries.views.words import counted, score


@dataclass(frozen=True, slots=True)
class Thresholds:
    rounds: int = 12
    """Fewest scored rounds on each side of a version change, and in a night."""
    compared: int = 24
    """Most rounds on each side: the loop itself moves on."""
    mads: float = 3.0
    most_chance: float = 0.001
    nights: int = 3
    quality_points: float = 0.05
    """By how much the night's median quality must move, 0..1."""
    z: float = 3.5


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    for loop, rounds in by_loop(evidence.undisturbed).items():
        scored = [round for round in rounds if round.score is not None]
        yield from _of_version(loop, scored, evidence, limits)
        yield from _of_quality(loop, by_night(scored), evidence, limits)


def _of_version(loop: Loop, scored: Sequence[Round], evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    known = [round for round in scored if round.scorer_version]
    places = [n for n in range(1, len(known)) if known[n].scorer_version != known[n - 1].scorer_version]
    if not places or not evidence.is_recent(known[places[-1]].night):
        return
    place = places[-1]
    before = [round for round in known[:place] if round.scorer_version == known[place - 1].scorer_version]
    before, after = before[-limits.compared :], known[place:][: limits.compared]
    if min(len(before), len(after)) < limits.rounds:
        return
    old, new = ([round.score for round in side if round.score is not None] for side in (before, after))
    shift = median(new) - median(old)
    chance = 2 * min(rank_sum_less(new, old), rank_sum_less(old, new))
    if abs(shift) <= limits.mads * max(mad(old), 1e-12) or chance >= limits.most_chance:
        return
    was, now = named(before[-1].scorer_version), named(after[0].scorer_version)
    yield Finding(
        entity=(loop.project, loop.client, "version"),
        title=f"{named(loop)}: scorer {now} scores otherwise than {was}",
        said=(
            f"Median score {score(median(new))} in the first {counted(len(new), 'round')} with {now}, "
            f"{score(median(old))} in the last {len(old)} with {was}.",
            f"The change came {at(after[0].started, evidence.zone)}.",
            "Scores on both sides cannot be compared, and a best from before may be out of reach or too easy.",
        ),
        occurred_at=after[-1].ended,
        extra=extra(
            loop,
            "score",
            after,
            git_sha=after[0].git_sha,
            scorer_versions=[before[-1].scorer_version, after[0].scorer_version],
            numbers={"median": median(new), "median_before": median(old), "chance": chance},
        ),
    )


def _of_quality(
    loop: Loop, nights: dict[date, tuple[Round, ...]], evidence: Evidence, limits: Thresholds
) -> Iterator[Finding]:
    rated = {
        night: values
        for night, rounds in nights.items()
        if len(values := [round.quality for round in rounds if round.quality is not None]) >= limits.rounds
    }
    if len(rated) <= limits.nights or not evidence.is_recent(max(rated), 2):
        return
    *earlier, latest = rated.values()
    pooled = [value for values in earlier for value in values]
    if min(rank_sum_less(latest, pooled), rank_sum_less(pooled, latest)) >= limits.most_chance / 2:
        return
    medians = [median(values) for values in rated.values()]
    last, usual = medians[-1], median(medians[:-1])
    if abs(last - usual) < limits.quality_points or abs(robust_z(last, medians[:-1], 0.005)) < limits.z:
        return
    night = max(rated)
    yield Finding(
        entity=(loop.project, loop.client, "quality"),
        title=f"{named(loop)}: the scorer's quality moved to {score(last)}",
        said=(
            f"Median quality_score {score(last)} in {on(night)} ({counted(len(rated[night]), 'round')}), "
            f"{score(usual)} in the {len(medians) - 1} nights before.",
        ),
        occurred_at=nights[night][-1].ended,
        extra=extra(
            loop,
            "quality_score",
            nights[night],
            git_sha=nights[night][-1].git_sha,
            numbers={"median": last, "median_before": usual, "nights_before": len(medians) - 1},
        ),
    )


SOURCE = Source(
    name="scorer_drift",
    title="Scorer drift",
    asks=("round_history",),
    weight=0.5,
    thresholds=Thresholds(),
    find=_find,
)
