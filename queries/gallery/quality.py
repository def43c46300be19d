"""How good were each model's answers to each type of task, and what did one cost?

Asked of the router's requests and, as a board of its own, of rounds: the two hold the same work, told by two senders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit, empty
from queries.statistics import Moments, mean_difference
from queries.views import drill
from queries.views.answers import records
from queries.views.words import counted, listed, share, size

ENOUGH = 20
"""Values from which on a mean is compared: the normal approximation of `mean_difference` asks for as many."""

NO_TASK, NO_MODEL = "(no task type)", "(no model)"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the same figures come from: of what they are, and which events are named beside them."""

    noun: str
    told_by: str


REQUESTS = Source("request", "Quality and cost: token_machine.request.")
ROUNDS = Source("round", "Quality: round_scored, by the model of round_started. Cost: round_kept and round_reverted.")


@dataclass(frozen=True, slots=True)
class _Cell:
    """One model at one type of task. `spent_usd` is None where nobody sent a cost."""

    task_type: str
    model: str
    n: int
    rated: Moments
    priced: int
    spent_usd: float | None
    grades: Counter[str]


def quality(found: QueryResult) -> Sheet:
    """From `router_quality`'s rows, the type of task with most requests first and its best model at the top."""
    return _sheet(_cells(records(found)), REQUESTS)


def quality_of_rounds(found: QueryResult) -> Sheet:
    """From `round_quality`'s rows. An escalated round counts for the model that it began with."""
    return _sheet(_cells(records(found)), ROUNDS)


def _cells(rows: Sequence[dict]) -> list[_Cell]:
    by: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        by.setdefault((row["task_type"] or NO_TASK, row["model"] or NO_MODEL), []).append(row)
    return [_cell(task_type, model, part) for (task_type, model), part in by.items()]


def _cell(task_type: str, model: str, rows: Sequence[dict]) -> _Cell:
    grades: Counter[str] = Counter()
    for row in rows:
        if row.get("grade"):
            grades[row["grade"]] += row["requests"]
    # A sum that is no number (one "nan" is enough) says nothing of its rows.
    known = [row for row in rows if row["quality"] is not None and row["quality_squared"] is not None]
    rated = Moments(*(sum(row[name] for row in known) for name in ("scored", "quality", "quality_squared")))
    priced = sum(row["priced"] for row in rows)
    spent = sum(row["spent_usd"] or 0.0 for row in rows) if priced else None
    return _Cell(task_type, model, sum(row["requests"] for row in rows), rated, priced, spent, grades)


def _sheet(cells: Sequence[_Cell], source: Source) -> Sheet:
    if not cells:
        return empty(f"No {'routed request' if source is REQUESTS else 'round was scored'} in this window.")
    sizes = Counter[str]()
    for cell in cells:
        sizes[cell.task_type] += cell.n
    ordered = sorted(cells, key=lambda cell: (-sizes[cell.task_type], cell.task_type, -_mean(cell), cell.model))
    bests = [best for task_type in sizes if (best := _best([c for c in cells if c.task_type == task_type]))]
    has_grades = any(cell.grades for cell in cells)
    columns = (
        Column("task type"),
        Column("model"),
        Column("quality", Unit.SCORE),
        Column("rated", Unit.COUNT),
        Column(f"per {source.noun}", Unit.USD, 1),
        Column(f"{source.noun.capitalize()}s", Unit.COUNT, 3),
        *([Column("grade", Unit.TEXT, 2)] if has_grades else []),
    )
    rows = tuple(_row(cell, any(cell is best for best, _, _ in bests), source, has_grades) for cell in ordered)
    return Sheet(_verdict(cells, bests, source), columns, rows, notes=_notes(cells, source))


def _mean(cell: _Cell) -> float:
    return cell.rated.mean if cell.rated.n else float("-inf")


def _best(cells: Sequence[_Cell]) -> tuple[_Cell, _Cell, float] | None:
    """Of one type of task's models with enough values: the best, its runner-up and how far ahead it is. None where
    chance may have put it there."""
    rated = sorted((cell for cell in cells if cell.rated.n >= ENOUGH), key=lambda cell: -cell.rated.mean)
    if len(rated) < 2:
        return None
    ahead = mean_difference(rated[1].rated, rated[0].rated)
    return (rated[0], rated[1], ahead.difference) if ahead.low > 0 else None


def _row(cell: _Cell, is_best: bool, source: Source, has_grades: bool) -> Row:
    few = cell.rated.n < ENOUGH
    grade = ""
    if cell.grades:
        name, times = min(cell.grades.items(), key=lambda pair: (-pair[1], pair[0]))
        grade = f"{name} {share(times / sum(cell.grades.values()))}"
    cells = (
        cell.task_type,
        cell.model,
        cell.rated.mean if cell.rated.n else None,
        cell.rated.n,
        None if cell.spent_usd is None else cell.spent_usd / cell.priced,
        cell.n,
        *([grade or None] if has_grades else []),
    )
    is_request = source is REQUESTS
    return Row(
        cells,
        word="best" if is_best else "few" if few else "",
        tone=Tone.GOOD if is_best else Tone.PLAIN,
        drill=drill.of_task(cell.task_type, model=cell.model)
        if is_request
        else drill.begun_by(cell.task_type, cell.model),
    )


def _verdict(cells: Sequence[_Cell], bests: Sequence[tuple[_Cell, _Cell, float]], source: Source) -> str:
    if not any(cell.rated.n for cell in cells):
        return f"Nobody sends the quality of a {source.noun}."
    total = counted(sum(cell.rated.n for cell in cells), f"rated {source.noun}")
    if len(bests) == 1:
        best, next_one, ahead = bests[0]
        return f"{best.model} is best at {best.task_type}, {size(ahead)} ahead of {next_one.model}; {total}."
    if bests:
        return f"Best: {listed([f'{best.model} at {best.task_type}' for best, _, _ in bests])}; {total}."
    compared = Counter(cell.task_type for cell in cells if cell.rated.n)
    if max(compared.values()) < 2:
        return f"One model for each type of task, nothing to compare; {total}."
    return f"No model is clearly best at any type of task; {total}."


def _notes(cells: Sequence[_Cell], source: Source) -> tuple[str, ...]:
    whole = sum(cell.n for cell in cells)
    lacking = missing.shares(
        whole,
        f"{source.noun}s",
        [
            (sum(cell.n for cell in cells if cell.task_type == NO_TASK), "name no task type"),
            (sum(cell.n for cell in cells if cell.model == NO_MODEL), "name no model"),
            (sum(cell.n - cell.rated.n for cell in cells), "have no quality"),
            (sum(cell.n - cell.priced for cell in cells), "have no cost"),
        ],
    )
    few = sum(cell.rated.n < ENOUGH for cell in cells)
    said = (f"{counted(few, 'row')} with fewer than {ENOUGH} values can be neither best nor beaten.",) if few else ()
    return (source.told_by, *said, "Nobody drew lots: one model may have got the harder requests.", *lacking)
