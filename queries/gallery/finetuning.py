"""What went into each batch that was published for fine-tuning: the rounds kept since the batch before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from queries.backend import QueryResult
from queries.boards import BEFORE, NOW, Board
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Unit, empty
from queries.views import drill
from queries.views.answers import records
from queries.views.window import Window
from queries.views.words import counted, day

NO_BATCH, NO_CLIENT = "(no batch id)", "(no client)"
MOST = 1000  # rounds that one list of the screen shows


@dataclass(frozen=True, slots=True)
class Batch:
    """`rounds` are `kept_rounds`' rows, the newest first. `is_first` where no earlier batch of the project is known:
    then they reach back to where the questions begin."""

    at: datetime
    project: str
    name: str
    target_model: str
    r2_key: str
    n_examples: float | None
    rounds: tuple[Mapping, ...]
    is_first: bool

    @property
    def mean(self) -> float | None:
        scores = [row["score"] for row in self.rounds if row["score"] is not None]
        return sum(scores) / len(scores) if scores else None

    @property
    def by_client(self) -> str:
        found = Counter(row["client"] or NO_CLIENT for row in self.rounds)
        ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        return ", ".join(f"{client} {times}" for client, times in ordered)


def batches(
    window: Window, now: QueryResult, before: QueryResult, kept: QueryResult, kept_before: QueryResult
) -> Sheet:
    """From `finetune_batches`' and `kept_rounds`' rows of both spans, the newest batch first. A round belongs to the
    first batch of its project that was published when it was kept, or later."""
    published = records(now)
    everything, rounds = [*published, *records(before)], [*records(kept), *records(kept_before)]
    if not published:
        return empty(f"No batch was published in this window; {counted(len(kept.rows), 'round')} kept.")
    found = [_batch(row, everything, rounds) for row in published]
    waiting = _waiting(everything, rounds)
    cut = (*missing.cut(now, "batches"), *missing.cut(kept, "kept rounds"))
    columns = (
        Column("published"),
        Column("project"),
        Column("batch", rank=3),
        Column("examples", Unit.COUNT),
        Column("rounds", Unit.COUNT),
        Column("mean score", Unit.SCORE, 1),
        Column("by client"),
        Column("for", rank=2),
        Column("kept at", rank=4),
    )
    return Sheet(_verdict(found, waiting), columns, tuple(map(_row, found)), notes=(*_notes(found), *cut))


def _batch(row: Mapping, everything: Sequence[Mapping], rounds: Sequence[Mapping]) -> Batch:
    at = datetime.fromisoformat(row["at"])
    earlier = [moment for other in everything if _of(other, row) and (moment := _published(other)) < at]
    since = max(earlier, default=None)
    mine = [one for one in rounds if _of(one, row) and _kept(one) <= at and (since is None or _kept(one) > since)]
    return Batch(
        at=at,
        project=row["project"],
        name=row["batch_id"] or NO_BATCH,
        target_model=row["target_model"] or "",
        r2_key=row["r2_key"] or "",
        n_examples=row["n_examples"],
        rounds=tuple(sorted(mine, key=_kept, reverse=True)),
        is_first=since is None,
    )


def _waiting(everything: Sequence[Mapping], rounds: Sequence[Mapping]) -> int:
    """Rounds kept since the last batch of their project, of projects that have one."""
    last: dict[str, datetime] = {}
    for row in everything:
        last[row["project"]] = max(_published(row), last.get(row["project"], _published(row)))
    return sum(row["project"] in last and _kept(row) > last[row["project"]] for row in rounds)


def _of(one: Mapping, other: Mapping) -> bool:
    return one["project"] == other["project"]


def _published(row: Mapping) -> datetime:
    return datetime.fromisoformat(row["at"])


def _kept(row: Mapping) -> datetime:
    return datetime.fromisoformat(row["kept_at"])


def _row(batch: Batch) -> Row:
    cells = (
        f"{day(batch.at)} {batch.at:%H:%M}",
        batch.project,
        batch.name,
        None if batch.n_examples is None else round(batch.n_examples),
        len(batch.rounds),
        batch.mean,
        batch.by_client or None,
        batch.target_model or None,
        batch.r2_key or None,
    )
    ids = [row["round_id"] for row in batch.rounds[:MOST]]
    leads_to = drill.named(f"batch {batch.name} of {batch.project}", ids) if ids else None
    return Row(cells, "" if ids else "no new round", drill=leads_to)


def _verdict(found: Sequence[Batch], waiting: int) -> str:
    examples = [batch.n_examples for batch in found if batch.n_examples is not None]
    went_in = counted(sum(len(batch.rounds) for batch in found), "kept round")
    said = f"{counted(len(found), 'batch', 'batches')} of {went_in}"
    if examples:
        said = f"{counted(len(found), 'batch', 'batches')}, {sum(examples):,.0f} examples of {went_in}"
    return f"{said}; {counted(waiting, 'round')} kept since the last." if waiting else f"{said}."


def _notes(found: Sequence[Batch]) -> tuple[str, ...]:
    said = ["Rounds: those kept since the project's batch before, which may reach back before this window."]
    first = sum(batch.is_first for batch in found)
    if first:
        said.append(f"{counted(first, 'batch has', 'batches have')} none before: rounds of all the time that was read.")
    lacking = missing.shares(
        len(found),
        "batches",
        [
            (sum(batch.name == NO_BATCH for batch in found), "name no batch_id"),
            (sum(batch.n_examples is None for batch in found), "say no number of examples"),
            (sum(not batch.r2_key for batch in found), "say no r2_key"),
        ],
    )
    return (*said, *lacking)


BOARDS: Mapping[str, Board] = {
    "finetuning": Board(
        "Fine-tuning batches",
        (("finetune_batches", NOW), ("finetune_batches", BEFORE), ("kept_rounds", NOW), ("kept_rounds", BEFORE)),
        lambda window, found: batches(window, *found),
    ),
}
SIBLINGS: Mapping[str, str] = {}
