"""Where the desk was left: what a new one begins with, as far as that still makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from queries.views.filters import Filters
from queries.views.window import KINDS
from tui.asker import Place

SCREENS = ("morning", "rounds", "inbox", "engine", "knobs", "boards")
PLACE, LEFT = "place", "left"
"""Names in the table of states: the place is written as soon as it changes, the rest on leaving."""


@dataclass(frozen=True, slots=True)
class Left:
    """`sorts` are (column, descending) by the name of a table."""

    place: Place = field(default_factory=Place)
    screen: str = SCREENS[0]
    pane: str = ""
    round_id: str = ""
    sorts: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    report_id: str = ""
    left_at: datetime | None = None
    """When it was left; None where it never was."""


def read(states: Mapping[str, object]) -> Left:
    """From what is remembered; what is missing or of another version counts as never said."""
    left = _mapping(states.get(LEFT))
    screen = _word(left.get("screen"))
    return Left(
        _place(_mapping(states.get(PLACE))),
        screen if screen in SCREENS else SCREENS[0],
        _word(left.get("pane")),
        _word(left.get("round_id")),
        _sorts(left.get("sorts")),
        _word(left.get("report_id")),
        _instant(left.get("left_at")),
    )


def document(left: Left) -> dict[str, object]:
    """What `read` takes as the state `LEFT`."""
    sorts = {name: list(sorting) for name, sorting in left.sorts.items()}
    named = {"pane": left.pane, "round_id": left.round_id, "report_id": left.report_id}
    at = {"left_at": left.left_at.isoformat()} if left.left_at else {}
    return {"screen": left.screen, **named, "sorts": sorts, **at}


def _place(found: Mapping) -> Place:
    """A desk never opens on an old run: a morning review begins with last night."""
    filters = _mapping(found.get("filters"))
    kind = _word(found.get("kind"))
    return Place(
        kind=kind if kind in KINDS and kind != "run" else "night",
        filters=Filters(project=_word(filters.get("project")), client=_word(filters.get("client"))),
    )


def _sorts(found: object) -> dict[str, tuple[str, bool]]:
    return {
        str(name): (sorting[0], sorting[1])
        for name, sorting in _mapping(found).items()
        if isinstance(sorting, list) and [type(part) for part in sorting] == [str, bool]
    }


def _mapping(found: object) -> Mapping:
    return found if isinstance(found, Mapping) else {}


def _instant(found: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(_word(found))
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _word(found: object) -> str:
    return found if isinstance(found, str) else ""
