"""Events in: the server on one core beside `Store.ingest` alone, and the real SDK beside a server that does nothing."""

from __future__ import annotations

import http.client
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import data, processes
from bench.processes import PYTHON, Server
from bench.table import percentile, ratio, show
from queries.local.store import Store
from workspace.paths import Workspace

BUDGET_PER_S = 15_000
SDK_BUDGET = 0.7
SDK_EVENTS = 20_000
_PER_BODY = 100
_TURNS = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """`per_request_ms` holds one figure a request of 100 events."""

    events: int
    seconds: float
    per_request_ms: Sequence[float]

    @property
    def per_s(self) -> float:
        return self.events / self.seconds


def run(events: int) -> None:
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder, processes.on_other_cores():
        bodies = _prepared(events, Path(folder) / "bodies")
        floor = _stored_alone(bodies, Workspace(Path(folder) / "alone"))
        with processes.null_server() as server:
            null = _sent(bodies, server)
        workspace = Workspace(Path(folder) / "served")
        with processes.serving(workspace) as server:
            served = _sent(bodies, server)
        stored = _count(workspace)
        if stored != served.events:
            raise SystemExit(f"{served.events:,} events were sent, but {stored:,} are stored")
        _print_rates(events, floor, served, null)
        _print_sdk(Path(folder))


def _prepared(events: int, path: Path) -> Path:
    """The bodies, one a line: a million events are a gigabyte."""
    with path.open("wb") as file:
        file.writelines(body + b"\n" for body in data.bodies(events))
    return path


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _stored_alone(bodies: Path, workspace: Workspace) -> Sent:
    """`Store.ingest` in a process of its own on the server's core; reading the JSON is not counted."""
    command = [PYTHON, "-m", "bench.ingest", str(bodies), str(workspace.create().events_db)]
    with subprocess.Popen(
        command, cwd=data.ROOT, env=processes.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        processes.pin(process.pid, first=True)
        assert process.stdout is not None
        spent_ms = json.loads(process.stdout.read())
    return Sent(len(spent_ms) * _PER_BODY, sum(spent_ms) / 1000, spent_ms)


def store_alone(bodies: Path, database: Path) -> None:
    """The other process of `_stored_alone`: prints the milliseconds of each batch."""
    store = Store.open(database)
    spent_ms = []
    for line in _lines(bodies):
        batch = json.loads(line)
        started = time.perf_counter()
        store.ingest(batch)
        spent_ms.append((time.perf_counter() - started) * 1000)
    store.close()
    print(json.dumps(spent_ms))


def _sent(bodies: Path, server: Server) -> Sent:
    """One connection that is kept alive, one request at a time."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"content-type": "application/json"}
    head = f'{{"api_key":"{server.project_key}","batch":'.encode()
    spent_ms = []
    started = time.perf_counter()
    for line in _lines(bodies):
        asked = time.perf_counter()
        connection.request("POST", "/batch/", head + line + b"}", headers)
        answer = connection.getresponse()
        answer.read()
        spent_ms.append((time.perf_counter() - asked) * 1000)
        if answer.status != 200:
            raise SystemExit(f"The server answered {answer.status}")
    seconds = time.perf_counter() - started
    connection.close()
    return Sent(len(spent_ms) * _PER_BODY, seconds, spent_ms)


def _count(workspace: Workspace) -> int:
    store = Store.open(workspace.events_db, read_only=True)
    try:
        return store.connection.execute("SELECT count(*) FROM bodies").fetchone()[0]
    finally:
        store.close()


def _print_rates(events: int, floor: Sent, served: Sent, null: Sent) -> None:
    rows = [
        (name, sent.per_s, percentile(sent.per_request_ms, 0.5), percentile(sent.per_request_ms, 0.99), speed)
        for name, sent, speed in (
            ("Store.ingest alone (the floor)", floor, "1"),
            ("loopdesk serve", served, ratio(served.per_s, floor.per_s)),
            ("a server that only answers 200", null, ratio(null.per_s, floor.per_s)),
        )
    ]
    notes = [
        "Batches of 100; one HTTP connection, kept alive; servers and floor on one core, the sender on another.",
        f"Budget for serve: {BUDGET_PER_S:,} events/s over 1M; measured {ratio(served.per_s, BUDGET_PER_S)} of it.",
    ]
    columns = ("what", "events/s", "p50 ms", "p99 ms", "speed / floor")
    show(f"Ingest of {events:,} prebuilt events, each sent once", columns, rows, notes)


def _print_sdk(folder: Path) -> None:
    real_s, null_s = [], []
    for turn in range(_TURNS):
        with processes.null_server() as server:
            null_s.append(_sdk(server))
        workspace = Workspace(folder / f"sdk-{turn}")
        with processes.serving(workspace) as server:
            real_s.append(_sdk(server))
        stored = _count(workspace)
        if stored != SDK_EVENTS:
            raise SystemExit(f"The SDK captured {SDK_EVENTS:,} events, but {stored:,} are stored")
    # The best of each: what disturbs a turn only makes it slower.
    real, null = SDK_EVENTS / min(real_s), SDK_EVENTS / min(null_s)
    rows = [("a server that only answers 200", null, "1"), ("loopdesk serve", real, ratio(real, null))]
    notes = [f"Budget: {SDK_BUDGET} x its rate against the null server. Every event is in events.db."]
    title = f"One process with the real PostHog SDK, {SDK_EVENTS:,} events, best of {_TURNS}"
    show(title, ("against", "events/s", "speed / null"), rows, notes)


def _sdk(server: Server) -> float:
    arguments = [PYTHON, "-m", "bench.sdk_sender", server.url, server.project_key, str(SDK_EVENTS)]
    done = subprocess.run(
        arguments, cwd=data.ROOT, env=processes.environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    import sys

    store_alone(Path(sys.argv[1]), Path(sys.argv[2]))
