"""What leaves a jail: two files that are taken for an agent's, and commits that git has checked apart from our own."""

from __future__ import annotations

import os
import subprocess
import zlib
from hashlib import sha1
from pathlib import Path

import pytest

from engine.git import Git
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.bundles import MOST_RESULT_BYTES, Left, Untrusted, fill_clone, leave, receive, take
from engine.sandbox.folders import RunFolder, run_folder
from engine.sandbox.protocol import Limits, Run, Why
from tests.jails import hostile, jails, ran

SECRET = "canary-51c9-of-the-host"
REF = "refs/loopdesk/work"
WHO = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


def made(repository: Path, *arguments: str, text: str | bytes = "") -> str:
    """As the tests' own user, on repositories of the tests' own."""
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        input=text.encode() if isinstance(text, str) else text,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", **WHO},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Two commits."""
    path = tmp_path / "mirror.git"
    Git().make_bare(path)
    tree = made(path, "mktree", text=f"100644 blob {made(path, 'hash-object', '-w', '--stdin', text='1')}\tcode.py\n")
    first = made(path, "commit-tree", tree, "-m", "first")
    made(path, "update-ref", "refs/heads/main", made(path, "commit-tree", tree, "-p", first, "-m", "second"))
    return path


@pytest.fixture
def base(mirror: Path) -> str:
    return made(mirror, "rev-parse", "refs/heads/main")


@pytest.fixture
def work(tmp_path: Path, mirror: Path) -> Path:
    """A repository from which bundles are made by hand."""
    made(tmp_path, "clone", "--quiet", "--no-local", str(mirror), "work", "-b", "main")
    return tmp_path / "work"


def bundled(work: Path, head: str, *rest: str, ref: str = REF) -> Path:
    path = work.parent / "given.bundle"
    made(work, "update-ref", ref, head)
    made(work, "bundle", "create", "--quiet", str(path), ref, *rest)
    return path


def committed(work: Path, name: str = "new.py", text: str = "x", parent: str = "HEAD") -> str:
    blob = made(work, "hash-object", "-w", "--stdin", text=text)
    tree = made(work, "mktree", text=f"{made(work, 'ls-tree', parent)}\n100644 blob {blob}\t{name}\n")
    return made(work, "commit-tree", tree, "-p", parent, "-m", "work")


def state(mirror: Path) -> object:
    """What would tell that something was taken over."""
    refs = made(mirror, "for-each-ref")
    return refs, sorted(str(path) for path in mirror.rglob("*")), (mirror / "config").read_text()


