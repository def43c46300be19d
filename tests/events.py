"""Wire events for tests, as an SDK sends them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from tests.conftest import NOW


def event(name: str, *, at: datetime = NOW, key: object = None, **properties: object) -> dict:
    """`key` decides the uuid: the same name, time and key are the same event."""
    return {
        "event": name,
        "distinct_id": "autoagent:internal:coder",
        "timestamp": at.isoformat(),
        "uuid": str(uuid5(NAMESPACE_URL, f"{name}|{at.isoformat()}|{key}|{sorted(properties.items(), key=str)}")),
        "properties": {"project": "autoagent", "client": "internal", **properties},
    }


def batch(events: list[dict], api_key: str, sent_at: datetime = NOW) -> Mapping[str, object]:
    return {"api_key": api_key, "batch": events, "sent_at": sent_at.isoformat(), "historical_migration": False}
