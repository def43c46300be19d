"""A loop's repository as `loopdesk instrument` meets it: where the drop-in file is or goes, and what else is missing.

It is somebody's work: nothing is written through a link, over another file of that name, or over changes that are in
no commit.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from observability import posthog_client
from workspace.errors import LoopdeskError
from workspace.text import plain

NAME = "posthog_client.py"
VARIABLES = ("POSTHOG_HOST", "POSTHOG_API_KEY", "AUTORESEARCH_PROJECT")
PACKAGES = ("posthog", "python-ulid")
_OURS = '"""What a loop sends to PostHog'
_NOT_CODE = {"node_modules", "site-packages", "__pycache__", "build", "dist", "venv", "env", "tests", "test", "docs"}
_DEPTH = 4  # folders below the named one in which a copy is looked for
_MOST_BYTES = 4 * 1024 * 1024
_PATIENCE_S = 10
_ASSIGNED = re.compile(r"\s*(?:export\s+)?([A-Z_]+)\s*=\s*(.*)")
_REQUIRED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, slots=True)
class Copy:
    """The drop-in file in one repository. `text` is what is there now, None where nothing is."""

    path: Path
    text: str | None = field(repr=False)

    @property
    def is_current(self) -> bool:
        return self.text is not None and _lines(self.text) == _lines(ours())

    def diff(self) -> list[str]:
        """What would change, as a unified diff without line ends."""
        before = _lines(self.text or "")
        return list(difflib.unified_diff(before, _lines(ours()), str(self.path), f"loopdesk's {NAME}", lineterm=""))


@dataclass(frozen=True, slots=True)
class Missing:
    """What a loop needs beside the file, by name. None: there is no such file."""

    env: tuple[str, ...] | None
    env_example: tuple[str, ...] | None
    packages: tuple[str, ...] | None
    has_personal_key: bool = False
    """Whether `.env` gives the personal key as the project's: events are refused with it."""


def ours() -> str:
    """The drop-in file of this version."""
    return Path(posthog_client.__file__).read_text(encoding="utf-8")


def copy_in(folder: Path, named: str = "") -> Copy:
    """Where the file is in `folder`, else where it goes: `named`, the only package, or the folder itself. `folder` is
    resolved.

    Raises `LoopdeskError`: no folder, several copies, or a place that nothing is written to."""
    if not folder.is_dir():
        raise LoopdeskError("It is no folder", do="Name the folder of a loop's repository")
    path = _named(folder, named) if named else _found(folder)
    _refuse_links(path)
    if not path.exists():
        if not path.parent.is_dir():
            raise LoopdeskError(f"There is no folder {_shown(path.parent)}", do="Make it, or say --to PATH")
        return Copy(path, None)
    text = _read(path)
    if not text.startswith(_OURS):
        raise LoopdeskError(
            f"{_shown(path)} is another file of that name", "It would be lost", "Move it, or say --to PATH"
        )
    return Copy(path, text)


