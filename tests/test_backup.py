"""A backup is whole or not there, made while everything runs; a restore first checks everything."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.inbox import Inbox
from engine.model import Signal
from queries.cache import AnswerCache
from queries.local.keys import load_keys
from queries.local.store import Store
from tests.conftest import NOW
from tests.events import event
from tests.test_commands import ROOT, Serving, loopdesk, refused
from tui.commands.restore import SCHEMAS
from workspace import manifest
from workspace.backups import PREFIX, make_backup
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.restore import restore_backup


def filled(root: Path, events: int = 50) -> Workspace:
    workspace = Workspace(root).create()
    store = Store.open(workspace.events_db)
    store.ingest([event("round_started", key=number, n=number) for number in range(events)], now=NOW)
    store.close()
    cache = AnswerCache(workspace.desk_db)
    cache.set_state("window", "7d")
    cache.close()
    load_keys(root)
    return workspace


def events_of(root: Path) -> int:
    connection = sqlite3.connect(root / "events.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT count(*) FROM bodies").fetchone()[0]
    finally:
        connection.close()


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def backup(workspace: Workspace, target: Path, **options: bool) -> manifest.Manifest:
    return make_backup(workspace, target, made_by="loopdesk test", now=NOW, **options)


def restore(file: Path, root: Path, **options: bool):
    return restore_backup(file, Workspace(root), SCHEMAS, now=NOW, **options)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    backup(filled(tmp_path / "old"), tmp_path / "b.tar.gz")
    return tmp_path / "b.tar.gz"


class TestRoundTrip:
    def test_events_state_and_keys_come_back(self, tmp_path: Path):
        workspace = filled(tmp_path / "old")
        made = backup(workspace, tmp_path / "b.tar.gz")
        assert [kept.name for kept in made.files] == ["events.db", "desk.db", "keys.json"]
        assert made.files[0].events == 50
        assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
        done = restore(tmp_path / "b.tar.gz", tmp_path / "new")
        assert done.aside is None
        assert events_of(tmp_path / "new") == 50
        assert load_keys(tmp_path / "new") == load_keys(tmp_path / "old")
        cache = AnswerCache(tmp_path / "new" / "desk.db")
        assert cache.state("window", None) == "7d"
        cache.close()
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600}
        store = Store.open(tmp_path / "new" / "events.db")
        assert store.ingest([event("round_started", key=0, n=0)], now=NOW).duplicates == 1
        store.close()

    def test_reports_and_what_was_decided_come_back(self, tmp_path: Path):
        workspace = filled(tmp_path / "old")
        inbox = Inbox(workspace)
        inbox.add_signal(Signal("loops", "crash", "one", "It crashed", 1.0, NOW), NOW)
        inbox.submit(inbox.command("research", "R1", {}, now=NOW))
        made = backup(workspace, tmp_path / "b.tar.gz")
        assert [kept.name for kept in made.files] == ["events.db", "desk.db", "inbox.db", "keys.json"]
        inbox.close()
        restore(tmp_path / "b.tar.gz", tmp_path / "new")
        restored = Inbox(Workspace(tmp_path / "new"))
        assert restored.counts() == {"signals_in": 1, "commands": 1, "jobs": 0}
        with pytest.raises(LoopdeskError, match=r"inbox\.db is in use.*loopdesk engine stop"):
            restore(tmp_path / "b.tar.gz", tmp_path / "new", replace=True)
        restored.close()

    def test_the_commands(self, tmp_path: Path):
        filled(tmp_path / "old")
        done = loopdesk("backup", tmp_path, "--workspace", tmp_path / "old", "--json")
        told = json.loads(done.stdout)
        assert Path(told["file"]).parent == tmp_path and told["files"][0]["rows"]["bodies"] == 50
        done = loopdesk("--workspace", tmp_path / "new", "restore", told["file"])
        assert done.returncode == 0 and "50 events" in done.stdout
        assert "is there already" in refused(loopdesk("backup", told["file"], "--workspace", tmp_path / "old"))
        assert "nothing to back up" in refused(loopdesk("backup", "--workspace", tmp_path / "none"))
        assert "There is no file" in refused(loopdesk("restore", tmp_path / "no.gz", "--workspace", tmp_path / "none"))

    def test_a_copy_made_while_others_write_is_of_one_moment(self, tmp_path: Path):
        workspace = filled(tmp_path / "old")
        stop = threading.Event()

        def write() -> None:
            store = Store.open(workspace.events_db)
            for number in range(100, 100_000):
                if stop.is_set():
                    break
                # Two events in one transaction: a copy holds both or neither.
                store.ingest([event("pair", key=(number, side)) for side in (1, 2)], now=NOW)
            store.close()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                backup(workspace, tmp_path / f"{number}.tar.gz")
                restore(tmp_path / f"{number}.tar.gz", tmp_path / f"new-{number}")
        finally:
            stop.set()
            writer.join()
        counts = [events_of(tmp_path / f"new-{number}") for number in range(5)]
        assert all(count % 2 == 0 for count in counts)
        assert counts == sorted(counts) and counts[-1] > 50


class TestWriting:
    def test_a_process_killed_meanwhile_leaves_the_earlier_backup(self, tmp_path: Path):
        filled(tmp_path / "old")
        target = tmp_path / "b.tar.gz"
        target.write_bytes(b"yesterday's")
        code = (
            "import os, signal, sys, tarfile\n"
            "tarfile.TarFile.addfile = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
            "from tui.main import main\n"
            "main(sys.argv[1:])\n"
        )
        arguments = ["backup", str(target), "--replace", "--workspace", str(tmp_path / "old")]
        killed = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT)
        assert killed.returncode == -signal.SIGKILL
        assert target.read_bytes() == b"yesterday's"
        (left,) = tmp_path.glob(f"{PREFIX}*")
        os.utime(left, (0, 0))  # as old as it will be when somebody makes the next one
        backup(Workspace(tmp_path / "old"), target, replace=True)
        assert not list(tmp_path.glob(f"{PREFIX}*"))
        assert tarfile.is_tarfile(target)

    def test_another_process_that_is_still_at_work_is_left_alone(self, tmp_path: Path):
        from workspace.work_folders import work_folder

        with work_folder(tmp_path, PREFIX) as first:
            os.utime(first, (0, 0))
            with work_folder(tmp_path, PREFIX) as second:
                assert first.exists() and second != first

    def test_a_full_disk_leaves_nothing_half(self, tmp_path: Path):
        filled(tmp_path / "old", 2000)

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

        target = tmp_path / "out" / "b.tar.gz"
        target.parent.mkdir()
        assert refused(loopdesk("backup", target, "--workspace", tmp_path / "old", preexec_fn=limit))
        assert list(target.parent.iterdir()) == []

    def test_a_folder_that_is_not_there_is_one_sentence(self, tmp_path: Path):
        filled(tmp_path / "old")
        target = tmp_path / "nowhere" / "b.tar.gz"
        assert "could not be written" in refused(loopdesk("backup", target, "--workspace", tmp_path / "old"))


class TestRestoring:
    def test_a_workspace_with_data_is_not_overwritten(self, archive: Path, tmp_path: Path):
        filled(tmp_path / "new", 3)
        before = contents(tmp_path / "new")
        with pytest.raises(LoopdeskError, match=r"already holds events\.db"):
            restore(archive, tmp_path / "new")
        assert contents(tmp_path / "new") == before

    def test_what_is_replaced_is_moved_and_not_deleted(self, archive: Path, tmp_path: Path):
        filled(tmp_path / "new", 3)
        (tmp_path / "new" / "mine.txt").write_text("kept")
        aside = restore(archive, tmp_path / "new", replace=True).aside
        assert aside is not None
        assert events_of(tmp_path / "new") == 50
        assert events_of(aside) == 3
        assert (tmp_path / "new" / "mine.txt").read_text() == "kept"

    def test_a_disk_that_fails_halfway_leaves_the_workspace_as_it_was(
        self, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        filled(tmp_path / "new", 3)
        real, moves = Path.rename, []

        def rename(self: Path, target: Path) -> Path:
            moves.append(target)
            if target == tmp_path / "new" / "events.db" and not any(path == target for path in moves[:-1]):
                raise OSError(5, "Input/output error")
            return real(self, target)

        monkeypatch.setattr(Path, "rename", rename)
        with pytest.raises(LoopdeskError, match="Input/output error"):
            restore(archive, tmp_path / "new", replace=True)
        assert events_of(tmp_path / "new") == 3
        assert not list((tmp_path / "new").glob("replaced-*"))

    def test_while_serve_has_it_open_it_is_refused(self, archive: Path, tmp_path: Path):
        with Serving(tmp_path / "new"):
            with pytest.raises(LoopdeskError, match=r"events\.db is in use"):
                restore(archive, tmp_path / "new", replace=True)
            assert not list((tmp_path / "new").glob("replaced-*"))
            assert not list((tmp_path / "new").glob(".loopdesk-*"))
        restore(archive, tmp_path / "new", replace=True)
        assert events_of(tmp_path / "new") == 50

    def test_a_damaged_store_can_be_replaced(self, archive: Path, tmp_path: Path):
        root = Workspace(tmp_path / "new").create().root
        (root / "events.db").write_bytes(b"not a database" * 999)
        aside = restore(archive, root, replace=True).aside
        assert aside is not None and (aside / "events.db").read_bytes() == b"not a database" * 999
        assert events_of(root) == 50

    @pytest.mark.parametrize("rename", range(1, 7))
    def test_killed_at_any_move_nothing_is_lost_and_it_can_be_done_again(
        self, archive: Path, tmp_path: Path, rename: int
    ):
        root = tmp_path / "new"
        filled(root, 3)
        code = (
            "import os, signal, sys\n"
            "real, left = os.rename, [int(sys.argv.pop(1))]\n"
            "def rename(*names):\n"
            "    left[0] -= 1\n"
            "    if not left[0]:\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "    return real(*names)\n"
            "os.rename = rename\n"
            "from tui.main import main\n"
            "main(sys.argv[1:])\n"
        )
        arguments = [str(rename), "restore", str(archive), "--replace", "--workspace", str(root)]
        killed = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT)
        assert killed.returncode == -signal.SIGKILL
        assert 3 in {events_of(path.parent) for path in root.rglob("events.db")}
        assert restore(archive, root, replace=True)
        assert events_of(root) == 50
        assert 3 in {events_of(path.parent) for path in root.rglob("events.db")}


def rewritten(archive: Path, change: Callable[[dict, dict[str, bytes]], None]) -> Path:
    """The archive with its manifest and files changed; the manifest's sums are made right again."""
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
    told = json.loads(files.pop(manifest.NAME))
    change(told, files)
    return written(archive.with_name("changed.tar.gz"), told, files)


