"""The forge of a configured repository: GitHub, a server of its kind, or a folder on this machine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from engine.forges.ci import Runner
from engine.forges.github import WEB, GitHubForge
from engine.forges.github_api import API, BETWEEN_WRITES_S
from engine.forges.local import LocalForge
from engine.forges.mirror import Mirror
from engine.forges.protocol import Forge
from engine.git import Git
from engine.repositories import Repository

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def forge_of(repository: Repository, mirrors: Path, token: str, runner: Runner, now: Callable[[], datetime]) -> Forge:
    """Raises `LoopdeskError` for an address that is none of a repository."""
    git = Git.found()
    if repository.is_local:
        return LocalForge.opened(Path(repository.url), mirrors, git, runner, now, repository.ci)
    parts = urlsplit(repository.url)
    name, web = parts.path.strip("/").removesuffix(".git"), f"{parts.scheme}://{parts.netloc}"
    # A server of GitHub's own kind has its API below its name.
    api = API if web == WEB else f"{web}/api/v3"
    between = 0.0 if parts.hostname in _LOOPBACK else BETWEEN_WRITES_S
    return GitHubForge.opened(name, mirrors, git, now, token, api=api, web=web, between_writes_s=between)


def mirror_of(repository: Repository, mirrors: Path, token: str) -> Mirror:
    """For whoever only reads."""
    return Mirror.opened(mirrors, repository.url, Git.found(), token)
