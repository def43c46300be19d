"""A git repository on this machine as the forge, bare or with a work tree: the whole loop without a network.

What is true is in the repository: a proposal is merged when its head is in the base branch, whoever merged it, so a
merge is always a merge commit. What git cannot hold (number, words, checks, comments) is a record beside our mirror.
The repository's own hooks do not run: what they would do for its owner, they would do for an agent's work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from engine.forges.ci import Runner, ran
from engine.forges.errors import Conflict, Missing, Moved, Refused
from engine.forges.mirror import Mirror
from engine.forges.protocol import (
    Check,
    Comment,
    Draft,
    Merged,
    Opened,
    PullRequest,
    Pushed,
    Repository,
    chosen,
    marker,
    ours,
)
from engine.forges.records import Record, Records
from engine.forges.trees import merge_tree
from engine.git import Git
from workspace.errors import LoopdeskError
from workspace.text import plain

IDENTITY = ("loopdesk", "loopdesk@localhost")


@dataclass(frozen=True, slots=True)
class LocalForge:
    """`command` is the workspace's CI command, empty where there is none. One engine uses it, from several threads."""

    mirror: Mirror
    runner: Runner
    now: Callable[[], datetime]
    command: Sequence[str] = ()
    identity: tuple[str, str] = IDENTITY
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @classmethod
    def opened(
        cls,
        repository: Path,
        mirrors: Path,
        git: Git,
        runner: Runner,
        now: Callable[[], datetime],
        command: Sequence[str] = (),
    ) -> LocalForge:
        """Raises `LoopdeskError` where there is no repository."""
        folder = repository.expanduser().absolute()
        if not (folder / ".git").exists() and not (folder / "HEAD").is_file():
            raise LoopdeskError(f"{folder} is not a git repository", "Proposals are branches of one")
        return cls(Mirror.opened(mirrors, str(folder), git), runner, now, tuple(command))

    @property
    def name(self) -> str:
        return self.mirror.remote

    @property
    def _records(self) -> Records:
        return Records(self.mirror.folder.with_suffix(".json"))

    def repository(self) -> Repository:
        return Repository(Path(self.name).name, self.name, self.mirror.default_branch(), can_push=True)

    def push(self, mirror: Mirror, sha: str, branch: str, expected: str | None) -> Pushed:
        return Pushed(branch, sha, was_there=not mirror.push(sha, ours(branch), expected))

    def pull_request(self, branch: str) -> PullRequest | None:
        with self._lock:
            return chosen(self._seen(record) for record in self._records.read() if record.branch == branch)

    def open_pulls(self) -> tuple[PullRequest, ...]:
        with self._lock:
            found = [self._seen(record) for record in self._records.read() if not record.merge_sha]
            return tuple(pull for pull in found if pull.state == "open")

    def read(self, number: int) -> PullRequest:
        with self._lock:
            return self._seen(self._record(number))

    def propose(self, draft: Draft) -> Opened:
        with self._lock:
            ours(draft.branch)
            if found := self.pull_request(draft.branch):
                return Opened(found, was_there=True)
            there = self.mirror.fetch(draft.branch, draft.base)
            for branch in (draft.branch, draft.base):
                if branch not in there:
                    raise Missing(f"{self.name} has no branch {plain(branch, 80)}", "There is nothing to propose")
            head = there[draft.branch]
            if self.mirror.is_ancestor(head, there[draft.base]):
                raise Refused(f"{draft.branch} adds nothing to {draft.base}", "There is nothing to propose")
            number = max((record.number for record in self._records.read()), default=0) + 1
            record = Record(number, draft.branch, draft.base, draft.title, draft.body, head, self.now())
            self._records.save(record)
            return Opened(self._seen(record))

    def checks(self, sha: str) -> tuple[Check, ...]:
        if not self.command:
            return ()
        with self._lock:
            return (self._records.check(sha, self.command) or Check("ci", "pending"),)

    def run_checks(self, sha: str) -> tuple[Check, ...]:
        if not self.command or self._records.check(sha, self.command):
            return self.checks(sha)
        check = ran(self.mirror, sha, self.command, self.runner)
        with self._lock:
            self._records.save_check(sha, self.command, check)
        return (check,)

    def conversation(self, number: int) -> tuple[Comment, ...]:
        with self._lock:
            return self._record(number).comments

    def comment(self, number: int, key: str, body: str) -> Comment:
        with self._lock:
            record = self._record(number)
            line = marker(key)
            if found := next((one for one in record.comments if line in one.body), None):
                return found
            text = f"{body}\n\n{line}"
            id = f"comment-{number}-{len(record.comments) + 1}"
            comment = Comment(id, "comment", self.identity[0], "OWNER", text, self.now(), is_ours=True)
            self._records.save(replace(record, comments=(*record.comments, comment)))
            return comment

    def merge(self, number: int, sha: str, title: str) -> Merged:
        """By a merge commit that is made in our mirror; then the base branch moves, if it is where it was read."""
        with self._lock:
            record = self._record(number)
            pull = self._seen(record)
            if pull.state == "merged":
                return Merged(pull.merge_sha, was_there=True)
            if pull.state == "closed":
                raise Refused(f"Proposal {number} is closed", "Its branch or its record says so")
            if pull.head_sha != sha:
                raise Moved(
                    f"{pull.branch} stands at {pull.head_sha[:10]} and not at {sha[:10]}",
                    "Somebody pushed after it was shown",
                    "Look at the new change first",
                )
            self._refuse_checked_out(pull)
            base = self.mirror.commit(f"refs/remotes/origin/{pull.base}")
            merged = merge_tree(self.mirror, base, sha)
            if merged.conflicts:
                raise Conflict(
                    f"{pull.branch} conflicts with {pull.base} in {_some(merged.conflicts)}",
                    "Both changed the same lines",
                    "Bring the branch up to date",
                )
            made = self._commit(merged.tree, base, sha, f"{title}\n\nMerges {pull.branch}.\n")
            self.mirror.push(made, pull.base, base)
            self._records.save(replace(self._record(number), merge_sha=made, head_sha=sha))
            return Merged(made)

    def close(self, number: int) -> PullRequest:
        with self._lock:
            pull = self.read(number)
            if pull.state == "open":
                self._records.save(replace(self._record(number), is_closed=True))
            return self.read(number)

    def _record(self, number: int) -> Record:
        found = next((record for record in self._records.read() if record.number == number), None)
        if found is None:
            raise Missing(f"{self.name} has no proposal {number}")
        return found

    def _seen(self, record: Record) -> PullRequest:
        """As the repository has it now."""
        there = self.mirror.fetch(record.branch, record.base)
        head = there.get(record.branch, record.head_sha)
        base = there.get(record.base, "")
        if head != record.head_sha and not record.merge_sha:
            self._records.save(replace(record, head_sha=head))
        merge_sha = record.merge_sha
        pull = PullRequest(record.number, "open", record.branch, record.base, head, record.title, url="")
        if merge_sha or (base and self.mirror.is_ancestor(head, base)):
            merge_sha = merge_sha or self._merged_by(head, base)
            return replace(pull, state="merged", merge_sha=merge_sha, head_sha=head)
        if record.is_closed or record.branch not in there or not base:
            return replace(pull, state="closed")
        return replace(pull, mergeable=not merge_tree(self.mirror, base, head).conflicts)

    def _merged_by(self, head: str, base: str) -> str:
        """The commit that brought `head` to the base branch: ours after a lost answer, or somebody's own merge."""
        since = self.mirror.run("rev-list", "--first-parent", "--ancestry-path", f"{head}..{base}").lines
        return since[-1] if since else head

    def _commit(self, tree: str, base: str, head: str, message: str) -> str:
        name, mail = self.identity
        at = f"{int(self.now().timestamp())} +0000"
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", name), ("EMAIL", mail), ("DATE", at))}  # fmt: skip
        done = self.mirror.run("commit-tree", tree, "-p", base, "-p", head, given=message.encode(), more=who)
        return done.text

    def _refuse_checked_out(self, pull: PullRequest) -> None:
        """A branch that moves under a work tree leaves it looking as if everything had been undone by hand."""
        folder = Path(self.name)
        repository = folder / ".git" if (folder / ".git").exists() else folder
        listed = self.mirror.git.run("worktree", "list", "--porcelain", "-z", repository=repository).out
        for block in listed.decode("utf-8", "backslashreplace").split("\0\0"):
            fields = dict(line.partition(" ")[::2] for line in block.split("\0"))
            if fields.get("branch") == f"refs/heads/{pull.base}":
                raise Refused(
                    f"{pull.base} is checked out in {plain(fields.get('worktree', ''), 120)}",
                    "Merged under it, its files would look like changes that undo the merge",
                    f"Check out another branch there, or merge by hand: git merge --no-ff {pull.branch}",
                )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(plain(name, 80) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
