"""What the desk did, newest first: kept in memory, and in `desk.db` where the desk may write."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from workspace.text import plain

MOST = 1000
_LONGEST = 400  # characters of one line
# Keys as PostHog and the model providers make them, and what a URL may carry. No message of ours holds one; this is for
# what somebody else's error quotes.
_SECRETS = re.compile(r"\b(?:ph[a-z]_|sk-|gh[a-z]_|github_pat_)[\w-]{12,}|(?<=://)[^/\s@]+:[^/\s@]+(?=@)")


class Passing(str):
    """A message for the status line that the journal leaves out: it is of the moment, or is noted in other words."""


@dataclass(frozen=True, slots=True)
class Note:
    """`place` is the screen it happened on; `said` is one printable line."""

    at: datetime
    place: str
    said: str


class Store(Protocol):
    def note(self, at: datetime, desk: str, place: str, said: str) -> None: ...

    def notes(self, without: str = "") -> list[tuple[datetime, str, str]]: ...


class Journal:
    """`write` runs what it is given aside from the screen's thread; without it nothing is stored."""

    def __init__(self, store: Store, write: Callable[[Callable[[], object]], None] | None) -> None:
        self._store, self._write = store, write
        self._desk = os.urandom(8).hex()
        self._notes: deque[Note] = deque(maxlen=MOST)

    def note(self, at: datetime, place: str, said: str) -> Note:
        note = Note(at, plain(place, 40), cleaned(said))
        self._notes.append(note)
        if self._write is not None:
            self._write(lambda: self._store.note(note.at, self._desk, note.place, note.said))
        return note

    @property
    def own(self) -> tuple[Note, ...]:
        """What this desk did, the newest first."""
        return tuple(reversed(self._notes))

    def earlier(self) -> tuple[Note, ...]:
        """What other desks and earlier days wrote down. Blocking."""
        return tuple(Note(at, plain(place, 40), cleaned(said)) for at, place, said in self._store.notes(self._desk))


def cleaned(said: str) -> str:
    """One printable line of bounded length, with what looks like a key left out."""
    return _SECRETS.sub("[secret]", plain(said, _LONGEST))


def newest_first(own: Sequence[Note], earlier: Sequence[Note]) -> list[Note]:
    """Both in one list; of the same moment, this desk's own come first."""
    return sorted((*own, *earlier), key=lambda note: note.at, reverse=True)[:MOST]
