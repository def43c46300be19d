"""The boards of the desk: which questions fill each, and how their rows become a view.

Morning's six are here, because the first paint needs them. `find` knows the others too, and loads them when asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from queries.backend import Backend, QueryRefused, QueryResult
from queries.views.cost import cost
from queries.views.escalations import escalations
from queries.views.filters import Filters
from queries.views.funnel import funnel
from queries.views.headline import headline
from queries.views.heatmap import heatmap
from queries.views.stops import stops
from queries.views.trend import trend
from queries.views.window import Span, Window
from workspace.errors import LoopdeskError
from workspace.text import plain

if TYPE_CHECKING:  # what only other screens show, and what is only needed for asking, comes after the first paint
    from queries.catalog.catalog import Question

NOW, BEFORE = "now", "before"


@dataclass(frozen=True, slots=True)
class Board:
    """`asks` are (question, span) pairs; the first one's table is what a full screen shows. `view` gets the window
    and the answers in that order. `own` are the questions among them that are not in the catalog, by name."""

    title: str
    asks: tuple[tuple[str, str], ...]
    view: Callable[[Window, tuple[QueryResult, ...]], object]
    own: Mapping[str, Question] = field(default_factory=dict)


def _rounds(_: Window, found: tuple[QueryResult, ...]) -> object:
    from queries.views.rounds import rounds

    return rounds(found[0])


def _deploys(_: Window, found: tuple[QueryResult, ...]) -> object:
    from queries.views.deploys import deploys

    return deploys(*found)


def _both(question: str) -> tuple[tuple[str, str], ...]:
    return ((question, NOW), (question, BEFORE))


BOARDS: Mapping[str, Board] = {
    "headline": Board("Headline", _both("headline"), lambda window, found: headline(window, *found)),
    "funnel": Board("Round funnel", _both("round_funnel"), lambda _, found: funnel(*found)),
    "trend": Board(
        "Score trend", _both("score_trend") + _both("git_shas"), lambda window, found: trend(window, *found)
    ),
    "heatmap": Board("Dimension heatmap", _both("dimension_heatmap"), lambda window, found: heatmap(window, *found)),
    "cost": Board("Cost per kept round", _both("cost_per_kept"), lambda window, found: cost(window, *found)),
    "escalations": Board("Escalations", _both("escalations"), lambda window, found: escalations(window, *found)),
    "stops": Board("Stop reasons", (*_both("stop_reasons"), ("unfinished_runs", NOW)), lambda _, found: stops(*found)),
    "rounds": Board("Rounds", (("rounds", NOW),), _rounds),
    "deploys": Board("Deploys", (("deploys", NOW),), _deploys),
}
NAMES = tuple(BOARDS)
TITLES: Mapping[str, str] = {name: board.title for name, board in BOARDS.items()}


def find(name: str) -> Board:
    """Raises `LoopdeskError` for a name that no board has, and for a board of the user's own that cannot be one."""
    if name in BOARDS:
        return BOARDS[name]
    from queries.gallery import registry

    return registry.find(name)


def title(name: str) -> str:
    """Also of a board that cannot be asked."""
    if name in BOARDS:
        return BOARDS[name].title
    from queries.gallery import registry

    return registry.title(name)


def source(name: str, view: object = None) -> str:
    """Where a board's figures come from, where that is a question; of the six their pictures say it. `view` is what it
    shows, where that is known."""
    if name in BOARDS:
        return ""
    from queries.gallery import registry

    return registry.source(name, view)


@dataclass(frozen=True, slots=True)
class Answer:
    """A board's answer: the rows as they came, and what a screen shows of them."""

    board: str
    window: Window
    filters: Filters
    asked_at: datetime
    backend: str
    results: tuple[QueryResult, ...]
    view: object
    hogql: str


def ask(board: str, backend: Backend, window: Window, filters: Filters) -> Answer:
    """Blocking. Raises `LoopdeskError` with the first question's failure."""
    found = find(board)
    asks = [(question_of(found, name), _span(window, which)) for name, which in found.asks]
    try:
        results = tuple(
            _query(backend, question, window, span, filters, which)
            for (question, span), (_, which) in zip(asks, found.asks, strict=True)
        )
    except QueryRefused as error:
        if found.own:
            raise _placed(error, asks[0][0]) from error
        raise
    question = asks[0][0]
    values = question.values(parameters(window, window.span, filters, window.run_id))
    return answered(board, window, filters, results, spelled(question, values))


def answered(board: str, window: Window, filters: Filters, results: tuple[QueryResult, ...], hogql: str) -> Answer:
    """The answer that these results make; also for results that were kept from an earlier time. Raises `LoopdeskError`
    where a board of the user's own does not fit them."""
    return Answer(
        board=board,
        window=window,
        filters=filters,
        asked_at=results[0].asked_at,
        backend=results[0].backend,
        results=results,
        view=find(board).view(window, results),
        hogql=hogql,
    )


def spelled(question: Question, values: Mapping[str, object]) -> str:
    """The question's HogQL with the values it was asked with, as a person reads and copies it."""
    comment = "\n".join(f"-- {name} = {_spelled(value)}" for name, value in values.items())
    return f"{comment}\n{question.text}"


def events_of(board: str) -> frozenset[str]:
    """The events whose arrival changes the board's answer, `*` for any."""
    found = find(board)
    return frozenset().union(*(question_of(found, name).events for name, _ in found.asks))


def is_changed(board: str, arrived: frozenset[str]) -> bool:
    """Whether the board's answer may be another one after these events, `*` for any. One that cannot be asked has
    none."""
    try:
        events = events_of(board)
    except LoopdeskError:
        return False
    return bool("*" in arrived | events or arrived & events)


def question_of(board: Board, name: str) -> Question:
    """Raises `LoopdeskError` for a name that is neither the board's own nor in the catalog."""
    if name in board.own:
        return board.own[name]
    from queries.catalog import catalog

    return catalog.load(name)


def parameters(window: Window, span: Span, filters: Filters, run_id: str) -> dict[str, object]:
    """Every parameter that a catalog question may take."""
    return {
        "since": span.since,
        "until": span.until,
        "bucket": window.bucket,
        "project": filters.project,
        "client": filters.client,
        "run": run_id,
    }


def _query(
    backend: Backend, question: Question, window: Window, span: Span, filters: Filters, which: str
) -> QueryResult:
    # The equal window before a run belongs to no run; the run before it does.
    run_id = window.run_id if which == NOW else window.run_before
    values = question.values(parameters(window, span, filters, run_id))
    return backend.query(question.text, values, question.types)


def _placed(error: QueryRefused, question: Question) -> LoopdeskError:
    """With the line that a person has to mend, of a question of their own."""
    do = f"Mend {question.name}.sql, then ask again"
    if error.start is None:
        return LoopdeskError(error.what, error.means, do)
    line = question.text.count("\n", 0, error.start)
    text = plain(question.text.split("\n")[line], 80)
    # The parser spells line ends; and where nothing fits it repeats the query up to there, which says no more.
    why = "" if "no viable alternative" in error.what else plain(error.what.replace("\\n", " "), 200)
    return LoopdeskError(f"Line {line + 1} of its query is not understood: {text}", why, do)


def _span(window: Window, which: str) -> Span:
    return window.span if which == NOW else window.before


def _spelled(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
