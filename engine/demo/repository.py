"""The demo's repository: bare, on this machine, with one commit."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engine.demo.story import Story
from engine.git import Git

_WHO = "The demo <demo@localhost>"


def folder(workspace: Path) -> Path:
    return workspace / "demo" / "autoresearch.git"


def make(path: Path, story: Story, now: datetime) -> None:
    """Raises `LoopdeskError`."""
    git = Git.found()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
    stream = [f"commit refs/heads/main\ncommitter {_WHO} {int(now.timestamp())} +0000\n", _data("The loop\n")]
    for name, text in story.files.items():
        stream += [f"M 100644 inline {name}\n", _data(text)]
    git.run("fast-import", "--quiet", repository=path, given="".join([*stream, "done\n"]).encode())


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"
