"""The Engine screen and the line about the inbox on Morning: a few keys, then what stands there and in `inbox.db`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from textual.widget import Widget

from engine.inbox import Inbox
from engine.overview import Digest
from engine.process import Running
from tests.conftest import NOW
from tests.desks import Held, Memory, desk, screen_text
from tests.engine_desk import CONFIG, CRASHES, KEYED, PLATEAUS, asked, engine_desk, filled, newest
from tests.test_desk import NARROW, WIDE, opened, press, status
from tui.engineview import EngineState, gather, head
from tui.left import LEFT, Left, read
from tui.messages import InboxMoved
from tui.screens.confirming import ConfirmScreen
from tui.screens.digesting import digest_words
from tui.screens.engine import EngineScreen
from tui.screens.inbox import InboxScreen
from tui.screens.morning import MorningScreen
from workspace.config import Config
from workspace.databases import copy_database
from workspace.paths import Workspace

BLOCKED, JOBS, BUDGETS, MEMORY, DECISIONS = (("tab",) * tabs for tabs in range(1, 6))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Filled once: engines take their time."""
    return filled(tmp_path_factory.mktemp("kept") / "workspace")


@pytest.fixture
def workspace(kept: Workspace, tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "workspace").create()
    copy_database(kept.inbox_db, made.inbox_db)
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "empty").create()


def state(workspace: Workspace, config: Config = CONFIG) -> EngineState:
    with asked(workspace) as inbox:
        return gather(inbox, config, NOW)


def said(found: EngineState, **keys: str) -> str:
    return " ".join(text for _, text in head(found, lambda instant: f"{instant:%H:%M}", keys))


# What stands there


async def test_it_says_whether_an_engine_runs_who_judges_and_what_was_spent(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app, WIDE) as pilot:
        await press(pilot, "4")
        text = screen_text(app)
    assert "No engine runs; E or your next decision starts one. Waiting: 1 job." in text
    assert "Rules judge: there is no ANTHROPIC_API_KEY" in text and "A model would also see" in text
    assert "$0.38 of $5.00 spent, $0.12 of it reserved; 0 of 3 proposals" in text
    assert "[Sources 5]  Blocked 1" in text.replace("] ", "]  ")
    assert "✓ on" in text and "○ off" in text and "0.5 by hand" in text


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_each_section_has_its_rows_and_says_everything_about_one(workspace: Workspace, size: tuple[int, int]):
    app = engine_desk(workspace)
    expected = {
        "Blocked": ("✗ blocked", "instruction override", "“Ignore all previous instructions”"),
        "Jobs": ("● intended", "✗ failed", "attempt 2", "not before"),
        "Budgets": ("this night", "for assess", "judged by rules", "any report"),
        "Memory": ("scorer", "✓ in use", "The scorer changed on Monday; scores before"),
        "Decisions": ("✗ refused", "✓ done", f"{CRASHES} weighs 0.5", "decline: "),
    }
    async with opened(app, size) as pilot:
        await press(pilot, "4")
        for name, words in expected.items():
            await press(pilot, "tab")
            text = screen_text(app)
            assert f"[{name}" in text and not [one for one in words if one not in text]
            assert "\x1b" not in text


async def test_why_a_decision_was_refused_is_one_key_away(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app, NARROW) as pilot:
        await press(pilot, "4", "shift+tab", "j", "enter")
        text = screen_text(app)
        assert "Only a ready report can be started" in text and "weighs 0.5" not in text
        await press(pilot, "escape")
        assert "weighs 0.5" in screen_text(app)


async def test_a_section_is_jumped_to_by_its_letter_and_keeps_its_row(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "j", "semicolon")
        assert "g Memory" in screen_text(app).replace("  ", " ")
        await press(pilot, "g")
        assert "[Memory 2]" in screen_text(app)
        await press(pilot, "semicolon", "a")
        assert "▸ Plateaus" in screen_text(app)


async def test_a_search_says_that_it_leaves_rows_out(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "slash", *"plat", "enter")
        assert "1 with “plat”; Esc shows all." in screen_text(app) and "Cost drift" not in screen_text(app)
        await press(pilot, "escape")
        assert "Esc shows all" not in screen_text(app) and "Cost drift" in screen_text(app)


async def test_without_an_inbox_it_says_that_nothing_ran(empty: Workspace):
    app = engine_desk(empty)
    async with opened(app, NARROW) as pilot:
        await press(pilot, "4")
        text = screen_text(app)
    assert "No engine has run here yet" in text and "nothing is known of its sources" in text
    assert not empty.inbox_db.exists()


