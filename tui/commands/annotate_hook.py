"""The git post-commit hook that marks each commit: installed beside a hook that is there, never in anybody's way."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.text import plain

_NAME = "post-commit"
_BEFORE = "post-commit.before-loopdesk"
_MARK = "# made by loopdesk annotate --install-hook"
_PATIENCE_S = 10
# The commit is made already: whatever happens here, git goes on at once. Commits that a rebase copies are no news.
_SCRIPT = f"""#!/bin/sh
{_MARK}
# Marks each commit as an annotation. Delete this file to stop it.
hooks=$(dirname "$0")
if [ -x "$hooks/{_BEFORE}" ]; then "$hooks/{_BEFORE}" "$@"; fi
loopdesk=$(command -v loopdesk 2>/dev/null) || loopdesk={{command}}
[ -x "$loopdesk" ] || exit 0
folder=$(git rev-parse --git-dir 2>/dev/null) || exit 0
if [ -d "$folder/rebase-merge" ] || [ -d "$folder/rebase-apply" ]; then exit 0; fi
sha=$(git rev-parse HEAD 2>/dev/null) || exit 0
at=$(git log -1 --format=%cI 2>/dev/null) || exit 0
subject=$(git log -1 --format=%s 2>/dev/null) || exit 0
( "$loopdesk" annotate --queue --sha "$sha" --at "$at" {{options}}-- "${{{{subject:-no subject}}}}" ) \\
  </dev/null >/dev/null 2>&1 &
exit 0
"""


def install(folder: Path, workspace_dir: str = "", command: str = "") -> tuple[Path, bool]:
    """The hook's path, and whether another hook is chained before it. `workspace_dir` is named in the hook where it is
    not the usual one; `command` is a `loopdesk` for where the PATH has none, as under cron. Raises `LoopdeskError`;
    then nothing was changed."""
    if os.name == "nt":
        raise LoopdeskError("The hook is a shell script, and was never tried on Windows")
    hooks = _hooks_of(folder)
    hook, before = hooks / _NAME, hooks / _BEFORE
    options = f"--workspace {shlex.quote(str(Path(workspace_dir).absolute()))} " if workspace_dir else ""
    text = _SCRIPT.format(options=options, command=shlex.quote(command))
    try:
        hooks.mkdir(exist_ok=True)
        is_ours = hook.is_file() and _MARK in hook.read_text(encoding="utf-8", errors="replace")
        if os.path.lexists(hook) and not is_ours:
            if not hook.is_file():
                raise LoopdeskError(f"{hook} is no file that could be kept", do="Look at it, and move it away")
            if os.path.lexists(before):
                raise LoopdeskError(
                    f"{hook} is another hook, and {before.name} from an earlier one is there too",
                    "Only one can be kept before ours",
                    "Put the two into one file, or remove the one that is not needed",
                )
        part = hooks / f".{_NAME}.{os.getpid()}.part"
        try:
            part.write_text(text, encoding="utf-8")
            part.chmod(0o755)
            if os.path.lexists(hook) and not is_ours:
                hook.rename(before)
            part.replace(hook)
        except OSError:
            part.unlink(missing_ok=True)
            if not os.path.lexists(hook) and os.path.lexists(before):
                before.rename(hook)
            raise
    except OSError as error:
        raise LoopdeskError(f"The hook cannot be written into {hooks}: {error.strerror}") from error
    return hook, os.path.lexists(before)


def _hooks_of(folder: Path) -> Path:
    """Where git looks for this repository's hooks. Raises `LoopdeskError` for a place that is not its alone."""
    common = Path(_git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    hooks = Path(_git(folder, "rev-parse", "--path-format=absolute", "--git-path", "hooks"))
    if not hooks.resolve().is_relative_to(common.resolve()):
        raise LoopdeskError(
            f"The hooks of {folder} are in {plain(hooks, 200)} (core.hooksPath)",
            "Other repositories or people may share that folder, so loopdesk writes nothing there",
            "Let its post-commit call: loopdesk annotate --queue --sha SHA -- SUBJECT",
        )
    return hooks


def _git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S, env=environment, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise LoopdeskError("There is no git on this machine", do="Install it") from error
    except subprocess.TimeoutExpired as error:
        raise LoopdeskError(f"git did not answer about {folder} within {_PATIENCE_S} s") from error
    if done.returncode:
        said = plain(done.stderr.strip().splitlines()[0] if done.stderr.strip() else "it is no repository", 200)
        raise LoopdeskError(f"git does not take {folder}: {said}", do="Name the folder of a git repository")
    return done.stdout.removesuffix("\n")
