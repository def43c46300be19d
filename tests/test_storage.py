"""`loopdesk storage`: every byte has a name, and only what was named is forgotten, in whole nights."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.blobs import FolderBlobs
from engine.model import Proposal, Report
from engine.rows import insert, row
from engine.store import Store as Reports
from queries import boards
from queries.cache import AnswerCache
from queries.local.backend import LocalBackend
from queries.local.pruning import forget_before, forget_events
from queries.local.store import Store
from queries.local.usage import count_events, usage
from queries.views.filters import Filters
from queries.views.window import night
from tests.conftest import NOW
from tests.events import event
from tests.test_commands import loopdesk, refused
from workspace.errors import LoopdeskError
from workspace.inventory import inventory, kind_of
from workspace.paths import Workspace


def generation(at: datetime, key: int) -> dict:
    return event(
        "$ai_generation", at=at, key=key, **{"$ai_trace_id": "t", "$ai_input": [{"role": "user", "content": "x"}]}
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Thirty days with an event at noon, each with a prompt that was stored then."""
    workspace = Workspace(tmp_path / "w").create()
    store = Store.open(workspace.events_db)
    now = datetime.now(UTC)
    for days in range(30):
        at = now - timedelta(days=days)
        store.ingest([event("round_started", at=at, key=days), generation(at, days)], now=at)
    store.close()
    return workspace


class TestInventory:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("events.db", "events"),
            ("events.db-wal", "events"),
            ("desk.db", "desk"),
            ("keys.json", "documents"),
            ("inbox.db", "inbox"),
            ("inbox.db-wal", "inbox"),
            ("inbox.db.schema-1", "copies"),
            ("engine.lock", "running"),
            ("engine.log", "running"),
            ("events.db.schema-1", "copies"),
            ("events.db.damaged-20261120-071200-12-wal", "aside"),
            ("replaced-20261120-071200-12", "aside"),
            (".events.db.schema-1.part", "unfinished"),
            (".loopdesk-restore.abc", "unfinished"),
            ("spool", "spool"),
            ("loopdesk-backup-20261120-071200.tar.gz", "backups"),
            ("events.db.backup", "other"),
            ("notes.txt", "other"),
        ],
    )
    def test_a_file_is_known_by_its_name(self, name: str, kind: str):
        assert kind_of(name) == kind

    def test_links_are_not_followed(self, tmp_path: Path):
        (tmp_path / "big").write_bytes(b"x" * 5000)
        root = tmp_path / "w"
        root.mkdir()
        (root / "link").symlink_to(tmp_path / "big")
        (root / "loop").symlink_to(root)
        assert inventory(root) == ()


class TestForgetting:
    @pytest.mark.parametrize(
        ("now", "days", "expected"),
        [
            # 07:12 is within the night that began on the 19th; a day before is within that of the 18th.
            (NOW, 1, datetime(2026, 11, 18, 18, tzinfo=UTC)),
            (NOW.replace(hour=19), 1, datetime(2026, 11, 19, 18, tzinfo=UTC)),
            (NOW, 30, datetime(2026, 10, 20, 18, tzinfo=UTC)),
        ],
    )
    def test_nights_are_forgotten_whole(self, now: datetime, days: int, expected: datetime):
        assert forget_before(now, days, "UTC", 18) == expected

    def test_the_local_night_counts_also_when_the_clocks_change(self):
        # 25 October 2026: Berlin goes from UTC+2 to UTC+1 at 03:00.
        found = forget_before(datetime(2026, 10, 27, 12, tzinfo=UTC), 1, "Europe/Berlin", 18)
        assert found.astimezone(UTC) == datetime(2026, 10, 25, 17, tzinfo=UTC)
        found = forget_before(datetime(2026, 10, 26, 6, tzinfo=UTC), 1, "Europe/Berlin", 18)
        assert found.astimezone(UTC) == datetime(2026, 10, 24, 16, tzinfo=UTC)

    def test_the_running_day_is_never_forgotten(self):
        with pytest.raises(ValueError, match="running day"):
            forget_before(NOW, 0, "UTC", 18)

    def test_events_go_in_short_transactions_and_wholly(self, tmp_path: Path):
        store = Store.open(tmp_path / "events.db")
        old, new = NOW - timedelta(days=9), NOW
        store.ingest([event("e", at=old, key=n, dim_x=1) for n in range(25)] + [generation(old, 1)], now=NOW)
        store.ingest([event("e", at=new, key=n, dim_x=1) for n in range(3)], now=NOW)
        assert store.forget_events(NOW - timedelta(days=1), 10) == 10
        told: list[int] = []
        assert forget_events(store, NOW - timedelta(days=1), told.append) == 16
        assert told == [16]
        for table, left in (("events", 3), ("bodies", 3), ("dims", 3), ("ai_payloads", 0)):
            assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (left,), table
        store.close()

    def test_a_prompt_goes_and_its_event_stays(self, workspace: Workspace):
        store = Store.open(workspace.events_db)
        before = usage(store, datetime.now(UTC))
        assert (before.events, before.prompts) == (60, 30)
        gone = store.forget_payloads(datetime.now(UTC) - timedelta(days=10, hours=1))
        after = usage(store, datetime.now(UTC))
        assert (gone, after.events, after.prompts) == (19, 60, 11)
        store.close()


