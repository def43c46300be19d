"""The Knobs screen: a few keys, then what stands there and what the PostHog under it has become."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest
from textual.widget import Widget

from queries.annotations import Waiting, on_time_lines
from queries.rest_experiments import ENDED, RUNNING, experiments
from queries.rest_flags import apply, flag_named, rolled_out
from tests.conftest import NOW
from tests.desks import Held, Memory, at_once, desk, screen_text
from tests.knob_desk import filled, flag_now, knob_desk, rest_of
from tests.posthog_double import Double, Received, Scripted, json_answer, refusal
from tests.test_desk import NARROW, WIDE, opened, press, status
from tui.knobdoor import KnobDoor
from tui.left import Left
from tui.messages import Arrived
from tui.screens.confirming import ConfirmScreen
from tui.screens.knobs import KnobsScreen
from tui.screens.noting import NoteScreen
from workspace.config import Config
from workspace.paths import Workspace, state_folder

EXPERIMENTS, BUDGETS, ANNOTATIONS = (("tab",) * tabs for tabs in (1, 2, 3))
TONE, SCORER = ("j",), ("j", "j")
"""The rows of Flags, as keys."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(filled(tmp_path_factory.mktemp("kept") / "workspace").workspace_dir)


@pytest.fixture
def config(kept: Path, tmp_path: Path) -> Config:
    copytree(kept, tmp_path / "workspace")
    return Config(workspace_dir=str(tmp_path / "workspace"), timezone="UTC", backend="embedded")


# What stands there


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_each_section_has_its_rows_and_says_everything_about_one(config: Config, size: tuple[int, int]):
    app = knob_desk(config, left=Left())
    expected = {
        "Flags": ("5 flags, 2 on; 1 experiment runs, as of 07:12.", "✓ on", "50 %", "false 20, true 20", "– none"),
        "Experiments": ("● running", "+0.031 better", "60 of 60", "test is better than control"),
        "Budgets": ("stop all loops: off", "$20.00 a night", "Loops may begin rounds."),
        "Annotations": ("Thu 22:12", "commit", "4f2c1d9e8a7b Weigh cases by age", "Enter asks for the rounds"),
    }
    async with opened(app, size) as pilot:
        await press(pilot, "5")
        for name, words in expected.items():
            text = screen_text(app)
            assert f"[{name}" in text and not [one for one in words if one not in text]
            assert "\x1b" not in text
            await press(pilot, "tab")


async def test_a_flag_says_which_rounds_saw_which_variant(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *SCORER)
        text = screen_text(app)
        assert "control            50 %  20" in text and "scorer_v2 by round, running" in text
        assert "The second scorer judges rounds" in text and "changed     Tue 17 Nov 07:12" in text
        await press(pilot, "w", *"30 days", "enter")
        assert "control            50 %  60" in screen_text(app)
        await press(pilot, "f", *"acme", "enter")
        assert "control            50 %  30" in screen_text(app)


async def test_an_experiment_shows_how_scores_lie_by_variant_and_loop(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *EXPERIMENTS, "enter")
        text = screen_text(app)
        assert "60 of 60 on each side: complete" in text and "p < 0.001 by the rank test" in text
        assert "autoagent/acme" in text and "test: better" in text
        assert "autoresearch/internal" in text and "test: not told apart" in text
        assert sum("│" in line and "=" in line for line in text.splitlines()) == 6  # two variants, in all and by loop
        await press(pilot, "escape", "j", "enter")
        assert "no experiment says how many of them would tell" in screen_text(app)


async def test_words_from_posthog_are_shown_as_they_are_and_do_nothing(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *TONE)
        assert "Tone of [bold]prompts[/] and answers" in screen_text(app)


async def test_what_loops_send_meanwhile_is_counted(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5")
        app.post_message(Arrived(frozenset({"round_started"})))
        await press(pilot)
        assert "false 20, true 20" in screen_text(app)


async def test_no_news_repaints_no_rows(config: Config, monkeypatch: pytest.MonkeyPatch):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *SCORER)
        repainted: list[Widget] = []
        original = Widget.refresh
        monkeypatch.setattr(
            Widget, "refresh", lambda self, *a, **k: (repainted.append(self), original(self, *a, **k))[1]
        )
        await press(pilot, "r")
        screen = app.screen
        assert isinstance(screen, KnobsScreen)
        assert screen.list not in repainted and screen.detail not in repainted
        assert "Asked again at" in status(app)


