"""What every test starts from: an environment without anybody's keys, and an empty home."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests import resting

if TYPE_CHECKING:
    from tests.postgres import Cluster

NOW = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
_PREFIXES = ("POSTHOG_", "AUTORESEARCH_", "ANTHROPIC_", "LOOPDESK_", "GITHUB_", "XDG_")

# Collecting makes a million objects that all stay: walking over them again and again is a third of its time.
gc.disable()


# Files of ten seconds and more begin, so that none of them keeps one core busy at the end while the others have nothing
# left (`make test` keeps this order).
_LONG = (
    *("test_sources_seeds.py", "test_fix_local.py", "test_fix_github.py", "test_bytes.py", "test_hostile_text.py"),
    *("test_fix_crashes.py", "test_hogql_answers.py", "test_ssh.py", "test_simulator.py", "test_fix_workers.py"),
    *("test_terminal.py", "test_painters.py", "test_engine_whole.py", "test_engine_crashes.py", "test_workers.py"),
    *("test_sync.py", "test_engine_process.py", "test_trace_screen.py", "test_desk.py", "test_research_agent.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(_LONG)))


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()
    resting.wait_for_rest()


# Of a busy machine an example takes any time, and says nothing about the code.
settings.register_profile("loopdesk", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loopdesk")


@pytest.fixture(autouse=True, scope="session")
def signals_are_heard() -> Iterator[None]:
    """Also where the tests run in the background or under `nohup`: a program inherits which signals it ignores, and
    programs that are interrupted or hung up are tried here."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] is signal.SIG_IGN:
            signal.signal(number, handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name in ("NO_COLOR", "TEXTUAL_THEME", "TZ"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A real one; where there is none, what needs it is skipped by name."""
    from tests.postgres import cluster

    with cluster() as running:
        yield running


@dataclass(frozen=True, slots=True)
class Served:
    """A running embedded PostHog."""

    url: str
    project_key: str
    personal_key: str
    events_db: Path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts the embedded PostHog on a free loopback port, in a thread of this process. Options are `application`'s."""
    import uvicorn

    from queries.local.backend import LocalBackend
    from queries.local.keys import load_keys
    from queries.local.server import application
    from queries.local.store import Store
    from tests.servers import Server

    running: list[tuple[Server, threading.Thread, Store, LocalBackend]] = []

    def start(folder: Path | None = None, **options: Any) -> Served:
        folder = folder or tmp_path / "workspace"
        folder.mkdir(mode=0o700, exist_ok=True)
        store = Store.open(folder / "events.db")
        backend = LocalBackend(store.path)
        keys = load_keys(folder)
        # Named as in `loopdesk serve`: asyncio turns Nagle's delay off only for a protocol it can see.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        app = application(store, backend, keys, **options)
        server = Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        running.append((server, thread, store, backend))
        return Served(f"http://127.0.0.1:{listener.getsockname()[1]}", keys.project, keys.personal, store.path)

    yield start
    for server, thread, store, backend in running:
        server.end()
        thread.join(10)
        backend.close()
        store.close()