class TestTaking:
    def test_commits_on_top_of_the_base_are_taken(self, mirror: Path, base: str, work: Path):
        head = committed(work, "newer.py", parent=committed(work))
        taken = take(mirror, bundled(work, head, f"^{base}"), base, "report-1")
        assert (taken.base, taken.sha, taken.commits) == (base, head, 2)
        assert made(mirror, "rev-parse", "refs/loopdesk/taken/report-1") == head
        assert made(mirror, "fsck", "--full", "--strict") == ""

    def test_twice_is_as_once(self, mirror: Path, base: str, work: Path):
        bundle = bundled(work, committed(work), f"^{base}")
        assert take(mirror, bundle, base, "one") == take(mirror, bundle, base, "one")

    @pytest.mark.parametrize(
        "how", ["another base", "another branch", "whole history", "version 3", "cut", "no bundle"]
    )
    def test_another_bundle_is_refused(self, mirror: Path, base: str, work: Path, how: str):
        first = made(work, "rev-parse", f"{base}^")
        head = committed(work)
        if how == "another base":  # which is not the one that the agent was given
            bundle = bundled(work, committed(work, parent=first), f"^{first}")
        elif how == "another branch":
            bundle = bundled(work, head, f"^{base}", ref="refs/heads/main2")
        elif how == "whole history":
            orphan = made(work, "commit-tree", made(work, "rev-parse", f"{head}^{{tree}}"), "-m", "orphan")
            bundle = bundled(work, orphan)
        else:
            bundle = bundled(work, head, f"^{base}")
            content = bundle.read_bytes()
            changed = {
                "version 3": content.replace(b"# v2 git bundle\n", b"# v3 git bundle\n@object-format=sha1\n"),
                "cut": content[:-30],
                "no bundle": b"\x00\xff" * 100,
            }
            bundle.write_bytes(changed[how])
        before = state(mirror)
        with pytest.raises(Untrusted):
            take(mirror, bundle, base, "report-1")
        assert state(mirror) == before

    def test_a_header_that_lies_about_the_commit_is_refused(self, mirror: Path, base: str, work: Path):
        head = committed(work)
        bundle = bundled(work, head, f"^{base}")
        for other in ("1" * 40, made(work, "rev-parse", f"{head}^{{tree}}")):
            lying = bundle.with_name("lying.bundle")
            lying.write_bytes(bundle.read_bytes().replace(head.encode(), other.encode()))
            before = state(mirror)
            with pytest.raises(Untrusted):
                take(mirror, lying, base, "report-1")
            assert state(mirror) == before

    @pytest.mark.parametrize("entry", [".git", ".GIT", "..", "a/b", ".git\u200c"])
    def test_forged_trees_are_refused(self, mirror: Path, base: str, work: Path, entry: str):
        blob = made(work, "hash-object", "-w", "--stdin", text="[core]\n\tfsmonitor = evil\n")
        raw = b"100644 " + entry.encode() + b"\0" + bytes.fromhex(blob)
        head = made(work, "commit-tree", written(work, b"tree", raw), "-p", base, "-m", "forged")
        refused(mirror, bundled(work, head, f"^{base}"), base)

    def test_a_forged_commit_is_refused(self, mirror: Path, base: str, work: Path):
        tree = made(work, "rev-parse", f"{base}^{{tree}}")
        raw = f"tree {tree}\nparent {base}\nauthor nobody\ncommitter t <t> 1 +0000\n\nx".encode()
        refused(mirror, bundled(work, written(work, b"commit", raw), f"^{base}"), base)

    def test_submodules_that_run_something_are_refused(self, mirror: Path, base: str, work: Path):
        head = committed(work, ".gitmodules", '[submodule "sub"]\n\tpath = -u./evil\n\turl = --upload-pack=evil\n')
        refused(mirror, bundled(work, head, f"^{base}"), base)

    def test_what_is_missing_from_it_is_refused(self, mirror: Path, base: str, work: Path):
        """A tree whose file is nowhere: a pack by hand, because git writes no such one."""
        tree = b"100644 code.py\0" + bytes.fromhex("2" * 40)
        name = sha1(b"tree %d\0" % len(tree) + tree).hexdigest()
        commit = f"tree {name}\nparent {base}\nauthor t <t> 1 +0000\ncommitter t <t> 1 +0000\n\nx\n".encode()
        head = sha1(b"commit %d\0" % len(commit) + commit).hexdigest()
        pack = b"PACK" + (2).to_bytes(4, "big") + (2).to_bytes(4, "big") + packed(1, commit) + packed(2, tree)
        bundle = work.parent / "given.bundle"
        bundle.write_bytes(f"# v2 git bundle\n-{base} x\n{head} {REF}\n\n".encode() + pack + sha1(pack).digest())
        refused(mirror, bundle, base)

    def test_more_than_is_taken_is_refused(self, mirror: Path, base: str, work: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("engine.sandbox.bundles.MOST_BUNDLE_BYTES", 100)
        refused(mirror, bundled(work, committed(work), f"^{base}"), base)

    def test_nobodys_configuration_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        (tmp_path / "home" / ".gitconfig").write_text("[user]\n\tname = mine\n")
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "mine")
        Git().make_bare(tmp_path / "m.git")
        assert b"mine" not in Git().run("config", "--list", repository=tmp_path / "m.git").out
        assert not (tmp_path / "m.git" / "hooks").exists()


