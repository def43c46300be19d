"""What a function of ours could not do, told to the person who asked.

SQLite turns any exception of a function into one sentence that says nothing. So the sentence is kept beside the
connection until its query has failed.
"""

from __future__ import annotations

from collections.abc import Callable


class Complaint(ValueError):
    """One sentence about an argument, such as "Division by zero"."""


class Complaints:
    """The last complaint on one connection."""

    def __init__(self) -> None:
        self._last = ""

    def take(self) -> str:
        """The last complaint, which is then forgotten; empty where there was none."""
        last, self._last = self._last, ""
        return last

    def hearing(self, function: Callable[..., object]) -> Callable[..., object]:
        """`function`, whose complaints are kept."""

        def heard(*args: object) -> object:
            try:
                return function(*args)
            except Complaint as complaint:
                self._last = str(complaint)
                raise

        return heard


def whole(size: int, limit: int, what: str) -> None:
    """Refuse what would take more memory than `limit`, rather than cut it short in silence."""
    if size > limit:
        raise Complaint(f"{what} would be larger than {limit:,}")