def written(target: Path, told: object, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(target, "w:gz") as tar:
        for name, content in ({manifest.NAME: json.dumps(told).encode()} | files).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in more:
            tar.addfile(member)
    return target


def with_sum(told: dict, name: str, content: bytes) -> None:
    (kept,) = (kept for kept in told["files"] if kept["name"] == name)
    kept |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class TestHostile:
    """What must never reach the workspace, each refused in a sentence that changes nothing."""

    def check(self, file: Path, tmp_path: Path, said: str) -> None:
        with pytest.raises(LoopdeskError, match=said):
            restore(file, tmp_path / "new")
        assert contents(tmp_path / "new") == {}

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("../escaped", tarfile.REGTYPE),
            ("/etc/escaped", tarfile.REGTYPE),
            ("config.toml", tarfile.REGTYPE),
            ("keys.json", tarfile.SYMTYPE),
            ("keys.json", tarfile.LNKTYPE),
            ("keys.json", tarfile.FIFOTYPE),
            ("keys.json", tarfile.CHRTYPE),
            ("keys.json", tarfile.DIRTYPE),
        ],
    )
    def test_a_member_that_is_no_plain_file_of_ours(self, archive: Path, tmp_path: Path, name: str, kind: bytes):
        with tarfile.open(archive) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        told = json.loads(files.pop(manifest.NAME))
        files.pop("keys.json")
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        self.check(written(tmp_path / "evil.tar.gz", told, files, member), tmp_path, "not a file of its manifest")
        assert not (tmp_path / "escaped").exists()

    def test_a_member_that_comes_twice(self, archive: Path, tmp_path: Path):
        with tarfile.open(archive) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        told = json.loads(files.pop(manifest.NAME))
        self.check(
            written(tmp_path / "evil.tar.gz", told, files, tarfile.TarInfo("keys.json")),
            tmp_path,
            "not a file of its manifest",
        )

    def test_a_changed_byte(self, archive: Path, tmp_path: Path):
        def change(_told: dict, files: dict[str, bytes]) -> None:
            files["keys.json"] = files["keys.json"].swapcase()

        self.check(rewritten(archive, change), tmp_path, "SHA-256 differs")

    def test_a_missing_file(self, archive: Path, tmp_path: Path):
        self.check(rewritten(archive, lambda _, files: files.pop("events.db")), tmp_path, r"events\.db is missing")

    def test_a_damaged_database(self, archive: Path, tmp_path: Path):
        def change(told: dict, files: dict[str, bytes]) -> None:
            content = bytearray(files["events.db"])
            content[8192:12288] = b"\xff" * 4096
            files["events.db"] = bytes(content)
            with_sum(told, "events.db", files["events.db"])

        self.check(rewritten(archive, change), tmp_path, r"events\.db in it is damaged")

    def test_a_newer_schema(self, archive: Path, tmp_path: Path):
        self.check(
            rewritten(archive, lambda told, _: told["files"][0].update(schema=99)), tmp_path, "of a newer loopdesk"
        )

    def test_a_schema_that_the_file_does_not_have(self, archive: Path, tmp_path: Path):
        self.check(
            rewritten(archive, lambda told, _: told["files"][0].update(schema=1)), tmp_path, "its manifest says 1"
        )

    def test_a_newer_form(self, archive: Path, tmp_path: Path):
        self.check(rewritten(archive, lambda told, _: told.update(format=2)), tmp_path, "newer form")

    @pytest.mark.parametrize("told", [None, [], {}, {"format": "1"}, {"format": 1, "files": [{}]}, {"format": 1}])
    def test_a_strange_manifest(self, tmp_path: Path, told: object):
        self.check(written(tmp_path / "evil.tar.gz", told, {}), tmp_path, "not one that loopdesk wrote")

    def test_a_size_that_would_fill_the_disk(self, archive: Path, tmp_path: Path):
        self.check(
            rewritten(archive, lambda told, _: told["files"][0].update(bytes=10**18)), tmp_path, "The backup needs"
        )

    @pytest.mark.parametrize("cut", [0, 5, 300, 5000])
    def test_a_file_that_was_cut_short(self, archive: Path, tmp_path: Path, cut: int):
        short = tmp_path / "short.tar.gz"
        short.write_bytes(archive.read_bytes()[:cut])
        self.check(short, tmp_path, "not a whole backup")

    def test_any_other_file(self, tmp_path: Path):
        (tmp_path / "other").write_text("hello")
        self.check(tmp_path / "other", tmp_path, "not a whole backup")
        with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "other", "other")
        self.check(tmp_path / "other.tar.gz", tmp_path, "does not begin with a manifest")
