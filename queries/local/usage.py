"""What `events.db` holds, by kind and by age: counted from the store, nothing changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from queries.local.store import Store
from queries.local.times import instant, microseconds

_AGES = (("the last day", 1), ("the last 7 days", 7), ("the last 30 days", 30), ("the last 400 days", 400))


@dataclass(frozen=True, slots=True)
class Kind:
    """Events of one name. `bytes` are of their properties alone; columns and indexes come on top."""

    event: str
    events: int
    bytes: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """`ages` are (words, events that happened since then). `prompts` are model calls whose texts are still there;
    `free_bytes` lie unused within the file."""

    kinds: tuple[Kind, ...]
    ages: tuple[tuple[str, int], ...]
    prompts: int
    prompt_bytes: int
    oldest_prompt: datetime | None
    free_bytes: int

    @property
    def events(self) -> int:
        return sum(kind.events for kind in self.kinds)


def usage(store: Store, now: datetime) -> Usage:
    """Blocking: reads every event's size once."""
    execute = store.connection.execute
    sizes = dict(execute("SELECT event, sum(length(properties)) FROM bodies GROUP BY event").fetchall())
    kinds = [
        Kind(event, count, sizes.get(event) or 0, instant(first), instant(last))
        for event, count, first, last in execute(
            "SELECT event, count(*), min(timestamp), max(timestamp) FROM events GROUP BY event"
        ).fetchall()
    ]
    prompts, prompt_bytes, oldest = execute(
        "SELECT count(*), coalesce(sum(length(payload)), 0), min(created_at) FROM ai_payloads"
    ).fetchone()
    ages = tuple((words, count_events(store, since=now - timedelta(days=days))) for words, days in _AGES)
    return Usage(
        kinds=tuple(sorted(kinds, key=lambda kind: -kind.bytes)),
        ages=ages,
        prompts=prompts,
        prompt_bytes=prompt_bytes,
        oldest_prompt=None if oldest is None else instant(oldest),
        free_bytes=free_bytes(store),
    )


def count_events(store: Store, *, since: datetime | None = None, before: datetime | None = None) -> int:
    """Events by when they happened."""
    start = 0 if since is None else microseconds(since)
    end = 2**62 if before is None else microseconds(before)
    query = "SELECT count(*) FROM events WHERE timestamp >= ? AND timestamp < ?"
    return store.connection.execute(query, (start, end)).fetchone()[0]


def count_prompts(store: Store, before: datetime) -> int:
    """Model calls whose prompt was stored before then."""
    query = "SELECT count(*) FROM ai_payloads WHERE created_at < ?"
    return store.connection.execute(query, (microseconds(before),)).fetchone()[0]


def free_bytes(store: Store) -> int:
    """What is unused within the file: new events fill it, and vacuuming gives it back to the disk."""
    free, size = (store.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    return free * size
