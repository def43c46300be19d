"""Which boards the Boards screen shows, and in which order: what a person picked, as far as it still exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

BOARDS = "boards"
"""Its name in the table of states."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`hidden` were seen and not picked: a board that is in neither is new, and is shown once."""

    shown: tuple[str, ...]
    hidden: tuple[str, ...] = ()

    def moved(self, board: str, step: int) -> Arrangement:
        """The board so many places later; as it is at either end."""
        names = list(self.shown)
        there = names.index(board) + step
        if not 0 <= there < len(names):
            return self
        names.insert(there, names.pop(there - step))
        return Arrangement(tuple(names), self.hidden)

    def replaced(self, board: str, other: str) -> Arrangement:
        """The other one in the board's place."""
        return Arrangement(tuple(other if name == board else name for name in self.shown), self.hidden)

    def picked(self, names: Sequence[str], offered: Sequence[str]) -> Arrangement:
        """Only these of what was offered; those that are shown already keep their places."""
        kept = [name for name in self.shown if name in names]
        added = [name for name in names if name not in kept]
        return Arrangement((*kept, *added), tuple(name for name in offered if name not in names))

    @property
    def document(self) -> dict[str, list[str]]:
        """What `read` takes."""
        return {"shown": list(self.shown), "hidden": list(self.hidden)}


def read(document: object, known: Sequence[str], useful: Sequence[str], sibling: Callable[[str], str]) -> Arrangement:
    """From what is remembered; `useful` where nothing is. `known` are all boards that there are. Of two siblings one
    is shown at most."""
    found = document if isinstance(document, Mapping) else {}
    if not found:
        return Arrangement(tuple(useful), tuple(name for name in known if name not in useful))
    hidden = [name for name in _names(found.get("hidden")) if name in known]
    shown: dict[str, None] = {}
    for name in _names(found.get("shown")):
        if name in known and sibling(name) not in shown:
            shown[name] = None
    seen = {*hidden, *shown, *map(sibling, shown)}
    new = [name for name in useful if name not in seen]
    return Arrangement((*new, *shown), tuple(name for name in hidden if name not in shown))


def _names(found: object) -> list[str]:
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
