"""The stage that makes an event of every command: `inbox_command`, once it was applied or refused.

It goes to the PostHog project that is configured, else into this workspace's own store. A command is marked only after
its event was taken; the uuid comes from the command's id, so that one that is sent again is stored once. No note, no
title and no other text that somebody wrote is in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from engine import reading, verbs
from engine.crash_points import crash_point
from engine.in_thread import in_thread
from engine.instants import stored
from engine.main import Worked, warn
from engine.model import Command
from engine.store import Store
from queries.local import prices
from queries.local.retention import keeps_prompts
from queries.local.store import Store as EventStore
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

EVENT, DISTINCT_ID, PROJECT = "inbox_command", "loopdesk:inbox:owner", "loopdesk"
BACK_OFF, LONGEST_BACK_OFF = timedelta(minutes=1), timedelta(hours=1)
PATIENCE_S = 0.25
_NAMESPACE = UUID("9b2f1a3e-6f0f-5c57-9a53-7f5c7c1f7e0d")
_LOOK_AGAIN = timedelta(seconds=1)
_MOST_AT_ONCE = 100
_LIMIT_S = 10
_UNANNOUNCED = (
    "WHERE announced_at IS NULL AND claimed_at IS NOT NULL AND coalesce(applied_at, refused_at) IS NOT NULL "
    "ORDER BY seq LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event. The same command always gives the same, uuid and instant included."""

    uuid: str
    at: datetime
    properties: Mapping[str, object]


Deliver = Callable[[Sequence[Announcement]], None]
"""Blocking. Raises where it is not certain that all were taken."""


class Announcing:
    """A host that does not answer holds nobody up: it is looked after in later turns, and asked again ever later."""

    def __init__(
        self,
        config: Config,
        deliver: Deliver | None = None,
        *,
        tell: Callable[[str], None] = warn,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._deliver = deliver or (_to_posthog(config) if config.sends_to_posthog else _to_store(config))
        self._tell, self._patience_s = tell, patience_s
        self._flight: tuple[Sequence[str], asyncio.Task[str]] | None = None
        self._failures, self._not_before = 0, datetime.min
        self._told: set[str] = set()

    async def __call__(self, store: Store, now: datetime) -> Worked:
        done = self._mark(store, now)
        if self._flight is None and (not self._failures or now >= self._not_before):
            commands = reading.commands(store.connection, _UNANNOUNCED, (_MOST_AT_ONCE,))
            if not commands:
                return Worked(done)
            sending = asyncio.create_task(_sent(self._deliver, commands), name="announce")
            self._flight = [command.id for command in commands], sending
            await asyncio.wait({sending}, timeout=self._patience_s)
            done += self._mark(store, now)
        if self._flight is not None:
            return Worked(done, now + _LOOK_AGAIN, True)
        return Worked(done, self._not_before if self._failures else None)

    def _mark(self, store: Store, now: datetime) -> int:
        """What came of what was sent: how many commands are announced now."""
        if self._flight is None or not self._flight[1].done():
            return 0
        (ids, sending), self._flight = self._flight, None
        if error := sending.result():
            self._not_before = now + min(BACK_OFF * 2 ** min(self._failures, 10), LONGEST_BACK_OFF)
            self._failures += 1
            if error not in self._told:
                self._told.add(error)
                self._tell(f"What was decided could not be announced yet, and will be: {error}")
            return 0
        self._failures = 0
        with store.transaction("announced"):
            store.connection.executemany(
                "UPDATE commands SET announced_at = ? WHERE id = ?", [(stored(now), id) for id in ids]
            )
        return len(ids)


def announcement(command: Command) -> Announcement:
    """Of a command that was applied or refused. Only words of our own lists, ids and numbers."""
    at = command.applied_at or command.refused_at
    assert at is not None
    verb, reason = command.verb, command.arguments.get("reason")
    properties: dict[str, object] = {
        "project": PROJECT,
        "verb": verb if verb in verbs.VERBS else "unknown",
        "report_id": plain(command.report_id, 64),
        "outcome": "applied" if command.applied_at else "refused",
        "actor": plain(command.actor, 64),
        "seconds": (at - command.made_at).total_seconds(),
    }
    if verb == "decline":
        properties["reason"] = reason if reason in verbs.REASONS else "unknown"
    return Announcement(str(uuid5(_NAMESPACE, command.id)), at, properties)


async def _sent(deliver: Deliver, commands: Sequence[Command]) -> str:
    """What went wrong, empty where nothing did."""
    crash_point("before_announce")
    try:
        await in_thread(lambda: deliver([announcement(command) for command in commands]), "announce")
    except LoopdeskError as error:
        return str(error)
    except Exception as error:
        # An SDK's own words may hold an address or an answer.
        status = getattr(error, "status", "")
        return f"PostHog did not take it ({type(error).__name__}{f' {status}' if status else ''})."
    crash_point("after_announce")
    return ""


def _to_posthog(config: Config) -> Deliver:
    def deliver(announcements: Sequence[Announcement]) -> None:
        from posthog.request import batch_post

        key, host = config.posthog_project_key, config.posthog_host
        # The SDK's own queue would not say whether they were taken.
        batch_post(key, host, gzip=True, timeout=_LIMIT_S, batch=_events(announcements))

    return deliver


def _to_store(config: Config) -> Deliver:
    def deliver(announcements: Sequence[Announcement]) -> None:
        path = config.workspace.create().events_db
        table = prices.load(config.prices_file)
        store = EventStore.open(path, prices=table, keep_prompts=keeps_prompts(config.prompt_days))
        try:
            done = store.ingest(_events(announcements))
        finally:
            store.close()
        if done.rejected:
            raise LoopdeskError(f"The store did not take it: {done.rejected[0]}")

    return deliver


def _events(announcements: Sequence[Announcement]) -> list[dict[str, Any]]:
    """As the SDK writes them."""
    from posthog import Posthog

    made: list[dict[str, Any]] = []

    def keep(message: dict[str, Any]) -> None:
        made.append(message)  # and the SDK drops it

    sdk = Posthog(
        "phc_unused",  # without a key it builds no event
        send=False,
        sync_mode=True,
        before_send=keep,
        enable_exception_autocapture=False,
        enable_local_evaluation=False,
    )
    try:
        for one in announcements:
            sdk.capture(
                EVENT,
                distinct_id=DISTINCT_ID,
                uuid=one.uuid,
                timestamp=one.at,
                properties={**one.properties, "$process_person_profile": False},
            )
    finally:
        sdk.shutdown()
    if len(made) != len(announcements):  # the SDK says nothing of an event that it cannot write
        raise LoopdeskError("PostHog's SDK left out an event")
    return made
