"""Many rounds in a row handed to a bigger model, where this loop otherwise hands over one now and then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.sources.facts import Round, by_loop
from engine.sources.source import Evidence, Finding, Source, at, extra, named
from queries.views.words import counted, money


@dataclass(frozen=True, slots=True)
class Thresholds:
    rounds: int = 6
    """Fewest rounds in a row."""
    times_usual: float = 2.0
    """Of the longest row in this loop's other runs: for a loop that always escalates a row is no news."""
    nights: int = 3


def longest_row(rounds: Sequence[Round]) -> tuple[Round, ...]:
    """The longest row of escalated rounds of one run."""
    best: list[Round] = []
    row: list[Round] = []
    for round in rounds:
        row = [*row, round] if round.escalated_to else []
        if len(row) > len(best):
            best = row
    return tuple(best)


def _find(evidence: Evidence, limits: Thresholds) -> Iterator[Finding]:
    for loop, rounds in by_loop(evidence.rounds).items():
        runs: dict[str, list[Round]] = defaultdict(list)
        for round in rounds:
            runs[round.run_id].append(round)
        rows = {run_id: longest_row(mine) for run_id, mine in runs.items()}
        recent = [row for row in rows.values() if row and evidence.is_recent(row[-1].night, limits.nights)]
        if not recent:
            continue
        longest = max(recent, key=len)
        usual = max((len(row) for run_id, row in rows.items() if run_id != longest[0].run_id), default=0)
        if len(longest) < limits.rounds or len(longest) < limits.times_usual * usual:
            continue
        model, _ = Counter(round.escalated_to for round in longest).most_common(1)[0]
        spent = sum(round.cost_usd or 0.0 for round in longest)
        kept = sum(round.is_kept for round in longest)
        yield Finding(
            entity=(loop.project, loop.client),
            title=f"{named(loop)} handed {len(longest)} rounds in a row to {named(model)}",
            said=(
                f"From {at(longest[0].started, evidence.zone)} to {at(longest[-1].ended, evidence.zone)}; the longest "
                f"row in {counted(len(runs) - 1, 'other run')} has {counted(usual, 'round')}.",
                f"They cost {money(spent)}; {kept} of them were kept.",
            ),
            occurred_at=longest[-1].ended,
            extra=extra(
                loop,
                "escalations",
                longest,
                git_sha=longest[-1].git_sha,
                to_model=model,
                run_ids=[longest[0].run_id] if longest[0].run_id else [],
                numbers={"in_a_row": len(longest), "longest_elsewhere": usual, "cost_usd": spent, "kept": kept},
            ),
        )


SOURCE = Source(
    name="escalation_streak",
    title="Escalation streaks",
    asks=("round_history",),
    weight=0.25,
    thresholds=Thresholds(),
    find=_find,
)
