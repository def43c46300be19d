"""Asking for the rounds behind a number: first which they are, then what each of them did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queries import boards
from queries.backend import Backend, QueryResult
from queries.boards import Answer
from queries.catalog import catalog
from queries.views.answers import UNNAMED, records
from queries.views.drill import Drill
from queries.views.filters import Filters
from queries.views.rounds import Rounds, rounds
from queries.views.window import Span, Window


@dataclass(frozen=True, slots=True)
class Behind:
    """`is_cut` where there are more of these rounds than the question's limit."""

    rounds: Rounds
    is_cut: bool


def behind(drill: Drill, backend: Backend, window: Window, filters: Filters) -> Answer:
    """Blocking; an answer to the board `rounds` whose view is a `Behind`. Raises `LoopdeskError`."""
    span = window.before if drill.is_before else window.span
    run_id = window.run_before if drill.is_before else window.run_id
    if drill.round_ids:
        return _of_ids(drill, backend, window, filters)
    question = catalog.load(drill.question)
    given = boards.parameters(window, span, _narrowed(filters, drill), run_id)
    values = question.values(given | {name: value for name, value in drill.params if value})
    named = backend.query(question.text, values, question.types)
    wanted = [row for row in records(named) if not drill.projects or row["project"] in drill.projects]
    found = _asked(backend, window, span, [row["round_id"] for row in wanted]) if wanted else None
    notes = {row["round_id"]: row.get("value") for row in wanted}
    view = rounds(found, notes) if found else Rounds((), False, "No round.")
    return Answer(
        board="rounds",
        window=window,
        filters=filters,
        asked_at=named.asked_at,
        backend=named.backend,
        results=(found or named,),
        view=Behind(view, named.is_cut),
        hogql=boards.spelled(question, values),
    )


def _of_ids(drill: Drill, backend: Backend, window: Window, filters: Filters) -> Answer:
    # They may be of the time that is compared with: what went into a batch is older than the batch.
    span = Span(window.before.since, window.span.until)
    found = _asked(backend, window, span, drill.round_ids)
    question = catalog.load("rounds")
    values = boards.parameters(window, span, filters, "") | {"ids": "\n".join(drill.round_ids)}
    return Answer(
        board="rounds",
        window=window,
        filters=filters,
        asked_at=found.asked_at,
        backend=found.backend,
        results=(found,),
        view=Behind(rounds(found), False),
        hogql=boards.spelled(question, question.values(values)),
    )


def _narrowed(filters: Filters, drill: Drill) -> Filters:
    """One project is part of the question, so that its limit counts that project's rounds."""
    only = drill.projects[0] if len(drill.projects) == 1 else UNNAMED
    return filters if filters.project or only == UNNAMED else Filters(only, filters.client)


def _asked(backend: Backend, window: Window, span: Span, ids: Sequence[str]) -> QueryResult:
    question = catalog.load("rounds")
    values = question.values(boards.parameters(window, span, Filters(), "") | {"ids": "\n".join(ids)})
    return backend.query(question.text, values, question.types)
