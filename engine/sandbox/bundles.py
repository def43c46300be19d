"""What leaves a jail, and how it comes into our own mirror: a git bundle and a result, both taken for an agent's.

The two are written by a fixed script in a second jail, after every process of the agent's is gone. The host copies
those two files and nothing else, and takes the commits over only after git has checked every object of the bundle
apart from the mirror's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.git import Git, GitFailed
from engine.sandbox.inside.pack import BUNDLE, REF, RESULT
from engine.sandbox.protocol import CLONE, OUT, Ended, Limits, Run, Sandbox, Why
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_BUNDLE_BYTES = 64 << 20
MOST_RESULT_BYTES = 64 << 10
_MOST_HEADER_BYTES = 64 << 10
_SCRIPT_LIMITS = Limits(wall_s=300.0)
_SHA = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MIRROR = "/jail/mirror"
_GIT = Git()
# Larger files are not held in memory while they are checked.
_PASSED_THROUGH = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bigFileThreshold",
    "GIT_CONFIG_VALUE_0": "1m",
}


class Untrusted(LoopdeskError):
    """What left the jail is not what it has to be; nothing of it was taken over."""


@dataclass(frozen=True, slots=True)
class Left:
    """What the script in the jail says, and the host's copy of the bundle: None where nothing was changed. `error` is
    plain. Nothing here is known to be true."""

    head: str
    error: str
    bundle: Path | None


@dataclass(frozen=True, slots=True)
class Taken:
    """Commits `base..sha`, in the mirror and checked."""

    base: str
    sha: str
    commits: int


async def fill_clone(sandbox: Sandbox, mirror: Path, sha: str, clone: Path, limits: Limits = _SCRIPT_LIMITS) -> None:
    """`sha` of our mirror checked out in the empty folder `clone`; in a jail, because of what a checkout runs. Raises
    `NoSandbox`, `LoopdeskError`."""
    script = [sandbox.python, "-I", "-S", f"{sandbox.scripts}/clone.py", _MIRROR, CLONE, sha]
    ended = await run_script(sandbox, Run(script, clone=clone, read_only={_MIRROR: mirror}, limits=limits))
    if ended.exit_code:
        raise LoopdeskError(f"The clone could not be made ({plain(ended.errors, 200)})")


async def leave(
    sandbox: Sandbox, clone: Path, out: Path, base: str, received: Path, limits: Limits = _SCRIPT_LIMITS
) -> Left:
    """What an agent did in `clone` since `base`. `out` is an empty folder, `received` the host's. Only after the
    agent's jail has ended. Raises `NoSandbox`, `Untrusted`."""
    script = [sandbox.python, "-I", "-S", f"{sandbox.scripts}/pack.py", CLONE, OUT, base]
    ended = await run_script(sandbox, Run(script, clone=clone, out=out, limits=limits))
    if ended.why != Why.EXIT:
        raise Untrusted("The work could not be taken out of the jail", ended.said)
    return receive(out, received)


async def run_script(sandbox: Sandbox, run: Run) -> Ended:
    """One of `engine.sandbox.inside`, which says nothing."""
    jail = await sandbox.start(run)
    try:
        while await jail.stdout.read(1 << 16):
            pass
        return await jail.wait()
    except asyncio.CancelledError:
        jail.kill()
        await jail.wait()
        raise


def receive(out: Path, received: Path) -> Left:
    """Copy the two files that count. Raises `Untrusted`."""
    try:
        folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise Untrusted(f"Nothing left the jail: {error.strerror}") from None
    try:
        result = copied(folder, RESULT, received, MOST_RESULT_BYTES)
        bundle = copied(folder, BUNDLE, received, MOST_BUNDLE_BYTES)
    finally:
        os.close(folder)
    if result is None:
        raise Untrusted("The jail left no result")
    try:
        said = json.loads(result.read_bytes())
        head, failed = said["head"], said["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Untrusted("The jail's result cannot be read") from None
    if not isinstance(head, str) or not isinstance(failed, str) or not (head == "" or _SHA.fullmatch(head)):
        raise Untrusted("The jail's result cannot be read")
    return Left(head, plain(failed, 400), bundle)


def copied(folder: int, name: str, received: Path, most_bytes: int) -> Path | None:
    """The host's copy of one file that a jail left in `folder`, a descriptor; None where there is none. Raises
    `Untrusted`."""
    try:
        # Not blocking: what should be a file may be a pipe.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Untrusted(f"{name} of the jail cannot be read: {error.strerror}") from None
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
        os.close(descriptor)
        raise Untrusted(f"{name} of the jail is no plain file")
    with os.fdopen(descriptor, "rb") as file:
        if facts.st_size > most_bytes:
            raise Untrusted(f"{name} of the jail has {facts.st_size:,} bytes; at most {most_bytes:,} are taken")
        copy = received / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(copy, flags, 0o600), "wb") as kept:
            left = most_bytes
            while left and (chunk := file.read(min(left, 1 << 20))):
                kept.write(chunk)
                left -= len(chunk)
    return copy


