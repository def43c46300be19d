"""What the engine fetches itself: a PostHog project's events, and the owner's issues on GitHub."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import fetching
from engine.fetching import Fetching
from engine.in_thread import LOOK_AGAIN
from engine.main import Engine, Parts, Worked
from engine.pulling import EVERY, Pulling
from engine.source_state import source_state, switch_source
from engine.sources.github_issues import GitHubIssues
from engine.store import Store
from queries.local.backend import LocalBackend
from queries.local.store import Store as Events
from queries.sync import Wanted
from tests.posthog_double import Double
from tests.test_sources_github import answer, issue, source
from tests.test_sync import KEY, answering, events
from workspace.config import Config
from workspace.paths import Workspace

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(Workspace(tmp_path / "w").create().inbox_db)
    yield found
    found.close()


@pytest.fixture
def github() -> Iterator[Double]:
    with Double([]).running() as double:
        yield double


def run(stage: Fetching | Pulling, store: Store, now: datetime) -> Worked:
    return asyncio.run(stage(store, now))


def waiting(store: Store) -> list[str]:
    return [id for (id,) in store.connection.execute("SELECT json_extract(signal, '$.source_id') FROM signals_in")]


class TestIssues:
    def test_issues_come_in_with_their_cursor_and_unchanged_ones_cost_nothing(self, inbox: Store, github: Double):
        stage = Fetching([source(github)], patience_s=30)
        github.script.append(answer(issue(7)))
        assert run(stage, inbox, NOW).next_due == NOW + fetching.EVERY
        assert waiting(inbox) == ["acme/autoagent#7"]
        state = source_state(inbox.connection, "github/issue:acme/autoagent")
        assert state is not None and "since" in state.cursor
        later = NOW + fetching.EVERY
        github.script.append(answer(issue(8, minutes_ago=1)))
        run(Fetching([source(github)], patience_s=30), inbox, later)  # another engine goes on from there
        assert waiting(inbox) == ["acme/autoagent#7", "acme/autoagent#8"]

    def test_it_is_not_asked_before_its_time_nor_when_switched_off(self, inbox: Store, github: Double):
        stage = Fetching([source(github)], patience_s=30)
        with inbox.transaction("ingest"):
            switch_source(inbox.connection, "github/issue", False, NOW)
        run(stage, inbox, NOW)
        run(stage, inbox, NOW + timedelta(minutes=1))
        assert not github.received

    def test_a_repository_that_fails_is_told_once_and_holds_up_no_other(self, inbox: Store, github: Double):
        said: list[str] = []
        stage = Fetching(
            [source(github, timeout_s=1, api="http://127.0.0.1:9"), source(github)], tell=said.append, patience_s=30
        )
        for hours in range(2):
            github.script.append(answer(issue(hours + 1, minutes_ago=-60 * hours)))
            run(stage, inbox, NOW + timedelta(hours=hours))
        assert len(waiting(inbox)) == 2
        assert len(said) == 1 and "GitHub" in said[0]


class TestPulling:
    @pytest.fixture
    def there(self, tmp_path: Path) -> Iterator[Events]:
        (tmp_path / "there").mkdir(mode=0o700)
        found = Events.open(tmp_path / "there" / "events.db")
        found.ingest(events(300, at=NOW - timedelta(hours=20)), now=NOW)
        yield found
        found.close()

    @pytest.fixture
    def posthog(self, there: Events, tmp_path: Path) -> Iterator[Double]:
        backend = LocalBackend(tmp_path / "there" / "events.db", "UTC", now=lambda: NOW)
        with Double([], answering(backend)).running() as double:
            yield double
        backend.close()

    def config(self, url: str, tmp_path: Path) -> Config:
        return Config(
            workspace_dir=str(tmp_path / "w"),
            timezone="UTC",
            posthog_host=url,
            posthog_project_id="1",
            posthog_personal_key=KEY,
        )

    def stored(self, tmp_path: Path) -> int:
        store = Events.open(tmp_path / "w" / "events.db")
        try:
            return store.connection.execute("SELECT count(*) FROM events").fetchone()[0]
        finally:
            store.close()

    def test_new_events_are_in_the_store_and_the_next_pull_has_its_time(
        self, inbox: Store, posthog: Double, tmp_path: Path
    ):
        stage = Pulling(self.config(posthog.url, tmp_path), patience_s=30)
        assert run(stage, inbox, NOW) == Worked(300, NOW + EVERY)
        assert self.stored(tmp_path) == 300
        asked = len(posthog.received)
        assert run(stage, inbox, NOW + timedelta(minutes=1)) == Worked(0, NOW + EVERY)
        assert len(posthog.received) == asked

    def test_a_long_pull_leaves_the_engine_time_and_ends_all_the_same(
        self, inbox: Store, posthog: Double, tmp_path: Path
    ):
        clock = iter(range(0, 10_000, 10))
        config = self.config(posthog.url, tmp_path)
        stage = Pulling(config, wanted=Wanted(most_rows=100), clock=lambda: float(next(clock)), patience_s=30)
        turns = 0
        while (worked := run(stage, inbox, NOW)).next_due == NOW:
            assert worked.done
            turns += 1
        assert turns >= 2 and self.stored(tmp_path) == 300

    def test_a_dead_host_is_told_once(self, inbox: Store, tmp_path: Path):
        said: list[str] = []
        stage = Pulling(self.config("http://127.0.0.1:9", tmp_path), tell=said.append, patience_s=30)
        for hours in range(2):
            at = NOW + timedelta(hours=hours)
            assert run(stage, inbox, at) == Worked(0, at + EVERY)
        assert len(said) == 1

    def test_a_demo_is_never_mixed_with_real_events(self, inbox: Store, posthog: Double, tmp_path: Path):
        config = self.config(posthog.url, tmp_path)
        config.workspace.demo_marker.touch()
        assert run(Pulling(config, patience_s=30), inbox, NOW) == Worked(0, NOW + EVERY)
        assert not posthog.received


@pytest.mark.parametrize("stage", ["pulling", "issues"])
def test_a_host_that_hangs_holds_up_nothing_that_was_decided(inbox: Store, tmp_path: Path, stage: str):
    """It takes the question and never answers; meanwhile the engine goes on, and ends when it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as host:
        url = f"http://127.0.0.1:{host.getsockname()[1]}"
        hung = (
            Pulling(TestPulling().config(url, tmp_path))
            if stage == "pulling"
            else Fetching([GitHubIssues("a/b", api=url)])
        )
        engine = Engine(inbox, Parts((hung,)), clock=lambda: NOW)

        async def turns() -> None:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(1, stop.set)
            assert await engine.turn() == NOW + LOOK_AGAIN
            await engine.run(stop)

        asyncio.run(asyncio.wait_for(turns(), 60))
