"""A repository on disk as the forge: propose, check, merge, and what others do to it meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.forges.ci import Ran
from engine.forges.errors import Conflict, Missing, Moved, Refused
from engine.forges.local import LocalForge
from engine.forges.mirror import Mirror
from engine.forges.protocol import Draft, Forge, standing
from engine.git import Git
from tests.repositories import Repo, bare, with_work_tree
from workspace.errors import LoopdeskError

GIT = Git.found()
NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
BRANCH = "loopdesk/fix-1"
DRAFT = Draft(BRANCH, "main", "Fix add", "It subtracted.")
TESTS = ("python3", "-c", "import calc; print('sum is', calc.add(2, 3)); assert calc.add(2, 3) == 5")


@dataclass
class Plain:
    """No jail: the code of these tests is their own."""

    runs: list[Path] = field(default_factory=list)

    def run(self, command: Sequence[str], folder: Path, timeout_s: float) -> Ran:
        self.runs.append(folder)
        assert not (folder / ".git").exists()
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Ran(None, b"")
        return Ran(done.returncode, done.stdout + done.stderr)


class NoJail:
    def run(self, command: Sequence[str], folder: Path, timeout_s: float) -> Ran:
        raise LoopdeskError("There is no jail on this machine", "Nothing was run")


@pytest.fixture
def origin(tmp_path: Path) -> Repo:
    repo = bare(tmp_path / "shop.git")
    repo.commit("main", {"calc.py": "def add(a, b):\n    return a - b\n", "README": "calc\n"})
    return repo


@pytest.fixture
def forge(origin: Repo, tmp_path: Path) -> LocalForge:
    return opened(origin, tmp_path)


def opened(repo: Repo, tmp_path: Path, **more: object) -> LocalForge:
    options = {"runner": Plain(), "now": lambda: NOW, "command": TESTS, **more}
    return LocalForge.opened(repo.folder, tmp_path / "mirrors", GIT, **options)  # type: ignore[arg-type]


def work(origin: Repo, forge: LocalForge, text: str = "def add(a, b):\n    return a + b\n") -> str:
    """A commit as it comes out of a jail: in our mirror, and not yet at the forge."""
    sha = origin.commit("scratch", {"calc.py": text}, origin.head("main"))
    forge.mirror.fetch("scratch", "main")
    origin.git("update-ref", "-d", "refs/heads/scratch")
    return sha


def proposed(origin: Repo, forge: LocalForge, **more: str) -> str:
    sha = work(origin, forge, **more)
    forge.push(forge.mirror, sha, BRANCH, None)
    forge.propose(DRAFT)
    return sha


def test_it_is_a_forge(forge: LocalForge):
    as_forge: Forge = forge
    found = as_forge.repository()
    assert (found.name, found.default_branch, found.can_push) == ("shop.git", "main", True)


def test_a_fix_goes_all_the_way(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    pull = forge.read(1)
    assert (pull.state, pull.head_sha, pull.mergeable, pull.title) == ("open", sha, True, "Fix add")
    assert forge.open_pulls() == (pull,)
    assert standing(forge.checks(sha)) == "pending"
    (check,) = forge.run_checks(sha)
    assert (check.state, check.summary) == ("passed", "sum is 5")
    assert standing(forge.checks(sha)) == "green"
    merged = forge.merge(1, sha, "Fix add (#1)")
    assert not merged.was_there and origin.head("main") == merged.sha
    assert origin.show("main", "calc.py").endswith("a + b")
    assert origin.git("log", "-1", "--format=%s|%P|%an", "main").split("|")[1].split()[1] == sha
    assert forge.read(1).state == "merged" and forge.open_pulls() == ()


def test_every_step_done_twice_happens_once(origin: Repo, forge: LocalForge, tmp_path: Path):
    sha = proposed(origin, forge)
    again = opened(origin, tmp_path)  # another process of the engine
    assert again.push(again.mirror, sha, BRANCH, None).was_there
    assert again.propose(DRAFT).was_there
    first = forge.comment(1, "r1-question", "Which sum?")
    assert again.comment(1, "r1-question", "Which sum?") == first
    assert again.comment(1, "r1-question-2", "And which?") != first
    assert len(again.conversation(1)) == 2
    forge.run_checks(sha)
    again.run_checks(sha)
    assert len(again.runner.runs) == 0  # type: ignore[attr-defined]
    merged = forge.merge(1, sha, "Fix add")
    assert again.merge(1, sha, "Fix add").was_there
    assert again.merge(1, sha, "Fix add").sha == merged.sha == origin.head("main")
    assert origin.git("rev-list", "--count", "main") == "3"
    assert again.propose(DRAFT).pull.state == "merged"


def test_a_merge_whose_record_was_lost_is_found_in_the_repository(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    before = forge._records.path.read_text()
    merged = forge.merge(1, sha, "Fix add")
    forge._records.path.write_text(before)  # killed between the two
    assert (forge.read(1).state, forge.read(1).merge_sha) == ("merged", merged.sha)
    assert forge.merge(1, sha, "Fix add").was_there
    assert origin.head("main") == merged.sha


def test_a_merge_by_hand_is_noticed(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    origin.git("update-ref", "refs/heads/main", sha)
    assert forge.read(1).state == "merged"
    assert forge.merge(1, sha, "Fix add").was_there


def test_a_push_by_somebody_else_is_noticed_and_never_fought(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    theirs = origin.commit(BRANCH, {"README": "mine\n"})
    assert forge.read(1).head_sha == theirs
    with pytest.raises(Moved, match="Somebody pushed"):
        forge.merge(1, sha, "Fix add")
    with pytest.raises(Moved):
        forge.push(forge.mirror, work(origin, forge, "x = 1\n"), BRANCH, sha)
    assert origin.head(BRANCH) == theirs and origin.git("rev-list", "--count", "main") == "1"


def test_a_deleted_branch_is_a_closed_proposal(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    assert forge.read(1).state == "closed"
    with pytest.raises(Refused, match="is closed"):
        forge.merge(1, sha, "Fix add")


def test_closing_is_kept_and_does_not_undo_a_merge(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    assert forge.close(1).state == "closed" and forge.close(1).state == "closed"
    origin.git("update-ref", "refs/heads/main", sha)
    assert forge.close(1).state == "merged"


def test_a_conflict_is_said_with_its_files_and_nothing_moves(origin: Repo, forge: LocalForge):
    sha = proposed(origin, forge)
    main = origin.commit("main", {"calc.py": "def add(a, b):\n    return sum((a, b))\n"})
    assert forge.read(1).mergeable is False
    with pytest.raises(Conflict, match=r"conflicts with main in calc\.py"):
        forge.merge(1, sha, "Fix add")
    assert origin.head("main") == main


def test_a_base_that_moves_during_the_merge_is_not_overwritten(origin: Repo, forge: LocalForge, monkeypatch):
    sha = proposed(origin, forge)
    push, moved = Mirror.push, []

    def meanwhile(mirror: Mirror, made: str, branch: str, expected: str | None) -> bool:
        moved.append(origin.commit("main", {"README": "moved\n"}))
        return push(mirror, made, branch, expected)

    monkeypatch.setattr(Mirror, "push", meanwhile)
    with pytest.raises(Moved):
        forge.merge(1, sha, "Fix add")
    assert origin.head("main") == moved[0]
    monkeypatch.undo()
    assert not forge.merge(1, sha, "Fix add").was_there
    assert origin.show("main", "README") == "moved" and origin.show("main", "calc.py").endswith("a + b")


def test_a_target_that_is_checked_out_is_refused_with_the_reason(tmp_path: Path):
    repo = with_work_tree(tmp_path / "shop")
    repo.commit("main", {"calc.py": "def add(a, b):\n    return a - b\n"})
    repo.git("reset", "-q", "--hard")
    forge = opened(repo, tmp_path)
    sha = proposed(repo, forge)
    before = repo.head("main")
    with pytest.raises(Refused, match=f"main is checked out in {repo.folder}.*git merge --no-ff {BRANCH}"):
        forge.merge(1, sha, "Fix add")
    assert repo.head("main") == before
    repo.git("config", "receive.denyCurrentBranch", "updateInstead")
    with pytest.raises(Refused):
        forge.merge(1, sha, "Fix add")
    repo.git("checkout", "-q", "-b", "elsewhere")
    repo.git("worktree", "add", "-q", str(tmp_path / "second"), "main")
    for one in (forge, opened(Repo(tmp_path / "second"), tmp_path)):  # also where the forge is the second work tree
        one.propose(DRAFT)
        with pytest.raises(Refused, match="second"):
            one.merge(1, sha, "Fix add")
    repo.git("worktree", "remove", str(tmp_path / "second"))
    merged = forge.merge(1, sha, "Fix add")
    assert repo.head("main") == merged.sha


def test_what_is_not_there_or_adds_nothing_is_not_proposed(origin: Repo, forge: LocalForge):
    with pytest.raises(Missing, match="no branch"):
        forge.propose(DRAFT)
    forge.mirror.fetch("main")
    forge.push(forge.mirror, origin.head("main"), BRANCH, None)
    with pytest.raises(Refused, match="adds nothing"):
        forge.propose(DRAFT)
    with pytest.raises(Missing, match="no proposal 7"):
        forge.read(7)
    assert forge.pull_request("loopdesk/other") is None


@pytest.mark.parametrize("branch", ["main", "loopdesk/../main", "loopdesk/x:main", "loopdesk/", "loopdesk/a b", "-x"])
def test_only_branches_of_proposals_are_pushed(branch: str, origin: Repo, forge: LocalForge):
    sha = work(origin, forge)
    with pytest.raises(Refused, match="not a branch of a proposal"):
        forge.push(forge.mirror, sha, branch, None)
    assert origin.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_red_checks_say_why_and_belong_to_their_commit_and_command(origin: Repo, forge: LocalForge, tmp_path: Path):
    sha = proposed(origin, forge, text="def add(a, b):\n    return abs(a) - b\n")
    (check,) = forge.run_checks(sha)
    assert check.state == "failed" and "Error" in check.summary
    assert standing(forge.checks(sha)) == "red"
    other = opened(origin, tmp_path, command=("true",))
    assert standing(other.checks(sha)) == "pending"
    assert standing(other.run_checks(sha)) == "green"
    none = opened(origin, tmp_path, command=())
    assert standing(none.run_checks(sha)) == "none"


def test_a_log_is_plain_and_its_end_is_kept(origin: Repo, tmp_path: Path):
    noisy = ("python3", "-c", "print('a' * 9000); print('\\x1b[31mred\\x1b[0m \\u202eend'); raise SystemExit(3)")
    forge = opened(origin, tmp_path, command=noisy)
    (check,) = forge.run_checks(proposed(origin, forge))
    assert check.summary.endswith("red end") and len(check.summary) <= 4000


def test_without_a_jail_nothing_is_run_and_nothing_is_red(origin: Repo, tmp_path: Path):
    forge = opened(origin, tmp_path, runner=NoJail())
    sha = proposed(origin, forge)
    with pytest.raises(LoopdeskError, match="no jail"):
        forge.run_checks(sha)
    assert standing(forge.checks(sha)) == "pending"
    assert [path.name for path in (tmp_path / "mirrors").glob("ci-*")] == []


def test_a_damaged_record_and_a_folder_without_a_repository_are_said(origin: Repo, forge: LocalForge, tmp_path: Path):
    proposed(origin, forge)
    forge._records.path.write_text('{"pulls": [')
    with pytest.raises(LoopdeskError, match="is damaged"):
        forge.read(1)
    with pytest.raises(LoopdeskError, match="not a git repository"):
        LocalForge.opened(tmp_path, tmp_path / "mirrors", GIT, Plain(), lambda: NOW)
