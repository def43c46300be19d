"""What loopdesk runs on: Python, SQLite, the HogQL grammar, room on the disk."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sqlite3
import sys
from pathlib import Path

from tui.commands.checks.line import Line, note, ok, wrong
from tui.main import VERSION
from workspace.config import Config
from workspace.paths import nearest_folder

_OLDEST_SQLITE = (3, 38, 0)  # its JSON functions and operators are part of every build from then on
LITTLE_BYTES = 200_000_000


def check(config: Config) -> list[Line]:
    return [
        ok("loopdesk", f"{VERSION}, in {Path(__file__).resolve().parents[3]}"),
        ok("Python", f"{platform.python_version()}, {sys.executable}"),
        _sqlite(),
        _grammar(),
        _disk(config.workspace.root),
    ]


def _sqlite() -> Line:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        return wrong("SQLite", f"{sqlite3.sqlite_version} is too old; {oldest} is needed", "Use a newer Python")
    return ok("SQLite", sqlite3.sqlite_version)


def _grammar() -> Line:
    if importlib.util.find_spec("hogql_parser") is None:
        return note(
            "hogql-parser",
            "not installed: the desk's own questions work, other HogQL does not",
            "Install loopdesk on Linux or macOS",
        )
    return ok("hogql-parser", importlib.metadata.version("hogql-parser"))


def _disk(root: Path) -> Line:
    place = nearest_folder(root)
    free = shutil.disk_usage(place).free
    if free < LITTLE_BYTES:
        return wrong("disk", f"{free / 1e6:,.0f} MB are free in {place}", "Make room, or: loopdesk storage")
    return ok("disk", f"{free / 1e9:,.1f} GB are free in {place}")
