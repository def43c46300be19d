"""The desk's answers from a PostHog: asked when the desk opens, when a person asks again, and at a set interval."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from queries.backend import Backend
from queries.boards import Answer
from queries.views.filters import Filters
from queries.views.window import Window
from tui.asker import MOST_ANNOTATIONS, Found, Place
from workspace.config import Config
from workspace.connection import CURRENT, connection
from workspace.errors import LoopdeskError

if TYPE_CHECKING:  # the HTTP client is loaded in a worker, after the first paint
    from queries.morning import Chosen, Scope
    from queries.remote import RemoteBackend
    from queries.views.timeline import Annotation

# A pane that is asked for a moment after the others looks at the same night: its window is not asked for again.
_WINDOW_HOLDS = timedelta(seconds=20)


class RemoteAsker:
    """A project of the configured PostHog. Raises `LoopdeskError` where the configuration cannot be right."""

    is_embedded = False

    def __init__(self, config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        made = connection(config)
        self.name = "PostHog" if made.project_id == CURRENT else f"PostHog {made.project_id}"
        # The key is part of whose answers these are: its own project may be another one tomorrow.
        key = hashlib.sha256(made.personal_key.encode()).hexdigest()[:8]
        self.source = f"{made.host} {made.project_id} {key}"
        self._config, self._now = config, now
        self._lock = threading.Lock()
        self._backend: RemoteBackend | None = None
        self._fresh: RemoteBackend | None = None
        self._chosen: tuple[Place, Chosen] | None = None
        self._asked_at = now()

    def choose(self, place: Place, *, fresh: bool = False) -> Chosen | None:
        from queries import morning

        self._asked_at = now = self._now()
        if self._chosen and self._chosen[0] == place and not fresh:
            chosen = self._chosen[1]
            if not chosen.is_bare and now - chosen.window.span.until < _WINDOW_HOLDS:
                return chosen
        with self._explained():
            found = morning.choose_window(
                self._open(fresh),
                place.kind,
                now=now,
                zone=self._config.zone,
                night_starts_hour=self._config.night_starts_hour,
                run_id=place.run_id,
            )
        self._chosen = (place, found)
        return None if found.is_bare else found

    def ask(self, board: str, window: Window, filters: Filters, *, fresh: bool = False) -> Answer:
        from queries import boards

        with self._explained():
            return boards.ask(board, self._open(fresh), window, filters)

    def scope(self) -> Scope:
        from queries import morning

        with self._explained():
            return morning.scope(self._open(), now=self._now())

    def answer(self, call: Callable[[Backend], Found], *, fresh: bool = False) -> Found:
        with self._explained():
            return call(self._open(fresh))

    def annotations(self) -> tuple[Annotation, ...]:
        from queries.annotations import on_time_lines
        from queries.rest import open_rest

        rest = open_rest(self._config)
        try:
            return on_time_lines(rest, MOST_ANNOTATIONS)
        finally:
            rest.close()

    def trace_link(self, trace_id: str) -> str:
        from queries.traces import trace_link

        made = connection(self._config)
        return trace_link(made.host, "" if made.project_id == CURRENT else made.project_id, trace_id)

    def arrived(self) -> frozenset[str]:
        """Everything may have changed once the interval is over; PostHog tells nobody that events arrived."""
        interval = self._config.refresh_seconds
        is_due = interval and self._now() - self._asked_at >= timedelta(seconds=interval)
        if is_due:
            self._asked_at = self._now()
        return frozenset({"*"}) if is_due else frozenset()

    def close(self) -> None:
        if self._backend is not None:
            self._backend.close()

    def cancel(self) -> None:
        for backend in (self._backend, self._fresh):
            if backend is not None:
                backend.cancel()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from queries.remote_errors import PostHogUnreachable

        try:
            yield
        except PostHogUnreachable as error:
            if not self._config.workspace.events_db.exists():
                raise
            # Offered, never done by itself: what is stored here may be older, or of other loops.
            raise LoopdeskError(
                error.what, error.means, "Ask again with R, or look at what is stored here: ctrl+p, embedded"
            ) from error

    def _open(self, fresh: bool = False) -> RemoteBackend:
        from queries.remote import open_remote

        with self._lock:
            if self._backend is None:
                self._backend = open_remote(self._config)
                self._fresh = self._backend.with_manner(fresh=True)
            backend = self._fresh if fresh else self._backend
            assert backend is not None
            return backend
