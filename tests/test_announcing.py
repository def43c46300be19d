"""Every decision becomes a PostHog event: once, when it was applied or refused, whatever the host does."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from engine.announcing import Announcement, Announcing, announcement
from engine.model import Command
from engine.store import Store
from queries.local.backend import LocalBackend
from tests.conftest import NOW, Served
from tests.engines import READY, Desk, answers, signal
from tests.posthog_double import Double, Scripted, json_answer
from workspace.config import Config


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With one report that is ready; nothing is announced before a test says so."""
    desk = Desk(tmp_path / "w", answers(READY))
    desk.comes(signal("plateau"))
    desk.turn()
    yield desk
    desk.close()


def config(desk: Desk, **more: str) -> Config:
    return Config(workspace_dir=str(desk.workspace.root), timezone="UTC", **more)  # type: ignore[arg-type]


def announced(desk: Desk) -> list[tuple[str, bool]]:
    with sqlite3.connect(desk.workspace.inbox_db) as connection:
        rows = connection.execute("SELECT verb, announced_at IS NOT NULL FROM commands ORDER BY seq").fetchall()
    return [(verb, bool(is_announced)) for verb, is_announced in rows]


def stored_events(events_db: Path) -> list[dict]:
    backend = LocalBackend(events_db, "UTC")
    try:
        result = backend.query(
            "SELECT uuid, distinct_id, timestamp, properties.verb AS verb, properties.outcome AS outcome, "
            "properties.reason AS reason, toFloat(properties.seconds) AS seconds, properties.project AS project, "
            "properties FROM events WHERE event = 'inbox_command' ORDER BY timestamp LIMIT 100"
        )
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    finally:
        backend.close()


class Failing:
    """Fails as often as it is told, then keeps what it is given."""

    def __init__(self, *fails: Exception) -> None:
        self.fails, self.taken, self.tried = list(fails), [], 0

    def __call__(self, announcements: Sequence[Announcement]) -> None:
        self.tried += 1
        if self.fails:
            raise self.fails.pop(0)
        self.taken += announcements


class TestTheEvent:
    COMMAND = Command(
        "01KAFK3MZ0000000000000000A", "decline", "R1", NOW, NOW, {"reason": "other", "note": "Acme's s3cret"},
        actor="desk", claimed_at=NOW, applied_at=NOW + timedelta(seconds=11), said="“Stop the crash” declined",
    )  # fmt: skip

    def test_it_says_what_was_decided_and_no_word_that_anybody_wrote(self):
        made = announcement(self.COMMAND)
        assert made.at == NOW + timedelta(seconds=11)
        assert made.properties == {
            "project": "loopdesk", "verb": "decline", "report_id": "R1", "outcome": "applied", "actor": "desk",
            "seconds": 11.0, "reason": "other",
        }  # fmt: skip

    def test_a_row_that_no_door_wrote_is_told_in_our_words_alone(self):
        strange = replace(self.COMMAND, arguments={"reason": "my client Acme"})
        assert announcement(strange).properties["reason"] == "unknown"
        assert announcement(replace(strange, verb="rm -rf")).properties["verb"] == "unknown"

    def test_the_same_command_is_the_same_event(self):
        first, other = announcement(self.COMMAND), announcement(replace(self.COMMAND, id="01KAFK3MZ0000000000000000B"))
        assert first == announcement(self.COMMAND) and UUID(first.uuid)
        assert first.uuid != other.uuid


class TestWithoutAPostHog:
    def test_it_is_stored_in_the_workspace_once_and_what_was_undone_is_not(self, desk: Desk):
        undone = desk.decides("resolve", desk.report())
        desk.inbox.undo(undone.id, desk.now)
        desk.applied("decline", desk.report(), reason="wontfix_intentional", note="it is Acme's wish")
        desk.stages = (Announcing(config(desk)),)
        refused = desk.applied("approve", desk.report(), expect="merge")
        assert refused.refused_at is not None
        desk.turn()
        events = stored_events(desk.workspace.events_db)
        assert [(one["verb"], one["outcome"], one["reason"]) for one in events] == [
            ("decline", "applied", "wontfix_intentional"),
            ("approve", "refused", None),
        ]
        assert {(one["distinct_id"], one["project"]) for one in events} == {("loopdesk:inbox:owner", "loopdesk")}
        assert events[0]["seconds"] == 11.0 and "Acme" not in json.dumps(events)
        assert announced(desk) == [("resolve", False), ("decline", True), ("approve", True)]

    def test_a_mark_that_was_lost_stores_nothing_twice(self, desk: Desk):
        desk.stages = (Announcing(config(desk)),)
        desk.applied("resolve", desk.report())
        with sqlite3.connect(desk.workspace.inbox_db) as connection:
            connection.execute("UPDATE commands SET announced_at = NULL")
        desk.turn()
        assert len(stored_events(desk.workspace.events_db)) == 1 and announced(desk) == [("resolve", True)]


