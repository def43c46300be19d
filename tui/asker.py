"""Where the desk's answers come from. Screens know only `Asker`; every method blocks and runs in a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from queries.backend import Backend
from queries.boards import Answer
from queries.views.filters import Filters
from queries.views.window import Window
from workspace.config import Config

if TYPE_CHECKING:  # the store is loaded in a worker, after the first paint
    from queries.local.annotated import StoredAnnotations
    from queries.local.backend import LocalBackend
    from queries.morning import Chosen, Scope
    from queries.views.timeline import Annotation

ANNOTATED = "$loopdesk_annotated"
"""Arrives, as an event does, where an annotation was made."""
MOST_ANNOTATIONS = 500

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Place:
    """What the desk looks at: kind of window, the run where it is one run, and filters."""

    kind: str = "night"
    run_id: str = ""
    filters: Filters = field(default_factory=Filters)

    @property
    def cache_kind(self) -> str:
        return f"run {self.run_id}" if self.kind == "run" else self.kind


class Asker(Protocol):
    """Everything a screen may ask. Each call may raise `LoopdeskError`.

    `fresh` is what a person wants who asked again: no answer that somebody kept."""

    name: str
    """As the status line says it."""
    source: str
    """Whose answers these are, for those who keep them."""
    is_embedded: bool

    def choose(self, place: Place, *, fresh: bool = False) -> Chosen | None:
        """The window of a place; None while nothing is stored at all."""
        ...

    def ask(self, board: str, window: Window, filters: Filters, *, fresh: bool = False) -> Answer: ...

    def scope(self) -> Scope: ...

    def answer(self, call: Callable[[Backend], Found], *, fresh: bool = False) -> Found:
        """What `call` makes of the place that answers, for questions that are no boards: traces. `fresh` wants no
        answer that somebody kept."""
        ...

    def annotations(self) -> tuple[Annotation, ...]:
        """What happened and when, the newest first: the newest `MOST_ANNOTATIONS`."""
        ...

    def trace_link(self, trace_id: str) -> str:
        """Where a browser shows the trace; empty where nowhere does."""
        ...

    def arrived(self) -> frozenset[str]:
        """Names of the events that were stored since the last call, `*` for any, and `ANNOTATED`; the first call only
        remembers where it stands."""
        ...

    def close(self) -> None:
        """The desk is being left."""
        ...

    def cancel(self) -> None:
        """Nobody waits any more for what the boards have asked."""
        ...


def open_asker(config: Config, *, read_only: bool = False) -> Asker:
    """The embedded store or a PostHog, as it is configured. Raises `LoopdeskError` where the configuration is wrong."""
    if config.asks_posthog:
        from tui.remote_asker import RemoteAsker

        return RemoteAsker(config)
    return LocalAsker(config, read_only=read_only)


class LocalAsker:
    """The workspace's own store."""

    name = source = "embedded"
    is_embedded = True

    def __init__(
        self, config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, read_only: bool = False
    ) -> None:
        self._config, self._now, self._read_only = config, now, read_only
        self._lock = threading.Lock()
        self._backend: LocalBackend | None = None
        self._annotated: StoredAnnotations | None = None
        self._seen: int | None = None

    def choose(self, place: Place, *, fresh: bool = False) -> Chosen | None:
        from queries import morning

        backend = self._open()
        version = backend.data_version() if backend else 0
        if self._seen is None:
            self._seen = version  # what comes after this answer is news
        if backend is None or not version:
            return None
        return morning.choose_window(
            backend,
            place.kind,
            now=self._now(),
            zone=self._config.zone,
            night_starts_hour=self._config.night_starts_hour,
            run_id=place.run_id,
        )

    def ask(self, board: str, window: Window, filters: Filters, *, fresh: bool = False) -> Answer:
        from queries import boards

        return boards.ask(board, self._must_open(), window, filters)

    def scope(self) -> Scope:
        from queries import morning

        backend = self._open()
        if backend is None:
            return morning.Scope((), (), (), None)
        return morning.scope(backend, now=self._now())

    def answer(self, call: Callable[[Backend], Found], *, fresh: bool = False) -> Found:
        return call(self._must_open())

    def annotations(self) -> tuple[Annotation, ...]:
        return self._stored_annotations().newest(MOST_ANNOTATIONS)

    def trace_link(self, trace_id: str) -> str:
        return ""

    def arrived(self) -> frozenset[str]:
        backend = self._open()
        version = backend.data_version() if backend else 0
        seen, self._seen = self._seen, version
        is_annotated = backend is not None and self._stored_annotations().has_news()
        annotated = frozenset({ANNOTATED} if is_annotated else ())
        if backend is None or seen is None or version == seen:
            return annotated
        return annotated | (backend.events_since(seen) if version > seen else frozenset({"*"}))

    def close(self) -> None:
        if self._annotated is not None:
            self._annotated.close()
        if self._backend is not None:
            self._backend.close()

    def cancel(self) -> None:
        """A local question is over before it would be given up."""

    def _must_open(self) -> LocalBackend:
        from workspace.errors import LoopdeskError

        backend = self._open()
        if backend is None:
            raise LoopdeskError("Nothing is stored yet", do="Import a log, or send events to `loopdesk serve`")
        return backend

    def _stored_annotations(self) -> StoredAnnotations:
        from queries.local.annotated import StoredAnnotations

        with self._lock:
            if self._annotated is None:
                self._annotated = StoredAnnotations(self._config.workspace.events_db)
            return self._annotated

    def _open(self) -> LocalBackend | None:
        from queries import morning

        with self._lock:
            if self._backend is None:
                self._backend = morning.open_local(self._config, self._now, read_only=self._read_only)
            return self._backend
