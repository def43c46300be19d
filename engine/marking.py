"""The stage that makes the annotations which wait, because PostHog was away when a commit was made."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.in_thread import LOOK_AGAIN, Flight
from engine.main import Worked
from engine.store import Store
from queries.annotations import Flushed, Waiting
from queries.rest import open_rest
from workspace.config import Config
from workspace.paths import state_folder

EVERY = timedelta(minutes=10)


class Marking:
    """Looks at one small file; only where something waits is anybody asked."""

    def __init__(self, config: Config, waiting: Waiting | None = None) -> None:
        self._config, self._waiting = config, waiting or Waiting(state_folder())
        self._flight: Flight[Flushed] = Flight("annotations")
        self._not_before: datetime | None = None

    async def __call__(self, _store: Store, now: datetime) -> Worked:
        if self._not_before is not None and now < self._not_before:
            return Worked(next_due=self._not_before)
        if not self._waiting.has_any:
            return Worked()
        landed = await self._flight.landed(self._flush)
        if landed is None:
            return Worked(next_due=now + LOOK_AGAIN, is_on_its_way=True)
        self._not_before = now + EVERY
        # What is refused waits: the next to ask says why.
        sent = 0 if landed.exception() else landed.result().sent
        return Worked(sent, next_due=self._not_before if self._waiting.has_any else None)

    def _flush(self) -> Flushed:
        rest = open_rest(self._config)
        try:
            return self._waiting.flush(rest)
        finally:
            rest.close()
