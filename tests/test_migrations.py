"""A schema changes after a complete copy, once, and wholly or not at all: also when the process is killed."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from queries.local.schema import FIRST, MIGRATIONS
from queries.local.store import Store
from tests.events import event
from workspace import databases
from workspace.errors import LoopdeskError

ROOT = Path(__file__).resolve().parents[1]
OLD = ("CREATE TABLE a (x)",)
NEW = (*OLD, "ALTER TABLE a ADD COLUMN y; CREATE TABLE b (z)")

# A process that dies by SIGKILL just before the statement that begins as told.
KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from workspace import databases

path, fatal = Path(sys.argv[1]), sys.argv[2]

class Mortal(sqlite3.Connection):
    def execute(self, sql, *values):
        if sql.strip().startswith(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *values)

    def backup(self, target, **options):
        if fatal == "backup":
            def die(status, remaining, total):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().backup(target, pages=1, progress=die)
        return super().backup(target, **options)

databases._connect = lambda uri: sqlite3.connect(uri, uri=True, isolation_level=None, factory=Mortal)
databases.open_database(path, ("CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y; CREATE TABLE b (z)"))
"""
OPEN = """
import sys
from pathlib import Path
from workspace import databases
databases.open_database(Path(sys.argv[1]), ("CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y; CREATE TABLE b (z)"))
"""


def an_old_store(path: Path, rows: int = 2000) -> Path:
    connection = databases.open_database(path, OLD)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO a VALUES (?)", ((f"{number:0100}",) for number in range(rows)))
    connection.execute("COMMIT")
    connection.close()
    return path


def rows_of(path: Path) -> tuple[int, int]:
    """Schema version and rows, read by SQLite alone."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return (
            connection.execute("PRAGMA user_version").fetchone()[0],
            connection.execute("SELECT count(*) FROM a").fetchone()[0],
        )
    finally:
        connection.close()


def test_the_copy_is_complete_private_and_one_file(tmp_path: Path):
    path = an_old_store(tmp_path / "some.db")
    databases.open_database(path, NEW).close()
    copy = databases.schema_copy(path, 1)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert rows_of(copy) == (1, 2000)
    assert rows_of(path) == (2, 2000)
    assert {found.name for found in tmp_path.iterdir()} == {"home", "some.db", "some.db.schema-1"}


def test_what_is_only_in_the_write_ahead_log_is_in_the_copy(tmp_path: Path):
    path = an_old_store(tmp_path / "some.db")
    writer = databases.open_database(path, OLD)
    writer.execute("INSERT INTO a VALUES ('late')")
    assert path.with_name("some.db-wal").stat().st_size
    databases.open_database(path, NEW).close()
    writer.close()
    assert rows_of(databases.schema_copy(path, 1)) == (1, 2001)


@pytest.mark.parametrize(
    "fatal", ["BEGIN IMMEDIATE", "backup", "ALTER", "CREATE TABLE b", "PRAGMA user_version =", "COMMIT"]
)
def test_a_process_killed_within_a_migration_leaves_the_old_schema(tmp_path: Path, fatal: str):
    path = an_old_store(tmp_path / "some.db")
    done = subprocess.run([sys.executable, "-c", KILLED, path, fatal], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows_of(path) == (1, 2000)
    copy = databases.schema_copy(path, 1)
    assert not copy.exists() or rows_of(copy) == (1, 2000)
    # The next start brings it up to date, and leaves nothing of the one that died.
    databases.open_database(path, NEW).close()
    assert rows_of(path) == (2, 2000)
    assert rows_of(copy) == (1, 2000)
    assert not list(tmp_path.glob(".*.part*"))


def test_processes_that_start_together_migrate_once(tmp_path: Path):
    path = an_old_store(tmp_path / "some.db", 20_000)
    started = [
        subprocess.Popen([sys.executable, "-c", OPEN, path], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert rows_of(path) == (2, 20_000)
    assert rows_of(databases.schema_copy(path, 1)) == (1, 20_000)


def test_no_room_for_the_copy_changes_nothing(tmp_path: Path):
    path = an_old_store(tmp_path / "some.db")

    def limit() -> None:  # a file size limit is what a full disk is to SQLite
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", OPEN, path], cwd=ROOT, capture_output=True, text=True, preexec_fn=limit
    )
    assert "could not be copied before its schema changes" in done.stderr
    assert "Nothing was changed" in done.stderr
    assert rows_of(path) == (1, 2000)
    assert {found.name for found in tmp_path.iterdir()} == {"home", "some.db"}


def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path):
    path = tmp_path / "some.db"
    databases.open_database(path, (*NEW, "CREATE TABLE c (x)")).close()
    before = path.read_bytes()
    with pytest.raises(LoopdeskError, match=r"newer loopdesk \(schema 3, this one knows 2\)"):
        databases.open_database(path, NEW)
    assert path.read_bytes() == before
    assert not databases.schema_copy(path, 3).exists()


def test_a_store_of_the_first_schema_keeps_its_events(tmp_path: Path):
    path = tmp_path / "events.db"
    connection = databases.open_database(path, (FIRST,))
    connection.execute("INSERT INTO bodies(id, uuid, event, created_at, properties) VALUES (1, 'u', 'e', 5, '{}')")
    connection.close()
    databases.open_database(path, MIGRATIONS).close()
    migrated, fresh = sqlite3.connect(path), sqlite3.connect(tmp_path / "fresh.db")
    databases.open_database(tmp_path / "fresh.db", MIGRATIONS).close()
    tables = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    assert migrated.execute(tables).fetchall() == fresh.execute(tables).fetchall()
    assert migrated.execute("SELECT count(*) FROM bodies").fetchone() == (1,)
    migrated.close(), fresh.close()


def test_a_loopdesk_of_the_first_schema_can_no_longer_write_beside_the_sums(tmp_path: Path):
    old = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    old.executescript(FIRST)
    old.execute("PRAGMA user_version = 1")
    databases.open_database(tmp_path / "events.db", MIGRATIONS).close()
    body = "INSERT INTO bodies(id, uuid, event, created_at, properties) VALUES (1, 'u', 'e', 5, '{}')"
    with pytest.raises(sqlite3.OperationalError, match="no column named created_at"):
        old.execute(body)  # what its every batch begins with
    old.close()


def test_a_store_whose_file_a_newer_loopdesk_migrated_stores_nothing_more(tmp_path: Path):
    store = Store.open(tmp_path / "events.db")
    newer = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    with pytest.raises(LoopdeskError, match="by a newer loopdesk while this one had it open"):
        store.ingest([event("round_started")])
    assert store.connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    store.close()
