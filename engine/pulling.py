"""The stage that pulls a PostHog project's new events into the embedded store, where the sources listen.

It shares its cursor with `loopdesk sync`: each goes on where either of them stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from engine.in_thread import LOOK_AGAIN, PATIENCE_S, Flight
from engine.main import Worked, warn
from engine.store import Store as Inbox
from queries.cursor import source_key
from queries.local.retention import keeps_prompts
from queries.local.store import Store
from queries.pulls import PullRuns, WrongPlace, one_at_a_time, refuse_wrong_places
from queries.remote import Manner, open_remote
from queries.sync import Synced, Wanted, sync
from queries.turns import Priority
from workspace.config import Config
from workspace.errors import LoopdeskError

EVERY = timedelta(minutes=15)
SLICE_S = 5.0
"""How long is pulled before the sources listen to what came; the first pull takes many."""
_WANTED = Wanted()
_MANNER = Manner(Priority.SYNC, deadline_s=120, patience_s=10, name="loopdesk engine")


class _Slice(Exception):
    """Enough for now."""


class Pulling:
    """A PostHog that cannot be reached is told once and asked again; what was pulled stays."""

    def __init__(
        self,
        config: Config,
        *,
        wanted: Wanted = _WANTED,
        tell: Callable[[str], None] = warn,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._config, self._wanted, self._tell, self._clock = config, wanted, tell, clock
        self._flight: Flight[tuple[int, bool]] = Flight("pull", patience_s)
        self._pulled_at: datetime | None = None
        self.is_current = False
        """Whether the last pull came to its end: what is stored is what was sent by then."""
        self._told: set[str] = set()

    async def __call__(self, inbox: Inbox, now: datetime) -> Worked:
        if self._pulled_at is not None and abs(now - self._pulled_at) < EVERY:
            return Worked(next_due=self._pulled_at + EVERY)
        self.is_current = False
        landed = await self._flight.landed(lambda: self._pull(now))
        if landed is None:
            return Worked(next_due=now + LOOK_AGAIN, is_on_its_way=True)
        try:
            stored, is_complete = landed.result()
            self.is_current = is_complete
        except PullRuns:
            stored, is_complete = 0, True  # by hand: that is as good
        except LoopdeskError as error:
            self._tell_once(error.what, f"PostHog was not pulled: {error}")
            stored, is_complete = 0, True
        if is_complete:
            self._pulled_at = now
            return Worked(stored, now + EVERY)
        return Worked(max(stored, 1), now)

    def _pull(self, now: datetime) -> tuple[int, bool]:
        """How many events were new, and whether there are no more."""
        config = self._config
        try:
            refuse_wrong_places(config)
        except WrongPlace:
            return 0, True  # its own server, or a demo: nothing is missing
        ends, done = self._clock() + SLICE_S, 0

        def told(synced: Synced) -> None:
            nonlocal done
            done = synced.stored
            # The last page is read again by the next slice: only what brought something new is worth a pause.
            if done and self._clock() >= ends:
                raise _Slice

        backend = open_remote(config, warn=self._tell_once, manner=_MANNER)
        try:
            source = source_key(backend.host, backend.project_number())
            with one_at_a_time(config.workspace.create(), source):
                store = Store.open(config.workspace.events_db, keep_prompts=keeps_prompts(config.prompt_days))
                try:
                    done = sync(backend, store, source, self._wanted, now=now, told=told).stored
                finally:
                    store.close()
        except _Slice:
            return done, False
        finally:
            backend.close()
        return done, True

    def _tell_once(self, what: str, said: str = "") -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(said or what)
