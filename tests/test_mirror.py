"""The host's mirrors: what comes in, what goes out, and that no repository's tricks run on the way."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import commits
from engine.forges.errors import Moved
from engine.forges.mirror import Mirror
from engine.forges.trees import export, merge_tree, read_diff
from engine.git import Git, GitFailed
from tests.conftest import NOW
from tests.repositories import LINK, MODULE, SCRIPT, Repo, bare
from workspace.errors import LoopdeskError

GIT = Git.found()


@pytest.fixture
def origin(tmp_path: Path) -> Repo:
    repo = bare(tmp_path / "origin.git")
    repo.commit("main", {"calc.py": "def add(a, b):\n    return a - b\n", "README": "calc\n"})
    return repo


@pytest.fixture
def mirror(origin: Repo, tmp_path: Path) -> Mirror:
    found = Mirror.opened(tmp_path / "mirrors", str(origin.folder), GIT)
    found.fetch("main")
    return found


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def test_an_old_git_is_refused_in_a_sentence(tmp_path: Path):
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.2\n")
    old.chmod(0o755)
    with pytest.raises(LoopdeskError, match=r"git version 2\.30\.2.*2\.38 or newer"):
        Git.found(str(old))
    with pytest.raises(LoopdeskError, match="Cannot start git"):
        Git.found(str(tmp_path / "none"))


def test_a_fetch_brings_the_named_branches_alone(origin: Repo, mirror: Mirror):
    odd = "odd/ä@b+c=d;$(touch${IFS}x)"
    sha = origin.commit(odd, {"a": "1"})
    origin.commit("nested/main", {"b": "1"})
    assert mirror.fetch(odd, "none") == {odd: sha}
    names = mirror.run("for-each-ref", "--format=%(refname)").text.splitlines()
    assert sorted(names) == ["refs/remotes/origin/main", f"refs/remotes/origin/{odd}"]
    assert mirror.heads("main") == {"main": origin.head("main")}
    assert set(mirror.heads()) == {"main", odd, "nested/main"}


def test_a_branch_cannot_pass_for_another_by_its_name(origin: Repo, mirror: Mirror):
    main, evil = origin.head("main"), origin.commit("evil", {"calc.py": "evil\n"})
    for name in ("main\u2028x", "main\x85x"):
        origin.git("update-ref", f"refs/heads/{name}", evil)
    assert mirror.heads("main") == mirror.fetch("main") == {"main": main}
    assert mirror.heads()["main"] == mirror.fetch()["main"] == main
    assert mirror.fetch("main") == {"main": main}


def test_a_branch_that_was_deleted_is_gone_from_the_mirror_too(origin: Repo, mirror: Mirror):
    origin.git("update-ref", "-d", "refs/heads/main")
    assert mirror.fetch("main") == {}
    with pytest.raises(LoopdeskError, match="no commit"):
        mirror.commit("refs/remotes/origin/main")


def test_files_and_folders_are_the_owners_alone(mirror: Mirror):
    assert stat.S_IMODE(mirror.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(mirror.folder.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/a/b.git",
        "https://token@example.com/a/b.git",
        "https://u:p@example.com/a/b.git",
        "git://example.com/a",
        "ssh://example.com/a",
        "ext::sh -c touch% /tmp/x",
        "--upload-pack=touch x",
        "relative/folder",
        "http://127.0.0.1.example.com/a",
    ],
)
def test_an_address_that_could_run_or_leak_is_refused(address: str, tmp_path: Path):
    with pytest.raises(LoopdeskError, match="not an address") as caught:
        Mirror.opened(tmp_path / "mirrors", address, GIT)
    assert "token" not in str(caught.value).replace("nor a token", "")


def test_a_push_is_exactly_one_commit_to_one_branch_where_it_was_expected(origin: Repo, mirror: Mirror):
    first = origin.commit("work", {"calc.py": "one\n"}, origin.head("main"))
    second = origin.commit("work", {"calc.py": "two\n"})
    mirror.fetch("work")
    assert mirror.push(first, "loopdesk/fix", None)
    assert not mirror.push(first, "loopdesk/fix", None)
    assert mirror.push(second, "loopdesk/fix", first)
    assert origin.head("loopdesk/fix") == second
    with pytest.raises(Moved, match=f"stands at {second[:10]}"):
        mirror.push(origin.head("main"), "loopdesk/fix", first)
    with pytest.raises(Moved, match="is gone"):
        mirror.push(first, "loopdesk/other", second)
    assert origin.head("loopdesk/fix") == second
    assert set(mirror.heads()) == {"main", "work", "loopdesk/fix"}


def test_a_push_whose_answer_is_lost_is_looked_up_and_not_repeated(origin: Repo, mirror: Mirror, tmp_path: Path):
    sha = origin.head("main")
    calls = tmp_path / "calls"
    wrapper = tmp_path / "git"
    wrapper.write_text(
        f'#!/bin/sh\ngit "$@"; code=$?\ncase " $* " in *" push "*) echo push >> {calls}; exit 1;; esac\nexit $code\n'
    )
    wrapper.chmod(0o755)
    lost = Mirror(mirror.folder, mirror.remote, Git(str(wrapper)))
    assert lost.push(sha, "loopdesk/fix", None)
    assert calls.read_text().split() == ["push"]
    assert origin.head("loopdesk/fix") == sha


def test_nothing_of_the_environment_or_the_home_reaches_git(origin: Repo, mirror: Mirror, tmp_path: Path, monkeypatch):
    home = Path(os.environ["HOME"])
    trap = tmp_path / "trapped"
    (home / ".gitconfig").write_text(
        f'[url "{tmp_path}/elsewhere"]\n\tpushInsteadOf = {origin.folder}\n\tinsteadOf = {origin.folder}\n'
        f'[core]\n\tfsmonitor = "touch {trap}"\n\tattributesFile = {home}/attributes\n'
        f'[filter "x"]\n\tsmudge = "touch {trap}"\n\trequired\n[diff "x"]\n\ttextconv = "touch {trap}; cat"\n'
        f'\tcommand = "touch {trap}"\n'
    )
    (home / "attributes").write_text("* filter=x diff=x\n")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {trap}")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {trap}")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    sha = mirror.commit("refs/remotes/origin/main")
    assert mirror.push(sha, "loopdesk/fix", None)
    export(mirror, sha, tmp_path / "tree")
    monkeypatch.delenv("GIT_DIR")
    new = origin.commit("main", {"calc.py": "new\n"})
    mirror.fetch("main")
    assert read_diff(mirror, sha, new).files[0].path == "calc.py"
    assert origin.head("loopdesk/fix") == sha
    assert not trap.exists()


def test_the_hooks_and_settings_of_a_local_repository_do_not_run(origin: Repo, mirror: Mirror, tmp_path: Path):
    trap = tmp_path / "trapped"
    new = origin.commit("main", {"calc.py": "new\n"})  # before the hooks: the test's own git would run them
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction", "pre-auto-gc",
                 "proc-receive", "push-to-checkout", "fsmonitor-watchman"):  # fmt: skip
        origin.hook(name, f"touch {trap}; exit 1")
    other = bare(tmp_path / "other.git")
    (origin.folder / "objects" / "info" / "alternates").write_text(f"{other.folder}/objects\n")
    (tmp_path / "included").write_text(
        f'[core]\n\tfsmonitor = "touch {trap}"\n\talternateRefsCommand = "touch {trap}"\n'
        f'\tsshCommand = "touch {trap}"\n\thooksPath = {origin.folder}/hooks\n'
        f'[uploadpack]\n\tpackObjectsHook = "touch {trap}"\n[gc]\n\tauto = 1\n'
        f'[url "{tmp_path}/elsewhere"]\n\tpushInsteadOf = {origin.folder}\n'
    )
    with (origin.folder / "config").open("a") as config:
        config.write(f"[include]\n\tpath = {tmp_path}/included\n")
    assert mirror.fetch("main") == {"main": new}
    assert mirror.push(new, "loopdesk/fix", None)
    assert not trap.exists()


def test_an_export_is_files_and_nothing_of_git(origin: Repo, mirror: Mirror, tmp_path: Path):
    sha = origin.commit(
        "main",
        {
            ".gitattributes": "secret.txt export-ignore\nversion export-subst\n*.py filter=x\n",
            "secret.txt": "kept\n",
            "version": "$Format:%H$\n",
            "run.sh": (SCRIPT, "echo\n"),
            "deep/link": (LINK, "/etc/passwd"),
            "vendored": (MODULE, "1" * 40),
        },
    )
    mirror.fetch("main")
    export(mirror, sha, tmp_path / "tree")
    wanted = {"calc.py", "README", ".gitattributes", "secret.txt", "version", "run.sh", "deep/link"}
    assert listing(tmp_path / "tree") == wanted
    assert (tmp_path / "tree" / "version").read_text() == "$Format:%H$\n"
    assert (tmp_path / "tree" / "deep" / "link").is_symlink()
    assert os.access(tmp_path / "tree" / "run.sh", os.X_OK)
    assert list((tmp_path / "tree" / "vendored").iterdir()) == []
    assert [path.name for path in tmp_path.glob(".*.index")] == []


def test_no_file_is_written_through_a_link(mirror: Mirror, origin: Repo, tmp_path: Path):
    """A tree with a link and a folder of one name cannot be written by git; one that only looks like it has to be
    read as it is."""
    (tmp_path / "outside").mkdir()
    sha = origin.commit("main", {"a": (LINK, str(tmp_path / "outside")), "A/evil": "x\n"})
    mirror.fetch("main")
    export(mirror, sha, tmp_path / "tree")
    assert list((tmp_path / "outside").iterdir()) == []


def broken(origin: Repo, entry: bytes, name: str) -> None:
    """A tree that git would not make itself."""
    blob = origin.git("hash-object", "-w", "--stdin", given=b"[core]\n\tfsmonitor = touch x\n")
    raw = entry + b"\0" + bytes.fromhex(blob)
    tree = origin.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw)
    commit = origin.git("commit-tree", tree, given=b"A trap")
    origin.git("update-ref", f"refs/heads/{name}", commit)


@pytest.mark.parametrize(
    "entry", [b"100644 .git", b"100644 .GIT", b"100644 git~1", b"100644 ..", b"120000 .gitmodules"]
)
def test_a_tree_that_would_write_into_git_itself_is_not_let_in(entry: bytes, origin: Repo, mirror: Mirror):
    broken(origin, entry, "trap")
    with pytest.raises(GitFailed):
        mirror.fetch("trap")
    assert mirror.run("for-each-ref", "refs/remotes/origin/trap").text == ""


def test_a_small_pack_that_unfolds_without_end_is_not_written_out(
    origin: Repo, mirror: Mirror, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("engine.forges.trees.MOST_NAMES", 1 << 20)
    blob = origin.git("hash-object", "-w", "--stdin", given=b"x")
    tree, mode = blob, "100644 blob"
    for _ in range(10):
        lines = "".join(f"{mode} {tree}\tf{n:02}\n" for n in range(10))
        tree, mode = origin.git("mktree", given=lines.encode()), "040000 tree"
    bomb = origin.git("commit-tree", tree, "-p", origin.head("main"), given=b"Boom")
    origin.git("update-ref", "refs/heads/bomb", bomb)
    mirror.fetch("bomb")
    with pytest.raises(LoopdeskError, match="too large"):
        export(mirror, bomb, tmp_path / "tree")
    with pytest.raises(LoopdeskError, match="too large"):
        read_diff(mirror, origin.head("main"), bomb)
    assert not (tmp_path / "tree").exists()


def test_an_agents_work_becomes_one_commit_of_ours(origin: Repo, mirror: Mirror):
    base = origin.head("main")
    origin.commit("work", {"calc.py": "def add(a, b):\n    return 0\n"}, base, message="First")
    work = origin.commit("work", {"calc.py": "def add(a, b):\n    return a + b\n"}, message="Second")
    mirror.fetch("work")
    sha = commits.one_commit(mirror, work, base, "Fix add\n", NOW)
    assert commits.is_same(mirror, sha, work) and not commits.is_same(mirror, sha, base)
    (only,) = mirror.messages(base, sha)
    assert "Fix add" in only and "First" not in only and "ada@example.com" not in only
    assert mirror.file(sha, "calc.py") == b"def add(a, b):\n    return a + b\n"
    assert mirror.file(sha, "none.py") is None
    # What one mirror packs another one takes.
    other = Mirror.opened(mirror.folder.parent / "other", mirror.remote, mirror.git)
    other.fetch("main")
    assert commits.taken(other, commits.bundled(mirror, sha, base), base, "fix") == sha


def test_a_diff_is_read_into_files_hunks_and_lines(origin: Repo, mirror: Mirror):
    base = origin.commit("main", {"old name.py": "".join(f"line {n}\n" for n in range(20)), "link": (LINK, "README"),
                                  "gone": "x\n", "tool": "run\n"})  # fmt: skip
    head = origin.commit(
        "work",
        {
            "calc.py": "def add(a, b):\n    return a + b",
            "old name.py": None,
            "new\tname.py": "".join(f"line {n}\n" for n in range(19)) + "other\n",
            "link": "README\n",
            "gone": None,
            "tool": (SCRIPT, "run\n"),
            "blob": b"\0\1\2",
            "vendored": (MODULE, "1" * 40),
            "tricky": "@@ -1 +1 @@\ndiff --git a/x b/x\n--- a/x\n",
        },
        base,
    )
    mirror.fetch("main", "work")
    files = {file.path: file for file in read_diff(mirror, base, head).files}
    assert set(files) == {"calc.py", "new\tname.py", "link", "gone", "tool", "blob", "vendored", "tricky"}
    (hunk,) = files["calc.py"].hunks
    assert [(line.sign, line.old, line.new, line.ends) for line in hunk.lines] == [
        (" ", 1, 1, True),
        ("-", 2, None, True),
        ("+", None, 2, False),
    ]
    renamed = files["new\tname.py"]
    assert (renamed.status, renamed.old_path, renamed.added, renamed.removed) == ("renamed", "old name.py", 1, 1)
    assert renamed.hunks[0].new_start == 17
    assert files["link"].status == "retyped" and files["link"].is_symlink and len(files["link"].hunks) == 2
    assert files["gone"].status == "deleted" and files["gone"].new_size == 0
    assert files["tool"].mode_changed and files["tool"].hunks == ()
    assert files["blob"].is_binary and files["blob"].new_size == 3
    assert files["vendored"].is_submodule
    assert [line.text for line in files["tricky"].added_lines()] == [
        "@@ -1 +1 @@",
        "diff --git a/x b/x",
        "--- a/x",
    ]


def test_attributes_of_the_branch_hide_nothing_from_the_diff(origin: Repo, mirror: Mirror):
    base = origin.head("main")
    head = origin.commit("main", {".gitattributes": "* -diff -text binary diff=x\n", "calc.py": "evil\n"})
    mirror.fetch("main")
    files = {file.path: file for file in read_diff(mirror, base, head).files}
    assert [line.text for line in files["calc.py"].added_lines()] == ["evil"]
    assert not files["calc.py"].is_binary


def test_a_diff_that_is_too_large_is_listed_without_its_lines(origin: Repo, mirror: Mirror):
    base = origin.head("main")
    head = origin.commit("main", {"large": "x\n" * 5000})
    mirror.fetch("main")
    diff = read_diff(mirror, base, head, most=4000)
    assert not diff.is_whole
    assert (diff.files[0].path, diff.files[0].added, diff.files[0].hunks) == ("large", 5000, ())


def test_two_sides_are_merged_without_a_work_tree_and_conflicts_are_named(origin: Repo, mirror: Mirror):
    base = origin.head("main")
    one = origin.commit("one", {"calc.py": "one\n"}, base)
    two = origin.commit("two", {"calc.py": "two\n", "new": "x\n"}, base)
    three = origin.commit("three", {"README": "three\n"}, base)
    mirror.fetch("one", "two", "three")
    assert merge_tree(mirror, one, two).conflicts == ("calc.py",)
    merged = merge_tree(mirror, one, three)
    assert merged.conflicts == ()
    assert mirror.run("cat-file", "blob", f"{merged.tree}:README").text == "three"


def test_git_is_stopped_after_its_time_and_its_output(mirror: Mirror, tmp_path: Path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60 &\nwait\n")
    slow.chmod(0o755)
    with pytest.raises(GitFailed, match="too long"):
        Git(str(slow)).run("fetch", timeout_s=0.05)
    with pytest.raises(GitFailed, match="more than"):
        mirror.run("cat-file", "blob", "refs/remotes/origin/main:calc.py", most=3)


def test_many_at_once_want_the_same_repository(origin: Repo, tmp_path: Path):
    """Two reports are researched while a fix is watched: none of them is told that git was busy."""
    for number in range(5):
        origin.commit(f"branch{number}", {"a": f"{number}\n"})

    def fetched(_: int) -> dict[str, str]:
        return dict(Mirror.opened(tmp_path / "new", str(origin.folder), GIT).fetch())

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(fetched, range(6)))
    assert all(one == found[0] for one in found) and len(found[0]) == 6
