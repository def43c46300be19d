"""A model for tests: the real SDK against the scripted API, with a clock and pauses that are only noted."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.budget import Books
from engine.llm import Model
from engine.own_events import own_events
from engine.store import Store
from tests.conftest import NOW
from tests.messages_api import MessagesApi
from workspace.config import Config

KEY = "sk-test-Zq81/not+like+anthropics"


class ModelDesk:
    """A workspace with an open inbox, and a model over it."""

    def __init__(self, folder: Path, api: MessagesApi, **settings: Any) -> None:
        given = {"anthropic_url": api.url, "anthropic_key": KEY, "timezone": "UTC", **settings}
        self.config = replace(Config(), workspace_dir=str(folder), **given)
        self.store = Store.open(self.config.workspace.create().inbox_db)
        self.now = NOW
        self.waited: list[float] = []
        self.told: list[str] = []

    def clock(self) -> datetime:
        return self.now

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def _noted(self, seconds: float) -> None:
        self.waited.append(seconds)

    def model(self, *, timeout_s: float = 10.0) -> Model:
        events = own_events(self.config, self.told.append)
        books = Books(self.config, self.store, self.clock)
        return Model(self.config, books, events, self.clock, sleep=self._noted, timeout_s=timeout_s)

    def spend(self) -> list[tuple[Any, ...]]:
        """role, report, cost, input tokens, output tokens, whether it is booked."""
        return self.store.connection.execute(
            "SELECT role, report_id, cost_usd, input_tokens, output_tokens, booked_at IS NOT NULL FROM spend"
        ).fetchall()

    def events(self) -> list[dict[str, Any]]:
        """Properties of the model calls in the workspace's own store."""
        path = self.config.workspace.events_db
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as db:
            rows = db.execute(
                "SELECT properties, payload FROM bodies LEFT JOIN ai_payloads USING (id) "
                "WHERE event = '$ai_generation' ORDER BY bodies.id"
            ).fetchall()
        return [{**json.loads(properties), **json.loads(payload or "{}")} for properties, payload in rows]
