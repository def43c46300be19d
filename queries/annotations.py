"""Annotations: what happened and when, as marks on the time lines. Read, made once, and kept while PostHog is away.

PostHog has no key that makes an annotation once, so whoever makes one looks first: a commit has one annotation, known
by its sha, and anything else is the same where words and moment are.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from queries.rest import MOST_LISTED, Rest, listed
from queries.views.timeline import Annotation, annotation_of, newest_first, same_commit
from workspace.errors import LoopdeskError
from workspace.locks import only_one
from workspace.paths import refuse_writable_by_others, write_private
from workspace.text import plain, plain_lines

MOST_CHARACTERS = 8_192  # PostHog's own limit
MOST_WAITING = 500
_LEAST_SHA, _SHOWN_SHA = 7, 12
_SUBJECT = 500  # characters of a commit's words
_TRIES, _PAUSE_S = 100, 0.05  # the file is changed in milliseconds
_SHA = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Draft:
    """An annotation that is not made yet. `at` is in UTC; `sha` is a commit's, or empty."""

    content: str
    at: datetime
    sha: str = ""

    @property
    def text(self) -> str:
        return f"{self.sha[:_SHOWN_SHA]} {self.content}"[:MOST_CHARACTERS] if self.sha else self.content

    def document(self) -> dict[str, object]:
        return {
            "content": self.text,
            "date_marker": self.at.astimezone(UTC).isoformat(),
            "scope": "project",
            "creation_type": "GIT" if self.sha else "USR",
        }


def draft(text: str, at: datetime, sha: str = "") -> Draft:
    """Raises `LoopdeskError` for what is no annotation. A commit is one whatever its subject is."""
    content = "\n".join(plain_lines(text[: 2 * MOST_CHARACTERS])).strip()
    if sha:
        content = plain(content, _SUBJECT) or "no subject"
    if not content or len(content) > MOST_CHARACTERS:
        raise LoopdeskError(f"An annotation has between 1 and {MOST_CHARACTERS:,} characters")
    if sha and not _SHA.fullmatch(sha.lower()):
        raise LoopdeskError(f"{plain(sha, 40)!r} is no commit's sha", do="Give 7 to 64 hexadecimal digits")
    return Draft(content, at, sha.lower())


def on_time_lines(rest: Rest, most: int = MOST_LISTED) -> tuple[Annotation, ...]:
    """The newest moment first. Raises `LoopdeskError`."""
    return newest_first(one for row in listed(rest, "annotations/", most).rows if (one := annotation_of(row)))


def make(rest: Rest, wanted: Draft) -> tuple[int, bool]:
    """The annotation's id, and whether it is new. Raises `LoopdeskError`."""
    searched = wanted.sha[:_LEAST_SHA] or wanted.text.splitlines()[0][:100]
    for row in listed(rest, "annotations/", search=searched).rows:
        one = annotation_of(row)
        if one is not None and _is_same(one, wanted):
            return one.id, False
    made = rest.ask("POST", "annotations/", wanted.document())
    id = made.get("id") if isinstance(made, dict) else None
    if type(id) is not int:
        raise LoopdeskError("PostHog took the annotation, but did not say which it is", do="Look at: annotate --list")
    return id, True


def remove(rest: Rest, id: int) -> None:
    """It is on no time line any more. Raises `LoopdeskError`."""
    rest.ask("PATCH", f"annotations/{id}/", {"deleted": True})


def _is_same(one: Annotation, wanted: Draft) -> bool:
    if wanted.sha:
        return same_commit(one.sha, wanted.sha)
    return one.content == wanted.text and one.at == wanted.at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Flushed:
    """`refused` is why the rest still waits; empty where nothing does, or it is meant for another PostHog."""

    sent: int = 0
    waiting: int = 0
    refused: str = ""


class Waiting:
    """Annotations that could not be made, in one file of the user's state folder (0600, the newest 500). Each is kept
    with the PostHog it was meant for, and only sent to that one."""

    def __init__(self, folder: Path, pause: Callable[[float], None] = time.sleep) -> None:
        self._folder, self._pause = folder, pause

    @property
    def path(self) -> Path:
        return self._folder / "annotations.jsonl"

    @property
    def has_any(self) -> bool:
        try:
            return self.path.stat().st_size > 0
        except OSError:
            return False

    def add(self, place: str, wanted: Draft) -> None:
        """Raises `LoopdeskError`. A commit that waits already is not kept twice."""
        line = _line(place, wanted)
        with self._changing():
            lines = [one for one in self._lines() if one != line]
            self._write([*lines, line][-MOST_WAITING:])

    def flush(self, rest: Rest) -> Flushed:
        """Make what waits for this PostHog, the oldest first, and stop at the first that still cannot be.

        Raises `LoopdeskError` where the file cannot be used or another process flushes it."""
        if not self.path.exists():
            return Flushed()
        busy = LoopdeskError("Another process sends the annotations that wait", do="Try again in a moment")
        with only_one(self._folder / "annotations.lock", busy):
            sent, refused = 0, ""
            damaged = {line for line in self._lines() if _read(line)[1] is None}
            if damaged:
                self._drop(damaged)
            for line in self._lines():
                place, wanted = _read(line)
                if wanted is None or place != rest.place:
                    continue
                try:
                    make(rest, wanted)
                except LoopdeskError as error:
                    refused = str(error)
                    break
                sent += 1
                self._drop({line})  # at once: what is killed before this finds the annotation made when it looks again
            return Flushed(sent, len(self._lines()), refused)

    def _drop(self, lines: Collection[str]) -> None:
        with self._changing():
            self._write([one for one in self._lines() if one not in lines])

    def _lines(self) -> list[str]:
        try:
            refuse_writable_by_others(self.path)
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LoopdeskError(f"Cannot read {self.path}: {error.strerror}") from error

    def _write(self, lines: Sequence[str]) -> None:
        try:
            write_private(self.path, "".join(f"{line}\n" for line in lines))
        except OSError as error:
            raise LoopdeskError(f"Cannot write {self.path}: {error.strerror}", "The annotation is lost") from error

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Commits may follow each other faster than a process starts: whoever comes second waits for the first."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LoopdeskError(f"Cannot make {self._folder}: {error.strerror}") from error
        busy = _Busy(f"Another process holds {self.path}", "The annotation is lost")
        with ExitStack() as held:
            for tried in range(_TRIES):
                try:
                    held.enter_context(only_one(self._folder / "annotations.write.lock", busy))
                    break
                except _Busy:
                    if tried == _TRIES - 1:
                        raise
                    self._pause(_PAUSE_S)
            yield


class _Busy(LoopdeskError):
    """Another process changes the file at this moment."""


def _line(place: str, wanted: Draft) -> str:
    return json.dumps({"place": place, **asdict(wanted), "at": wanted.at.astimezone(UTC).isoformat()})


def _read(line: str) -> tuple[str, Draft | None]:
    """None for a line that was damaged: it can never be sent."""
    try:
        found = json.loads(line)
        return found["place"], draft(found["content"], datetime.fromisoformat(found["at"]), found["sha"])
    except (ValueError, KeyError, TypeError, AttributeError, LoopdeskError):
        return "", None
