"""What the engine knows of experiments and their plans, read through PostHog's REST now and then, in a thread that no
turn waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from engine.in_thread import Flight
from queries.rest import open_rest
from queries.rest_experiments import Running, experiments
from workspace.config import Config

EVERY = timedelta(minutes=15)
Known = Callable[[], tuple[Running, ...]]
"""Raises the `LoopdeskError` that reading ended with."""


class Experiments:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._flight: Flight[tuple[Running, ...]] = Flight("experiments")
        self._landed: asyncio.Task[tuple[Running, ...]] | None = None
        self._read_at: datetime | None = None

    async def known(self, now: datetime) -> Known | None:
        """None while they are on their way."""
        is_due = self._read_at is None or abs(now - self._read_at) >= EVERY  # a clock may be set back
        if self._landed is None or is_due:
            landed = await self._flight.landed(self._read)
            if landed is None:
                return None
            self._landed, self._read_at = landed, now
        return self._landed.result

    def _read(self) -> tuple[Running, ...]:
        rest = open_rest(self._config)
        try:
            return experiments(rest)
        finally:
            rest.close()
