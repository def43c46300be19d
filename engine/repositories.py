"""Where the loops' code is, by the configuration: which repository a project's fixes go to, and how it is tested.

[repositories.autoagent]
url = "https://github.com/you/autoagent.git"   # or: path = "~/src/autoagent"
projects = ["autoagent"]                       # whose reports are looked into there; none: research chooses
base = "main"                                  # empty: its default branch
ci = ["make", "test"]                          # how a change is tested, in the jail
setup = ["pip", "install", "--target", "/jail/deps", "-r", "requirements.txt"]
lock = "requirements.txt"                      # `setup` is done once for each content of this file
consent = "auto"                               # another round after red checks or a comment: auto, ask or never
autostart = ""                                 # start fixes of this priority and above by itself: P0 to P4
ci_trusts_branches = false                     # push what CI would execute without asking
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from engine.results import PRIORITIES
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

CONSENTS = ("auto", "ask", "never")


@dataclass(frozen=True, slots=True)
class Repository:
    """`url` is an https address or, for a local repository, its folder. `ci` and `setup` are command lines."""

    name: str
    url: str
    projects: tuple[str, ...] = ()
    base: str = ""
    ci: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    lock: str = ""
    consent: str = "auto"
    autostart: str = ""
    ci_trusts_branches: bool = False

    @property
    def is_local(self) -> bool:
        return self.url.startswith("/")


def repositories(config: Config) -> tuple[Repository, ...]:
    """In the order of the file. Raises `LoopdeskError` for a table that makes no sense."""
    return tuple(_repository(name, table) for name, table in config.repositories.items())


def pinned(known: Collection[Repository], project: str) -> Repository | None:
    """The one that the configuration names for a project."""
    return next((one for one in known if project in one.projects), None)


def candidates(known: Collection[Repository], projects: Collection[str]) -> tuple[tuple[Repository, ...], bool]:
    """Where the cause of a report of these projects may be, and whether the configuration pins the one. Where a project
    has no repository of its own, it may be in any."""
    named = [pinned(known, project) for project in sorted(projects)]
    if named and all(named):
        found = tuple(dict.fromkeys(one for one in named if one is not None))
        return found, len(found) == 1
    return tuple(known), False


def _repository(name: str, table: object) -> Repository:
    where = f"[repositories.{plain(name, 40)}]"
    if not isinstance(table, Mapping):
        raise LoopdeskError(f"{where} is not a table")
    known = {field.name for field in fields(Repository)} - {"name"} | {"path"}
    if unknown := sorted(set(map(str, table)) - known):
        raise LoopdeskError(
            f"{where} has a setting that loopdesk does not know: {plain(unknown[0], 40)}",
            do=f"Known settings are {', '.join(sorted(known))}",
        )
    url, path = table.get("url", ""), table.get("path", "")
    if not isinstance(url, str) or not isinstance(path, str) or bool(url) == bool(path):
        raise LoopdeskError(f"{where} needs either a url or a path", "It says where the code is")
    if path:
        url = str(Path(path).expanduser().absolute())
    elif not url.startswith(("https://", "http://")):
        raise LoopdeskError(f"{where} has a url that begins with neither https:// nor http://")
    values: dict[str, object] = {"url": url}
    for key in ("projects", "ci", "setup"):
        values[key] = _words(where, key, table.get(key, []))
    for key in ("base", "lock", "consent", "autostart"):
        if key in table:
            values[key] = _word(where, key, table[key])
    if values.get("consent", "auto") not in CONSENTS:
        raise LoopdeskError(f"{where} has a consent that is none of {', '.join(CONSENTS)}")
    if values.get("autostart", "") not in ("", *PRIORITIES):
        raise LoopdeskError(f"{where} has an autostart that is none of {', '.join(PRIORITIES)}")
    trusts = table.get("ci_trusts_branches", False)
    if not isinstance(trusts, bool):
        raise LoopdeskError(f"{where} has a ci_trusts_branches that is neither true nor false")
    return Repository(name, **values, ci_trusts_branches=trusts)  # type: ignore[arg-type]


def _words(where: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise LoopdeskError(f"{where} has a {key} that is not a list of words")
    return tuple(value)


def _word(where: str, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise LoopdeskError(f"{where} has a {key} that is not text")
    return value
