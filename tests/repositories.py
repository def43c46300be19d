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

    def commit(self, branch: str, files: Mapping[str, str | bytes | tuple[str, str | bytes] | None], *parents: str,
               message: str = "A change") -> str:  # fmt: skip
        """On `branch`, over its present commit or `parents`. A value is a file's text, (mode, text), or None to remove
        it; a submodule's text is a commit id."""
        index = {"GIT_INDEX_FILE": str(self.folder / "test-index")}
        there = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        over = list(parents) or there.split()
        self.git("read-tree", *(over[:1] or ["--empty"]), **index)
        lines = []
        for path, value in files.items():
            mode, text = value if isinstance(value, tuple) else (FILE, value)
            if text is None:
                lines.append(f"0 {'0' * 40}\t{path}")
                continue
            raw = text.encode() if isinstance(text, str) else text
            sha = raw.decode() if mode == MODULE else self.git("hash-object", "-w", "--stdin", given=raw)
            lines.append(f"{mode} {sha}\t{path}")
        self.git("update-index", "-z", "--index-info", given="".join(f"{line}\0" for line in lines).encode(), **index)
        tree = self.git("write-tree", **index)
        parts = [part for parent in over for part in ("-p", parent)]
        sha = self.git("commit-tree", tree, *parts, given=message.encode())
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def head(self, branch: str) -> str:
        return self.git("rev-parse", f"refs/heads/{branch}")

    def show(self, branch: str, path: str) -> str:
        return self.git("show", f"{branch}:{path}")

    def hook(self, name: str, script: str) -> None:
        path = Path(self.git("rev-parse", "--absolute-git-dir")) / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def bare(folder: Path) -> Repo:
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True, env=os.environ | _ALONE)
    return Repo(folder)


def with_work_tree(folder: Path) -> Repo:
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True, env=os.environ | _ALONE)
    return Repo(folder)
