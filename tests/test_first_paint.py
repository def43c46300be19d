"""The first paint: complete from what was remembered, and without anything heavy in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from queries import boards
from queries.cache import AnswerCache
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.filters import Filters
from queries.views.window import night
from tests.conftest import NOW
from tests.events import event

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = (
    "anthropic",
    "claude_agent_sdk",
    "click",
    "github",
    "hogql_parser",
    "httpx",
    "httpx2",
    "model2vec",
    "numpy",
    "plotext",
    "posthog",
    "procrastinate",
    "pydantic",
    "re2",
    "requests",
    "sqlite_utils",
    "starlette",
    "textual_plotext",
    "uvicorn",
)
PAINT = """
import argparse, asyncio, json, sys, threading
import tui.main
from workspace import config
import tui.app
from queries.cache import AnswerCache
from tui.desk import Desk

class Silent:
    name = "embedded"
    source, is_embedded = "embedded", True
    def choose(self, place, fresh=False):
        threading.Event().wait()

async def paint(settings):
    desk = Desk(Silent(), AnswerCache(settings.workspace.desk_db), watch=False)
    async with desk.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        text = "\\n".join(strip.text for strip in desk.screen._compositor.render_strips())
    print(json.dumps({"text": text, "modules": sorted(sys.modules)}))

asyncio.run(paint(config.load({"workspace_dir": sys.argv[1]})))
"""


@pytest.fixture
def remembered(tmp_path: Path) -> Path:
    """A workspace whose desk was open this morning."""
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o700)
    store = Store.open(folder / "events.db")
    round_at = NOW - timedelta(hours=5)
    store.ingest(
        [
            event(name, at=round_at + timedelta(minutes=place), round_id="R1", run_id="N1", score=0.912, cost_usd=0.04)
            for place, name in enumerate(("round_started", "proposal_generated", "round_scored", "round_kept"))
        ],
        now=NOW,
    )
    store.close()
    backend, cache = LocalBackend(folder / "events.db", now=lambda: NOW), AnswerCache(folder / "desk.db")
    for board in boards.NAMES:
        cache.save(boards.ask(board, backend, night(NOW, "UTC"), Filters()), "night")
    backend.close()
    cache.close()
    return folder


def test_the_remembered_morning_is_painted_without_anything_heavy(remembered: Path):
    done = subprocess.run(
        [sys.executable, "-c", PAINT, str(remembered)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    painted = json.loads(done.stdout)
    assert "1 round, 1 kept" in painted["text"] and "0.912" in painted["text"]
    assert [name for name in FORBIDDEN if name in painted["modules"]] == []


def test_the_store_is_not_loaded_before_the_first_paint(remembered: Path):
    done = subprocess.run(
        [sys.executable, "-c", PAINT, str(remembered)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    modules = json.loads(done.stdout)["modules"]
    assert not any(name.startswith("queries.local") for name in modules)
