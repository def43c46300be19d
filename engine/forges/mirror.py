"""Our bare mirrors of repositories, in the workspace's `mirrors/`: the one place where the host reads and merges git.

A mirror's configuration is ours alone; nothing that is fetched can write it. Agents' work comes in as a bundle, CI and
jails get folders of files, and everything that is pushed is pushed from here.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engine.forges.errors import Moved
from engine.git import SWITCHES, Credentials, Done, Git, GitFailed
from workspace.errors import LoopdeskError
from workspace.paths import refuse_writable_by_others
from workspace.text import plain

NETWORK_S = 600
_ORIGIN = "refs/remotes/origin/"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Answers only for the host it was made for, whatever git was led to ask.
_ASKPASS = """#!/bin/sh
case "$1" in
  Username*"'$LOOPDESK_ASKPASS_HOST'"*) echo x-access-token ;;
  Password*"'${LOOPDESK_ASKPASS_HOST%%//*}//x-access-token@${LOOPDESK_ASKPASS_HOST#*//}'"*)
    printf '%s\\n' "$LOOPDESK_ASKPASS_TOKEN" ;;
  *) exit 1 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Mirror:
    """`remote` is an https address without a user (http on loopback only), or the folder of a local repository."""

    folder: Path
    remote: str
    git: Git
    token: str = field(default="", repr=False)

    @classmethod
    def opened(cls, mirrors: Path, remote: str, git: Git, token: str = "") -> Mirror:
        """Made if it is missing. Raises `LoopdeskError` for an address that may not be used."""
        remote = _address(remote)
        mirrors.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_writable_by_others(mirrors)
        askpass = mirrors / "askpass"
        if not askpass.exists():
            part = mirrors / f".askpass.{secrets.token_hex(8)}"
            part.write_text(_ASKPASS)
            part.chmod(0o700)
            part.replace(askpass)
        last = re.sub(r"[^A-Za-z0-9-]", "-", remote.rstrip("/").removesuffix(".git").rpartition("/")[2])[:40]
        folder = mirrors / f"{last}-{hashlib.sha256(remote.encode()).hexdigest()[:12]}.git"
        mirror = cls(folder, remote, git, token)
        askpass = mirrors / "askpass"
        if not askpass.exists() or not (folder / "HEAD").exists():
            with _alone(mirrors / ".lock"):
                _made(mirrors, askpass, mirror)
        return mirror

    @property
    def is_local(self) -> bool:
        return self.remote.startswith("/")

    def run(self, *arguments: str, **options: object) -> Done:
        return self.git.run(*arguments, repository=self.folder, **options)  # type: ignore[arg-type]

    def heads(self, *branches: str) -> Mapping[str, str]:
        """Where branches stand at the remote now; all of them where none is named."""
        asked = [f"refs/heads/{branch}" for branch in branches]
        done = self._over("ls-remote", ["--heads", *self._there("upload-pack"), "--", self.remote, *asked])
        lines = (line.partition("\t") for line in done.lines)
        found = {name.removeprefix("refs/heads/"): sha for sha, _, name in lines if name.startswith("refs/heads/")}
        # A pattern of ls-remote also fits the end of a name.
        return {name: sha for name, sha in found.items() if not branches or name in branches}

    def default_branch(self) -> str:
        """Raises `LoopdeskError` where the remote names none."""
        said = self._over("ls-remote", ["--symref", *self._there("upload-pack"), "--", self.remote, "HEAD"]).text
        found = re.match(r"ref: refs/heads/(\S+)\tHEAD", said)
        if not found:
            raise LoopdeskError(f"{self.remote} has no default branch", "It may be empty", "Name the base branch")
        return found[1]

    def fetch(self, *branches: str) -> Mapping[str, str]:
        """Brings these branches (all, where none is named), checked for damage, and returns where they stand. One that
        is not there is left out, here and in the mirror."""
        with self._alone():
            return self._fetched(branches)

    def _fetched(self, branches: Sequence[str]) -> Mapping[str, str]:
        found = self.heads(*branches)
        # Two works may want the same commits at the same moment, and git gives a branch to one of them.
        with _alone(self.folder.with_suffix(".lock")):
            known = self._known()
            wanted = [name for name, sha in found.items() if known.get(name) != sha]
            if wanted:
                options = ["--no-tags", "--no-write-fetch-head", "--quiet", *self._there("upload-pack")]
                refspecs = [f"+refs/heads/{name}:{_ORIGIN}{name}" for name in wanted]
                self._over("fetch", [*options, "--", self.remote, *refspecs])
                known = self._known()
        for name in branches:
            if name in known and name not in found:
                self.run("update-ref", "-d", f"{_ORIGIN}{name}")
        # They may have moved again since they were listed; what counts is what is here.
        return {name: known[name] for name in found}

    def push(self, sha: str, branch: str, expected: str | None) -> bool:
        """Exactly `sha` to `refs/heads/{branch}`, if it stands at `expected` (None: if it is not there). Returns
        whether something was sent. After an answer that did not come the branch is looked up. Raises `Moved`."""
        sha = self.commit(sha)
        name = f"refs/heads/{branch}"
        lease = f"--force-with-lease={name}:{expected or ''}"
        options = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", *self._there("receive-pack")]
        found = self.heads(branch).get(branch)
        if found == sha:
            return False
        if found != expected:
            raise _stale(branch, expected, found)
        try:
            self._over("push", [*options, lease, "--", self.remote, f"{sha}:{name}"])
        except LoopdeskError:
            found = self.heads(branch).get(branch)
            if found == sha:
                return True
            if found != expected:
                raise _stale(branch, expected, found) from None
            raise
        return True

    def commit(self, name: str) -> str:
        """The full id of a commit that is here. Raises `LoopdeskError`."""
        try:
            return self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").text
        except GitFailed:
            raise LoopdeskError(f"There is no commit {plain(name, 80)} in the mirror of {self.remote}") from None

    def is_ancestor(self, older: str, newer: str) -> bool:
        done = self.run("merge-base", "--is-ancestor", self.commit(older), self.commit(newer), fine=(0, 1))
        return done.code == 0

    def messages(self, base: str, head: str, most: int = 1 << 20) -> tuple[str, ...]:
        """The commit messages of `base..head`, newest first, authors' names included: for the guard."""
        done = self.run(
            "log",
            "-z",
            "--format=%an <%ae>%n%cn <%ce>%n%B",
            f"{self.commit(base)}..{self.commit(head)}",
            "--",
            most=most,
        )
        return tuple(part for part in done.out.decode("utf-8", "replace").split("\0") if part)

    def file(self, sha: str, path: str, most: int = 1 << 20) -> bytes | None:
        """What a file holds at a commit, None where there is none."""
        done = self.run("cat-file", "blob", f"{self.commit(sha)}:{path}", fine=(0, 128), most=most)
        return done.out if done.code == 0 else None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two that fetch the same branch at once would take each other's locks for a fault."""
        with (self.folder / "loopdesk.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _known(self) -> Mapping[str, str]:
        """Where the branches stood when they were fetched."""
        lines = self.run("for-each-ref", "--format=%(objectname) %(refname)", _ORIGIN).lines
        return {name.removeprefix(_ORIGIN): sha for sha, _, name in (line.partition(" ") for line in lines)}

    def _over(self, verb: str, arguments: list[str]) -> Done:
        """A command that talks to the remote."""
        protocol = "file" if self.is_local else urlsplit(self.remote).scheme
        parts = urlsplit(self.remote)
        more = (
            Credentials(self.folder.parent / "askpass", f"{parts.scheme}://{parts.netloc}", self.token).environment()
            if self.token and not self.is_local
            else {}
        )
        try:
            return self.run(verb, *arguments, more=more, protocols=protocol, timeout_s=NETWORK_S)
        except GitFailed as error:
            raise _explained(error, self.remote, bool(self.token)) from None

    def _there(self, program: str) -> list[str]:
        """git starts a second git in a local repository, which would run with that repository's hooks."""
        if not self.is_local:
            return []
        quoted = " ".join(f"'{part}'" for part in (self.git.program, *SWITCHES))
        return [f"--{program}={quoted} {program}"]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Among all threads and processes; the lock ends with whoever holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(mirrors: Path, askpass: Path, mirror: Mirror) -> None:
    if not askpass.exists():
        part = mirrors / ".askpass.part"
        part.write_text(_ASKPASS)
        part.chmod(0o700)
        part.replace(askpass)
    if not (mirror.folder / "HEAD").exists():
        mirror.git.make_bare(mirror.folder)
        mirror.folder.chmod(0o700)


def _address(remote: str) -> str:
    if remote.startswith("/"):
        return remote
    parts = urlsplit(remote)
    is_near = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if (parts.scheme != "https" and not is_near) or not parts.hostname or parts.username or parts.password:
        raise LoopdeskError(
            "This is not an address that a repository is fetched from",
            "It has to begin with https:// and hold neither a name nor a token",
            "Write it as https://HOST/OWNER/NAME.git, or name a folder",
        )
    return remote


def _stale(branch: str, expected: str | None, found: str | None) -> Moved:
    where = f"stands at {found[:10]}" if found else "is gone"
    before = f"it stood at {expected[:10]}" if expected else "there was none"
    return Moved(f"The branch {branch} {where}", f"When it was last looked at, {before}", "Look at what was pushed")


def _explained(error: GitFailed, remote: str, has_token: bool) -> LoopdeskError:
    said = error.said.lower()
    if "authentication failed" in said or "could not read username" in said or "could not read password" in said:
        do = "Set a new GITHUB_TOKEN" if has_token else "Set GITHUB_TOKEN"
        return GitFailed(f"{remote} refused to let git in", error.said, "It wants a token with access", do)
    if "not found" in said and "repository" in said:
        return GitFailed(f"There is no repository at {remote}", error.said, "Or the token may not see it")
    if "dubious ownership" in said:
        return GitFailed(f"{remote} belongs to another user", error.said, "git does not read it for that reason")
    if "redirect" in said or "returned error: 30" in said:
        return GitFailed(f"{remote} has moved", error.said, do="Write its new address into the configuration")
    return GitFailed(f"git could not speak with {remote}", error.said)
