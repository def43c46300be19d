"""What did each type of task cost, when, and where did its requests begin to go to another model?

Asked of the router and, as a board of its own, of the model observability: both record the same call.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.quality import NO_MODEL, NO_TASK
from queries.gallery.sheet import Column, Mark, Row, Sheet, Unit, empty
from queries.views import drill
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import money, share

ROUTER, GENERATIONS = "token_machine.request", "$ai_generation"
_COSTS: Mapping[str, str] = {ROUTER: "token_machine.request.cost_usd", GENERATIONS: "$ai_generation.$ai_total_cost_usd"}
MANY = 10
"""Requests of a bucket from which on it says where a type of task goes."""


@dataclass(frozen=True, slots=True)
class _Task:
    """`spent_usd` is None where no request had a cost; `course` has one cell a bucket."""

    name: str
    requests: int
    priced: int
    spent_usd: float | None
    before_usd: float | None
    course: tuple[float | None, ...]


def spend(
    window: Window, now: QueryResult, before: QueryResult, *, source: str = ROUTER, marks: Sequence[Mark] = ()
) -> Sheet:
    """From `router_spend`'s or `generation_spend`'s rows of both spans, the dearest type of task first.

    `marks` are annotations, which are no events; to them come those that the requests themselves show (`moves`).
    """
    rows, earlier = records(now), _by_task(records(before))
    if not rows:
        return empty(f"No {source} in this window.")
    names = buckets(window, now.timezone)
    tasks = [_task(name, part, earlier.get(name, []), names) for name, part in _by_task(rows).items()]
    tasks.sort(key=lambda task: (-(task.spent_usd or 0.0), -task.requests, task.name))
    total = sum(task.spent_usd or 0.0 for task in tasks)
    columns = (
        Column("task type"),
        Column("spent", Unit.USD),
        Column("share", Unit.SHARE, 2),
        Column("before", Unit.USD, 3),
        Column("requests", Unit.COUNT, 4),
        Column("each", Unit.USD, 1),
        Column("course", Unit.COURSE),
    )
    drawn = [mark for mark in (*marks, *moves(rows)) if mark.bucket in names]
    return Sheet(
        _verdict(tasks, total, window.compared_with),
        columns,
        tuple(_row(task, total, source) for task in tasks),
        names,
        tuple(sorted(drawn, key=lambda mark: names.index(mark.bucket))),
        _notes(rows, source),
    )


def _by_task(rows: Sequence[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        found[row["task_type"] or NO_TASK].append(row)
    return found


def _task(name: str, rows: Sequence[dict], earlier: Sequence[dict], names: Sequence[str]) -> _Task:
    by_bucket: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["priced"]:
            by_bucket[row["bucket"]] += row["spent_usd"] or 0.0
    return _Task(
        name=name,
        requests=sum(row["requests"] for row in rows),
        priced=sum(row["priced"] for row in rows),
        spent_usd=_spent(rows),
        before_usd=_spent(earlier),
        course=tuple(by_bucket.get(bucket) for bucket in names),
    )


def _spent(rows: Sequence[dict]) -> float | None:
    return sum(row["spent_usd"] or 0.0 for row in rows) if any(row["priced"] for row in rows) else None


def _row(task: _Task, total: float, source: str) -> Row:
    spent = task.spent_usd
    cells = (
        task.name,
        spent,
        spent / total if spent is not None and total else None,
        task.before_usd,
        task.requests,
        None if spent is None else spent / task.priced,
        task.course,
    )
    return Row(cells, drill=drill.of_task(task.name, source=source))


def moves(rows: Sequence[dict]) -> Iterator[Mark]:
    """Where most of a project's requests of one type went to another model than in the last bucket that said so: more
    than half of at least `MANY` requests, both times. It says what was sent, not that a rule was changed."""
    sent: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        owner = (row["project"], row["task_type"] or NO_TASK)
        sent[owner][row["bucket"]][row["model"] or NO_MODEL] += row["requests"]
    for (project, task), by_bucket in sorted(sent.items()):
        last = ""
        for bucket in sorted(by_bucket):
            model, times = max(by_bucket[bucket].items(), key=lambda pair: pair[1])
            whole = by_bucket[bucket].total()
            if whole < MANY or times * 2 <= whole:
                continue
            if last and model != last:
                yield Mark(bucket, f"{task} of {project}: {last} → {model}")
            last = model


def _verdict(tasks: Sequence[_Task], total: float, compared_with: str) -> str:
    priced = [task for task in tasks if task.spent_usd is not None]
    if not priced:
        return "Nobody sends what a request cost."
    top = priced[0]
    if len(tasks) == 1:
        said = f"{money(total)}, all on {top.name}"
    else:
        said = f"{money(total)} on {len(tasks)} types of task"
        if total:
            said += f", most on {top.name} ({share((top.spent_usd or 0.0) / total)})"
    changed = [(task.spent_usd / task.before_usd, task) for task in priced if task.spent_usd and task.before_usd]
    factor, task = max(changed, key=lambda pair: abs(math.log(pair[0])), default=(1.0, None))
    # Less than a fifth is how nights differ anyway.
    if task and abs(math.log(factor)) > math.log(1.2):
        said += f"; {f'{task.name} ' if len(tasks) > 1 else ''}{factor:.1f}× {compared_with}"
    return f"{said}."


def _notes(rows: Sequence[dict], source: str) -> tuple[str, ...]:
    whole = sum(row["requests"] for row in rows)
    lacking = missing.shares(
        whole,
        "requests",
        [
            (sum(row["requests"] for row in rows if not row["task_type"]), "name no task type"),
            (whole - sum(row["priced"] for row in rows), "have no cost"),
        ],
    )
    return (f"Cost: {_COSTS[source]}.", *lacking)