def written(work: Path, type_: bytes, raw: bytes) -> str:
    """An object past git's own checks."""
    content = type_ + b" %d\0" % len(raw) + raw
    name = sha1(content).hexdigest()
    path = work / ".git" / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(content))
    return name


def packed(type_: int, content: bytes) -> bytes:
    """One object of a pack. The form: gitformat-pack."""
    size, head = len(content), []
    byte, size = (type_ << 4) | (size & 15), size >> 4
    while size:
        head.append(byte | 128)
        byte, size = size & 127, size >> 7
    return bytes([*head, byte]) + zlib.compress(content)


def refused(mirror: Path, bundle: Path, base: str) -> None:
    before = state(mirror)
    with pytest.raises(Untrusted):
        take(mirror, bundle, base, "report-1")
    assert state(mirror) == before


class TestReceiving:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> RunFolder:
        folder = RunFolder(tmp_path / "run")
        for path in (folder.root, folder.out, folder.received):
            path.mkdir()
        (folder.out / "result.json").write_text('{"head": "", "error": ""}')
        (tmp_path / "secret").write_text(SECRET)
        return folder

    def test_the_two_files_are_copied(self, folder: RunFolder):
        (folder.out / "work.bundle").write_bytes(b"bundle")
        (folder.out / "other").write_text("is not looked at")
        left = receive(folder.out, folder.received)
        assert left == Left("", "", folder.received / "work.bundle")
        assert sorted(path.name for path in folder.received.iterdir()) == ["result.json", "work.bundle"]

    @pytest.mark.parametrize("name", ["result.json", "work.bundle"])
    @pytest.mark.parametrize("how", ["link", "hard link", "pipe", "folder", "large"])
    def test_what_is_no_plain_file_of_its_own_is_refused(self, folder: RunFolder, tmp_path: Path, name: str, how: str):
        path = folder.out / name
        path.unlink(missing_ok=True)
        if how == "link":
            path.symlink_to(tmp_path / "secret")
        elif how == "hard link":
            path.hardlink_to(tmp_path / "secret")
        elif how == "pipe":
            os.mkfifo(path)
        elif how == "folder":
            path.mkdir()
        else:
            path.touch()
            os.truncate(path, 10 << 30)
        with pytest.raises(Untrusted):
            receive(folder.out, folder.received)
        assert not any(SECRET in path.read_text() for path in folder.received.iterdir())

    def test_a_link_in_place_of_the_folder_is_refused(self, folder: RunFolder, tmp_path: Path):
        (tmp_path / "link").symlink_to(folder.out)
        with pytest.raises(Untrusted):
            receive(tmp_path / "link", folder.received)

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"head": 7, "error": ""}', '{"head": "--evil", "error": ""}', "[" * MOST_RESULT_BYTES],
    )
    def test_a_result_of_another_form_is_refused(self, folder: RunFolder, text: str):
        (folder.out / "result.json").write_text(text)
        with pytest.raises(Untrusted):
            receive(folder.out, folder.received)

    def test_no_result_is_refused_and_its_error_is_plain(self, folder: RunFolder):
        (folder.out / "result.json").write_text('{"head": "", "error": "\\u001b[31m\\u202ered"}')
        assert receive(folder.out, folder.received).error == "red"
        (folder.out / "result.json").unlink()
        with pytest.raises(Untrusted):
            receive(folder.out, folder.received)


