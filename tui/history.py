"""What can be taken back: changes with the way back and the way there again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MOST = 100


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Change:
    """`what` are its words, as in `Undone: filter project autoagent.`; `still` says whether what was changed is still
    there: a table that was closed cannot be sorted back."""

    what: str
    back: Callable[[], object]
    again: Callable[[], object]
    still: Callable[[], bool] = _always
    is_told: bool = False
    """Whether what undoing comes to is known later only, and said then."""


class History:
    """The newest hundred changes, in memory. A new change ends the way forward."""

    def __init__(self) -> None:
        self._done: deque[Change] = deque(maxlen=MOST)
        self._undone: list[Change] = []

    def did(self, change: Change) -> None:
        self._done.append(change)
        self._undone.clear()

    def undo(self) -> Change | None:
        """Take the newest change back and return it; None where there is none left."""
        change = _newest(self._done)
        if change is not None:
            change.back()
            self._undone.append(change)
        return change

    def put_back(self, change: Change) -> None:
        """Undoing the change, or doing it again, came to nothing: it stands where it stood before."""
        if change in self._undone:
            self._undone.remove(change)
            self._done.append(change)
        elif change in self._done:
            self._done.remove(change)
            self._undone.append(change)

    def redo(self) -> Change | None:
        change = _newest(self._undone)
        if change is not None:
            change.again()
            self._done.append(change)
        return change


def _newest(changes: deque[Change] | list[Change]) -> Change | None:
    while changes:
        change = changes.pop()
        if change.still():
            return change
    return None