class TestToAPostHog:
    def test_it_goes_to_the_project_and_not_into_the_store(self, desk: Desk, serve: Callable[..., Served]):
        served = serve()
        desk.stages = (Announcing(config(desk, posthog_host=served.url, posthog_project_key=served.project_key)),)
        command = desk.applied("resolve", desk.report(), note="s3cret")
        (event,) = stored_events(served.events_db)
        assert command.applied_at is not None
        # PostHog's correction for clocks that are off adds the milliseconds on the way.
        assert abs(datetime.fromisoformat(event["timestamp"]) - command.applied_at) < timedelta(seconds=20)
        assert event["uuid"] == announcement(command).uuid and "s3cret" not in json.dumps(event)
        assert not desk.workspace.events_db.exists()

    def test_a_host_that_is_dead_loses_nothing(self, desk: Desk):
        said: list[str] = []
        with Double([Scripted(401, b"bad key"), json_answer({"status": "Ok"})]).running() as double:
            made = config(desk, posthog_host=double.url, posthog_project_key="phc_s3cret")
            desk.stages = (Announcing(made, tell=said.append),)
            desk.applied("resolve", desk.report())
            assert announced(desk) == [("resolve", False)] and len(said) == 1 and "s3cret" not in said[0]
            desk.later(minutes=2)
            desk.turn()
            assert announced(desk) == [("resolve", True)]

    def test_everything_that_waits_goes_in_one_request(self, desk: Desk):
        for _ in range(3):
            desk.applied("context", desk.report(), note="more")
        with Double([json_answer({"status": "Ok"})]).running() as double:
            desk.stages = (Announcing(config(desk, posthog_host=double.url, posthog_project_key="phc_k")),)
            desk.turn()
        (received,) = double.received
        assert received.body is not None
        assert [one["properties"]["verb"] for one in received.body["batch"]] == ["context"] * 3
        assert len({one["uuid"] for one in received.body["batch"]}) == 3


class TestTheStage:
    def test_one_that_fails_is_tried_ever_later_and_told_once(self, desk: Desk):
        said: list[str] = []
        deliver = Failing(*[OSError("no")] * 3)
        desk.stages = (Announcing(config(desk), deliver, tell=said.append),)
        desk.applied("resolve", desk.report())
        tried = []
        for _ in range(8):
            tried.append(deliver.tried)
            desk.later(minutes=1)
            desk.turn()
        assert tried[:6] == [1, 2, 2, 3, 3, 3] and deliver.tried == 4
        assert len(deliver.taken) == 1 and len(said) == 1

    async def test_a_host_that_hangs_holds_nobody_up(self, desk: Desk):
        command = desk.decides("resolve", desk.report())
        desk.later(seconds=11)
        await asyncio.to_thread(desk.turn)
        released = threading.Event()
        taken: list[Announcement] = []

        def hangs(announcements: Sequence[Announcement]) -> None:
            released.wait(60)
            taken.extend(announcements)

        stage = Announcing(config(desk), hangs, patience_s=0.01)
        store = Store.open(desk.workspace.inbox_db)
        try:
            first = await stage(store, desk.now)
            assert first.done == 0 and first.next_due == desk.now + timedelta(seconds=1)
            assert (await stage(store, desk.now)).done == 0
            released.set()
            assert stage._flight is not None
            await stage._flight[1]
            assert (await stage(store, desk.now)).done == 1 and len(taken) == 1
        finally:
            released.set()
            store.close()
        assert desk.inbox.commands()[0].id == command.id and announced(desk) == [("resolve", True)]
