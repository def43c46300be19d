"""The sums of hours and rounds: in step with the events, and with the same answers as the events give."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from queries.local import schema
from queries.local.hogql import runtime
from queries.local.hogql.compiler import Compiled, compile_query
from queries.local.hogql.errors import HogQLError
from queries.local.store import Store
from tests.events import event
from workspace import databases

START = datetime(2026, 3, 27, 20, 17, 3, tzinfo=UTC)  # Berlin's clock goes forward on the 29th
NOW = START + timedelta(days=5)
TYPES = {"since": "DateTime", "until": "DateTime", "bucket": "String", "project": "String"}
SPAN = "timestamp >= toDateTime({since}) AND timestamp < toDateTime({until})"
DAY = "if({bucket} = 'hour', toString(toStartOfHour(timestamp)), toString(toDate(timestamp)))"
DIMS = f"""SELECT dim, day, avg(value), count(), min(value), max(value), sum(value) FROM (
    SELECT {DAY} AS day, properties.project AS project,
      arrayJoin(arrayFilter(k -> startsWith(k, 'dim_'), JSONExtractKeys(properties))) AS dim,
      JSONExtract(properties, dim, 'Nullable(Float64)') AS value
    FROM events WHERE event = 'round_scored' AND {SPAN} AND ({{project}} = '' OR properties.project = {{project}})
  ) WHERE value IS NOT NULL GROUP BY dim, day ORDER BY dim, day LIMIT 1000"""
HOURLY = (
    f"SELECT {DAY} AS day, count(), max(toFloat(properties.score)), avg(toFloat(properties.score)) FROM events "
    f"WHERE event = 'round_scored' AND {SPAN} GROUP BY day ORDER BY day",
    f"SELECT properties.project AS p, properties.score_goal AS goal, count(), min(toFloat(properties.score)), "
    f"uniqExact(properties.run_id) FROM events WHERE event = 'round_scored' AND toFloat(properties.score) IS NOT NULL "
    f"AND {SPAN} GROUP BY p, goal ORDER BY p, goal",
    f"SELECT properties.run_id AS run, countIf(event = 'round_kept'), "
    f"countIf(toFloat(properties.cost_usd) IS NOT NULL), sum(toFloat(properties.cost_usd)), "
    f"sumIf(toFloat(properties.cost_usd), event = 'round_kept'), min(timestamp), "
    f"max(timestamp) FROM events WHERE event IN ('round_kept', 'round_reverted') AND {SPAN} "
    "GROUP BY run HAVING count() > 1 ORDER BY run",
    f"SELECT count(), max(timestamp) FROM events WHERE event IN ('round_scored') AND {SPAN}",
    f"SELECT toHour(timestamp) AS hour, count(toFloat(properties.score)) FROM events "
    f"WHERE event = 'round_scored' AND {SPAN} GROUP BY hour ORDER BY hour",
    DIMS,
)
_PER_ROUND = "FROM events WHERE {events} AND properties.round_id IS NOT NULL AND {span} AND ({{project}} = '' OR "
_PER_ROUND += "properties.project = {{project}}) GROUP BY properties.round_id"
_ALL = f"event IN {schema.ROUND_EVENTS!r}"
ROUNDS = (
    "SELECT p, count(), countIf(kept > 0), sum(a), sum(b) FROM (SELECT properties.round_id AS id, "
    "min(properties.project) AS p, countIf(event = 'round_kept') AS kept, count() AS a, "
    "countIf(event IN ('round_scored', 'round_started')) AS b "
    + _PER_ROUND.format(events=_ALL, span=SPAN) + ") GROUP BY p ORDER BY p",
    "SELECT properties.round_id, min(timestamp), max(timestamp), count() "
    + _PER_ROUND.format(events=_ALL, span=SPAN) + " ORDER BY 1",
    "SELECT properties.round_id, count(), max(properties.run_id) "
    + _PER_ROUND.format(events="event IN ('round_kept', 'round_scored')", span=SPAN) + " HAVING count() > 1 ORDER BY 1",
)  # fmt: skip
SINGLE = (
    f"SELECT quantile(0.5)(toFloat(properties.score)) FROM events WHERE event = 'round_scored' AND {SPAN}",
    f"SELECT argMax(properties.project, timestamp) FROM events WHERE event = 'round_scored' AND {SPAN}",
    f"SELECT uniqExact(properties.round_id) FROM events WHERE event = 'round_scored' AND {SPAN}",
    f"SELECT count() FROM events WHERE event = 'proposal_applied' AND {SPAN}",
    f"SELECT count() FROM events WHERE event = 'round_scored' AND toFloat(properties.score) > 0.5 AND {SPAN}",
    f"SELECT toStartOfMinute(timestamp) AS at, count() FROM events WHERE event = 'round_scored' AND {SPAN} GROUP BY at",
    f"SELECT countIf(timestamp > toDateTime({{since}})) FROM events WHERE event = 'round_scored' AND {SPAN}",
    f"SELECT toDate(timestamp) AS timestamp, count() FROM events WHERE event = 'round_scored' AND {SPAN} GROUP BY 1",
    "SELECT count() FROM events WHERE event = 'round_scored' AND timestamp >= toDateTime({since})",
    f"SELECT count() FROM events WHERE {SPAN}",
)


def told(chance: random.Random, number: int) -> dict:
    at = START + timedelta(seconds=chance.uniform(0, 4 * 86_400))
    name = chance.choice([*schema.HOUR_EVENTS, "round_scored", "proposal_applied"])
    project = "a" if at.hour % 3 else chance.choice(["a", "b", None])
    found = event(
        name, at=at, key=number, run_id=chance.choice(["r1", "r2", None]), score_goal=chance.choice(["min", "max"])
    )
    properties = found["properties"]
    properties["round_id"] = chance.choice([f"round{int((at - START).total_seconds() / 5000)}", "long", None])
    properties["project"] = project
    properties["score"] = chance.choice([chance.random(), chance.random(), 3, None, "0.25", "junk", True])
    properties["cost_usd"] = chance.choice([chance.random(), None, None])
    if name == "round_scored":
        properties |= {f"dim_{letter}": chance.choice([chance.random(), 1, None, "x", "2"]) for letter in "pq"}
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Events in any order, in several batches, some sent again, some deleted."""
    store = Store.open(tmp_path_factory.mktemp("hourly") / "events.db")
    chance = random.Random(7)
    sent = [told(chance, number) for number in range(900)]
    for start in range(0, len(sent), 60):
        store.ingest(sent[start : start + 60], now=NOW)
        store.ingest(chance.sample(sent, 5), now=NOW)
    store.delete([wire["uuid"] for wire in chance.sample(sent, 90)])
    runtime.register(store.connection)
    yield store
    store.close()


