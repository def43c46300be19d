"""What the engine does at a forge while others are at it too: no agent and no jail, a real repository and mirror."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import commits
from engine.babysitting import Seen, observed
from engine.blobs import FolderBlobs
from engine.delivering import Delivering, Forges
from engine.forges.local import LocalForge
from engine.forges.protocol import Check, Draft, Merged, PullRequest
from engine.git import Git
from engine.main import Engine, Parts
from engine.model import Job, Proposal
from engine.rules.judge import RulesJudge
from engine.store import Store
from engine.watching import Watching
from tests.conftest import NOW
from tests.engines import READY, Desk, answers, place_by_project, signal
from tests.repositories import Repo, bare
from tests.test_forge_local import Plain
from workspace.config import Config

FILES = {"calc.py": "def add(a, b):\n    return a - b\n"}
RIGHT = {"calc.py": "def add(a, b):\n    return a + b\n"}
GIT = Git.found()


@dataclass(frozen=True, slots=True)
class Meddled:
    """A forge at which somebody does something right before an effect."""

    forge: LocalForge
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    base: str = ""
    """Where its pull requests lead now, if somebody has changed it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.forge, name)

    def read(self, number: int) -> PullRequest:
        pull = self.forge.read(number)
        return replace(pull, base=self.base) if self.base else pull

    def open_pulls(self) -> tuple[PullRequest, ...]:
        self.before.get("push", lambda: None)()
        return self.forge.open_pulls()

    def checks(self, sha: str) -> tuple[Check, ...]:
        found = self.forge.checks(sha)
        self.before.get("merge", lambda: None)()
        return found

    def propose(self, draft: Draft) -> Any:
        opened = self.forge.propose(draft)
        self.before.get("answer", lambda: None)()
        return opened

    def merge(self, number: int, sha: str, title: str) -> Merged:
        return self.forge.merge(number, sha, title)


class Shop(Desk):
    """`files` is what its fixes change; a fix is made of a commit in the mirror, as the work of an agent is."""

    def __init__(self, folder: Path, repo: Repo, command: tuple[str, ...] = ("true",)) -> None:
        super().__init__(folder)
        self.repo, self.files, self.said = repo, RIGHT, dict[str, object]()
        self.config = Config(
            workspace_dir=str(folder), repositories={"code": {"path": str(repo.folder), "ci": list(command)}}
        )
        self.blobs = FolderBlobs(self.workspace.blobs)
        forge = LocalForge.opened(repo.folder, self.workspace.mirrors, GIT, Plain(), lambda: self.now, command)
        self.forge = Meddled(forge)
        self.handlers = {**answers(READY), "fix": self.fix}

    async def fix(self, job: Job) -> Mapping[str, object]:
        proposal, mirror = self.proposal(), self.forge.mirror
        base = proposal.base_sha or mirror.fetch("main")["main"]
        parent = str(proposal.change.get("sha") or base)
        sha = self.commit(parent, self.files, str(self.said.get("message", "Mend it\n")))
        change = {
            "sha": sha,
            "base_sha": base,
            "base": "main",
            "bundle": self.blobs.put(commits.bundled(mirror, sha, base)),
        }
        change |= {"diff": "c" * 64, "files": 1, "added": 1, "removed": 1, "title": "Mend it", "why": "", "how": ""}
        branch = f"loopdesk/fix-{job.proposal_id.lower()}"
        return {"change": {**change, "untested": "", **self.said}, "repository": "code", "branch": branch}

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        made = self.repo.commit("scratch", dict(files), parent)
        self.forge.mirror.fetch("scratch")
        self.repo.git("update-ref", "-d", "refs/heads/scratch")
        return commits.one_commit(self.forge.mirror, made, parent, message, NOW)

    def turn(self) -> Any:
        store = Store.open(self.workspace.inbox_db)
        forges = Forges(self.config, lambda: None, lambda: self.now)  # type: ignore[arg-type, return-value]
        forges.of = lambda name, loop: self.forge  # type: ignore[assignment, method-assign, return-value]
        judge = RulesJudge()
        delivering = Delivering(self.config, forges, self.blobs, judge, lambda: self.now)
        try:
            handlers = {**delivering.handlers, **self.handlers}
            engine = Engine(store, Parts((place_by_project, Watching(forges, judge)), handlers), clock=lambda: self.now)
            asyncio.run(engine.once())
            return engine.done
        finally:
            store.close()

    def proposal(self) -> Proposal:
        found = self.inbox.report(self.report().id)
        assert found is not None and found.listed.proposal is not None
        return found.listed.proposal

    def has(self, state: str) -> Proposal:
        proposal = self.proposal()
        assert proposal.state == state, (proposal.state, proposal.said, [job.error for job in self.inbox.jobs()])
        return proposal

    def waits(self, **time: float) -> None:
        self.later(**time)
        self.turn()

    def starts(self) -> Proposal:
        self.comes(signal("crash"))
        self.turn()
        self.applied("approve", self.report(), expect="start")
        return self.proposal()

    def merges(self, **more: object) -> None:
        seen = {"now": self.now, "seen_sha": self.proposal().head_sha}
        self.inbox.submit(self.inbox.command("approve", self.report().id, {"expect": "merge", **more}, **seen))  # type: ignore[arg-type]
        self.waits(seconds=11)

    def decided_meanwhile(self, verb: str, while_: str = "deliver", **arguments: object) -> Callable[[], None]:
        """While a thread of the engine is at the forge for that kind of job: applied before it goes on."""

        def decide() -> None:
            if not any(job.kind == while_ and job.state == "running" for job in self.inbox.jobs()):
                return
            self.forge.before.clear()
            command = self.decides(verb, self.report(), **arguments)
            store = Store.open(self.workspace.inbox_db)
            from engine import commands

            store.apply(command.id, commands.decide, self.now)
            store.close()

        return decide


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = bare(tmp_path / "code.git")
    made.commit("main", FILES)
    return made


