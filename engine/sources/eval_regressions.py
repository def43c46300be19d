"""Dimensions that score worse than before in far more rounds than is usual for this client."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine.sources.facts import by_loop, by_night
from engine.sources.source import Evidence, Finding, Source, extra, named, on
from engine.sources.stats import fisher_less
from queries.views.words import counted, listed, share, signed


@dataclass(frozen=True, slots=True)
class Thresholds:
    hits: int = 4
    """Fewest rounds with a regression in the night."""
    nights: int = 3
    """Fewest nights to compare with."""
    scored: int = 8
    """Fewest scored rounds in the night."""
    ratio: float = 2.0
    most_chance: float = 0.001


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    told: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in evidence.rows("dimension_regressions"):
        told[row["round_id"]].append(row)
    for loop, rounds in by_loop(evidence.undisturbed).items():
        nights = by_night([round for round in rounds if round.score is not None])
        if len(nights) <= limits.nights:
            continue
        *before, night = nights
        if not evidence.is_recent(night, 2):
            continue
        scored, earlier = nights[night], [round for one in before for round in nights[one]]
        hit = [round for round in scored if round.round_id in told]
        hits_before = sum(round.round_id in told for round in earlier)
        rate = len(hit) / max(len(scored), 1)
        if len(scored) < limits.scored or len(hit) < limits.hits or rate < limits.ratio * hits_before / len(earlier):
            continue
        spared, spared_before = len(scored) - len(hit), len(earlier) - hits_before
        chance = fisher_less(spared, len(scored), spared_before, len(earlier))
        if chance >= limits.most_chance:
            continue
        rows = [row for round in hit for row in told[round.round_id]]
        dims = Counter((row["dim"] or "").removeprefix("dim_") for row in rows)
        deltas = [row["delta"] for row in rows if row["delta"] is not None]
        fell = f", by {signed(median(deltas))} (median)" if deltas else ""
        most, times = dims.most_common(1)[0]
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)}: dimensions regressed in {share(rate)} of the scored rounds",
            said=(
                f"{len(hit)} of {counted(len(scored), 'scored round')} in {on(night)}{fell}; "
                f"{hits_before} of {len(earlier)} in the {len(before)} nights before.",
                f"Regressed: {listed([f'{named(dim)} ({n})' for dim, n in dims.most_common()])}.",
                f"If both had the same rate, so many would have a chance of {chance:.2g}.",
            ),
            occurred_at=max(round.ended for round in hit),
            extra=extra(
                loop,
                "eval_regressions",
                hit,
                git_sha=hit[-1].git_sha,
                dimension=most if times > len(rows) / 2 else "",
                dimensions=sorted(dims),
                numbers={
                    "rounds_hit": len(hit),
                    "scored": len(scored),
                    "rounds_hit_before": hits_before,
                    "scored_before": len(earlier),
                    "chance": chance,
                },
            ),
        )


SOURCE = Source(
    name="eval_regressions",
    title="Eval regressions",
    asks=("dimension_regressions", "round_history"),
    weight=1.0,
    thresholds=Thresholds(),
    find=_find,
)
