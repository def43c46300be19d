"""What every test starts from: an environment without anybody's keys, and an empty home."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.postgres import Cluster

NOW = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
_PREFIXES = ("POSTHOG_", "AUTORESEARCH_", "ANTHROPIC_", "LOOPDESK_", "GITHUB_", "XDG_")


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

    running: list[tuple[uvicorn.Server, threading.Thread, Store, LocalBackend]] = []

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
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        running.append((server, thread, store, backend))
        return Served(f"http://127.0.0.1:{listener.getsockname()[1]}", keys.project, keys.personal, store.path)

    yield start
    for server, thread, store, backend in running:
        server.should_exit = True
        thread.join(10)
        backend.close()
        store.close()
