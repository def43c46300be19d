"""Many writers, a server that is killed, and prompts that grow old: real processes on one events.db."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from posthog import Posthog

from queries.local.store import Store
from tests.conftest import Served
from tests.events import batch, event
from tests.test_commands import ROOT, Serving, loopdesk, refused
from tests.wire import names

WRITER = """
import sys
from pathlib import Path
from queries.local.store import Store
from tests.events import event

store = Store.open(Path(sys.argv[1]))
for number in range(20):
    store.ingest([event("round_scored", key=(sys.argv[2], number, n), score=n) for n in range(25)])
store.close()
"""
READER = """
import sys
from pathlib import Path
from queries.local.store import Store

store = Store.open(Path(sys.argv[1]), read_only=True)
seen = -1
while seen < int(sys.argv[2]):
    whole = store.connection.execute("SELECT count(*), (SELECT count(*) FROM bodies) FROM events").fetchone()
    assert whole[0] == whole[1] >= seen, whole
    seen = whole[0]
store.close()
"""


def test_many_writers_and_readers_share_one_file(tmp_path: Path, serve: Callable[..., Served]):
    served = serve()
    expected = 3 * 500 + 4 * 100
    command = [sys.executable, "-c"]
    path = str(served.events_db)
    processes = [subprocess.Popen([*command, WRITER, path, str(n)], cwd=ROOT) for n in range(3)]
    processes += [subprocess.Popen([*command, READER, path, str(expected)], cwd=ROOT) for _ in range(2)]

    def send(number: int) -> None:
        client = Posthog(served.project_key, host=served.url, flush_at=10)
        for n in range(100):
            client.capture("round_started", distinct_id=f"agent-{number}", properties={"n": n})
        client.shutdown()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert [process.wait(120) for process in processes] == [0] * 5
    found = names(served)
    assert (found.count("round_scored"), found.count("round_started")) == (1500, 400)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_answered_200_survives_a_killed_server(seed: int, tmp_path: Path):
    workspace = tmp_path / "workspace"
    answered: list[list[str]] = []
    kill_after = random.Random(seed).randint(3, 25)
    with Serving(workspace) as server:
        host, key = server.told["url"].removeprefix("http://"), server.told["project_key"]
        enough = threading.Event()

        def send(sender: int) -> None:
            connection = HTTPConnection(host, timeout=10)
            for number in range(10_000):
                events = [event("round_scored", key=(sender, number, n), score=n) for n in range(50)]
                try:
                    connection.request("POST", "/batch/", json.dumps(batch(events, key)))
                    if connection.getresponse().read() == b'{"status":"Ok"}':
                        answered.append([sent["uuid"] for sent in events])
                except (OSError, HTTPException):
                    return
                if len(answered) >= kill_after:
                    enough.set()

        senders = [threading.Thread(target=send, args=(number,)) for number in range(3)]
        for sender in senders:
            sender.start()
        assert enough.wait(60)
        server.process.send_signal(signal.SIGKILL)
        for sender in senders:
            sender.join(60)
    store = Store.open(workspace / "events.db")
    kept = {uuid for (uuid,) in store.connection.execute("SELECT uuid FROM bodies")}
    whole = store.connection.execute("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM bodies)").fetchone()
    assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
    assert len(answered) >= kill_after
    assert {uuid for uuids in answered for uuid in uuids} <= kept
    assert whole[0] == whole[1] and len(kept) % 50 == 0


def test_serve_forgets_old_prompts_when_it_starts(tmp_path: Path):
    workspace = tmp_path / "workspace"
    workspace.mkdir(mode=0o700)
    store = Store.open(workspace / "events.db")
    for days in (1, 29, 31):
        sent = event("$ai_generation", key=days, **{"$ai_input": "hi"})
        store.ingest([sent], now=datetime.now(UTC) - timedelta(days=days))
    store.close()
    with Serving(workspace) as server:
        # It has gone through them when it ends in order: the thread is waited for.
        server.process.send_signal(signal.SIGINT)
        server.process.wait(60)
    connection = sqlite3.connect(workspace / "events.db")
    assert connection.execute("SELECT count(*) FROM ai_payloads").fetchone() == (2,)
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (3,)
    connection.close()


def test_a_bad_price_table_stops_serve_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "prices.json").write_text('{"models": [{"model": "m"}]}')
    (folder / "config.toml").write_text(f'prices_file = "{folder / "prices.json"}"\n')
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(folder))
    line = refused(loopdesk("serve", "--port", "0", "--workspace", tmp_path / "w"))
    assert "is not a price table: prompt_token of 'm'" in line