def take(mirror: Path, bundle: Path, base: str, name: str) -> Taken:
    """Check `bundle`, the host's copy, and keep its commits in `mirror` as `refs/loopdesk/taken/{name}`. Raises
    `Untrusted`, and leaves the mirror as it was. Blocks."""
    assert _SHA.fullmatch(base) and _NAME.fullmatch(name)
    with bundle.open("rb", buffering=0) as file:
        sha, pack_at = _header(file.read(_MOST_HEADER_BYTES), base)
        with tempfile.TemporaryDirectory(dir=bundle.parent, prefix="checked-") as quarantine:
            # Its objects are written here, and those of the mirror are only read.
            apart = {"GIT_OBJECT_DIRECTORY": quarantine, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror / "objects")}
            try:
                _index(mirror, file.fileno(), pack_at, apart)
                commits = _line(mirror, base, sha, apart)
            except GitFailed as error:
                raise Untrusted("The jail's bundle did not pass git's checks", error.said) from None
        _index(mirror, file.fileno(), pack_at, {})
    _GIT.run("update-ref", f"refs/loopdesk/taken/{name}", sha, repository=mirror)
    return Taken(base, sha, commits)


def _header(start: bytes, base: str) -> tuple[str, int]:
    """The one commit the bundle brings, and where its pack begins. The form: gitformat-bundle, version 2."""
    head, end, _ = start.partition(b"\n\n")
    try:
        signature, *lines = head.decode("ascii", "surrogateescape").split("\n")
    except ValueError:
        raise Untrusted("The jail's bundle is none") from None
    if not end or signature != "# v2 git bundle":
        raise Untrusted("The jail's bundle is none of the version that is taken")
    needs = [line[1:41] for line in lines if line.startswith("-")]
    brings = [line.split(" ", 1) for line in lines if not line.startswith("-")]
    if any(need != base for need in needs):
        raise Untrusted("The jail's bundle builds on other commits than it was given")
    if len(brings) != 1 or len(brings[0]) != 2 or brings[0][1] != REF or not _SHA.fullmatch(brings[0][0]):
        raise Untrusted("The jail's bundle does not bring the one branch that is taken")
    return brings[0][0], len(head) + 2


def _index(mirror: Path, bundle: int, pack_at: int, more: dict[str, str]) -> None:
    # Not `git fetch`: before 2.46 it does not check the objects of a bundle.
    os.lseek(bundle, pack_at, os.SEEK_SET)
    limit = f"--max-input-size={MOST_BUNDLE_BYTES}"
    options = ["--stdin", "--fix-thin", "--strict", limit]
    _GIT.run("index-pack", *options, repository=mirror, given=bundle, more={**_PASSED_THROUGH, **more})


def _line(mirror: Path, base: str, sha: str, more: dict[str, str]) -> int:
    """How many commits `base..sha` are: whole, and on top of `base`. Raises `GitFailed`, `Untrusted`."""

    def said(*arguments: str) -> str:
        return _GIT.run(*arguments, repository=mirror, more=more).text

    if said("cat-file", "-t", sha) != "commit":
        raise Untrusted("The jail's bundle brings no commit")
    said("merge-base", "--is-ancestor", base, sha)
    # Fails where one of them names an object that is nowhere.
    said("rev-list", "--objects", "--quiet", f"{base}..{sha}")
    return int(said("rev-list", "--count", f"{base}..{sha}"))