def write(copy: Copy) -> None:
    """Put this version's file there in one step. Raises `LoopdeskError`; then nothing was written."""
    _refuse_links(copy.path)
    now = _read(copy.path) if copy.path.exists() else None
    if now != copy.text:
        raise LoopdeskError(f"{_shown(copy.path)} has changed in this moment", "Nothing was written", "Look again")
    mode = copy.path.stat().st_mode & 0o777 if copy.text is not None else 0o644
    part = copy.path.with_name(f".{NAME}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                part.chmod(mode)  # our umask is for what is private; this belongs to the loop
                file.write(ours())
                file.flush()
                os.fsync(file.fileno())
            part.replace(copy.path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LoopdeskError(f"Cannot write {_shown(copy.path)}: {error.strerror}", "Nothing was written") from error


def refuse_uncommitted(copy: Copy) -> None:
    """Raises `LoopdeskError` where git says that what would be overwritten is in no commit: it could not be had again.
    Without git, or outside of a repository, nothing is known and nothing refused."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(copy.path.parent), "status", "--porcelain", "--", NAME]
    command[-1] = copy.path.name
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
    if done.returncode == 0 and done.stdout.strip():
        raise LoopdeskError(
            f"{_shown(copy.path)} has changes that are in no commit", "They would be lost", "Commit them, or undo them"
        )


def missing_in(folder: Path) -> Missing:
    """Names only, never a value."""
    env, example = _assigned(folder / ".env"), _assigned(folder / ".env.example")
    required = _requirements(folder)
    return Missing(
        env=None if env is None else tuple(name for name in VARIABLES if not env.get(name)),
        env_example=None if example is None else tuple(name for name in VARIABLES if name not in example),
        packages=None if required is None else tuple(name for name in PACKAGES if name not in required),
        has_personal_key=bool(env and env.get("POSTHOG_API_KEY", "").startswith("phx_")),
    )


def _named(folder: Path, named: str) -> Path:
    path = Path(os.path.normpath(folder / named))
    if not path.is_relative_to(folder):
        raise LoopdeskError("--to leads out of it", do="Give a path inside the repository")
    path = path / NAME if path.is_dir() else path
    if path.suffix != ".py":
        raise LoopdeskError(f"--to {plain(named, 200)} is no Python file", do=f"Give a folder, or a path like {NAME}")
    return path


def _found(folder: Path) -> Path:
    found = [path for path in _walk(folder, _DEPTH) if not _is_plain(path) or _read(path).startswith(_OURS)]
    if len(found) > 1:
        places = ", ".join(_shown(path.relative_to(folder)) for path in found[:5])
        raise LoopdeskError(f"There are several copies ({places})", do="Say which with --to PATH")
    return found[0] if found else _package(folder) / NAME


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Files of the name; hidden folders, environments and links to folders are passed over."""
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        if entry.name == NAME and not entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False) and not _is_not_code(entry):
            yield from _walk(Path(entry.path), depth - 1)


def _is_not_code(entry: os.DirEntry) -> bool:
    return _is_aside(entry.name) or Path(entry.path, "pyvenv.cfg").exists()


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name in _NOT_CODE


def _package(folder: Path) -> Path:
    """The only package of the repository, else its root: a loop that is a script imports what lies beside it."""
    roots = [
        path.parent
        for base in (folder, folder / "src")
        for path in sorted(base.glob("*/__init__.py"))
        if not _is_aside(path.parent.name) and not path.parent.is_symlink()
    ]
    return roots[0] if len(roots) == 1 else folder


def _refuse_links(path: Path) -> None:
    """Of a path below a resolved folder."""
    if path.is_symlink() or path.parent.resolve() != path.parent:
        raise LoopdeskError(
            f"{_shown(path)} is or lies behind a link", "Nothing is written through one", "Say --to PATH"
        )
    if path.exists() and not _is_plain(path):
        raise LoopdeskError(f"{_shown(path)} is no file", do="Say --to PATH")


def _is_plain(path: Path) -> bool:
    """No link, and nothing that reading waits for, such as a pipe."""
    return path.is_file() and not path.is_symlink()


def _read(path: Path) -> str:
    """Raises `LoopdeskError`."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise LoopdeskError(f"{_shown(path)} is far larger than the drop-in file", do="Look at it")
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise LoopdeskError(f"Cannot read {_shown(path)}: {error.strerror}") from error


def _lines(text: str) -> list[str]:
    """Whatever line ends git has put there."""
    return text.replace("\r\n", "\n").split("\n")


def _assigned(path: Path) -> dict[str, str] | None:
    if not path.is_file():
        return None
    found = (_ASSIGNED.fullmatch(line) for line in _lines(_read(path)))
    return {one[1]: f" {one[2]}".partition(" #")[0].strip().strip("'\"") for one in found if one}


def _requirements(folder: Path) -> set[str] | None:
    """The names of all packages that the repository asks for; None where it has no list."""
    lists = [path for path in sorted(folder.glob("requirements*.txt")) if path.is_file()]
    project = folder / "pyproject.toml"
    if not lists and not project.is_file():
        return None
    lines = [line for path in lists for line in _lines(_read(path))]
    if project.is_file():
        try:
            lines += _texts(tomllib.loads(_read(project)))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise LoopdeskError(f"{_shown(project)} is no TOML", do="Mend it") from error
    return {re.sub(r"[-_.]+", "-", one[1]).lower() for line in lines if (one := _REQUIRED.match(line))}


def _texts(document: dict) -> Iterable[str]:
    """Requirements in the places where PEP 621, PEP 735, uv and Poetry have them."""
    project, tool = _table(document, "project"), _table(document, "tool")
    poetry = _table(tool, "poetry")
    groups = [*_table(project, "optional-dependencies").values(), *_table(document, "dependency-groups").values()]
    groups += [project.get("dependencies"), _table(tool, "uv").get("dev-dependencies")]
    groups += [list(_table(poetry, "dependencies")), list(_table(poetry, "dev-dependencies"))]
    groups += [list(_table(_table(_table(poetry, "group"), name), "dependencies")) for name in _table(poetry, "group")]
    return [line for group in groups if isinstance(group, list) for line in group if isinstance(line, str)]


def _table(document: dict, name: str) -> dict:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _shown(path: Path) -> str:
    return plain(path, 200)
