"""The workspace: its rights, its databases, what lies beside them."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.schema import MIGRATIONS as INBOX
from queries import cache
from queries.local import schema
from queries.local.times import instant
from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.inventory import StoredFile, inventory
from workspace.text import plain

_CHECK_S = 3.0  # of looking for damage; a large store is looked at in part
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs", "ceph")


def check(config: Config) -> list[Line]:
    root = config.workspace.root
    if not root.exists():
        return [note("workspace", f"{root} is not there yet", "It is made when the first event arrives")]
    lines = [_folder(root), *_rights(root)]
    lines += _database(root / "events.db", len(schema.MIGRATIONS), config.zone)
    lines += _database(root / "desk.db", len(cache.MIGRATIONS), config.zone)
    lines += _database(root / "inbox.db", len(INBOX), config.zone)
    lines.append(_keys(root / "keys.json"))
    if config.workspace.demo_marker.exists():
        lines.append(note("demo.json", "this workspace holds a simulated weekend, and the desk says so"))
    return lines + _beside(inventory(root))


def _folder(root: Path) -> Line:
    mode = root.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return wrong("workspace", f"others can write {root}", f"chmod 700 '{root}'")
    if not os.access(root, os.W_OK | os.X_OK):
        return wrong("workspace", f"{root} cannot be written", "Make it yours, or name another with --workspace DIR")
    kind = _file_system(root)
    if kind in _REMOTE:
        return wrong("workspace", f"{root} is on {kind}, where SQLite's log does not work", "Use a local disk")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return note("workspace", f"others can look into {root}", f"chmod 700 '{root}'")
    return ok("workspace", f"{root}, yours alone")


def _file_system(root: Path) -> str:
    """The kind of the file system that holds `root`; empty where the machine does not say."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    place = root.resolve()
    holders = [(len(mount[1]), mount[2]) for mount in mounts if place.is_relative_to(mount[1].replace("\\040", " "))]
    return max(holders, default=(0, ""))[1]


def _rights(root: Path) -> list[Line]:
    lines = []
    for name in ("events.db", "desk.db", "inbox.db", "keys.json"):
        path = root / name
        if not path.exists():
            continue
        mode = path.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            lines.append(wrong(f"{name} rights", f"others can write {name}", f"chmod 600 '{path}'"))
        elif mode & (stat.S_IRGRP | stat.S_IROTH):
            state = wrong if name == "keys.json" else note
            lines.append(state(f"{name} rights", f"others can read {name}", f"chmod 600 '{path}'"))
    return lines


def _database(path: Path, known: int, zone: str) -> list[Line]:
    if not path.exists():
        return [ok(path.name, "not there yet")]
    size = sum(
        part.stat().st_size for part in path.parent.glob(f"{path.name}*") if part.name[len(path.name) :] in ("", "-wal")
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > known:
                said = f"was written by a newer loopdesk (schema {version}, this one knows {known})"
                return [wrong(path.name, said, "Update loopdesk")]
            parts = [f"{size / 1e6:,.1f} MB", f"schema {version}"]
            if version < known:
                parts[-1] += f" (brought to {known} at the next start, after a copy)"
            if path.name == "events.db":
                parts += _events(connection, zone)
            damage, is_whole = _damage(connection)
    except sqlite3.Error as error:
        do = "The next start moves it aside and begins anew; `loopdesk restore` brings a backup back"
        return [wrong(path.name, f"cannot be read: {plain(error, 100)}", do)]
    if damage:
        return [
            wrong(path.name, f"is damaged: {damage}", "Make a copy of the folder, then `loopdesk restore` a backup")
        ]
    parts.append("no damage" if is_whole else f"no damage in the part that {_CHECK_S:g} s are enough for")
    return [ok(path.name, ", ".join(parts))]


def _events(connection: sqlite3.Connection, zone: str) -> list[str]:
    events = connection.execute("SELECT count(*) FROM bodies").fetchone()[0]
    newest = connection.execute("SELECT max(timestamp) FROM events").fetchone()[0]
    if newest is None:
        return ["no events"]
    return [f"{events:,} events", f"the newest of {instant(newest).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"]


def _damage(connection: sqlite3.Connection) -> tuple[str, bool]:
    """What SQLite finds broken, and whether all of the file was looked at."""
    end = time.monotonic() + _CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            raise
        return "", False
    finally:
        connection.set_progress_handler(None, 0)
    return ("" if found == "ok" else plain(found, 120)), True


def _keys(path: Path) -> Line:
    if not path.exists():
        return ok("keys.json", "not there yet: `loopdesk serve` makes it")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        is_right = found["project"].startswith("phc_") and found["personal"].startswith("phx_")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        is_right = False
    if not is_right:
        return wrong(
            "keys.json",
            "does not hold loopdesk's two keys",
            "Restore it from a backup, or move it away: new keys are made, and loops need the new one",
        )
    return ok("keys.json", "holds the project's and the personal key of `loopdesk serve`")


def _beside(files: Sequence[StoredFile]) -> list[Line]:
    lines = []
    for kind, words, do in (
        ("copies", "from before a schema changed", "loopdesk storage prune --copies"),
        ("aside", "damaged or replaced, moved aside", "Look at them, then: loopdesk storage prune --moved-aside"),
        ("unfinished", "left by work that was interrupted", "If it was `restore`, run it again: it cleans up"),
    ):
        mine = [file for file in files if file.kind == kind]
        if mine:
            size = sum(file.bytes for file in mine) / 1e6
            lines.append(note(kind, f"{len(mine)} files {words}, {size:,.1f} MB", do))
    return lines
