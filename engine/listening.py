"""The stage that listens: every source over the embedded store, and what they say handed in like any other signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta

from engine.experimenting import Experiments, Known
from engine.in_thread import LOOK_AGAIN
from engine.inbox import Inbox
from engine.main import Worked, warn
from engine.source_state import source_states
from engine.sources import registry
from engine.sources.source import Gathered
from engine.store import Store
from queries.morning import open_local
from workspace.config import Config
from workspace.memory import give_back

EVERY = timedelta(minutes=2)
"""How soon after the last time, where events have arrived."""
AT_LEAST_EVERY = timedelta(minutes=15)
"""Also without any: a loop that did not run sends nothing."""


class Listening:
    """A source that fails is told once and asked again next time. A condition that was handed in before renews its
    signal, so that asking often adds nothing."""

    def __init__(self, config: Config, *, tell: Callable[[str], None] = warn) -> None:
        registry.settings(config.signal_sources)  # what is wrong in the configuration is said at the start
        self._config, self._tell = config, tell
        self._version = -1
        self._listened_at: datetime | None = None
        self._told: set[str] = set()
        self._experiments = Experiments(config)

    async def __call__(self, store: Store, now: datetime) -> Worked:
        """Raises `LoopdeskError` where the store cannot be read."""
        last = self._listened_at
        if last is not None and abs(now - last) < EVERY:  # a clock may be set back
            return Worked(next_due=last + EVERY)
        if not self._config.workspace.events_db.exists():
            return Worked(next_due=now + EVERY)
        known = await self._experiments.known(now)
        if known is None:
            return Worked(next_due=now + LOOK_AGAIN, is_on_its_way=True)
        gathered = await asyncio.to_thread(self._gather, now, _switched(store), known)
        if gathered is None:
            return Worked(next_due=now + EVERY)
        for failure in gathered.failures:
            said = f"{failure.source}: {failure.error}"
            if said not in self._told:
                self._told.add(said)
                self._tell(said)
        if gathered.signals:
            with closing(Inbox(self._config.workspace)) as inbox:
                inbox.add_signals(list(gathered.signals), now)
        return Worked(len(gathered.signals), now + EVERY)

    def _gather(self, now: datetime, switched: Mapping[str, bool], known: Known) -> Gathered | None:
        """None where there is no store, or nothing new in it."""
        config = self._config
        backend = open_local(config, lambda: now)
        if backend is None:
            return None
        try:
            version = backend.data_version()
            is_due = self._listened_at is None or abs(now - self._listened_at) >= AT_LEAST_EVERY
            if not version or (version == self._version and not is_due):
                return None
            found = registry.gather(
                backend,
                now,
                config.zone,
                registry.switched(config.signal_sources, switched),
                night_starts_hour=config.night_starts_hour,
                experiments=known,
            )
            self._version, self._listened_at = version, now
            return found
        finally:
            backend.close()
            give_back()  # the pages of the store that were read are some 20 MB


def _switched(store: Store) -> Mapping[str, bool]:
    """Sources that a human switched, by `product/type`."""
    states = source_states(store.connection)
    return {name: state.is_on for name, state in states.items() if state.is_on is not None}
