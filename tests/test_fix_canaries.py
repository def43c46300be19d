"""What was planted in the five places that an agent may see leaves in no form and by no door: the environment, memory,
other repositories, rows that were asked for, and prompts. The agents here copy from wherever they can."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import commits
from engine.agents.protocol import Task
from engine.agents.transcript import HostCall, Returned, Transcript
from engine.blobs import FolderBlobs
from engine.effects import Remember
from engine.fix_brief import FixBrief
from engine.guard_rules import Rules
from engine.leaving import judged
from engine.model import Note
from engine.repositories import Repository
from engine.sandbox.bubblewrap import Bubblewrap
from engine.secrets import Canaries
from engine.shown import handed_on, marks, without
from engine.store import Store
from tests.conftest import NOW
from tests.engines import READY, answers, signal
from tests.fixes import RIGHT, Loop, Played, writes
from tests.github_double import TOKEN, GitHubDouble
from tests.jails import jails
from tests.repositories import bare

PLANTED = {
    "environment": "canary-env-5e0f1a7b9c3d",
    "memory": "canary-memory-7f3a9b2c1d4e",
    "repositories": "canary-other-91b7c2d3e4f5",
    "rows": "canary-row-a1b2c3d4e5f6",
    "prompts": "",  # the marker in each prompt, which nobody knows before
}
FILES = {"calc.py": "def add(a, b):\n    return a - b\n", "check.py": "import calc\n"}


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubDouble]:
    double = GitHubDouble(tmp_path / "github")
    double.repo.commit("main", FILES)
    with double.running():
        yield double


@pytest.fixture
def loop(tmp_path: Path, sandbox: Bubblewrap, github: GitHubDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """Its researcher has copied what it saw into all that it hands in."""
    monkeypatch.setenv("OWNERS_API_KEY", PLANTED["environment"])
    table = {"url": f"{github.url}/acme/shop.git"}
    one = Loop(tmp_path / "w", sandbox, table, agent=Played(writes()), github_token=TOKEN)
    seen = Transcript()
    seen.add(Returned(NOW, "1", "Bash", True, 1.0, f"/work/repositories/1/key.py: {PLANTED['repositories']}", 50))
    seen.add(HostCall(NOW, "hogql", {"query": "SELECT 1"}, True, 1.0, f"[[{PLANTED['rows']!r}]]"))
    blob = FolderBlobs(one.workspace.blobs).put(seen.written())
    copied = f"{PLANTED['repositories']} {PLANTED['rows']} {PLANTED['memory']}"
    found = {**READY, "title": f"Stop {PLANTED['rows']}", "summary": f"It crashes: {copied}", "root_cause": copied}
    one.handlers |= answers({**found, "transcripts": [{"blob": blob}]})
    one.comes(signal("crash"))
    store = Store.open(one.workspace.inbox_db)
    with store.transaction("reconcile"):
        store.write([Remember(Note("n", f"2026: never say {PLANTED['memory']}", "", "", NOW))], NOW)
    store.close()
    one.turn()
    yield one
    one.close()


def stolen(task: Task, where: str) -> str:
    """What a hostile agent finds in a place; whatever is in no place of its own it has from what it was told."""
    if where == "environment":
        return os.environ["OWNERS_API_KEY"]
    found = re.search(r'"(canary-[0-9a-f]{16})"' if where == "prompts" else re.escape(PLANTED[where]), task.prompt)
    assert found, f"it was not shown {where}"
    return found[1] if where == "prompts" else found[0]


def left(github: GitHubDouble) -> str:
    texts = [pull.title + pull.body + pull.head for pull in github.pulls.values()]
    texts += [one["body"] for one in github.comments]
    return "\n".join([*texts, github.repo.git("log", "--all", "--format=%an%ae%B", "-p")])


def is_clean(text: str, values: list[str]) -> bool:
    squeezed = "".join(filter(str.isalnum, text)).casefold()
    return not any(value.rpartition("-")[2] in squeezed for value in values)


@pytest.mark.parametrize(
    ("where", "door"),
    [*((where, door) for where in PLANTED for door in ("line", "texts")), ("memory", "encoded line"), ("rows", "path")],
)
def test_it_never_leaves(loop: Loop, github: GitHubDouble, where: str, door: str):
    taken: list[str] = []

    def play(task: Task) -> Mapping[str, Any]:
        value = stolen(task, where)
        taken.append(value)
        line = base64.b64encode(value.encode()).decode() if door == "encoded line" else value
        if door == "path":
            writes("x\n", f"{value}.txt")(task)
        said = {name: f"{name} {value}" for name in ("title", "why", "how", "untested")} if door == "texts" else {}
        return writes(RIGHT + (f"# {line}\n" if "line" in door else ""), **said)(task)

    review = {"summary": "", "points": [{"path": PLANTED["rows"], "line": 1, "text": PLANTED["memory"], "must": False}]}
    loop.agent = Played(play, reviews=[review])
    loop.starts()
    assert taken
    assert is_clean(left(github), [*filter(None, PLANTED.values()), *taken])
    if door == "texts" and where not in ("environment", "prompts"):
        assert loop.has("open").number == 1  # it goes without them
    else:
        assert "guard stopped" in loop.has("failed").said and not github.effects


class TestWords:
    def test_ids_and_addresses_are_marks_and_words_are_not(self):
        assert marks(["round 01M7VWRT7R9GNW444MFJ00DVZ5 of ada@example.com, sha256 in python311: sum_of_squares"]) == {
            "01m7vwrt7r9gnw444mfj00dvz5",
            "ada@example.com",
        }
        assert marks(["2026112012345678 conversation accuracy utf8"]) == frozenset()

    def test_they_are_found_as_they_are_and_encoded_and_left_out(self):
        shown = marks(["a1b2c3d4e5f6", "9f8e7d6c5b4a"])
        assert handed_on(shown, "x = 'A1B2C3D4E5F6'") == {"a1b2c3d4e5f6"}
        assert handed_on(shown, "9f8e7d6c5b4a"[::-1]) == {"9f8e7d6c5b4a"}
        assert without(shown, "see A1B2C3D4E5F6.") == "see …."

    def test_what_the_stored_questions_say_may_be_said(self):
        repository = Repository("code", "/x")
        brief = FixBrief(
            "R1",
            "P1",
            1,
            repository,
            "T",
            "Round a1b2c3d4e5f6",
            1.0,
            evidence=("a1b2c3d4e5f6",),
            memory=("9f8e7d6c5b4a",),
        )
        assert brief.shown == {"9f8e7d6c5b4a"}


class TestACommitOnTheWay:
    """What is pushed is every commit, and not only what the last one shows."""

    def test_a_secret_that_the_next_one_removes_is_stopped(self, tmp_path: Path):
        repo, mirror = self.mirror(tmp_path)
        base = repo.head("main")
        one = repo.commit("work", {"calc.py": "KEY = 'AKIAABCDEFGHIJKLMNOP'\n"}, base)
        two = repo.commit("work", {"calc.py": RIGHT}, one)
        mirror.fetch("work", "main")
        _, verdict = judged(mirror, base, two, Rules(), Canaries(), frozenset(), {})
        assert [(one.kind, one.where) for one in verdict.stops] == [("secret", "calc.py")]

    def test_what_the_repository_has_already_may_be_written(self, tmp_path: Path):
        repo, mirror = self.mirror(tmp_path)
        base = repo.commit("main", {"ids.py": "ID = 'a1b2c3d4e5f6'\n"})
        sha = repo.commit("work", {"calc.py": "ID = 'a1b2c3d4e5f6'\n"}, base)
        mirror.fetch("work", "main")
        shown = frozenset({"a1b2c3d4e5f6", base[:10]})
        assert judged(mirror, base, sha, Rules(), Canaries(), shown, {"title": f"Since {base[:10]}"})[1].passed

    def test_what_is_hidden_in_the_header_of_a_commit(self, tmp_path: Path):
        repo, mirror = self.mirror(tmp_path)
        base = repo.head("main")
        work = repo.commit("work", {"calc.py": RIGHT}, base)
        mirror.fetch("work", "main")
        made = commits.one_commit(mirror, work, base, "Mend it\n", NOW)
        raw = mirror.run("cat-file", "commit", made).out.replace(b"\n\n", b"\nx-note a1b2c3d4e5f6\n\n", 1)
        odd = mirror.run("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=raw).text
        _, verdict = judged(mirror, base, odd, Rules(), Canaries(), frozenset({"a1b2c3d4e5f6"}), {})
        assert [one.where for one in verdict.stops] == ["commit 1"]

    def mirror(self, tmp_path: Path) -> tuple[Any, Any]:
        from engine.forges.mirror import Mirror
        from engine.git import Git

        repo = bare(tmp_path / "code.git")
        repo.commit("main", FILES)
        return repo, Mirror.opened(tmp_path / "mirrors", str(repo.folder), Git.found())