async def test_in_ascii_the_words_and_pictures_stay(config: Config, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = knob_desk(config, ascii=True)
    async with opened(app) as pilot:
        for keys in (("5",), ("tab", "enter"), ("tab",), ("tab",)):
            await press(pilot, *keys)
            assert screen_text(app).isascii() and "?" not in screen_text(app).replace("? help", "")


# What is changed


async def test_a_flag_is_switched_after_a_look_at_the_change_and_back(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", "space")
        assert isinstance(app.screen, ConfirmScreen) and "aggressive_escalation: on → off." in screen_text(app)
        await press(pilot, "escape")
        assert flag_now(config, "aggressive_escalation")["active"] is True
        await press(pilot, "space", "enter")
        assert flag_now(config, "aggressive_escalation")["active"] is False
        assert "u takes it back" in status(app) and "5 flags, 1 on" in screen_text(app)
        await press(pilot, "u")
        assert "aggressive_escalation: off → on." in screen_text(app)
        await press(pilot, "escape", "u", "enter")  # a no leaves it to be undone
        assert flag_now(config, "aggressive_escalation")["active"] is True
        assert "Undone: aggressive_escalation: off → on." in status(app)
        await press(pilot, "U", "enter")
        assert flag_now(config, "aggressive_escalation")["active"] is False


async def test_a_flag_that_changed_since_it_was_read_is_left_alone_and_read_again(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", "space")
        rest = rest_of(config)
        apply(rest, rolled_out(flag_named(rest, "aggressive_escalation"), 5))
        await press(pilot, "enter")
        assert "changed since it was read: its rollout is 5 %" in status(app) and "Nothing was sent" in status(app)
        now = flag_now(config, "aggressive_escalation")
        assert now["active"] is True and now["version"] == 2
        assert "   5 %" in screen_text(app)


async def test_what_somebody_else_changed_is_not_undone(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", "space", "enter")
        rest = rest_of(config)
        apply(rest, rolled_out(flag_named(rest, "aggressive_escalation"), 5))
        await press(pilot, "u", "enter")
        assert "Not changed: aggressive_escalation changed since it was read" in status(app)
        await press(pilot, "u")
        assert "Nothing to undo" in status(app)
    assert flag_now(config, "aggressive_escalation")["active"] is False


async def test_a_rollout_that_is_no_percentage_is_asked_for_again(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", "i", "ctrl+u", *"many", "enter")
        assert "That is no number" in screen_text(app)
        for wrong, why in (("120", "120 is no percentage"), ("nan", "no percentage"), ("50", "50 % already")):
            await press(pilot, "ctrl+u", *wrong, "enter")
            assert isinstance(app.screen, NoteScreen) and why in screen_text(app)
        await press(pilot, "ctrl+u", *"25", "enter")
        assert "aggressive_escalation: rollout 50 % → 25 %." in screen_text(app)
        await press(pilot, "enter")
        assert rollout(config) == 25
        await press(pilot, "space", "enter", "u", "enter", "u", "enter")  # both are taken back, the last one first
        assert rollout(config) == 50 and flag_now(config, "aggressive_escalation")["active"] is True


def rollout(config: Config) -> object:
    (group,) = flag_now(config, "aggressive_escalation")["filters"]["groups"]  # type: ignore[index]
    return group["rollout_percentage"]


async def test_the_kill_switch_says_what_it_does_and_a_budget_is_edited_in_dollars(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *BUDGETS, "space")
        assert "Every loop that reads it stops before its next round" in " ".join(screen_text(app).split())
        await press(pilot, "enter")
        assert "stop_loops is on: loops that read it begin no round." in screen_text(app)
        assert "stop all loops: on" in screen_text(app)
        await press(pilot, "j", "i", "ctrl+u", *"-3", "enter")
        assert "is no budget" in screen_text(app)
        await press(pilot, "ctrl+u", *"35", "enter")
        assert "budget $20 → $35" in screen_text(app)
        await press(pilot, "enter")
        assert "$35.00 a night" in screen_text(app)
    assert flag_now(config, "stop_loops")["active"] is True


async def test_a_known_knob_is_made_off_and_once(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", "j", "j", "j", "space")
        assert "diff_size_cap_32: make the flag, off" in screen_text(app)
        await press(pilot, "enter")
        assert "6 flags, 2 on" in screen_text(app)
    assert flag_now(config, "diff_size_cap_32")["active"] is False


async def test_a_change_on_its_way_is_said_and_outlives_the_screen(config: Config):
    held = Held()
    app = knob_desk(config, door_spawn=held)
    assert app.knobs is not None
    async with opened(app) as pilot:
        await press(pilot, "5")
        held.run_all()
        await press(pilot, "space", "enter")
        assert "On its way: aggressive_escalation: on → off." in screen_text(app) and "→ sent" in screen_text(app)
        await press(pilot, "space")
        assert "on its way already" in status(app)
        await press(pilot, "1")
        held.run_all()
        await press(pilot)
        assert "Done: aggressive_escalation: on → off" in status(app)
        await press(pilot, "5")
        assert "On its way" not in screen_text(app)
    assert flag_now(config, "aggressive_escalation")["active"] is False and app.knobs.close()


async def test_a_hang_up_leaves_a_change_whole_or_not_made(config: Config):
    held = Held()
    app = knob_desk(config, door_spawn=held)
    assert app.knobs is not None
    async with opened(app) as pilot:
        await press(pilot, "5")
        held.run_all()
        await press(pilot, "space", "enter")
    assert flag_now(config, "aggressive_escalation")["version"] == 1
    held.run_all()  # the desk is gone; what was confirmed arrives whole
    assert flag_now(config, "aggressive_escalation")["active"] is False and app.knobs.close()


async def test_a_read_only_desk_changes_nothing(config: Config):
    app = knob_desk(config, read_only=True)
    async with opened(app) as pilot:
        await press(pilot, "5")
        for key in ("space", "i", "A"):
            await press(pilot, key)
            assert isinstance(app.screen, KnobsScreen) and "Read-only" in status(app)
        await press(pilot, *EXPERIMENTS, "enter")
        assert "test is better than control" in screen_text(app)


# Experiments


async def test_an_experiment_is_started_by_a_plan_and_ended(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *EXPERIMENTS, "j", "space", *"40", "enter")
        assert "has no variants" in screen_text(app)
        await press(pilot, "escape", "G", "space")
        for wrong, why in (("many", "no number"), ("3", "between 8 and"), ("-0.5", "above 0")):
            await press(pilot, "ctrl+u", *wrong, "enter")
            assert isinstance(app.screen, NoteScreen) and why in screen_text(app)
        await press(pilot, "ctrl+u", *"40", "enter")
        assert "start an experiment over 40 scored rounds of each variant" in " ".join(screen_text(app).split())
        await press(pilot, "enter")
        (one,) = [one for one in experiments(rest_of(config)) if one.flag == "prompt_tone"]
        assert one.state == RUNNING and one.plan is not None and one.plan.rounds == 40
        assert "2 experiments run" in screen_text(app)
        await press(pilot, "g", "g", "space", "enter")
        assert [one.state for one in experiments(rest_of(config)) if one.flag == "prompt_tone"] == [ENDED]


# Annotations


async def test_a_moment_is_annotated_and_its_before_and_after_read(config: Config):
    app = knob_desk(config)
    async with opened(app) as pilot:
        await press(pilot, "5", *ANNOTATIONS, "A", *"New prompts", "enter")
        await press(pilot, *"soon", "enter")
        assert "is not a time" in screen_text(app)
        await press(pilot, "ctrl+u", *"2h ago", "enter")
        assert "Annotated 05:12" in status(app) and "[Annotations 3]" in screen_text(app)
        newest = on_time_lines(rest_of(config))[0]
        assert newest.content == "New prompts" and newest.at == NOW - timedelta(hours=2)
        await press(pilot, "u")
        assert "[Annotations 2]" in screen_text(app) and "New prompts is on no time line any more" in status(app)
        await press(pilot, "U", "A", *"Now", "enter", "enter")  # no time is now
        assert "[Annotations 4]" in screen_text(app) and on_time_lines(rest_of(config))[0].at == NOW
        await press(pilot, "g", "g", "j", "j", "enter")
        text = screen_text(app)
        assert "4f2c1d9e8a7b Weigh cases by age" in text and "autoresearch" in text
        assert "before      " in text and "% kept, best 0.7" in text and "per kept" in text


# What is wrong with PostHog


def asking(url: str, folder: Path) -> Config:
    key = "phx_" + "s3cret" * 6
    return Config(
        workspace_dir=str(folder), timezone="UTC", backend="posthog", posthog_host=url, posthog_personal_key=key
    )


@pytest.fixture
def double() -> Iterator[Double]:
    """A PostHog that has one flag, and a key without the scopes of anything else."""
    flag = {"id": 3, "key": "scorer_v2", "name": "", "active": True, "filters": {"groups": [{}]}, "version": 4}

    def answer(asked: Received) -> Scripted:
        if "/feature_flags/" in asked.path:
            return json_answer({"results": [flag], "next": None} if asked.method == "GET" else flag)
        scope = "experiment:read" if "/experiments/" in asked.path else "annotation:read"
        return refusal(403, f"API key missing required scope '{scope}'", "authentication_error")

    with Double([], answer).running() as running:
        yield running


async def test_a_missing_scope_is_said_where_it_is_missing_and_the_rest_lives(config: Config, double: Double):
    app = knob_desk(asking(double.url, Path(config.workspace_dir)))
    async with opened(app) as pilot:
        await press(pilot, "5")
        assert "scorer_v2" in screen_text(app) and "scope" not in screen_text(app)
        await press(pilot, *EXPERIMENTS)
        assert "lacks the scope `experiment:read`" in screen_text(app)
        await press(pilot, *ANNOTATIONS[1:])
        assert "lacks the scope `annotation:read`" in screen_text(app)


async def test_a_posthog_that_is_gone_leaves_what_was_known_with_its_age(config: Config, double: Double):
    cache = Memory()
    app = knob_desk(asking(double.url, Path(config.workspace_dir)), cache=cache)
    double.otherwise, gone = double.otherwise, lambda _: refusal(401, "Invalid key.", "authentication_error")
    async with opened(app) as pilot:
        await press(pilot, "5")
        double.otherwise = gone
        await press(pilot, "r")
        text = " ".join(screen_text(app).split())
        assert "What is shown is of 07:12." in text and "✓ on" in text
    later = NOW + timedelta(days=1)
    app = knob_desk(asking(double.url, Path(config.workspace_dir)), cache=cache, now=lambda: later)
    async with opened(app) as pilot:
        await press(pilot, "5")
        text = " ".join(screen_text(app).split())
        assert "1 flag, 1 on, as of Fri 20 Nov 07:12." in text and "✓ on" in text


async def test_what_was_seen_last_stands_there_before_anybody_is_asked(config: Config):
    cache = Memory()
    async with opened(knob_desk(config, cache=cache)) as pilot:
        await press(pilot, "5")
    app = knob_desk(config, cache=cache, door_spawn=Held())
    async with opened(app) as pilot:
        await press(pilot, "5")
        assert "✓ on" in screen_text(app) and "1 experiment runs, as of 07:12" in screen_text(app)
        await press(pilot, *EXPERIMENTS)
        assert "test is better than control" in screen_text(app)


async def test_nothing_is_asked_again_because_a_dialog_was_closed(config: Config, double: Double):
    app = knob_desk(asking(double.url, Path(config.workspace_dir)))
    async with opened(app) as pilot:
        await press(pilot, "5")
        before = len(double.received)
        await press(pilot, "space", "escape")
        assert len(double.received) == before


async def test_while_posthog_is_away_a_mark_is_kept(config: Config, tmp_path: Path):
    app = knob_desk(asking("http://127.0.0.1:9", Path(config.workspace_dir)))
    async with opened(app) as pilot:
        await press(pilot, "5", "A", *"Kept", "enter", "enter")
        assert "the mark is kept" in status(app)
    assert Waiting(state_folder()).has_any


async def test_without_events_it_says_what_to_do(tmp_path: Path):
    empty = Workspace(tmp_path / "empty").create()
    config = Config(workspace_dir=str(empty.root), timezone="UTC", backend="embedded")
    app = desk(knobs=KnobDoor(config, spawn=at_once), config=config)
    async with opened(app, NARROW) as pilot:
        await press(pilot, "5")
        text = " ".join(screen_text(app).split())
        assert "does not exist" in text and "loopdesk connect" in text
    assert not empty.events_db.exists()