class TestTheCommand:
    def test_it_says_every_file_and_kind(self, workspace: Workspace):
        (workspace.root / "events.db.schema-1").write_bytes(b"x" * 60_000)
        done = loopdesk("storage", "--workspace", workspace.root)
        assert done.returncode == 0
        assert "events.db.schema-1" in done.stdout and "60 events" in done.stdout
        assert "30 model calls" in done.stdout
        told = json.loads(loopdesk("storage", "--json", "--workspace", workspace.root).stdout)
        assert told["kinds"]["copies"] == 60_000
        assert told["total_bytes"] == sum(file["bytes"] for file in told["files"])
        assert {kind["event"] for kind in told["events"]} == {"round_started", "$ai_generation"}
        assert told["events_by_age"][1] == {"within": "the last 7 days", "events": 14}

    def test_nothing_stored_is_said(self, tmp_path: Path):
        done = loopdesk("storage", "--workspace", tmp_path / "none")
        assert done.returncode == 0 and "Nothing is stored" in done.stdout
        assert not (tmp_path / "none").exists()

    def test_a_store_that_cannot_be_read_is_measured_all_the_same(self, tmp_path: Path):
        root = Workspace(tmp_path / "w").create().root
        (root / "events.db").write_bytes(b"not a database" * 99)
        (root / "events.db").chmod(0o600)
        done = loopdesk("storage", "--workspace", root)
        assert done.returncode == 0 and "events.db cannot be counted" in done.stdout
        assert (root / "events.db").exists()

    def test_spool_files_elsewhere_are_named(self, workspace: Workspace, tmp_path: Path):
        spool = tmp_path / "spool"
        spool.mkdir()
        (spool / "autoagent.1.jsonl").write_text('{"event": "e"}\n')
        environment = {**os.environ, "LOOPDESK_SPOOL": str(spool)}
        assert f"in {spool}" in loopdesk("storage", "--workspace", workspace.root, env=environment).stdout

    def test_a_dry_run_and_a_missing_answer_change_nothing(self, workspace: Workspace):
        arguments = ("storage", "prune", "--events-older-than", "7d", "--workspace", workspace.root)
        assert "Would forget: " in loopdesk(*arguments, "--dry-run").stdout
        assert "Add --yes" in refused(loopdesk(*arguments, stdin=-3))
        assert loopdesk("query", "SELECT count() FROM events", "--workspace", workspace.root).stdout.count("60")

    @pytest.mark.parametrize(("answer", "left"), [("n", 60), ("", 60), ("y", 18)])
    def test_on_a_terminal_it_asks_first(self, workspace: Workspace, answer: str, left: int):
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        done = loopdesk("storage", "prune", "--events-older-than", "7d", "--workspace", workspace.root, stdin=theirs)
        os.close(ours), os.close(theirs)
        assert "Forget this for good?" in done.stdout
        assert (done.returncode == 0) is (answer == "y")
        store = Store.open(workspace.events_db)
        assert (count_events(store) == 60) is (left == 60)
        store.close()

    def test_what_was_named_is_forgotten_and_nothing_else(self, workspace: Workspace):
        copy, damaged = workspace.root / "events.db.schema-1", workspace.root / "events.db.damaged-1-2"
        copy.write_text("x"), damaged.write_text("x")
        arguments = ("storage", "prune", "--events-older-than", "1w", "--copies", "--yes")
        done = loopdesk(*arguments, "--workspace", workspace.root)
        assert done.returncode == 0, done.stderr
        assert "loopdesk storage vacuum" in done.stdout
        assert not copy.exists() and damaged.exists()
        store = Store.open(workspace.events_db)
        left, now = count_events(store), datetime.now(UTC)
        assert left == count_events(store, since=forget_before(now, 7, "UTC", 18))
        assert 14 <= left <= 18
        store.close()
        loopdesk("storage", "prune", "--moved-aside", "--yes", "--workspace", workspace.root)
        assert not damaged.exists()

    def test_the_answers_of_the_desk_go_and_its_state_stays(self, workspace: Workspace):
        backend, cache = LocalBackend(workspace.events_db), AnswerCache(workspace.desk_db)
        cache.save(boards.ask("stops", backend, night(NOW, "UTC"), Filters()), "night")
        cache.set_state("window", "7d")
        done = loopdesk("storage", "prune", "--answers", "--yes", "--workspace", workspace.root)
        assert "Forgotten: 1 answer" in done.stdout
        assert cache.load("stops", "night", Filters()) is None
        assert cache.state("window", None) == "7d"
        backend.close(), cache.close()

    def test_vacuum_gives_room_back_while_a_reader_is_there(self, workspace: Workspace):
        store = Store.open(workspace.events_db)
        store.ingest([event("big", key=n, text="x" * 2000) for n in range(2000)], now=NOW)
        forget_events(store, datetime.now(UTC) + timedelta(days=1))
        before = workspace.events_db.stat().st_size
        reader = sqlite3.connect(workspace.events_db)
        assert reader.execute("SELECT count(*) FROM bodies").fetchone() == (0,)
        done = loopdesk("storage", "vacuum", "--workspace", workspace.root)
        assert done.returncode == 0, done.stderr
        reader.close(), store.close()
        assert workspace.events_db.stat().st_size < before / 4

    @pytest.mark.parametrize("age", ["0d", "-1d", "5", "5h", "d", "1.5d", "\x1b[31m"])
    def test_an_age_is_whole_days(self, age: str):
        assert "at least 1d" in refused(loopdesk("storage", "prune", f"--events-older-than={age}"))

    def test_nothing_named_is_refused(self, workspace: Workspace):
        assert "Nothing was named" in refused(loopdesk("storage", "prune", "--yes", "--workspace", workspace.root))


def test_blobs_of_fixes_that_are_over_go_and_those_in_use_stay(tmp_path: Path):
    workspace = Workspace(tmp_path / "w").create()
    blobs = FolderBlobs(workspace.blobs)
    used, over, young = (blobs.put(name.encode()) for name in ("used", "over", "young"))
    for key in (used, over):
        os.utime(workspace.blobs / key[:2] / key, (0, 0))
    with closing(Reports.open(workspace.inbox_db)) as store, store.transaction("reconcile"):
        store.connection.execute(insert(Report, "reports"), row(Report("R", NOW, NOW, "ready")))
        waits = Proposal("P", "R", NOW, NOW, "open", change={"bundle": used}, number=1)
        store.connection.execute(insert(Proposal, "proposals"), row(waits))
    done = loopdesk("--workspace", workspace.root, "storage", "prune", "--blobs-older-than", "30d", "--yes")
    assert done.returncode == 0 and "1 blob" in done.stdout, done
    assert blobs.get(used) == b"used" and blobs.get(young) == b"young"
    with pytest.raises(LoopdeskError, match="no blob"):
        blobs.get(over)
