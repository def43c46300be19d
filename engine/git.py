"""How the host runs git: with nobody's configuration, no hooks, no prompts, one protocol at a time and limits.

Repositories come from strangers' text and agents' work. What could run a program or lead elsewhere (system and global
configuration, hooks, monitors, attributes, helpers, redirects, replaced objects) is switched off for every call here.
Never with an agent's clone as repository, remote or work tree.
"""

from __future__ import annotations

import math
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workspace.errors import LoopdeskError
from workspace.text import plain

OLDEST = (2, 38)  # the first with `merge-tree --write-tree`
TIMEOUT_S = 120
MOST_OUTPUT = 64 << 20  # bytes; a small pack can hold a tree of a billion names
MOST_FILE = 1 << 40  # bytes
_MEMORY_BYTES = 2 << 30  # a pack can hold objects that unfold to any size

# Faults that old, honest histories are full of. What makes a checkout dangerous stays an error.
_OLD_FAULTS = ("zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "missingEmail", "missingSpaceBeforeEmail")
_OFF = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.alternateRefsCommand": "true",  # a program's name; this one says nothing
    "core.pager": "cat",
    # Packs are looked at through windows, so that a large one fits into the memory that git is given.
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "pack.threads": "1",
    "core.logAllRefUpdates": "false",  # a reflog tells a clone's holder where the mirror is
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "credential.helper": "",
    "commit.gpgSign": "false",
    "fetch.recurseSubmodules": "no",
    "push.recurseSubmodules": "no",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "receive.autogc": "false",
    "maintenance.auto": "false",
    # A redirect would take the token to another host.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "receive.denyCurrentBranch": "refuse",
    "protocol.allow": "never",  # what a call may use is in its environment
    "fetch.unpackLimit": "1",  # packs stay packs: what is handed on later is not packed anew
    "transfer.fsckObjects": "true",
    "fetch.fsckObjects": "true",
    "receive.fsckObjects": "true",
    **{f"{way}.fsck.{fault}": "warn" for way in ("fetch", "receive") for fault in _OLD_FAULTS},
}
SWITCHES = tuple(part for name, value in _OFF.items() for part in ("-c", f"{name}={value}"))
_KEPT = ("PATH", "SYSTEMROOT", "TMPDIR")
_NETWORK = (
    "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
)  # fmt: skip


class GitFailed(LoopdeskError):
    """git ended with an error. `said` is its own text, made plain."""

    def __init__(self, what: str, said: str, means: str = "", do: str = "") -> None:
        self.said = said
        super().__init__(what, means or said, do)


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: bytes
    said: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "backslashreplace").strip()

    @property
    def lines(self) -> list[str]:
        """Ended by git's newlines alone: a branch may have Unicode's in its name, to look like another one."""
        return [line for line in self.out.decode("utf-8", "backslashreplace").split("\n") if line]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token for one host, given to git by an askpass program through the environment: in no address, no argument and
    no file. `asks` is that program."""

    asks: Path
    host: str
    token: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        return {"GIT_ASKPASS": str(self.asks), "LOOPDESK_ASKPASS_HOST": self.host, "LOOPDESK_ASKPASS_TOKEN": self.token}


@dataclass(frozen=True, slots=True)
class Git:
    """`found` checks the version once; every call names the repository it works in."""

    program: str = "git"

    @classmethod
    def found(cls, program: str = "git") -> Git:
        """Raises `LoopdeskError` where git is missing or too old to merge without a work tree."""
        git = cls(program)
        said = git.run("version").text
        match = re.search(r"(\d+)\.(\d+)", said)
        if not match or (int(match[1]), int(match[2])) < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise LoopdeskError(
                f"This machine has {plain(said, 60) or 'a git that does not say its version'}",
                f"Proposals are merged with git {wanted} or newer",
                "Install a newer git",
            )
        return git

    def make_bare(self, folder: Path) -> None:
        """An empty repository without a work tree, and without the template's hooks."""
        self.run("init", "--quiet", "--bare", "--template=", "--initial-branch=loopdesk-none", str(folder))

    def run(
        self,
        *arguments: str,
        repository: Path | None = None,
        more: Mapping[str, str] | None = None,
        given: bytes | int = b"",
        protocols: str = "none",
        fine: Sequence[int] = (0,),
        timeout_s: float = TIMEOUT_S,
        most: int = MOST_OUTPUT,
    ) -> Done:
        """`given` is its stdin, or a descriptor that it reads on from. `protocols` are git's words with colons between.
        Raises `GitFailed` for an exit code that is not in `fine`, for more than `most` bytes of output and after
        `timeout_s`. Blocks."""
        program = shutil.which(self.program)
        if program is None:
            raise _cannot_start("it is not there")
        command = [*_bounded(timeout_s), program, "--no-pager", "--no-replace-objects", *SWITCHES, *arguments]
        where = {"GIT_DIR": str(repository)} if repository else {}
        environment = _environment(protocols) | where | dict(more or {})
        verb = arguments[0]
        with tempfile.TemporaryFile() as into, tempfile.TemporaryFile() as errors:
            if isinstance(given, bytes):
                into.write(given)
                into.seek(0)
            try:
                process = subprocess.Popen(
                    command,
                    stdin=into if isinstance(given, bytes) else given,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                raise _cannot_start(str(error.strerror)) from error
            try:
                assert process.stdout is not None
                out = _read(process.stdout, time.monotonic() + timeout_s, most)
                process.wait()  # its output has ended
            except _Stopped as stopped:
                raise GitFailed(f"git {verb} was stopped", str(stopped)) from None
            finally:
                _end(process)
            errors.seek(0)
            said = _said(errors.read(1 << 16))
        if process.returncode not in fine:
            raise GitFailed(f"git {verb} failed", said or f"exit code {process.returncode}")
        return Done(process.returncode, out, said)


def _cannot_start(why: str) -> LoopdeskError:
    return LoopdeskError(f"Cannot start git: {why}", "Proposals are git branches", "Install git")


class _Stopped(Exception):
    pass


def _bounded(timeout_s: float) -> list[str]:
    program = shutil.which("prlimit")
    if program is None:
        return []
    cpu_s = math.ceil(timeout_s)
    return [program, f"--as={_MEMORY_BYTES}", f"--cpu={cpu_s}", f"--fsize={MOST_FILE}", "--core=0", "--"]


def _environment(protocols: str) -> dict[str, str]:
    names = (*_KEPT, *_NETWORK) if "http" in protocols else _KEPT
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "LC_ALL": "C", "HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": protocols, "GIT_PROTOCOL_FROM_USER": "0", "GIT_NO_LAZY_FETCH": "1",
        "GIT_EDITOR": "true",
    }  # fmt: skip


def _read(out: IO[bytes], until: float, most: int) -> bytes:
    found = bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(out, selectors.EVENT_READ)
        while True:
            left = until - time.monotonic()
            if left <= 0 or not ready.select(left):
                raise _Stopped("It took too long")
            part = os.read(out.fileno(), 1 << 16)
            if not part:
                return bytes(found)
            found += part
            if len(found) > most:
                raise _Stopped(f"It wrote more than {most >> 20} MB" if most >> 20 else f"It wrote more than {most} B")


def _end(process: subprocess.Popen[bytes]) -> None:
    """One that still runs is stopped with all that it started."""
    assert process.stdout is not None
    process.stdout.close()
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _said(text: bytes) -> str:
    """git's complaint in one line: its own words first, without the hints that come after."""
    lines = [plain(line, 300) for line in text.decode("utf-8", "replace").splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("hint:", "warning:", "To ", "From "))]
    return plain("; ".join(wanted[:4]), 500)
