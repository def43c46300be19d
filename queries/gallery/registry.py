"""The boards beyond the six by name: those of the gallery's groups, then the user's own. Loaded only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType

from queries import boards
from queries.boards import Board
from queries.catalog import catalog
from queries.gallery import agents, finetuning, models, own, routing, scoring
from queries.gallery.sheet import Sheet
from workspace.errors import LoopdeskError

GROUPS: tuple[ModuleType, ...] = (models, scoring, routing, agents, finetuning)
"""Each has `BOARDS`. One whose figures can be had from two events has `SIBLINGS` too: the same figure, both ways."""

USEFUL: tuple[str, ...] = ("dimensions", "regressions", "latency", "spend", "quality", "agents")
"""What a Boards screen shows that nobody has arranged, in this order; everything where it names nothing."""


def names() -> tuple[str, ...]:
    """Every board that can be picked, the gallery's first."""
    return (*_grouped(), *own.names())


def useful() -> tuple[str, ...]:
    """What is shown until somebody arranges it: the user's own first, and of two sources the first."""
    known = _grouped()
    return (*own.names(), *without_siblings([name for name in USEFUL if name in known] or known))


def without_siblings(found: Iterable[str]) -> tuple[str, ...]:
    """Of two sources of one figure the one that stands first."""
    kept: dict[str, None] = {}
    for name in found:
        if sibling(name) not in kept:
            kept[name] = None
    return tuple(kept)


def find(name: str) -> Board:
    """Raises `LoopdeskError` for a name that no board has, and for a file that cannot be a board."""
    known = _grouped()
    if own.is_own(name):
        return own.find(name, taken())
    if name not in known:
        raise LoopdeskError(f"There is no board named {name}")
    return known[name]


def taken() -> frozenset[str]:
    """Names that no file of the user's own may have: they mean a board or a question of ours."""
    return frozenset((*boards.NAMES, *catalog.names(), *_grouped()))


def title(name: str) -> str:
    """Also of a board that cannot be asked, or is gone."""
    if own.is_own(name):
        return own.title(name)
    known = _grouped()
    return known[name].title if name in known else name


def sibling(name: str) -> str:
    """The board with the same figure from another source; empty where there is none."""
    return next((pairs[name] for group in GROUPS if name in (pairs := getattr(group, "SIBLINGS", {}))), "")


def asks(name: str) -> str:
    """The question that a board answers. Raises as `find` does."""
    found = find(name)
    return boards.question_of(found, found.asks[0][0]).asks


def source(name: str, view: object = None) -> str:
    """Where the figures come from, where that is a question: dollars, and what could be had from another event. `view`
    is what the board shows, where that is known: without dollars there nobody asks for theirs."""
    try:
        found = find(name)
        question = boards.question_of(found, found.asks[0][0])
    except LoopdeskError:
        return ""  # the pane says what is wrong with it
    if sibling(name):
        is_of_rounds = all(event.startswith("round_") for event in question.events)
        return "rounds" if is_of_rounds else ", ".join(sorted(question.events))
    is_asked = question.cost != "none" and (not isinstance(view, Sheet) or view.has_dollars)
    return question.cost.partition(",")[0] if is_asked else ""


def _grouped() -> Mapping[str, Board]:
    return {name: board for group in GROUPS for name, board in group.BOARDS.items()}
