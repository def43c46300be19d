"""PostHog's own reports beside ours: listed, decided about, told to PostHog, and missing without harm."""
# ruff: noqa: F811

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import inboxes
from tests.desks import at_once, screen_text
from tests.inboxes import filled, workspace  # noqa: F401
from tests.posthog_double import Double, Scripted
from tests.test_inbox_screen import commands, go_to, groups, opened, press
from tests.test_posthog_inbox import KEY, Inboxes, row
from tui.keymap import Keymap
from tui.posthogdoor import PostHogDoor
from workspace.config import Config
from workspace.paths import Workspace

ROWS = (
    {"title": "Checkout fails"},
    {"title": "Old one", "status": "resolved"},
    {"title": "Hunch", "status": "potential"},
)


@pytest.fixture
def served() -> Iterator[Double]:
    rows = (row(number, **more) for number, more in enumerate(ROWS, 1))
    with Double([], Inboxes(*rows)).running() as double:
        yield double


def desk(workspace: Workspace, served: Double, **options: object):
    config = Config(posthog_host=served.url, posthog_project_id="7", posthog_personal_key=KEY)
    return inboxes.desk(workspace, posthog=PostHogDoor(config, spawn=at_once), **options)


def notes(app) -> list[str]:
    return [note.said for note in app.journal.own]


def sent(served: Double) -> list[dict]:
    return [one.body for one in served.received if one.method == "POST"]


async def test_theirs_stand_in_our_groups_with_their_mark(workspace: Workspace, served: Double):
    app = desk(workspace, served)
    async with opened(app) as pilot:
        assert groups(app) == ["Needs input 2", "Ready to start 3", "Gathering 2", "Blocked 2", "Done 3"]
        await go_to(pilot, "Checkout fails")
        assert "PostHog: Checkout fails" in screen_text(app) and "This is why." in screen_text(app)
        asked = len(served.received)
        await press(pilot, "1", "3")
        assert len(served.received) == asked
        await press(pilot, "r")
        assert len(served.received) > asked


async def test_each_verdict_reaches_posthog_and_undo_reopens(workspace: Workspace, served: Double):
    app = desk(workspace, served)
    async with opened(app) as pilot:
        await go_to(pilot, "Checkout fails")
        await press(pilot, "d", "enter", "enter")
        assert sent(served)[-1] == {"state": "suppressed", "dismissal_reason": "already_fixed"}
        assert groups(app)[-1] == "Done 4"
        await press(pilot, "u")
        assert sent(served)[-1] == {"state": "potential"} and "Gathering 3" in groups(app)
        await go_to(pilot, "Hunch")
        await press(pilot, "v")
        assert any("Cannot resolve a report that is potential" in said for said in notes(app))
        await press(pilot, "s", "enter")
        assert sent(served)[-1] == {"state": "potential", "snooze_for": 1}
        before = len(sent(served))
        for key in ("a", "c", "J", "X", "L", "i"):
            await press(pilot, key)
            assert "PostHog's: decline" in screen_text(app)
        assert len(sent(served)) == before
    assert commands(workspace) == []


async def test_what_was_said_last_stays_while_posthog_is_silent(workspace: Workspace, served: Double):
    app = desk(workspace, served)
    async with opened(app) as pilot:
        served.script = [Scripted(500, b"{}")] * 20
        await press(pilot, "r")
        assert "PostHog's are as of 07:1" in screen_text(app) and "Ready to start 3" in groups(app)
        assert sum(said.startswith("PostHog's inbox:") for said in notes(app)) == 1


async def test_a_project_without_one_is_told_once(workspace: Workspace):
    with Double([]).running() as none:
        app = desk(workspace, none)
        async with opened(app) as pilot:
            await press(pilot, "r")
            assert sum("not listed" in said for said in notes(app)) == 1
            assert "Ready to start 2" in groups(app)


async def test_a_read_only_desk_sends_nothing(workspace: Workspace, served: Double):
    app = desk(workspace, served, read_only=True, keys=Keymap({}, read_only=True))
    async with opened(app) as pilot:
        await go_to(pilot, "Checkout fails")
        await press(pilot, "d", "v", "s")
        assert sent(served) == []


async def test_a_host_that_is_dead_from_the_start_costs_only_its_own_reports(workspace: Workspace):
    with Double([]).running() as gone:
        pass
    app = desk(workspace, gone)
    async with opened(app) as pilot:
        assert "PostHog's could not be read." in screen_text(app)
        assert "Ready to start 2" in groups(app)
        await press(pilot, "v")
    assert [one.verb for one in commands(workspace)] == ["resolve"]


async def test_marked_ones_are_resolved_together_after_a_question(workspace: Workspace, served: Double):
    served.otherwise = Inboxes(*(row(number, title=f"Theirs {number}") for number in (1, 2)))
    app = desk(workspace, served)
    async with opened(app) as pilot:
        for number in (1, 2):
            await go_to(pilot, f"Theirs {number}")
            await press(pilot, "x")
        await press(pilot, "v")
        assert "Resolve 2 reports in PostHog?" in screen_text(app) and sent(served) == []
        await press(pilot, "enter")
        assert sent(served) == [{"state": "resolved"}] * 2