class TestTheWholeWay:
    async def test_work_leaves_committed_or_not(self, sandbox: Bubblewrap, mirror: Path, base: str, tmp_path: Path):
        with run_folder(tmp_path / "runs") as folder:
            await fill_clone(sandbox, mirror, base, folder.clone)
            assert (folder.clone / "code.py").read_text() == "1"
            script = "echo 2 > code.py; git commit -qam mine; echo 3 > new.py; git remote"
            jail = await sandbox.start(Run(["sh", "-c", script], clone=folder.clone))
            assert await jail.stdout.read() == b""  # it knows of no remote
            assert (await jail.wait()).exit_code == 0
            left = await leave(sandbox, folder.clone, folder.out, base, folder.received)
            assert left.error == "" and left.bundle is not None
            taken = take(mirror, left.bundle, base, "r")
        assert taken.commits == 2 and taken.sha == left.head
        assert made(mirror, "show", f"{taken.sha}:new.py") == "3"

    async def test_no_work_leaves_no_bundle(self, sandbox: Bubblewrap, mirror: Path, base: str, tmp_path: Path):
        with run_folder(tmp_path / "runs") as folder:
            await fill_clone(sandbox, mirror, base, folder.clone)
            assert await leave(sandbox, folder.clone, folder.out, base, folder.received) == Left(base, "", None)

    async def test_a_clone_that_is_spoilt_runs_nothing_on_the_host(
        self, sandbox: Bubblewrap, mirror: Path, base: str, tmp_path: Path
    ):
        """Hooks, filters, fsmonitor, external diff, includes, insteadOf, alternates, links and submodules."""
        secret, mark = tmp_path / "secret", tmp_path / "ran-on-the-host"
        secret.write_text(SECRET)
        other = tmp_path / "other"
        made(tmp_path, "init", "--quiet", "other")
        hidden = made(other, "hash-object", "-w", "--stdin", text=SECRET)
        config = (mirror / "config").read_text()
        with run_folder(tmp_path / "runs") as folder:
            await fill_clone(sandbox, mirror, base, folder.clone)
            facts = {"secret_file": str(secret), "mark": str(mark), "other_objects": str(other / ".git" / "objects")}
            said, ended = await ran(sandbox, hostile(sandbox, "spoil_git", facts, clone=folder.clone))
            assert said == "spoilt" and ended.why == Why.EXIT
            left = await leave(sandbox, folder.clone, folder.out, base, folder.received)
            assert (folder.clone / "ran").exists(), "the trap did not even work within the jail"
            assert left.error == "" and left.bundle is not None
            taken = take(mirror, left.bundle, base, "r")
            assert not (folder.clone / "stolen").read_bytes()
        # The link is in it as a link, for the guard to judge; nothing that it points to is.
        assert made(mirror, "ls-tree", taken.sha, "link").startswith("120000 ")
        assert SECRET.encode() not in Git().run("cat-file", "--batch-all-objects", "--batch", repository=mirror).out
        assert not mark.exists() and (mirror / "config").read_text() == config
        objects = made(mirror, "cat-file", "--batch-all-objects", "--batch-check")
        assert hidden not in objects

    @pytest.mark.parametrize(
        "script",
        [
            "ln -sf {secret} /jail/out/result.json; chmod a-w /jail/out; cat",
            "(while :; do ln -sf {secret} /jail/out/result.json; done) & sleep 0.2; cat",
            "mkfifo /jail/out/work.bundle; cat",
        ],
    )
    async def test_a_filter_that_forges_what_leaves_gets_nothing(
        self, sandbox: Bubblewrap, mirror: Path, base: str, tmp_path: Path, script: str
    ):
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        with run_folder(tmp_path / "runs") as folder:
            await fill_clone(sandbox, mirror, base, folder.clone)
            facts = {"script": "#!/bin/sh\n" + script.replace("{secret}", str(secret))}
            await ran(sandbox, hostile(sandbox, "forge_output", facts, clone=folder.clone))
            try:
                left = await leave(sandbox, folder.clone, folder.out, base, folder.received, Limits(wall_s=1.0))
            except Untrusted:
                pass
            else:
                assert SECRET not in left.error
            assert not any(SECRET.encode() in path.read_bytes() for path in folder.received.iterdir())
        assert secret.read_text() == SECRET
