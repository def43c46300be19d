"""Repositories as a researching agent is shown them: each at one commit of our mirror, in a clone that is thrown
away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engine.forges.errors import ForgeError
from engine.forges.mirror import Mirror
from engine.git import Git, GitFailed
from engine.judge import Unavailable
from engine.repositories import Repository
from engine.sandbox.bundles import fill_clone
from engine.sandbox.folders import run_folder
from engine.sandbox.protocol import CLONE, Sandbox
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_REPOSITORIES = 4
"""That one agent is shown; of more, the configuration has to pin one."""
_OTHERS = "/jail/repositories"
_MOST_CODE = 4 << 20  # bytes of a file whose lines are counted


@dataclass(frozen=True, slots=True)
class Checkout:
    """`branch` at `sha`. `clone` is its folder on the host, `within` where that is in the jail; the clone is the
    jail's, and whatever is asked of the code is asked of the mirror."""

    repository: Repository
    mirror: Mirror
    branch: str
    sha: str
    clone: Path = Path()
    within: str = CLONE


@dataclass(frozen=True, slots=True)
class Checkouts:
    """`engine.findings.Code`. The first is what an answer that names none is about."""

    all: Sequence[Checkout]

    def __getitem__(self, name: str) -> Checkout:
        return next((one for one in self.all if one.repository.name == name), self.all[0])

    def lines(self, repository: str, path: str) -> int | None:
        one = self[repository]
        try:
            content = one.mirror.file(one.sha, path, _MOST_CODE)
        except GitFailed:
            return _MOST_CODE  # it is there, and too long to be counted
        return None if content is None else content.count(b"\n") + (not content.endswith(b"\n"))

    def has_commit(self, repository: str, sha: str) -> bool:
        one = self[repository]
        try:
            return one.mirror.is_ancestor(sha, one.sha)
        except LoopdeskError:
            return False


def fetched(repository: Repository, mirrors: Path, token: str, pin: str = "") -> Checkout:
    """Its base branch as it stands, or the commit `pin` if that is here. Blocks. Raises `Unavailable`: a host that is
    away for an hour is no reason to judge without the code; `LoopdeskError`."""
    try:
        mirror = Mirror.opened(mirrors, repository.url, Git.found(), token)
        branch = repository.base or mirror.default_branch()
        sha = mirror.fetch(branch).get(branch)
    except (GitFailed, ForgeError) as error:
        raise Unavailable(error.what, error.means, error.do) from error
    if sha is None:
        raise LoopdeskError(
            f"{repository.name} has no branch {plain(branch, 80)}",
            do=f"Name another as base under [repositories.{repository.name}]",
        )
    with suppress(LoopdeskError):  # another machine's mirror: the branch is looked at as it is now
        sha = mirror.commit(pin) if pin else sha
    return Checkout(repository, mirror, branch, sha)


@asynccontextmanager
async def shown(sandbox: Sandbox, runs: Path, found: Sequence[Checkout]) -> AsyncIterator[Checkouts]:
    """In clones, gone afterwards; the first where an agent finds itself. Raises `NoSandbox`, `LoopdeskError`."""
    with run_folder(runs) as folder:
        placed = [replace(found[0], clone=folder.clone)]
        for number, one in enumerate(found[1:], 1):
            # By number: a name of the configuration is no name of a folder.
            clone = folder.root / f"repository-{number}"
            clone.mkdir(mode=0o700)
            placed.append(replace(one, clone=clone, within=f"{_OTHERS}/{number}"))
        for one in placed:
            await fill_clone(sandbox, one.mirror.folder, one.sha, one.clone)
        yield Checkouts(placed)
