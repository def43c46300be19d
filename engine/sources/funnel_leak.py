"""A stage of the funnel that loses more rounds than it did on this loop's nights before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.sources.facts import STAGES, Round, by_loop, by_night
from engine.sources.source import Evidence, Finding, Source, extra, named, on
from engine.sources.stats import fisher_less
from queries.views.words import listed, share


@dataclass(frozen=True, slots=True)
class Thresholds:
    rounds: int = 12
    """Fewest rounds that reached the stage before."""
    nights: int = 3
    ratio: float = 2.0
    points: float = 0.1
    """By how much the lost share must rise, 0..1."""
    most_chance: float = 0.0001
    """Less than elsewhere: every loop has several stages, and each is looked at every night."""


def passing(rounds: Sequence[Round], stage: str, following: str) -> tuple[list[Round], list[Round]]:
    """Decided rounds that reached `stage`, and those of them that never came to `following`. What has no end yet may
    still come there."""
    reached = [round for round in rounds if stage in round.stages and round.is_decided]
    return reached, [round for round in reached if following not in round.stages]


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    for loop, rounds in by_loop(evidence.undisturbed).items():
        nights = by_night(rounds)
        *before, night = nights
        if len(before) < limits.nights or not evidence.is_recent(night, 2):
            continue
        earlier = [round for one in before for round in nights[one]]
        # A stage that this loop never sends is no loss.
        sent = [stage for stage in STAGES if any(stage in round.stages for round in earlier)]
        for stage, following in pairwise(sent):
            reached, lost = passing(nights[night], stage, following)
            reached_before, lost_before = passing(earlier, stage, following)
            if min(len(reached), len(reached_before)) < limits.rounds:
                continue
            now, then = len(lost) / len(reached), len(lost_before) / len(reached_before)
            if now < limits.ratio * then or now < then + limits.points:
                continue
            passed, passed_before = len(reached) - len(lost), len(reached_before) - len(lost_before)
            chance = fisher_less(passed, len(reached), passed_before, len(reached_before))
            if chance >= limits.most_chance:
                continue
            modes = Counter(round.failure_mode or "(no reason)" for round in lost)
            yield Finding(
                entity=(loop.project, loop.client, following),
                title=f"{named(loop)} loses {share(now)} of its rounds before they are {following}",
                said=(
                    f"{len(lost)} of {len(reached)} rounds that were {stage} were never {following} in {on(night)}; "
                    f"{len(lost_before)} of {len(reached_before)} ({share(then)}) in the {len(before)} nights before.",
                    f"They ended with {listed([f'{named(mode)} ({n})' for mode, n in modes.most_common()])}.",
                ),
                occurred_at=max(round.ended for round in lost),
                extra=extra(
                    loop,
                    f"{following}_share",
                    lost,
                    git_sha=lost[-1].git_sha,
                    stage=following,
                    failure_mode=modes.most_common(1)[0][0],
                    numbers={
                        "lost": len(lost),
                        "reached": len(reached),
                        "lost_before": len(lost_before),
                        "reached_before": len(reached_before),
                        "chance": chance,
                    },
                ),
            )


SOURCE = Source(
    name="funnel_leak",
    title="Funnel leaks",
    asks=("round_history",),
    weight=0.25,
    thresholds=Thresholds(),
    find=_find,
)