def sums(connection: sqlite3.Connection) -> list[list]:
    found = []
    for table in schema.HOUR_COLUMNS:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        rows = connection.execute(f"SELECT {', '.join(f'`{name}`' for name in names)} FROM {table}")
        found.append(sorted(([rounded(cell) for cell in row] for row in rows), key=repr))
    # Of an odd round only the time is read.
    keys = ", ".join(f"iif(is_odd, NULL, {schema.column(name)})" for name in schema.ROUND_KEYS)
    rest = [name for name in schema.ROUND_COLUMNS if "`" not in name]
    rows = connection.execute(f"SELECT p_round_id, {', '.join(rest)}, {keys} FROM rounds ORDER BY 1")
    found.append([list(row) for row in rows])
    return found


def rounded(cell: object) -> object:
    return round(cell, 9) if isinstance(cell, float) else cell


@cache
def compiled(text: str) -> Compiled:
    """PostHog's parser takes tens of milliseconds a text; the spans and zones are bound, and change none of it."""
    return compile_query(text, TYPES)


def answer(store: Store, text: str, since: datetime, until: datetime, zone: str, bucket: str) -> list[list]:
    found = compiled(text)
    values = {"since": since, "until": until, "bucket": bucket, "project": "a" if "{project}" in text else ""}
    bound = {f"p_{name}": runtime.bind(values[name], TYPES[name]) for name in found.placeholders}
    bound |= {**runtime.clock_values(NOW, zone), "row_limit": 1000}
    return [[rounded(cell) for cell in row] for row in store.connection.execute(found.sql, bound)]


def reads_sums(text: str) -> bool:
    sql = compiled(text).sql
    return "FROM hours" in sql or "FROM dim_hours" in sql or "FROM rounds" in sql


def on_events(text: str) -> str:
    """The same question with a condition that is always true and that hours know nothing of."""
    return text.replace("WHERE event", "WHERE distinct_id != '' AND event", 1)


def test_sums_kept_at_ingest_are_those_of_the_events(store: Store):
    kept = sums(store.connection)
    assert [len(rows) > 60 for rows in kept] == [True, True, True]
    store.connection.execute("BEGIN")
    for table, fill in zip(("hours", "dim_hours", "rounds"), schema.FILLS, strict=True):
        store.connection.execute(f"DELETE FROM {table}")
        store.connection.execute(fill.format(where=""))
    again = sums(store.connection)
    store.connection.execute("ROLLBACK")
    assert kept == again


def test_a_store_of_the_first_schema_gets_the_sums_of_what_it_holds(tmp_path: Path, store: Store):
    path = tmp_path / "old.db"
    old = databases.open_database(path, schema.MIGRATIONS[:1])
    for table in ("bodies", "events", "dims"):
        rows = store.connection.execute(f"SELECT * FROM {table}").fetchall()
        old.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    old.close()
    migrated = Store.open(path)
    assert sums(migrated.connection) == sums(store.connection)
    migrated.close()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("text", HOURLY + ROUNDS)
def test_sums_give_the_answers_of_their_events(text: str, zone: str, store: Store):
    assert reads_sums(text) and not reads_sums(on_events(text))
    chance = random.Random(zone)
    spans = [(START - timedelta(days=1), NOW), (START, START), (NOW, START)]
    for _ in range(12):
        since = START + timedelta(seconds=chance.uniform(-7200, 4 * 86_400))
        spans.append((since, since + timedelta(seconds=chance.choice([300, 3600, 5400, 90_000, 300_000]))))
    spans += [(START.replace(minute=0, second=0), START.replace(hour=23, minute=0, second=0))]
    for since, until in spans:
        for bucket in ("day", "hour"):
            asked = since, until, zone, bucket
            mine, theirs = answer(store, text, *asked), answer(store, on_events(text), *asked)
            assert all(map(same, mine, theirs)) and len(mine) == len(theirs), (asked, mine, theirs)


def test_what_is_refused_on_events_is_refused_on_sums():
    text = (
        f"SELECT toDate(timestamp, 'Asia/Kolkata') AS day, count() FROM events WHERE event = 'round_scored' AND {SPAN}"
    )
    with pytest.raises(HogQLError, match="expects 1 argument"):
        compile_query(f"{text} GROUP BY day", TYPES)


def same(mine: list, theirs: list) -> bool:
    return all(a == b or math.isclose(a, b, rel_tol=1e-9) for a, b in zip(mine, theirs, strict=True) if a or b)


@pytest.mark.parametrize("text", SINGLE)
def test_what_needs_single_events_reads_them(text: str):
    assert not reads_sums(text)