@pytest.fixture
def shop(tmp_path: Path, repo: Repo) -> Iterator[Shop]:
    one = Shop(tmp_path / "w", repo)
    yield one
    one.close()


def branches(repo: Repo) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()


class TestWhatIsNotWantedAnyMore:
    def test_a_report_declined_while_its_change_is_delivered_is_not_pushed(self, shop: Shop, repo: Repo):
        shop.forge.before["push"] = shop.decided_meanwhile("decline", reason="other")
        shop.starts()
        shop.waits(minutes=1)
        assert shop.has("closed") and branches(repo) == ["main"]

    def test_a_pull_request_whose_answer_came_too_late_is_closed(self, shop: Shop):
        shop.forge.before["answer"] = shop.decided_meanwhile("decline", reason="other")
        shop.starts()
        shop.waits(minutes=1)
        assert shop.has("closed").is_closed_there
        assert shop.forge.read(1).state == "closed"

    def test_a_merge_taken_back_while_the_forge_is_asked(self, shop: Shop, repo: Repo):
        shop.starts()
        before = repo.head("main")
        shop.has("green")
        shop.forge.before["merge"] = shop.decided_meanwhile("decline", "merge", reason="other")
        shop.merges()
        shop.waits(minutes=1)
        assert repo.head("main") == before and shop.has("closed")


class TestWhatOthersDid:
    def test_a_pull_request_that_leads_elsewhere_now_is_not_merged(self, shop: Shop, repo: Repo):
        repo.git("branch", "production", "main")
        shop.starts()
        shop.has("green")
        shop.forge = replace(shop.forge, base="production")
        shop.merges()
        assert shop.proposal().state != "merged"
        shop.waits(minutes=5)
        waits = shop.has("waiting_for_you")
        assert waits.waits_for == "hand" and "production" in waits.said

    def test_merged_by_hand_while_another_round_is_made(self, shop: Shop, repo: Repo):
        shop.starts()
        merged = shop.has("green").head_sha

        async def fix(job: Job) -> Mapping[str, object]:
            repo.git("update-ref", "refs/heads/main", merged)
            return await shop.fix(job)

        shop.files, shop.handlers["fix"] = {"calc.py": "def add(a, b):\n    return b + a\n"}, fix
        assert shop.applied("request_changes", shop.report(), note="The other way round").applied_at
        assert shop.has("merged") and shop.report().status == "resolved"
        assert repo.head(shop.proposal().branch) == merged  # nothing is pushed to it any more

    def test_a_failed_one_that_was_merged_by_hand(self, shop: Shop, repo: Repo):
        shop.starts()
        head = shop.has("green").head_sha
        shop.said = {"sha": "d" * 40}
        assert shop.applied("request_changes", shop.report(), note="Again").applied_at
        for _ in range(3):
            shop.waits(minutes=10)
        shop.has("failed")
        repo.git("update-ref", "refs/heads/main", head)
        shop.waits(minutes=10)
        assert shop.has("merged") and shop.report().status == "resolved"


def pull(**more: Any) -> PullRequest:
    return replace(PullRequest(1, "open", "loopdesk/fix-p1", "main", "a" * 40, "Mend it", ""), **more)


def test_a_failed_one_that_is_closed_there_declines_nothing():
    failed = Proposal("P1", "R1", NOW, NOW, "failed", number=1, base="main", head_sha="a" * 40)
    (saved,) = observed(failed, Seen(pull(state="closed"), ()), NOW + timedelta(minutes=1))
    assert saved.proposal.state == "failed" and saved.proposal.is_closed_there  # type: ignore[union-attr]
