"""How the host runs git: on bare repositories of its own, without anybody's configuration, hooks or attributes.

Never with an agent's clone as repository, remote or work tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.text import plain

_WITHIN_S = 120.0
_MEMORY_BYTES = 2 << 30
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.alternateRefsCommand": "true",
    "core.bigFileThreshold": "1m",  # larger ones are passed through, not held
    "pack.threads": "1",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "transfer.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "protocol.allow": "never",
}


class GitFailed(LoopdeskError):
    pass


def make_mirror(path: Path) -> None:
    """An empty bare repository, without the template's hooks."""
    git(None, "init", "--quiet", "--bare", "--template=", str(path))


def git(
    repository: Path | None,
    *arguments: str,
    stdin: int | None = None,
    environment: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    most_file_bytes: int = 1 << 40,
) -> bytes:
    """Its stdout. `stdin` is a descriptor. Raises `GitFailed`. Blocks."""
    settings = {**_SETTINGS, **(settings or {})}
    given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    where = [f"--git-dir={repository}"] if repository is not None else []
    try:
        done = subprocess.run(
            [*_bounded(most_file_bytes), "git", *where, *given, *arguments],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            capture_output=True,
            env={**_environment(), **(environment or {})},
            cwd="/",
            timeout=_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        raise GitFailed(f"git {arguments[0]} did not end within {_WITHIN_S:g} s") from None
    except OSError as error:
        raise GitFailed(f"git could not be run: {error.strerror}", do="Install git") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GitFailed(f"git {arguments[0]} failed ({plain(said, 200) or f'exit code {done.returncode}'})")
    return done.stdout


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _bounded(most_file_bytes: int) -> list[str]:
    """A pack can hold objects that unfold to any size."""
    program = shutil.which("prlimit")
    if program is None:
        return []
    return [program, f"--as={_MEMORY_BYTES}", f"--cpu={int(_WITHIN_S)}", f"--fsize={most_file_bytes}", "--core=0", "--"]
