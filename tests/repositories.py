"""Git repositories for tests, honest and hostile, made with plumbing: no work tree is needed to commit anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"), ("DATE", "1790000000 +0000"))
}
_ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
FILE, SCRIPT, LINK, MODULE = "100644", "100755", "120000", "160000"


@dataclass(frozen=True, slots=True)
class Repo:
    folder: Path

    def git(self, *arguments: str, given: bytes = b"", **environment: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            input=given,
            capture_output=True,
            env=os.environ | _WHO | _ALONE | environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | bytes | tuple[str, str | bytes] | None],
        *parents: str,
        message: str = "A change",
        by: str = "Ada <ada@example.com>",
    ) -> str:
        """On `branch`, over its present commit or `parents`. A value is a file's text, (mode, text), or None to remove
        it; a submodule's text is a commit id."""
        name = f"refs/heads/{branch}"
        is_there = any((self.folder / inner / name).exists() for inner in ("", ".git"))
        over = list(parents) or ([f"{name}^0"] if is_there else [])
        text = message.encode()
        stream = [f"commit {name}\nmark :1\ncommitter {by} 1790000000 +0000\n".encode(), _data(text)]
        stream += [f"{word} {parent}\n".encode() for word, parent in zip(("from", "merge"), over, strict=False)]
        for path, value in files.items():
            stream.append(_change(path, value))
        return self.git("fast-import", "--quiet", "--force", given=b"".join([*stream, b"get-mark :1\ndone\n"]))

    def head(self, branch: str) -> str:
        return self.git("rev-parse", f"refs/heads/{branch}")

    def show(self, branch: str, path: str) -> str:
        return self.git("show", f"{branch}:{path}")

    def hook(self, name: str, script: str) -> None:
        path = Path(self.git("rev-parse", "--absolute-git-dir")) / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def _change(path: str, value: str | bytes | tuple[str, str | bytes] | None) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    mode, text = value if isinstance(value, tuple) else (FILE, value)
    if text is None:
        return f"D {quoted}\n".encode()
    raw = text.encode() if isinstance(text, str) else text
    return (
        f"M {mode} {raw.decode()} {quoted}\n".encode()
        if mode == MODULE
        else (f"M {mode} inline {quoted}\n".encode() + _data(raw))
    )


def _data(raw: bytes) -> bytes:
    return f"data {len(raw)}\n".encode() + raw + b"\n"


def bare(folder: Path) -> Repo:
    _made(folder, is_bare=True)
    return Repo(folder)


def with_work_tree(folder: Path) -> Repo:
    _made(folder / ".git", is_bare=False)
    return Repo(folder)


def _made(folder: Path, *, is_bare: bool) -> None:
    """What `git init` makes, without starting it a hundred times."""
    for inner in ("objects/info", "refs/heads", "hooks"):
        (folder / inner).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n\tbare = {str(is_bare).lower()}\n")
