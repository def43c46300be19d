"""The thin thread, end to end: a loop's events, through the real SDK and the server, to an answer in HogQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from observability.posthog_client import Client, Settings
from queries.local.backend import LocalBackend
from tests.conftest import Served

ROOT = Path(__file__).resolve().parents[1]
SEED = """
SELECT toDate(timestamp) AS day, properties.project AS project,
       max(toFloat(properties.score)) AS best_score, count() AS n_rounds
FROM events
WHERE event = 'round_scored' AND timestamp > now() - INTERVAL 30 DAY
GROUP BY day, project ORDER BY day DESC
"""


def asked(served: Served, text: str) -> list[tuple]:
    backend = LocalBackend(served.events_db)
    try:
        return list(backend.query(text).rows)
    finally:
        backend.close()


def test_what_a_loop_tracks_is_what_the_seed_query_answers(serve: Callable[..., Served], tmp_path: Path, monkeypatch):
    served = serve()
    monkeypatch.setenv("POSTHOG_API_KEY", served.project_key)
    monkeypatch.setenv("POSTHOG_HOST", served.url)
    monkeypatch.setenv("AUTORESEARCH_PROJECT", "autoagent")
    monkeypatch.setenv("LOOPDESK_SPOOL", str(tmp_path / "spool"))
    client = Client(Settings.from_environment())
    with client.run(agent="loop"):
        for score in (0.7, 0.9, 0.8):
            with client.round_(agent="coder"):
                client.round_scored(score, dimensions={"naming": score / 2})
    client.shutdown()
    today = datetime.now(UTC).date().isoformat()
    assert asked(served, SEED) == [(today, "autoagent", 0.9, 3)]
    assert asked(served, "SELECT uniq(properties.run_id), uniq(properties.round_id) FROM events") == [(1, 3)]


def test_the_mini_loop_runs_for_real(serve: Callable[..., Served], tmp_path: Path):
    served = serve()
    environment = {
        **os.environ,
        "POSTHOG_HOST": served.url,
        "POSTHOG_API_KEY": served.project_key,
        "AUTORESEARCH_PROJECT": "mini",
        "LOOPDESK_SPOOL": str(tmp_path / "spool"),
    }
    repository = tmp_path / "repository"
    done = subprocess.run(
        [sys.executable, "examples/mini_autoresearch/loop.py", "--rounds", "24", "--dir", str(repository)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    counts = dict(asked(served, "SELECT event, count() FROM events GROUP BY event LIMIT 50"))
    assert counts["round_started"] == 24
    assert counts["round_kept"] + counts["round_reverted"] == 24
    assert counts["step.tool_called"] == counts["step.tool_returned"] == 48
    assert counts["eval.case"] == 6 * counts["eval.run"] == 6 * counts["round_scored"]
    assert counts["stop_triggered"] == 1
    # What was kept is what is in the repository, beside the first commit.
    log = subprocess.run(["git", "log", "--format=%h"], cwd=repository, capture_output=True, text=True, check=True)
    kept = asked(served, "SELECT properties.commit FROM events WHERE event = 'round_kept' ORDER BY timestamp")
    assert [sha for (sha,) in kept] == log.stdout.split()[-2::-1]
    assert json.loads((repository / "compressor.json").read_text())
