"""Annotations: made once on both backends, kept while PostHog is away, and one for each commit by a git hook."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.marking import Marking
from queries.annotations import MOST_WAITING, Waiting, draft, make, on_time_lines
from queries.limiter import Limiter, account
from queries.local.store import Store
from queries.remote_exchange import Exchanges
from queries.remote_http import Transport
from queries.rest import RemoteRest, open_rest
from tests.conftest import NOW
from tests.events import event
from tests.posthog_double import Double, Scripted, json_answer, refusal
from tui.commands import annotate_hook
from tui.commands.annotate import command
from tui.commands.cli import Context
from workspace.errors import LoopdeskError

SHA = "a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0"
KEY = "phx_" + "s3cret" * 6


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOPDESK_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def embedded(tmp_path: Path, state: Path) -> dict:
    root = tmp_path / "workspace"
    root.mkdir(mode=0o700)
    Store.open(root / "events.db").close()
    return {"workspace_dir": str(root), "backend": "embedded"}


def run(settings: dict, *arguments: str) -> tuple[int, object, str]:
    done = CliRunner().invoke(command, [*arguments, "--json"], obj=Context.of(settings))
    if isinstance(done.exception, LoopdeskError):
        raise done.exception
    assert done.exception is None, done.exception
    return done.exit_code, json.loads(done.stdout), done.stderr


def remote(double: Double, tmp_path: Path) -> RemoteRest:
    limiter = Limiter(tmp_path / "limits")
    return RemoteRest(
        Exchanges(
            Transport(double.url, KEY), limiter, account(double.url, KEY), "7", deadline_s=5, pause=lambda seconds: None
        )
    )


def asking(url: str, key: str = KEY) -> dict:
    return {"posthog_host": url, "posthog_personal_key": key, "posthog_project_id": "1", "backend": "posthog"}


class TestMaking:
    def test_on_the_embedded_store(self, embedded):
        _, made, _ = run(embedded, "a new judge", "--at", "2026-11-20T06:00:00+00:00")
        assert made["outcome"] == "made"
        _, (found,), _ = run(embedded, "--list")
        assert found["content"] == "a new judge" and found["at"] == "2026-11-20T06:00:00+00:00"

    @pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31T23:59"])
    def test_no_mark_is_beyond_all_time_lines(self, embedded, at):
        with pytest.raises(LoopdeskError, match="is not a time"):
            run(embedded, "long ago", "--at", at)

    @pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
    def test_a_mark_of_somebody_elses_beyond_all_time_lines_hides_no_other(self, embedded, zone):
        settings = {**embedded, "timezone": zone}
        rest = open_rest(Context.of(settings).config)
        for at in ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"):
            rest.ask("POST", "annotations/", {"content": "x", "date_marker": at, "scope": "project"})
        run(settings, "here")
        done = CliRunner().invoke(command, ["--list"], obj=Context.of(settings), catch_exceptions=False)
        assert "here" in done.stdout and len(done.stdout.splitlines()) == 1

    def test_over_http(self, serve, state):
        served = serve()
        settings = asking(served.url, served.personal_key)
        run(settings, "a deploy", "--sha", SHA)
        _, (found,), _ = run(settings, "--list")
        assert found["content"] == f"{SHA[:12]} a deploy" and found["is_commit"]

    def test_a_commit_has_one_annotation(self, embedded):
        first = run(embedded, "first words", "--sha", SHA)[1]
        again = run(embedded, "other words", "--sha", SHA.upper())[1]
        assert again == {"outcome": "known", "id": first["id"]}
        assert len(run(embedded, "--list")[1]) == 1

    def test_a_commit_is_known_by_a_shorter_sha_too(self, embedded):
        first = run(embedded, "short", "--sha", SHA[:7])[1]
        assert run(embedded, "long", "--sha", SHA)[1] == {"outcome": "known", "id": first["id"]}
        assert run(embedded, "other", "--sha", "a1b2c3e0000000")[1]["outcome"] == "made"

    @pytest.mark.parametrize("subject", ["", "\u200b\x1b[0m", "x" * 9_000])
    def test_a_commit_is_annotated_whatever_its_subject_is(self, embedded, subject):
        assert run(embedded, subject, "--sha", SHA)[1]["outcome"] == "made"
        (found,) = run(embedded, "--list")[1]
        assert found["content"].startswith(SHA[:12] + " ") and len(found["content"]) < 600

    def test_same_words_at_another_moment_are_another_annotation(self, embedded):
        for at in ("2026-11-20T06:00", "2026-11-20T07:00", "2026-11-20T07:00"):
            run(embedded, "restarted", "--at", at)
        assert len(run(embedded, "--list")[1]) == 2

    @pytest.mark.parametrize(
        "arguments",
        [
            ("",),
            ("\x1b[0m",),
            ("x" * 9_000,),
            ("text", "--sha", "HEAD; rm"),
            ("text", "--sha", "abc"),
            ("text", "--at", "soon"),
            (),
            ("t", "--list"),
        ],
    )
    def test_what_is_no_annotation_is_refused(self, embedded, state, arguments):
        with pytest.raises(LoopdeskError):
            run(embedded, *arguments)
        assert run(embedded, "--list")[1] == [] and not (state / "annotations.jsonl").exists()

    def test_hostile_words_are_printable_when_listed(self, tmp_path):
        row = {"id": 4, "content": "\x1b]0;pwned\x07fine\u202e", "date_marker": NOW.isoformat(), "creation_type": "USR"}
        with Double([json_answer({"results": [row, {"id": "x"}], "next": None})]).running() as double:
            (found,) = on_time_lines(remote(double, tmp_path))
        assert found.content == "fine"

    def test_a_post_that_broke_off_is_not_sent_twice(self, tmp_path):
        script = [json_answer({"results": [], "next": None}), Scripted(201, b'{"id": 1}', cut=3)]
        with Double(script).running() as double, pytest.raises(LoopdeskError):
            make(remote(double, tmp_path), draft("text", NOW))
        assert [one.method for one in double.received] == ["GET", "POST"]

    def test_a_missing_scope_is_said_and_nothing_is_kept(self, state, tmp_path):
        no = refusal(
            403, "API key missing required scope 'annotation:read'", "authentication_error", "permission_denied"
        )
        with Double([no]).running() as double, pytest.raises(LoopdeskError, match="annotation:read"):
            run(asking(double.url), "text")
        assert not (state / "annotations.jsonl").exists()


class TestWaiting:
    def test_what_could_not_be_sent_is_sent_with_the_next(self, serve, state):
        nowhere = asking("http://127.0.0.1:9")
        code, said, _ = run(nowhere, "while away", "--sha", SHA)
        assert (code, said["outcome"]) == (0, "queued")
        file = state / "annotations.jsonl"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and KEY not in file.read_text()
        served = serve()
        line = json.loads(file.read_text())
        settings = asking(served.url, served.personal_key)
        file.write_text(json.dumps({**line, "place": f"{served.url}/project/1"}) + "\n")
        run(settings, "now")
        assert {one["content"] for one in run(settings, "--list")[1]} == {f"{SHA[:12]} while away", "now"}
        assert file.read_text() == ""

    def test_before_the_first_event_is_stored_a_commit_waits(self, state, tmp_path):
        root = tmp_path / "workspace"
        root.mkdir(mode=0o700)
        settings = {"workspace_dir": str(root), "backend": "embedded"}
        with pytest.raises(LoopdeskError, match="nothing to ask"):
            run(settings, "by hand")
        assert run(settings, "early", "--sha", SHA, "--queue")[1]["outcome"] == "queued"
        Store.open(root / "events.db").close()
        run(settings, "later")
        assert {one["content"] for one in run(settings, "--list")[1]} == {f"{SHA[:12]} early", "later"}

    def test_what_is_meant_for_another_posthog_is_left(self, embedded, state):
        run(asking("http://127.0.0.1:9"), "for elsewhere")
        run(embedded, "here")
        assert [one["content"] for one in run(embedded, "--list")[1]] == ["here"]
        assert "for elsewhere" in (state / "annotations.jsonl").read_text()

    def test_the_file_is_capped_and_survives_damage(self, tmp_path, state):
        waiting = Waiting(state)
        state.mkdir(mode=0o700)
        waiting.path.write_text("".join(f"line {n}\n" for n in range(MOST_WAITING)))
        waiting.path.chmod(0o600)
        waiting.add("there", draft("newest", NOW))
        assert len(waiting.path.read_text().splitlines()) == MOST_WAITING
        with Double([]).running() as double:
            flushed = waiting.flush(remote(double, tmp_path))
        assert (flushed.sent, flushed.waiting) == (0, 1) and not double.received

    def test_a_refusal_keeps_what_waits(self, tmp_path, state):
        waiting = Waiting(state)
        with Double([refusal(401, "no", "authentication_error", "authentication_failed")]).running() as double:
            rest = remote(double, tmp_path)
            for minute in range(3):
                waiting.add(rest.place, draft("text", NOW + timedelta(minutes=minute)))
            flushed = waiting.flush(rest)
        assert (flushed.sent, flushed.waiting) == (0, 3) and flushed.refused
        assert len(double.received) == 1


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    done = subprocess.run(["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `loopdesk` on the PATH that writes down how it was called."""
    folder, called = tmp_path / "bin", tmp_path / "called"
    folder.mkdir()
    script = folder / "loopdesk"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{called}"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return called


