"""Connecting PostHog: asked for, tried on a real server, written down, and then what the desk asks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from queries.connect import probe
from queries.local.store import Store
from queries.remote import open_remote
from tests.conftest import NOW, Served
from tests.desks import FakeAsker, Memory, desk, screen_text, settled
from tests.events import event
from tests.posthog_double import Double, rows
from tui.asker import LocalAsker, Place, open_asker
from tui.desk import RECONNECT, Desk
from tui.remote_asker import RemoteAsker
from tui.screens.connect import ConnectScreen
from workspace import config
from workspace.config import Config
from workspace.connection import offered_host
from workspace.errors import LoopdeskError

ROUND = {"round_id": "r1", "run_id": "n1", "git_sha": "abc"}


@pytest.fixture
def posthog(serve, tmp_path: Path) -> Served:
    """An embedded PostHog that plays the real one: one round, scored and kept, an hour ago."""
    served = serve(tmp_path / "elsewhere")
    store = Store.open(served.events_db)
    at = NOW - timedelta(hours=1)
    store.ingest(
        [
            event("round_started", at=at, **ROUND),
            event("round_scored", at=at, **ROUND, score=0.9, dim_naming=0.4),
            event("round_kept", at=at, **ROUND, delta=0.1, cost_usd=0.5),
        ],
        now=NOW,
    )
    store.close()
    return served


def connected_to(served: Served, tmp_path: Path, **changed: object) -> Config:
    settings = {
        "workspace_dir": str(tmp_path / "own"),
        "posthog_host": served.url,
        "posthog_personal_key": served.personal_key,
        **changed,
    }
    return config.load(settings, environment={})


async def fill_in(pilot: Pilot, *texts: str) -> None:
    """Each field in its turn, from the first: what stands there is emptied, the text typed, Enter pressed."""
    screen = pilot.app.screen
    assert isinstance(screen, ConnectScreen)
    screen.action_move(-screen.at)
    for text in texts:
        await pilot.press("ctrl+u")
        screen.fields[screen.at].prompt.insert(text)
        await pilot.press("enter")


async def answered(pilot: Pilot) -> ConnectScreen:
    screen = pilot.app.screen
    assert isinstance(screen, ConnectScreen)
    while screen.is_trying:
        await asyncio.sleep(0.01)
    await pilot.pause()
    return screen


def empty_desk() -> Desk:
    asker = FakeAsker()
    asker.is_empty = True
    return desk(asker, Memory())


async def test_a_connection_is_tried_and_then_written(posthog: Served, tmp_path: Path):
    app = empty_desk()
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("c")
        await settled(pilot)
        await fill_in(pilot, posthog.url, "", posthog.personal_key)
        await answered(pilot)
        text = screen_text(app)
        assert "PostHog answers" in text and "Enter opens the desk on it" in text
        assert posthog.personal_key not in text
        await pilot.press("enter")
    assert app.return_value == RECONNECT
    found = config.load(environment={})
    assert (found.posthog_host, found.posthog_personal_key) == (posthog.url, posthog.personal_key)
    assert config.config_file().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("key", "said"), [("phx_wrong", "key"), ("phc_mine", "project's key"), ("", "no personal key")]
)
async def test_a_connection_that_does_not_work_is_not_written(posthog: Served, key: str, said: str):
    app = empty_desk()
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("c")
        await settled(pilot)
        await fill_in(pilot, posthog.url, "", key)
        screen = await answered(pilot)
        assert screen.problem is not None and said in str(screen.problem)
        assert said in screen_text(app)
    assert not config.config_file().exists()


def test_the_command_reads_the_key_from_a_pipe(posthog: Served, tmp_path: Path):
    arguments = [sys.executable, "-m", "tui.main", "connect", "--host", posthog.url, "--json"]
    run = subprocess.run(arguments, input=posthog.personal_key, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["host"] == posthog.url
    assert config.load(environment={}).posthog_personal_key == posthog.personal_key
    wrong = subprocess.run(arguments, input="phx_wrong", capture_output=True, text=True, cwd=tmp_path)
    assert wrong.returncode == 1 and len(wrong.stderr.splitlines()) == 1
    assert config.load(environment={}).posthog_personal_key == posthog.personal_key


@pytest.mark.parametrize(
    ("named", "offered"),
    [
        ("https://collect.evil.example", "https://us.posthog.com"),
        ("https://eu.posthog.com", "https://eu.posthog.com"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[", "http://["),
    ],
)
def test_a_checkouts_env_does_not_choose_where_a_key_is_sent(
    named: str, offered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".env").write_text(f"POSTHOG_HOST={named}\n")
    monkeypatch.chdir(tmp_path)
    assert offered_host(config.load()) == offered
    monkeypatch.setenv("POSTHOG_HOST", named)
    assert offered_host(config.load()) == named


@pytest.mark.parametrize("cells", [(), ([1],), (["many", None],), ([3, None],), ([1, "now"],)])
def test_what_answers_something_else_is_not_taken_for_posthog(cells: tuple[list, ...], tmp_path: Path):
    answer = rows(*cells, columns=["count()", "max(timestamp)"][: len(cells[0])] if cells else ["count()"])
    with Double([answer]).running() as double:
        backend = open_remote(Config(posthog_host=double.url, posthog_personal_key="phx_" + "a" * 20))
        with pytest.raises(LoopdeskError, match="not to the question"):
            probe(backend)
        backend.close()


def test_the_desk_asks_posthog_where_one_is_connected(posthog: Served, tmp_path: Path):
    asker = open_asker(connected_to(posthog, tmp_path))
    assert isinstance(asker, RemoteAsker) and not asker.is_embedded
    assert isinstance(open_asker(connected_to(posthog, tmp_path, backend="embedded")), LocalAsker)


def test_boards_come_from_posthog_and_their_window_is_asked_for_once(posthog: Served, tmp_path: Path):
    asker = RemoteAsker(connected_to(posthog, tmp_path), now=lambda: NOW)
    chosen = asker.choose(Place())
    assert chosen is not None and asker.choose(Place()) is chosen
    assert asker.choose(Place(), fresh=True) is not chosen
    answer = asker.ask("headline", chosen.window, Place().filters)
    assert answer.backend == "posthog"
    assert "1 round" in answer.view.verdict  # type: ignore[attr-defined]
    assert asker.scope().projects


def test_posthog_is_asked_again_at_the_interval_and_only_then(posthog: Served, tmp_path: Path):
    clock = [NOW]
    asker = RemoteAsker(connected_to(posthog, tmp_path, refresh_seconds=60), now=lambda: clock[0])
    assert not asker.arrived()
    clock[0] += timedelta(seconds=60)
    assert asker.arrived() == {"*"}
    assert not asker.arrived()
    never = RemoteAsker(connected_to(posthog, tmp_path), now=lambda: clock[0] + timedelta(days=1))
    assert not never.arrived()


async def test_the_last_good_answer_stays_with_its_age_when_posthog_is_gone(posthog: Served, tmp_path: Path):
    dead = connected_to(posthog, tmp_path, posthog_host="http://127.0.0.1:9")
    dead.workspace.create()
    Store.open(dead.workspace.events_db).close()
    asker = RemoteAsker(connected_to(posthog, tmp_path), now=lambda: NOW)
    chosen = asker.choose(Place())
    assert chosen is not None
    memory = Memory(asker.ask("headline", chosen.window, Place().filters))
    app = desk(RemoteAsker(dead, now=lambda: NOW), memory)  # type: ignore[arg-type]
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        text = screen_text(app)
    assert "1 round" in text and "stale, as of" in text
    assert "127.0.0.1" in text and "embedded" in text


def test_a_project_without_rounds_is_said_as_such(serve, tmp_path: Path):
    asker = RemoteAsker(connected_to(serve(tmp_path / "empty"), tmp_path), now=lambda: NOW)
    assert asker.choose(Place()) is None


def test_a_configuration_that_cannot_be_right_is_refused_before_the_desk_opens(tmp_path: Path):
    with pytest.raises(LoopdeskError, match="POSTHOG_HOST is not set"):
        open_asker(config.load({"backend": "posthog"}, environment={}))


def test_the_demo_asks_nobody_elsewhere(posthog: Served, tmp_path: Path):
    environment = {**os.environ, "POSTHOG_HOST": "not an address", "POSTHOG_PERSONAL_API_KEY": "phx_a"}
    arguments = [sys.executable, "-m", "tui.main", "demo", "--prepare", str(tmp_path / "demo"), "--quiet"]
    run = subprocess.run(arguments, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
