"""What the desk remembers: answers come back as they were, and a broken cache is never in the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from queries import boards, morning
from queries.cache import AnswerCache
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.filters import Filters
from tests.conftest import NOW
from tests.events import event
from workspace.config import Config
from workspace.errors import LoopdeskError

ROUND = {"round_id": "r1", "run_id": "n1", "git_sha": "abc"}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    store = Store.open(tmp_path / "events.db")
    store.ingest(
        [
            event("round_started", **ROUND),
            event("round_scored", **ROUND, score=0.9, dim_naming=0.4),
            event("round_kept", **ROUND, delta=0.1, cost_usd=0.5),
        ],
        now=NOW,
    )
    store.close()
    backend = LocalBackend(tmp_path / "events.db", now=lambda: NOW)
    yield backend
    backend.close()


@pytest.mark.parametrize("board", boards.NAMES)
def test_a_board_comes_back_as_it_was(board: str, backend: LocalBackend, tmp_path: Path):
    chosen = morning.choose_window(backend, "night", now=NOW, zone="UTC", night_starts_hour=18)
    answer = boards.ask(board, backend, chosen.window, Filters())
    cache = AnswerCache(tmp_path / "desk.db")
    cache.save(answer, "night")
    cache.close()
    again = AnswerCache(tmp_path / "desk.db").load(board, "night", Filters())
    assert again is not None
    assert (again.view, again.asked_at, again.hogql) == (answer.view, answer.asked_at, answer.hogql)


def test_another_filter_is_another_answer(backend: LocalBackend, tmp_path: Path):
    chosen = morning.choose_window(backend, "7d", now=NOW, zone="UTC", night_starts_hour=18)
    cache = AnswerCache(tmp_path / "desk.db")
    cache.save(boards.ask("funnel", backend, chosen.window, Filters("autoagent")), "7d")
    assert cache.load("funnel", "7d", Filters("autoagent")) is not None
    assert cache.load("funnel", "7d", Filters()) is None


def test_a_cache_that_cannot_be_read_is_an_empty_one(backend: LocalBackend, tmp_path: Path):
    (tmp_path / "desk.db").write_bytes(b"nonsense" * 1000)
    cache = AnswerCache(tmp_path / "desk.db")
    cache.set_state("place", {"kind": "7d"})
    assert cache.load("funnel", "night", Filters()) is None
    assert cache.state("place", "unknown") == "unknown"


def test_a_read_only_cache_makes_no_file(tmp_path: Path):
    cache = AnswerCache(tmp_path / "desk.db", read_only=True)
    cache.set_state("place", {"kind": "7d"})
    assert not (tmp_path / "desk.db").exists()


def test_a_cache_may_be_closed_while_workers_write(tmp_path: Path):
    """As on leaving: SQLite would be used after it was freed."""
    code = """
import sys, threading
from datetime import UTC, datetime
from pathlib import Path
from queries.cache import AnswerCache
for number in range(30):
    cache = AnswerCache(Path(sys.argv[1]))
    begun = threading.Barrier(4)
    def write():
        begun.wait()
        for line in range(50):
            cache.note(datetime.now(UTC), "a", "Morning", str(line))
            cache.notes()
    workers = [threading.Thread(target=write) for _ in range(3)]
    for worker in workers:
        worker.start()
    begun.wait()
    cache.close()
    for worker in workers:
        worker.join()
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "desk.db")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_empty_night_gives_way_to_the_latest_one_that_has_rounds(backend: LocalBackend):
    later = NOW.replace(day=25)
    chosen = morning.choose_window(backend, "night", now=later, zone="UTC", night_starts_hour=18)
    assert chosen.window.span.since == NOW.replace(day=19, hour=18, minute=0)
    assert chosen.note == "No rounds last night; this is the latest night that has some: Thu 19 Nov."


def test_a_run_is_compared_with_the_run_before_it_of_the_same_project(tmp_path: Path):
    store = Store.open(tmp_path / "events.db")
    for day, run, project in ((17, "n1", "a"), (18, "n2", "b"), (19, "n3", "a")):
        at = NOW.replace(day=day)
        store.ingest([event("round_started", at=at, round_id=run, run_id=run, project=project)], now=NOW)
    store.close()
    backend = LocalBackend(tmp_path / "events.db", now=lambda: NOW)
    window = morning.choose_window(backend, "run", now=NOW, zone="UTC", night_starts_hour=18, run_id="n3").window
    assert (window.run_before, window.before.since) == ("n1", NOW.replace(day=17))
    assert window.compared_with == "the run before"
    with pytest.raises(LoopdeskError, match="There is no run n9"):
        morning.choose_window(backend, "run", now=NOW, zone="UTC", night_starts_hour=18, run_id="n9")
    backend.close()


def test_a_damaged_store_is_moved_aside_when_the_desk_opens_it(tmp_path: Path):
    config = Config(workspace_dir=str(tmp_path))
    (tmp_path / "events.db").write_bytes(b"nonsense" * 1000)
    (tmp_path / "events.db").chmod(0o600)
    with pytest.raises(LoopdeskError, match="has been moved to"):
        morning.open_backend(config)
    assert morning.open_backend(config) is None
    assert len(list(tmp_path.glob("events.db.damaged-*"))) == 1
