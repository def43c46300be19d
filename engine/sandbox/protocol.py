"""A sandbox: what a run is given, and what comes back.

A jail's stdin and stdout are the command's own, so that an agent can be spoken to while it works. What it did is
never learned from its exit code: it is judged by what leaves (`engine.sandbox.bundles`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from workspace.errors import LoopdeskError

# Where a run finds its things within the jail.
HOME = "/home/agent"
CLONE = "/jail/clone"
OUT = "/jail/out"
SESSION = f"{HOME}/.claude"
# The gateway, as the agent CLI sees it.
GATEWAY_PORT = 8787
GATEWAY_URL = f"http://127.0.0.1:{GATEWAY_PORT}"

_NAMES = frozenset({"LANG", "TZ", "PATH", "DISABLE_AUTOUPDATER", "MAX_THINKING_TOKENS", "PYTHONDONTWRITEBYTECODE"})
_BEGINNINGS = (
    "CLAUDE_CODE_",
    "CLAUDE_AGENT_SDK_",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
)
_SECRET = ("TOKEN", "KEY", "SECRET", "PASSWORD", "CREDENTIAL")
_NOT_SECRET = ("MAX_THINKING_TOKENS", "CLAUDE_CODE_MAX_OUTPUT_TOKENS")


class NoSandbox(LoopdeskError):
    """No jail can be had here: research and fixes refuse, and say how to mend it. There is no fallback."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of one run. `memory_bytes` of all its processes together; `tasks` are processes and threads; `wall_s`
    in seconds; `disk_bytes` of the folders that it can write, `scratch_bytes` of each of its folders in memory."""

    memory_bytes: int = 4 << 30
    tasks: int = 1_024
    wall_s: float = 1_800.0
    disk_bytes: int = 2 << 30
    scratch_bytes: int = 512 << 20


class Kind(StrEnum):
    """What a run asked of the gateway and did not get."""

    PATH = "path"
    BODY = "body"
    SERVER_TOOL = "server_tool"
    MCP_SERVER = "mcp_server"
    SOURCE = "source"
    MODEL = "model"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`said` is a sentence in which everything of the agent's is plain and clipped."""

    at: datetime
    kind: Kind
    said: str


class Door(Protocol):
    """The gateway of one run, as a jail needs it: its socket on the host, and what it refused so far."""

    @property
    def socket(self) -> Path: ...

    @property
    def refusals(self) -> Sequence[Refusal]: ...


@dataclass(frozen=True, slots=True)
class Run:
    """One command in a jail. Nothing else of the host is there, and of the environment only `environment`.

    `clone` is at `CLONE`, `session` (what the agent CLI remembers) at `SESSION`, `out` at `OUT`; `read_only` and
    `written` are more paths, by where they are within. `has_network` is for what the owner configured alone, such as
    fetching dependencies: never where an agent or its work runs. Raises `ValueError` for a variable that is not on the
    list.
    """

    command: Sequence[str]
    clone: Path | None = None
    clone_is_read_only: bool = False
    session: Path | None = None
    out: Path | None = None
    read_only: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[str, Path] = field(default_factory=dict)
    has_network: bool = False
    gateway: Door | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for name in self.environment:
            if not is_allowed(name):
                raise ValueError(f"{name} is not passed into a jail")

    @property
    def writable(self) -> list[Path]:
        """The host's folders that the run can fill."""
        clone = None if self.clone_is_read_only else self.clone
        return [folder for folder in (clone, self.session, self.out, *self.written.values()) if folder is not None]


def is_allowed(name: str) -> bool:
    """Whether a variable may be set within. What sounds like a secret never is."""
    if any(word in name for word in _SECRET) and name not in _NOT_SECRET:
        return False
    return name in _NAMES or name.startswith(_BEGINNINGS)


class Why(StrEnum):
    """Why a run ended: by itself, or what ended it."""

    EXIT = "exit"
    KILLED = "killed"
    WALL = "wall"
    MEMORY = "memory"
    TASKS = "tasks"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Usage:
    """The most that was seen. Looked at several times a second: a short peak between two looks is missed."""

    wall_s: float = 0.0
    memory_bytes: int = 0
    tasks: int = 0
    disk_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over, with every process it had. `exit_code` is the command's, 128 and more for a signal.
    `said` is why it ended, in a sentence; `errors` the end of its stderr, as it was written: untrusted."""

    exit_code: int
    why: Why
    said: str
    usage: Usage
    refusals: tuple[Refusal, ...] = ()
    errors: str = ""


class Jail(Protocol):
    """A running command. Whoever starts it waits for it or kills it; when the process that started it dies, it dies."""

    @property
    def stdin(self) -> asyncio.StreamWriter: ...

    @property
    def stdout(self) -> asyncio.StreamReader: ...

    async def wait(self) -> Ended:
        """Until the command and everything it started are gone."""

    def kill(self) -> None: ...


class Sandbox(Protocol):
    """`name` is what it is made with. `python` is a Python within every jail, `scripts` the folder of fixed scripts
    there (`engine.sandbox.inside`)."""

    @property
    def name(self) -> str: ...

    @property
    def python(self) -> str: ...

    @property
    def scripts(self) -> str: ...

    async def start(self, run: Run) -> Jail:
        """Raises `NoSandbox`. From the main thread: the jail dies with the thread that started it."""
