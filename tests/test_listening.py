"""The engine listens: what the sources find is stored once, and a source that fails holds up nobody."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import main
from engine.experimenting import Experiments
from engine.inbox import Inbox
from engine.listening import AT_LEAST_EVERY, EVERY, Listening
from engine.sources import registry
from queries.local.store import Store as Events
from queries.rest import open_rest
from queries.simulator import simulate
from tests.engines import Desk, signal
from tests.events import event
from tests.test_query_command import loopdesk
from tui.commands.cli import run
from workspace import config
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace

MORNING = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of the simulated weekend; `settings` are of a copy."""
    made = Workspace(tmp_path_factory.mktemp("weekend") / "workspace").create()
    store = Events.open(made.events_db)
    for batch in simulate(1, until=MORNING, tz=UTC):  # type: ignore[arg-type]
        store.ingest(batch, now=MORNING)
    store.close()
    return made.root


@pytest.fixture
def settings(weekend: Path, tmp_path: Path) -> Config:
    shutil.copytree(weekend, tmp_path / "workspace")
    return config.load({"workspace_dir": str(tmp_path / "workspace"), "timezone": "UTC"})


def once(settings: Config, now: datetime, listening: Listening | None = None) -> main.Done:
    stages = [listening or Listening(settings)]
    return main.run_once(settings.workspace, lambda _: main.Parts(tuple(stages)), clock=lambda: now)[0]


def titles(settings: Config) -> list[str]:
    inbox = Inbox(settings.workspace, read_only=True)
    try:
        return [one.signal.title for one in inbox.signals()]
    finally:
        inbox.close()


def test_what_the_sources_find_is_stored_once(settings: Config):
    assert once(settings, MORNING).signals == 8
    found = titles(settings)
    assert len(found) == 8 and any("nothing better" in title for title in found)
    assert once(settings, MORNING + timedelta(minutes=1)).signals == 0
    assert titles(settings) == found


def test_it_asks_again_for_news_and_now_and_then_without(settings: Config, monkeypatch: pytest.MonkeyPatch):
    asked: list[datetime] = []
    gather = registry.gather

    def counted(backend, now, *arguments, **options):
        asked.append(now)
        return gather(backend, now, *arguments, **options)

    monkeypatch.setattr(registry, "gather", counted)
    listening = Listening(settings)
    once(settings, MORNING, listening)
    once(settings, MORNING + EVERY / 2, listening)
    once(settings, MORNING + 2 * EVERY, listening)
    assert asked == [MORNING]
    store = Events.open(settings.workspace.events_db)
    store.ingest([event("round_started", at=MORNING, round_id="01NEW", project="autoagent")], now=MORNING)
    store.close()
    once(settings, MORNING + 3 * EVERY, listening)
    later = MORNING + 3 * EVERY + AT_LEAST_EVERY
    once(settings, later, listening)
    assert asked == [MORNING, MORNING + 3 * EVERY, later]


def test_a_source_that_fails_is_told_once_and_holds_up_nobody(settings: Config, monkeypatch: pytest.MonkeyPatch):
    from engine.sources import plateau

    def broken(*arguments: object) -> list:
        raise LoopdeskError("The plateau could not be found")

    source = plateau.SOURCE
    monkeypatch.setattr(plateau, "SOURCE", type("Broken", (), {**_parts(source), "signals": staticmethod(broken)})())
    told: list[str] = []
    listening = Listening(settings, tell=told.append)
    assert once(settings, MORNING, listening).signals >= 7
    once(settings, MORNING + AT_LEAST_EVERY, listening)
    assert len(told) == 1 and "The plateau could not be found" in told[0]


def test_experiments_are_read_now_and_then_and_a_posthog_that_hangs_holds_up_nobody(settings: Config):
    rest = open_rest(settings)
    rest.ask("POST", "experiments/", {"name": "x", "feature_flag_key": "scorer_v2", "start_date": MORNING.isoformat()})
    reading = Experiments(settings)
    hangs, asked = threading.Event(), []
    read = reading._read

    def slow() -> tuple:
        asked.append(1)
        hangs.wait(30)
        return read()

    reading._read = slow  # type: ignore[method-assign]

    async def known(at: datetime) -> list[str] | None:
        found = await reading.known(at)
        return None if found is None else [one.flag for one in found()]

    async def whole() -> None:
        assert await known(MORNING) is None
        hangs.set()
        while (found := await known(MORNING)) is None:
            pass
        assert found == ["scorer_v2"] and await known(MORNING + timedelta(minutes=14)) == found
        assert await known(MORNING + timedelta(minutes=15)) == found

    asyncio.run(whole())
    assert len(asked) == 2
    listening = Listening(settings)
    listening._experiments = reading
    assert once(settings, MORNING, listening).signals == 8


def _parts(source: object) -> dict[str, object]:
    return {name: getattr(source, name) for name in dir(source) if not name.startswith("__")}


def test_without_events_there_is_nothing_to_hear(tmp_path: Path):
    found = config.load({"workspace_dir": str(tmp_path / "empty")})
    assert once(found, MORNING).signals == 0


def test_a_source_is_switched_off_and_a_wrong_setting_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "config"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(folder))
    file = folder / "config.toml"
    file.write_text("[sources.plateau]\nenabled = false\n")
    file.chmod(0o600)
    assert registry.settings(config.load().signal_sources)["plateau"].is_enabled is False
    file.write_text("[sources.platau]\nenabled = false\n")
    with pytest.raises(LoopdeskError, match="platau"):
        Listening(config.load({"workspace_dir": str(tmp_path / "empty")}))


def test_from_the_command_line(tmp_path: Path):
    workspace = tmp_path / "workspace"
    added = loopdesk("--workspace", workspace, "signal", "add", "The judge is too kind\x1b[31m", "--json")
    assert len(json.loads(added.stdout)["id"]) == 32
    loopdesk("--workspace", workspace, "engine", "once")
    listed = loopdesk("--workspace", workspace, "signal", "list")
    assert "The judge is too kind" in listed.stdout and "\x1b" not in listed.stdout
    assert len(json.loads(loopdesk("--workspace", workspace, "signal", "list", "--json").stdout)) == 1


def test_signals_are_listed_in_the_persons_time_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    desk = Desk(tmp_path / "w")
    desk.comes(signal("plateau", at=datetime(2026, 11, 20, 22, 12, tzinfo=UTC)))
    desk.later(days=1)
    desk.turn()
    desk.close()
    assert run(["--workspace", str(tmp_path / "w"), "--timezone", "Asia/Tokyo", "signal", "list"]) == 0
    assert "2026-11-21 07:12" in capsys.readouterr().out
