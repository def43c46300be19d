"""Where a workspace's files are, and that nobody else can write them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import LoopdeskError

APP = "loopdesk"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One data directory. Folders are 0700 and files 0600; local disk, because SQLite's WAL does not work over NFS."""

    root: Path

    @property
    def events_db(self) -> Path:
        return self.root / "events.db"

    @property
    def desk_db(self) -> Path:
        return self.root / "desk.db"

    @property
    def inbox_db(self) -> Path:
        return self.root / "inbox.db"

    @property
    def blobs(self) -> Path:
        """Bundles, sessions, transcripts and diffs, by the hash of what they hold."""
        return self.root / "blobs"

    @property
    def mirrors(self) -> Path:
        """Our own bare mirrors of repositories."""
        return self.root / "mirrors"

    @property
    def runs(self) -> Path:
        """What running jails are given and leave."""
        return self.root / "runs"

    @property
    def dependencies(self) -> Path:
        """Prepared dependencies of repositories, which their tests see read-only."""
        return self.root / "dependencies"

    @property
    def demo_marker(self) -> Path:
        """Present in a workspace whose events were simulated; the desk says so on screen."""
        return self.root / "demo.json"

    def create(self) -> Workspace:
        """Make the folder if it is missing and check that it is ours alone. Raises `LoopdeskError`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LoopdeskError(
                f"Cannot make the workspace {self.root}: {error.strerror}",
                "loopdesk keeps its databases there",
                "Name a folder you can write with --workspace DIR or LOOPDESK_WORKSPACE",
            ) from error
        refuse_writable_by_others(self.root)
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise LoopdeskError(
                f"The workspace {self.root} is read-only",
                "loopdesk keeps its databases there",
                "Make it writable, or name another folder with --workspace DIR",
            )
        return self


def refuse_writable_by_others(path: Path) -> None:
    """Raises `LoopdeskError` if another user could change `path`: its content decides what the desk shows and runs."""
    if os.name == "nt" or not path.exists():
        return
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise LoopdeskError(
            f"Other users of this machine can write {path}",
            "They could change what the desk shows",
            f"Run: chmod go-w {path}",
        )


def write_private(path: Path, text: str) -> None:
    """Replace `path` with `text` in one step, mode 0600: a reader sees the old file or the new one, never half."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # renamed before its content is on the disk, it is empty after a power cut
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def nearest_folder(path: Path) -> Path:
    """`path`, or the folder above it that exists: where its disk can be asked for room before it is made."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def default_root() -> Path:
    """The platform's data folder for loopdesk."""
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)


def config_folder() -> Path:
    """The platform's config folder for loopdesk, or `LOOPDESK_CONFIG_DIR`."""
    override = os.environ.get("LOOPDESK_CONFIG_DIR")
    if override:
        return Path(override).expanduser()
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False)


def state_folder() -> Path:
    """The platform's folder for what processes of one user share across workspaces, or `LOOPDESK_STATE_DIR`."""
    override = os.environ.get("LOOPDESK_STATE_DIR")
    if override:
        return Path(override).expanduser()
    from platformdirs import user_state_path

    return user_state_path(APP, appauthor=False)