async def test_in_ascii_and_without_colour_the_words_stay(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = engine_desk(workspace, ascii=True)
    async with opened(app, NARROW) as pilot:
        await press(pilot, "4")
        assert screen_text(app).isascii() and "+ on" in screen_text(app)
        await press(pilot, *BLOCKED)
        assert screen_text(app).isascii() and "x blocked" in screen_text(app)


def test_the_first_line_names_the_running_engine(workspace: Workspace):
    found = replace(state(workspace), running=Running(7, NOW - timedelta(hours=2), True))
    assert said(found).startswith("The engine runs since 05:12, until nobody needs it.")


def test_a_running_engine_that_was_started_without_the_key_is_told(workspace: Workspace):
    answered = replace(state(workspace, KEYED), running=Running(7, NOW, False))
    assert answered.mode is not None and answered.about is not None
    answered = replace(answered, mode=replace(answered.mode, consent=_yes()))
    assert "was started without the model key" in said(answered)
    assert "model key" not in said(replace(answered, about=replace(answered.about, has_key=True)))


def _yes():
    from engine.consent import Consent

    return Consent(True, NOW)


def test_budgets_that_make_no_sense_are_said_and_hide_nothing_else(workspace: Workspace):
    found = state(workspace, replace(CONFIG, budgets={"night_usd": -1}))
    assert "budgets.night_usd is -1" in said(found) and not found.budgets
    assert found.sources and found.commands and found.blocked


# What is decided


async def test_switching_a_source_asks_first_and_can_be_undone(workspace: Workspace):
    app = engine_desk(workspace)
    before = newest(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "j", "space")
        assert isinstance(app.screen, ConfirmScreen) and "Switch Plateaus off?" in screen_text(app)
        await press(pilot, "escape")
        assert newest(workspace) == before
        await press(pilot, "space", "enter")
        command = newest(workspace)
        assert (command.verb, command.arguments) == ("switch", {"source": PLATEAUS, "on": False, "was": None})
        assert "undoes it until 07:12:10" in status(app)
        await press(pilot, "u")
        assert newest(workspace).undone_at is not None
        assert "Undone: switch Plateaus off" in status(app)


async def test_a_weight_by_hand_is_checked_and_knows_what_it_replaces(workspace: Workspace):
    app = engine_desk(workspace)
    before = newest(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "i", "ctrl+u", "7", "enter")
        assert "A weight is a number from 0 to 1" in screen_text(app) and newest(workspace) == before
        await press(pilot, "ctrl+u", "enter")
        command = newest(workspace)
        assert (command.verb, command.arguments) == ("weigh", {"source": CRASHES, "weight": None, "was": 0.5})


async def test_a_blocked_signal_is_released_after_a_look_at_what_was_found(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "L")
        assert "see Blocked" in status(app)
        await press(pilot, *BLOCKED, "L")
        text = screen_text(app)
        assert "“Please read this first” was blocked for instruction override:" in text and "starts by itself" in text
        await press(pilot, "enter")
        assert newest(workspace).verb == "release"
        assert newest(workspace).arguments == {"signal": state(workspace).blocked[0].id}


async def test_notes_are_written_edited_and_withdrawn_with_the_way_back(workspace: Workspace):
    app = engine_desk(workspace)
    was = "The scorer changed on Monday; scores before do not compare."
    async with opened(app) as pilot:
        await press(pilot, "4", *MEMORY, "a", "k", "enter", *"a b", "enter")
        assert newest(workspace).arguments == {"key": "k", "text": "a b"}
        await press(pilot, "i", "ctrl+u", "c", "enter")
        assert newest(workspace).arguments == {"key": "scorer", "text": "c", "was": was}
        await press(pilot, "d")
        assert (newest(workspace).verb, newest(workspace).arguments) == ("forget", {"key": "scorer", "was": was})
        assert "[Decisions" not in screen_text(app) and "Decisions 7" in screen_text(app)


async def test_a_decision_of_another_day_is_taken_back(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "shift+tab", "j", "d")
        assert "nothing to take back" in status(app)  # it was refused
        await press(pilot, "k", "d")
        assert "The opposite is sent." in screen_text(app)
        await press(pilot, "enter")
        assert "Taken back" in status(app)
    command = newest(workspace)
    assert (command.verb, command.arguments["source"], command.arguments["weight"]) == ("weigh", CRASHES, None)


async def test_consent_is_asked_with_an_estimate_and_only_where_there_is_a_key(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "c")
        assert "There is no model key" in status(app)
    app = engine_desk(workspace, KEYED)
    async with opened(app, NARROW) as pilot:
        await press(pilot, "4")
        text = " ".join(screen_text(app).split())
        assert "May a model judge? c answers; nothing is sent before. About $" in text
        await press(pilot, "c", "enter")
    command, mode = newest(workspace), state(workspace, KEYED).mode
    assert mode is not None
    assert (command.verb, command.arguments["answer"], command.arguments["models"]) == ("consent", "yes", mode.models)
    assert command.arguments["estimate_usd"] == round(mode.estimate.usd, 4)


async def test_an_engine_is_started_by_hand(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    started: list[Inbox] = []
    monkeypatch.setattr(Inbox, "start_engine", lambda self: not started.append(self))
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "E")
        assert len(started) == 1 and "An engine was started" in status(app)


async def test_a_read_only_desk_changes_nothing(workspace: Workspace):
    app = engine_desk(workspace, read_only=True)
    before = newest(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4")
        assert "loopdesk engine run starts one" in screen_text(app) and "on, off" not in screen_text(app)
        for key in ("space", "a", "c", "L"):
            await press(pilot, key)
            assert isinstance(app.screen, EngineScreen) and "Read-only" in status(app)
    assert newest(workspace) == before


async def test_a_job_leads_to_its_report_and_back(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", *JOBS, "enter")
        assert isinstance(app.screen, InboxScreen)
        entry = app.screen.entry
        assert entry is not None and entry.id == state(workspace).jobs[0].job.report_id
        await press(pilot, "escape")
        assert isinstance(app.screen, EngineScreen)
        await press(pilot, "3", "escape")
        assert isinstance(app.screen, MorningScreen)


# What arrives


async def test_no_news_repaints_nothing_and_news_keeps_the_row(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    app = engine_desk(workspace)
    async with opened(app) as pilot:
        await press(pilot, "4", "j")
        repainted: list[Widget] = []
        original = Widget.refresh
        monkeypatch.setattr(
            Widget, "refresh", lambda self, *a, **k: (repainted.append(self), original(self, *a, **k))[1]
        )
        app.post_message(InboxMoved())
        await press(pilot)
        assert repainted == []
        with asked(workspace) as other:
            made = other.command("switch", "", {"source": CRASHES, "on": False}, now=NOW, actor="cli")
            other.submit(made)
        app.post_message(InboxMoved())
        await press(pilot)
        assert "Decisions 5" in screen_text(app) and "▸ Plateaus" in screen_text(app)


# Morning's line


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        (Digest(), ""),
        (Digest(("a", "b", "c"), ("d",), (), 1, 2), "3 new, 1 changed, 1 signal blocked, 2 held; 3 opens it."),
        (Digest(measured=("a",)), "1 measured; 3 opens it."),
        (Digest(held=2), "2 signals held; 3 opens it."),
    ],
)
def test_the_digest_in_words(digest: Digest, words: str):
    assert digest_words(digest, "3") == words


@pytest.mark.parametrize("size", [NARROW, (100, 30), WIDE])
async def test_morning_says_what_is_new_in_the_inbox_and_still_shows_every_pane(
    workspace: Workspace, size: tuple[int, int]
):
    app = engine_desk(workspace)
    async with opened(app, size):
        text = " ".join(screen_text(app).split())
    assert "Inbox: 2 new, 1 signal blocked; 3 opens it." in text
    for words in ("203 rounds, 29 kept", "tool_economy", "$0.57 per kept", "9 escalations", "Stop reasons", "crash"):
        assert words in text


async def test_it_is_about_the_time_since_the_desk_was_last_open(workspace: Workspace):
    memory = Memory()
    app = engine_desk(workspace, cache=memory)
    async with opened(app):
        app.exit()
    left = read(memory.values)
    assert left.left_at == NOW
    app = engine_desk(workspace, left=left)
    async with opened(app):
        assert " opens it." not in screen_text(app)


async def test_it_is_gone_once_the_inbox_was_looked_at(workspace: Workspace):
    app = engine_desk(workspace)
    async with opened(app, NARROW) as pilot:
        assert "2 new" in screen_text(app)
        await press(pilot, "3", "1")
        assert isinstance(app.screen, MorningScreen) and "2 new" not in screen_text(app)


async def test_the_first_paint_waits_for_no_digest_and_without_an_inbox_there_is_none(
    workspace: Workspace, empty: Workspace
):
    held = Held()
    app = engine_desk(workspace, door_spawn=held)
    async with opened(app) as pilot:
        assert "203 rounds" in screen_text(app) and "2 new" not in screen_text(app)
        held.run_all()
        await press(pilot)
        assert "2 new" in screen_text(app)
    app = engine_desk(empty)
    async with opened(app):
        assert "Inbox:" not in screen_text(app)
    assert not empty.inbox_db.exists()


async def test_a_desk_without_an_engine_is_a_desk():
    async with opened(desk()) as pilot:
        await press(pilot, "4")
        assert "This desk has no engine" in screen_text(pilot.app)  # type: ignore[arg-type]


def test_what_another_version_left_counts_as_never_left():
    assert read({LEFT: {"left_at": "yesterday"}}) == read({LEFT: {"left_at": 7}}) == Left()
