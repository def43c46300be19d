"""What a forge is to the engine: a place with branches, pull requests, checks and comments.

Every effect may be asked for twice, by a step that ran again or an answer that was lost. So each has a natural key, is
looked up before it is done, and after a lost answer is looked up again instead of repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from engine.forges.errors import Refused
from engine.forges.mirror import Mirror
from workspace.text import plain

PREFIX = "loopdesk/"  # no branch outside of it is ever pushed
_BRANCH = re.compile(re.escape(PREFIX) + r"[a-z0-9][a-z0-9-]{0,80}")
_TRUSTED = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})

State = Literal["open", "merged", "closed"]
CheckState = Literal["pending", "passed", "failed", "skipped"]
Standing = Literal["none", "pending", "red", "green"]


@dataclass(frozen=True, slots=True)
class Repository:
    name: str
    url: str
    default_branch: str
    can_push: bool


@dataclass(frozen=True, slots=True)
class PullRequest:
    """`mergeable` is None while the forge has not worked it out. `merge_sha` is empty until merged, and where someone
    merged it by hand."""

    number: int
    state: State
    branch: str
    base: str
    head_sha: str
    title: str
    url: str
    mergeable: bool | None = None
    is_draft: bool = False
    merge_sha: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """`summary` is what CI says, plain and clipped: data, from whoever wrote the branch."""

    name: str
    state: CheckState
    url: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """In a pull request's conversation. `kind`: comment, line (on one of the diff) or review. `verdict` of a review:
    approved, changes_requested; else empty. `association` is GitHub's word for the author."""

    id: str
    kind: Literal["comment", "line", "review"]
    author: str
    association: str
    body: str
    at: datetime
    path: str = ""
    line: int | None = None
    verdict: str = ""
    is_ours: bool = False

    @property
    def is_trusted(self) -> bool:
        """Whether the author is one whose words may start work."""
        return self.association in _TRUSTED


@dataclass(frozen=True, slots=True)
class Draft:
    """A pull request to be. Its natural key is `branch`."""

    branch: str
    base: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """`was_there` where the branch already stood at `sha`."""

    branch: str
    sha: str
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """`was_there` where the pull request was found and adopted, in whatever state."""

    pull: PullRequest
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """`was_there` where it had been merged before. `sha` is the commit on the base branch, empty where not known."""

    sha: str
    was_there: bool = False


class Forge(Protocol):
    """All methods block, and raise `LoopdeskError`, mostly one of the above."""

    @property
    def name(self) -> str: ...

    @property
    def mirror(self) -> Mirror:
        """Ours of it."""

    def repository(self) -> Repository: ...

    def push(self, mirror: Mirror, sha: str, branch: str, expected: str | None) -> Pushed:
        """Exactly `sha` to `branch`, if it stands at `expected` (None: if there is none yet)."""

    def pull_request(self, branch: str) -> PullRequest | None:
        """Of this head branch, in any state: the open one, else the merged one, else the newest."""

    def open_pulls(self) -> tuple[PullRequest, ...]:
        """Everybody's: one of them may be about the same thing."""

    def read(self, number: int) -> PullRequest: ...

    def propose(self, draft: Draft) -> Opened: ...

    def checks(self, sha: str) -> tuple[Check, ...]:
        """What is known now."""

    def run_checks(self, sha: str) -> tuple[Check, ...]:
        """As `checks`, after a forge without CI of its own has run the configured command, which may take minutes."""

    def conversation(self, number: int) -> tuple[Comment, ...]:
        """Oldest first."""

    def comment(self, number: int, key: str, body: str) -> Comment:
        """Once for each `key`, however often it is asked for."""

    def merge(self, number: int, sha: str, title: str) -> Merged:
        """If its head is `sha`."""

    def close(self, number: int) -> PullRequest:
        """Without merging it. One that is merged or closed stays as it is."""


def standing(checks: Iterable[Check]) -> Standing:
    """Red as soon as one failed; green only where something passed, and all has ended."""
    states = {check.state for check in checks}
    if "failed" in states:
        return "red"
    if "pending" in states:
        return "pending"
    return "green" if "passed" in states else "none"


def chosen(pulls: Iterable[PullRequest]) -> PullRequest | None:
    """Of several with one head branch."""
    order: Mapping[str, int] = {"open": 0, "merged": 1, "closed": 2}
    return min(pulls, key=lambda pull: (order[pull.state], -pull.number), default=None)


def ours(branch: str) -> str:
    """`branch`, if it is one that proposals use: it becomes part of a refspec and of addresses. Raises `Refused`."""
    if not _BRANCH.fullmatch(branch):
        raise Refused(
            f"{plain(branch, 80)!r} is not a branch of a proposal",
            f"Those are called {PREFIX}, then small letters, digits and hyphens",
        )
    return branch


def marker(key: str) -> str:
    """The line by which a comment of ours is found again; invisible where Markdown is drawn."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", key):
        raise ValueError(f"not a key: {key!r}")
    return f"<!-- loopdesk:{key} -->"