def wait_for(file: Path, lines: int) -> list[str]:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if file.exists() and len(found := file.read_text().splitlines()) >= lines:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{file} never had {lines} lines")


class TestTheHook:
    def test_each_commit_is_annotated_with_its_sha_and_words_as_data(self, repository, on_path, tmp_path):
        annotate_hook.install(repository)
        git(repository, "commit", "-q", "--allow-empty", "-m", f'$(touch "{tmp_path}/pwned") `id`; --list')
        (called,) = wait_for(on_path, 1)
        assert git(repository, "rev-parse", "HEAD") in called and called.endswith("`id`; --list")
        assert not (tmp_path / "pwned").exists()

    def test_where_it_cannot_be_written_the_hook_that_was_there_stays(self, repository, monkeypatch):
        hooks = repository / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "post-commit").write_text("#!/bin/sh\n")
        before = sorted(hooks.iterdir())

        def full(self: Path, target: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(LoopdeskError, match="No space left"):
            annotate_hook.install(repository)
        assert sorted(hooks.iterdir()) == before and (hooks / "post-commit").read_text() == "#!/bin/sh\n"

    def test_without_the_command_a_commit_is_as_ever(self, repository, monkeypatch, tmp_path):
        annotate_hook.install(repository)
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("git", "sh", "dirname"):
            found = subprocess.run(["which", name], capture_output=True, text=True).stdout.strip()
            (tools / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(tools))
        hook = subprocess.run([repository / ".git/hooks/post-commit"], cwd=repository, capture_output=True)
        assert (hook.returncode, hook.stdout, hook.stderr) == (0, b"", b"")
        git(repository, "commit", "-q", "--allow-empty", "-m", "fine")

    def test_where_the_path_has_no_command_it_uses_the_one_that_installed_it(
        self, repository, on_path, monkeypatch, tmp_path
    ):
        elsewhere = tmp_path / "it's here"
        elsewhere.mkdir()
        (tmp_path / "bin" / "loopdesk").rename(elsewhere / "loopdesk")
        annotate_hook.install(repository, command=str(elsewhere / "loopdesk"))
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("git", "sh", "dirname"):
            (tools / name).symlink_to(subprocess.run(["which", name], capture_output=True, text=True).stdout.strip())
        monkeypatch.setenv("PATH", str(tools))
        git(repository, "commit", "-q", "--allow-empty", "-m", "under cron")
        assert wait_for(on_path, 1)[0].endswith("under cron")

    def test_a_commit_does_not_wait_for_a_command_that_hangs_nor_hold_its_readers_up(
        self, repository, on_path, tmp_path
    ):
        release = tmp_path / "release"
        os.mkfifo(release)
        (tmp_path / "bin" / "loopdesk").write_text(f'#!/bin/sh\necho began >> "{on_path}"\nread line < "{release}"\n')
        annotate_hook.install(repository)
        # `git` reads all output to its end: a child that kept the pipe would hold it up for ever.
        git(repository, "commit", "-q", "--allow-empty", "-m", "one")
        wait_for(on_path, 1)
        release.write_text("go\n")

    def test_a_command_that_fails_fails_no_commit(self, repository, on_path, tmp_path):
        (tmp_path / "bin" / "loopdesk").write_text(f'#!/bin/sh\necho ran >> "{on_path}"\nexit 3\n')
        annotate_hook.install(repository)
        git(repository, "commit", "-q", "--allow-empty", "-m", "one")
        wait_for(on_path, 1)
        assert git(repository, "log", "--format=%s") == "one"

    def test_a_linked_worktree_and_a_folder_within_have_the_hooks_of_their_repository(
        self, repository, on_path, tmp_path
    ):
        git(repository, "commit", "-q", "--allow-empty", "-m", "first")
        linked = tmp_path / "linked worktree"
        git(repository, "worktree", "add", "-q", str(linked), "-b", "other")
        (linked / "within").mkdir()
        hook, _ = annotate_hook.install(linked / "within")
        assert hook.resolve() == (repository / ".git/hooks/post-commit").resolve()
        git(linked, "commit", "-q", "--allow-empty", "-m", "in the worktree")
        (called,) = wait_for(on_path, 1)
        assert git(linked, "rev-parse", "HEAD") in called and called.endswith("in the worktree")

    def test_hooks_of_this_repository_alone_may_be_anywhere_in_it(self, repository, on_path):
        git(repository, "config", "core.hooksPath", ".git/our hooks")
        hook, _ = annotate_hook.install(repository)
        assert hook == repository / ".git/our hooks/post-commit"
        git(repository, "commit", "-q", "--allow-empty", "-m", "one")
        wait_for(on_path, 1)
        git(repository, "config", "core.hooksPath", "tracked-hooks")
        with pytest.raises(LoopdeskError, match="hooksPath"):
            annotate_hook.install(repository)

    def test_a_hook_that_was_there_still_runs(self, repository, on_path, tmp_path):
        before = repository / ".git/hooks/post-commit"
        before.parent.mkdir(exist_ok=True)
        before.write_text(f'#!/bin/sh\necho ran >> "{tmp_path}/before"\nexit 1\n')
        before.chmod(0o755)
        assert annotate_hook.install(repository)[1]
        annotate_hook.install(repository)  # a second time changes nothing
        git(repository, "commit", "-q", "--allow-empty", "-m", "one")
        wait_for(on_path, 1)
        assert (tmp_path / "before").read_text() == "ran\n"

    def test_two_earlier_hooks_are_refused_and_left(self, repository):
        hooks = repository / ".git/hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "post-commit").write_text("one")
        (hooks / "post-commit.before-loopdesk").write_text("two")
        with pytest.raises(LoopdeskError):
            annotate_hook.install(repository)
        assert (hooks / "post-commit").read_text() == "one"

    def test_shared_hooks_and_other_folders_are_refused(self, repository, tmp_path):
        shared = tmp_path / "shared"
        shared.mkdir()
        git(repository, "config", "core.hooksPath", str(shared))
        with pytest.raises(LoopdeskError, match="hooksPath"):
            annotate_hook.install(repository)
        assert not list(shared.iterdir())
        with pytest.raises(LoopdeskError):
            annotate_hook.install(tmp_path)

    def test_a_rebase_copies_commits_without_marks(self, repository, on_path):
        annotate_hook.install(repository)
        (repository / ".git/rebase-merge").mkdir()
        hook = subprocess.run([repository / ".git/hooks/post-commit"], cwd=repository)
        assert hook.returncode == 0 and not on_path.exists()

    def test_the_real_command_makes_one_annotation_a_commit(self, repository, embedded, tmp_path, monkeypatch):
        folder = tmp_path / "real"
        folder.mkdir()
        script = folder / "loopdesk"
        done = tmp_path / "done"
        source = Path(__file__).parents[1]
        script.write_text(
            f'#!/bin/sh\nPYTHONPATH="{source}" "{sys.executable}" -m tui.main "$@"\necho $? >> "{done}"\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        annotate_hook.install(repository, embedded["workspace_dir"])
        git(repository, "commit", "-q", "--allow-empty", "-m", "Use another judge")
        assert wait_for(done, 1) == ["0"]
        (found,) = run(embedded, "--list")[1]
        assert found["content"] == f"{git(repository, 'rev-parse', 'HEAD')[:12]} Use another judge"
        assert datetime.fromisoformat(found["at"]) <= datetime.now(UTC)


class TestTheEngine:
    async def test_it_makes_what_waits(self, embedded, state, tmp_path):
        config = Context.of(embedded).config
        waiting, marking = Waiting(state), Marking(config)
        waiting.add(open_rest(config).place, draft("while away", NOW, SHA))
        store: Any = None  # it looks at the file alone
        worked = await marking(store, NOW)
        while worked.is_on_its_way:
            worked = await marking(store, NOW)
        assert worked.done == 1 and not waiting.has_any
        assert [one["content"] for one in run(embedded, "--list")[1]] == [f"{SHA[:12]} while away"]
        waiting.add("elsewhere", draft("not for here", NOW))
        again = await marking(store, NOW)
        assert again.next_due is not None and again.next_due > NOW and waiting.has_any


class TestTheEffect:
    def test_rounds_before_and_after_a_mark_by_the_goal_of_the_project(self, embedded):
        now = datetime.now(UTC)
        store = Store.open(Path(embedded["workspace_dir"]) / "events.db")
        wire = [
            event(
                "round_scored",
                at=now - timedelta(hours=hours),
                key=hours,
                round_id=f"r{hours}",
                score=loss,
                score_goal="min",
            )
            for hours, loss in ((30, 0.9), (28, 0.8), (4, 0.6))
        ]
        wire.append(event("round_kept", at=now - timedelta(hours=4), round_id="r4", cost_usd=0.5))
        assert not store.ingest(wire).rejected
        store.close()
        id = run(embedded, "a new judge", "--at", "12h")[1]["id"]
        (found,) = run(embedded, "--effect", str(id))[1]["projects"]
        assert (found["before"]["rounds"], found["after"]["rounds"]) == (2, 1)
        assert (found["before"]["best"], found["after"]["best"], found["is_better"]) == (0.8, 0.6, True)
        assert found["before"]["kept_share"] is None and found["after"]["per_kept_usd"] == 0.5
        with pytest.raises(LoopdeskError):
            run(embedded, "--effect", "99")
