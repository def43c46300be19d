"""What the guard goes by: caps, protected paths, and what CI executes. From the workspace's configuration and from the
base commit, which can only add to it; never from the branch."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from workspace.errors import LoopdeskError
from workspace.text import plain

BASE_FILE = ".loopdesk.toml"  # in the root of the base commit: `protected = [...]`, `executed = [...]`

# What tells git or this guard how to look at a tree is nobody's fix.
PROTECTED = (".git/**", "**/.git", "**/.git/**", "**/.gitmodules", "**/.gitattributes", BASE_FILE, "**/CODEOWNERS")
# Files that CI runs, or that say what it runs; a change to code and tests alone is not among them, since CI's runner
# is what those are for.
EXECUTED = (
    # CI's own
    ".github/**", ".gitlab-ci.yml", ".gitlab/**", ".circleci/**", ".buildkite/**", ".travis.yml", ".drone.yml",
    ".woodpecker*/**", ".woodpecker.y*ml", ".forgejo/**", ".gitea/**", ".ci/**", "azure-pipelines*.y*ml",
    "bitbucket-pipelines.yml", "Jenkinsfile*", "**/action.y*ml", ".pre-commit-config.yaml",
    # Builds and task runners
    "**/Makefile", "**/GNUmakefile", "**/*.mk", "**/justfile", "**/.justfile", "**/Taskfile*.y*ml", "**/Rakefile",
    "**/CMakeLists.txt", "**/*.cmake", "**/BUILD", "**/BUILD.bazel", "**/*.bzl", "**/WORKSPACE", "**/meson.build",
    "**/Dockerfile*", "**/*.dockerfile", "**/docker-compose*.y*ml", "**/compose*.y*ml", "**/*.sh", "**/*.bash",
    "**/*.ps1", "**/*.bat", "**/*.cmd", "**/.env*", "**/.tool-versions", "**/mise.toml", "**/flake.nix",
    # Python
    "**/pyproject.toml", "**/setup.py", "**/setup.cfg", "**/tox.ini", "**/noxfile.py", "**/pytest.ini",
    "**/.pytest.ini", "**/conftest.py", "**/sitecustomize.py", "**/usercustomize.py", "**/*.pth", "**/.coveragerc",
    "**/requirements*.txt", "**/constraints*.txt", "**/Pipfile*", "**/uv.lock", "**/poetry.lock", "**/pip.conf",
    # JavaScript
    "**/package.json", "**/package-lock.json", "**/yarn.lock", "**/pnpm-lock.yaml", "**/.npmrc", "**/.yarnrc*",
    "**/.pnpmfile.cjs", "**/bunfig.toml", "**/*.config.js", "**/*.config.cjs", "**/*.config.mjs", "**/*.config.ts",
    "**/.babelrc*", "**/.eslintrc*", "**/.mocharc*", "**/tsconfig*.json", "**/gulpfile.*", "**/Gruntfile.*",
    # Others
    "**/build.rs", "**/.cargo/**", "**/Cargo.toml", "**/Cargo.lock", "**/go.mod", "**/go.sum", "**/Gemfile*",
    "**/*.gemspec", "**/build.gradle*", "**/settings.gradle*", "**/gradle/**", "**/gradlew*", "**/pom.xml", "**/mvnw*",
    "**/.mvn/**", "**/build.sbt", "**/mix.exs", "**/composer.json", "**/phpunit.xml*", "**/*.csproj", "**/*.props",
    "**/*.targets", "**/Package.swift",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns: `*` and `?` inside one part of a path, `**/` any folders; compared without regard to case, as some
    disks do. `command_words` are those of the CI command, of which some are files."""

    most_files: int = 20
    most_lines: int = 600
    most_bytes: int = 1_000_000
    protected: tuple[str, ...] = PROTECTED
    executed: tuple[str, ...] = EXECUTED
    command_words: frozenset[str] = frozenset()


def configured(table: object, ci_command: Iterable[str] = ()) -> Rules:
    """From `[guard]`. What it names is added to what always holds. Raises `LoopdeskError`."""
    if not isinstance(table, Mapping):
        raise _unreadable("[guard]", "it is not a table")
    known = {"most_files", "most_lines", "most_bytes", "protected", "executed"}
    if unknown := sorted(set(map(str, table)) - known):
        raise _unreadable("[guard]", f"there is no {plain(unknown[0], 40)}")
    caps = {name: _count(name, table[name]) for name in ("most_files", "most_lines", "most_bytes") if name in table}
    rules = _with(replace(Rules(), **caps), table, "[guard]")  # type: ignore[arg-type]
    return replace(rules, command_words=frozenset(_words(ci_command)))


def with_base(rules: Rules, text: str) -> Rules:
    """With what the base commit's `.loopdesk.toml` adds. Caps are not its to set. Raises `LoopdeskError`: a file that
    cannot be read protects nothing."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(f"The base commit's {BASE_FILE}", str(error)) from None
    return _with(rules, table, f"The base commit's {BASE_FILE}")


def matches(path: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that fits."""
    return next((pattern for pattern in patterns if _expression(pattern).fullmatch(path)), None)


def _with(rules: Rules, table: Mapping[str, object], where: str) -> Rules:
    more = {}
    for name, held in (("protected", rules.protected), ("executed", rules.executed)):
        given = table.get(name, [])
        if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
            raise _unreadable(where, f"{name} is not a list of paths")
        more[name] = tuple(dict.fromkeys((*held, *given)))
    return replace(rules, **more)  # type: ignore[arg-type]


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _unreadable("[guard]", f"{name} is not a whole number above 0")
    return value


def _words(command: Iterable[str]) -> Iterable[str]:
    for part in command:
        try:
            inner = shlex.split(part)
        except ValueError:
            inner = part.split()
        for word in (part, *inner):
            yield word.removeprefix("./")


def _unreadable(where: str, why: str) -> LoopdeskError:
    return LoopdeskError(f"{where} cannot be read: {why}", "Without it the guard lets nothing through")


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    """`folder/` means all in it."""
    if pattern.endswith("/"):
        pattern += "**"
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE | re.DOTALL)
