"""The port of `loopdesk serve`: who listens there, for which workspace, and whether it answers."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.text import plain

_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Listener:
    """`workspaces` are the stores that the listening process has open; None where the machine does not tell."""

    is_listening: bool
    is_ready: bool = False
    ready_ms: float = 0.0
    pid: int | None = None
    workspaces: tuple[Path, ...] | None = None

    def serves(self, root: Path) -> bool | None:
        """Whether it stores into `root`; None where nobody can tell."""
        if self.workspaces is None:
            return None
        return root.resolve() in self.workspaces


def check(config: Config) -> list[Line]:
    return [said(look(config.port), config.port, config.workspace.root)]


def said(found: Listener, port: int, root: Path) -> Line:
    """Pure."""
    name = f"port {port}"
    if not found.is_listening:
        return note(
            name,
            "nobody listens there: `loopdesk serve` is not running",
            "loopdesk serve, or: loopdesk service install",
        )
    if not found.is_ready:
        return wrong(
            name,
            "another program listens there, or `serve` hangs",
            "Stop it, or choose another port in config.toml and for the loops",
        )
    process = f"process {found.pid}" if found.pid else "a process of another user"
    if found.serves(root) is False and found.workspaces:
        there = ", ".join(plain(place, 120) for place in found.workspaces)
        return wrong(
            name,
            f"`loopdesk serve` ({process}) stores into {there}, not into this workspace",
            f"Stop it, or name its workspace: --workspace '{found.workspaces[0]}'",
        )
    if found.serves(root) is False:
        return wrong(
            name,
            f"{process} answers there, and it is not `loopdesk serve`",
            "Stop it, or choose another port in config.toml and for the loops",
        )
    whose = "for this workspace" if found.serves(root) else "whose workspace cannot be told here"
    return ok(name, f"{process} listens {whose}, ready in {found.ready_ms:.0f} ms")


def look(port: int) -> Listener:
    """Asks for readiness only: no key is sent to whoever may be listening."""
    try:
        socket.create_connection(("127.0.0.1", port), _LIMIT_S).close()
    except OSError:
        return Listener(False)
    started = time.monotonic()
    is_ready = _is_ready(port)
    pid = _owner(port)
    return Listener(True, is_ready, (time.monotonic() - started) * 1000, pid, _stores(pid))


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    try:
        connection.request("GET", "/_readiness")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _owner(port: int) -> int | None:
    """The process that listens, where /proc tells it."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if any(target in sockets for target in _targets(folder)):
            return int(folder.parent.name)
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            cells = row.split()
            if int(cells[1].rpartition(":")[2], 16) == port and cells[3] == "0A":  # TCP_LISTEN
                yield cells[9]


def _targets(folder: Path) -> Iterator[str]:
    try:
        names = list(folder.iterdir())
    except OSError:
        return
    for name in names:
        try:
            yield str(name.readlink())
        except OSError:
            continue


def _stores(pid: int | None) -> tuple[Path, ...] | None:
    if pid is None:
        return None
    opened = {Path(target).parent for target in _targets(Path(f"/proc/{pid}/fd")) if Path(target).name == "events.db"}
    return tuple(sorted(opened))
