"""Whether the loops' repositories can be read and written, and how their changes would be checked."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.forges.ci import Ran
from engine.forges.opening import forge_of
from engine.guard_rules import configured
from engine.repositories import Repository, repositories
from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

_HOW = "Name where a loop's code is under [repositories.NAME] in config.toml"


def check(config: Config) -> list[Line]:
    try:
        configured(config.guard)
        known = repositories(config)
    except LoopdeskError as error:
        return [wrong("settings", error.what, error.do)]
    if not known:
        return [note("repositories", "none: reports are not looked into or fixed", _HOW)]
    return [line for one in known for line in _repository(config, one)]


def _repository(config: Config, repository: Repository) -> list[Line]:
    name = plain(repository.name, 30)
    try:
        # Read-only, but for our own mirror's folder.
        forge = forge_of(
            repository, config.workspace.mirrors, config.github_token, _Nothing(), lambda: datetime.now(UTC)
        )
        found = forge.repository()
    except LoopdeskError as error:
        return [wrong(name, error.what, error.do or error.means)]
    where = f"{plain(repository.url, 80)}, onto {plain(repository.base or found.default_branch, 60)}"
    lines = [ok(name, where)] if found.can_push else [_read_only(name, where)]
    if not repository.ci:
        said = "no ci command, so its changes are pushed untested"
        lines.append(note(name, said, f'Add ci = ["make", "test"] under [repositories.{name}]'))
    if not repository.projects:
        lines.append(
            note(name, "no projects, so research has to choose it", f"Add projects under [repositories.{name}]")
        )
    return lines


def _read_only(name: str, where: str) -> Line:
    return wrong(name, f"{where}: the token may not push", "Use one that can write contents and pull requests")


class _Nothing:
    """Nobody's code is run to look at a forge."""

    def run(self, command: object, folder: object, timeout_s: float) -> Ran:
        raise AssertionError("nothing is run here")
