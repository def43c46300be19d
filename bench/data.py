"""Simulated workspaces of a given size, built once through the store's own ingest and kept in `bench/.data`."""

from __future__ import annotations

import hashlib
import heapq
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path

from queries.local.schema import FILLS, MIGRATIONS
from queries.local.store import Store
from queries.simulator import simulate
from workspace.paths import Workspace

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench" / ".data"
FIXED = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""The end of the boards' data: the same figures on every day."""

MONTH = 30
"""Nights in the widest window of the boards."""

_EVENTS_A_NIGHT = 5_000
_STEP = 2  # nights that are simulated at once: the stories need two
_A_TRANSACTION = 50  # batches
_SPARE = 4 * _EVENTS_A_NIGHT  # nights differ

WireEvent = dict[str, object]


def workspace(events: int, until: datetime = FIXED, most_nights: int = MONTH) -> Workspace:
    """A workspace with about `events` events whose last night ended before `until`. Do not write to it: `copy` it."""
    folder = FOLDER / _name(events, until, most_nights)
    made = Workspace(folder)
    if not (folder / "complete").exists():
        _make_room()
        _say(f"storing {events:,} simulated events ...")
        folder.mkdir(parents=True, mode=0o700)
        _fill(made, batches(events, until, most_nights), until)
        (folder / "complete").touch(mode=0o600)
    return made


def multiplied(source: Workspace, times: int) -> Workspace:
    """A workspace with every event of `source` several times, each under runs, rounds and ids of its own: ten million
    simulated ones would take half an hour. The JSON of the copies still names the first one's ids."""
    folder = FOLDER / f"{times}-times-{source.root.name}"
    made = Workspace(folder)
    if not (folder / "complete").exists():
        _say(f"copying the events of {source.root.name} {times} times ...")
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        _multiply(source, made, times)
        (folder / "complete").touch(mode=0o600)
    return made


def _multiply(source: Workspace, target: Workspace, times: int) -> None:
    store = Store.open(target.events_db)
    execute = store.connection.execute
    indexes = [
        (name, sql)
        for name, sql in execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    ]
    for name, _ in indexes:
        execute(f"DROP INDEX {name}")
    execute("PRAGMA synchronous = OFF")
    execute("PRAGMA cache_size = -262144")
    execute("ATTACH ? AS source", (str(source.events_db),))
    execute("CREATE TEMP TABLE copies AS SELECT value AS k FROM json_each(?)", (json.dumps(list(range(times))),))
    numbered = f"source.{{0}}.id * {times} + k"
    for table in ("bodies", "events", "dims"):
        columns = [row[1] for row in execute(f"PRAGMA table_info({table})")]
        values = ", ".join(_of_copy(table, name, numbered.format(table)) for name in columns)
        _say(f"  {table} ...")
        # The copies of an event come one after the other, so every table is filled in its own order.
        execute(f"INSERT INTO {table} SELECT {values} FROM source.{table} CROSS JOIN copies")
    for name, sql in indexes:
        _say(f"  {name} ...")
        execute(sql)
    for fill in FILLS:
        execute(fill.format(where=""))
    execute("DETACH source")
    execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _of_copy(table: str, name: str, number: str) -> str:
    if name == "id":
        return number
    if name == "timestamp":
        return "timestamp + k"
    if name == "uuid":
        return "substr(uuid, 1, 35) || substr('0123456789abcdef', 1 + k, 1)"
    if name in ("p_run_id", "p_round_id", "p_$ai_trace_id"):
        return f"substr(`{name}`, 1, 25) || substr('0123456789ABCDEF', 1 + k, 1)"
    return f"source.{table}.`{name}`"


def copy(source: Workspace, root: Path) -> Workspace:
    """The workspace's events in a folder of their own, without anything that was cached."""
    root.mkdir(parents=True, mode=0o700)
    target = Workspace(root)
    shutil.copyfile(source.events_db, target.events_db)
    target.events_db.chmod(0o600)
    return target


def batches(events: int, until: datetime, most_nights: int = MONTH) -> Iterator[list[WireEvent]]:
    """Batches of wire events in arrival order, about `events` in all: several fleets of the three loops where one does
    not send as many in `most_nights`."""
    nights = -(-events // _EVENTS_A_NIGHT)
    fleets = -(-nights // most_nights)
    steps = -(-nights // fleets // _STEP)
    for step in reversed(range(steps)):
        end = until - timedelta(days=step * _STEP)
        sent = [simulate(1000 * fleet + step, until=end, nights=_STEP) for fleet in range(fleets)]
        yield from heapq.merge(*sent, key=lambda batch: str(batch[0]["timestamp"]))


def exactly(events: int) -> Iterator[WireEvent]:
    """So many events, each with a uuid of its own."""
    return islice(chain.from_iterable(batches(events + _SPARE, FIXED)), events)


def bodies(events: int, size: int = 100) -> Iterator[bytes]:
    """The JSON of batches of `size` events, without the key that goes around it."""
    sent = exactly(events)
    while batch := list(islice(sent, size)):
        yield json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode()


def today() -> datetime:
    """Midnight (UTC) before now: the last night that ended by then is "last night" at any time of the day."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _fill(target: Workspace, sent: Iterable[list[WireEvent]], until: datetime) -> None:
    store = Store.open(target.events_db)
    waiting: list[list[WireEvent]] = []

    def write() -> None:
        with store.transaction():
            for batch in waiting:
                store.ingest(batch, now=until)
        waiting.clear()

    for batch in sent:
        waiting.append(batch)
        if len(waiting) == _A_TRANSACTION:
            write()
    write()
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _name(events: int, until: datetime, most_nights: int) -> str:
    return f"{events}x{most_nights}{_suffix(until)}"


def _suffix(until: datetime) -> str:
    return f"-{until:%Y%m%d}-{_fingerprint()}"


def _fingerprint() -> str:
    """Changes with the schema and everything that decides what is stored beside it."""
    sources = [ROOT / "queries" / "local" / name for name in ("ingest.py", "store.py", "hours.py")]
    sources += sorted((ROOT / "queries" / "simulator").glob("*.py"))
    sources += [ROOT / "bench" / name for name in ("data.py", "peers.py", "peer_sql.py")]
    seen = hashlib.sha256("".join(MIGRATIONS).encode())
    for path in sources:
        seen.update(path.read_bytes())
    return seen.hexdigest()[:8]


def _make_room() -> None:
    """What no run of today would take goes, and the folder keeps itself out of git."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    wanted = (_suffix(FIXED), _suffix(today()))
    for old in FOLDER.glob("*-*-*"):
        if not old.name.endswith(wanted) or not (old / "complete").exists():
            shutil.rmtree(old)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
