"""systemd and launchd as `loopdesk service` talks to them: what to write, what to run, and what they say."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.service_units import (
    PARTS,
    Service,
    enabled_linger,
    label,
    launchd_plist,
    systemd_unit,
    unit_name,
    workspace_of,
)
from workspace.text import plain

_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Status:
    """`is_lingering` is None where the machine has no such thing. `since` is the manager's own spelling."""

    installed: bool = False
    enabled: bool = False
    running: bool = False
    since: str = ""
    workspace: str = ""
    is_lingering: bool | None = None
    said: str = ""
    """What the manager says of a service that is installed and does not run."""


class Systemd:
    """One part's unit."""

    name = "systemd"

    def __init__(self, part: str = "serve") -> None:
        self.part, self.unit = part, unit_name(part)
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self.file = base / "systemd" / "user" / self.unit

    def text(self, service: Service) -> bytes:
        return systemd_unit(service).encode()

    def check(self) -> None:
        """Raises `LoopdeskError` where there is no manager of this user to talk to."""
        if shutil.which("systemctl") is None:
            raise _no_manager("systemd is not on this machine")
        done = call(["systemctl", "--user", "show-environment"])
        if done.returncode:
            raise _no_manager(f"systemd does not run for this user here ({plain(done.stderr, 100)})")

    def before_install(self) -> list[list[str]]:
        return []

    def install_commands(self) -> list[list[str]]:
        # Restarted, because one that runs already would go on as it was told before.
        return [
            ["systemctl", "--user", *words]
            for words in (["daemon-reload"], ["enable", self.unit], ["restart", self.unit])
        ]

    def remove_commands(self) -> list[list[str]]:
        return [["systemctl", "--user", "disable", "--now", self.unit]]

    def after_removal(self) -> list[list[str]]:
        return [["systemctl", "--user", "daemon-reload"]]

    def linger_command(self, on: bool) -> list[str]:
        return ["loginctl", "enable-linger" if on else "disable-linger"]

    def is_lingering(self) -> bool | None:
        if shutil.which("loginctl") is None:
            return None
        user = str(os.getuid())
        done = call(["loginctl", "show-user", user, "--property=Linger", "--value"])
        # A user without a session that does not linger is not known to it.
        return done.stdout.strip() == "yes" if done.returncode == 0 else False

    def status(self) -> Status:
        if not self.file.exists():
            return Status(is_lingering=self.is_lingering())
        names = ("ActiveState", "SubState", "UnitFileState", "ActiveEnterTimestamp", "Result")
        done = call(["systemctl", "--user", "show", self.unit, *(f"--property={name}" for name in names)])
        found = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        is_running = found.get("ActiveState") == "active"
        state = f"{found.get('ActiveState', 'unknown')} ({found.get('SubState', '')}, {found.get('Result', '')})"
        return Status(
            installed=True,
            enabled=found.get("UnitFileState") == "enabled",
            running=is_running,
            since=plain(found.get("ActiveEnterTimestamp", "")) if is_running else "",
            workspace=workspace_of(self.file.read_text(encoding="utf-8")),
            is_lingering=self.is_lingering(),
            said="" if is_running else plain(done.stderr or state, 160),
        )

    def switched_linger_on(self) -> bool:
        return self.file.exists() and enabled_linger(self.file.read_text(encoding="utf-8"))


class Launchd:
    """One part's agent."""

    name = "launchd"

    def __init__(self, part: str = "serve") -> None:
        self.part, self.label = part, label(part)
        self.file = Path.home() / "Library" / "LaunchAgents" / f"{self.label}.plist"
        self._domain = f"gui/{os.getuid()}"

    def text(self, service: Service) -> bytes:
        return launchd_plist(service)

    def check(self) -> None:
        if shutil.which("launchctl") is None:
            raise _no_manager("launchd is not on this machine")

    def before_install(self) -> list[list[str]]:
        return self.remove_commands() if self.file.exists() else []

    def install_commands(self) -> list[list[str]]:
        return [["launchctl", "bootstrap", self._domain, str(self.file)]]

    def remove_commands(self) -> list[list[str]]:
        return [["launchctl", "bootout", f"{self._domain}/{self.label}"]]

    def after_removal(self) -> list[list[str]]:
        return []

    def status(self) -> Status:
        if not self.file.exists():
            return Status()
        done = call(["launchctl", "print", f"{self._domain}/{self.label}"])
        arguments = plistlib.loads(self.file.read_bytes()).get("ProgramArguments", [])
        is_running = "state = running" in done.stdout
        return Status(
            installed=True,
            enabled=done.returncode == 0,
            running=is_running,
            workspace=arguments[-1] if arguments else "",
            said="" if is_running else plain(done.stderr, 160),
        )


def manager(part: str = "serve") -> Systemd | Launchd:
    """This machine's, for one of `PARTS`."""
    return Launchd(part) if sys.platform == "darwin" else Systemd(part)


def managers() -> list[Systemd | Launchd]:
    """One for each of `PARTS`, in their order."""
    return [manager(part) for part in PARTS]


def call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run, and never raise: what could not be started has exit code 127, what took too long 124."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} did not answer within {_TIMEOUT_S} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def must(command: Sequence[str]) -> None:
    """Run, or raise `LoopdeskError` with what it said."""
    done = call(command)
    if done.returncode:
        said = plain(done.stderr or done.stdout, 200) or f"exit code {done.returncode}"
        raise LoopdeskError(f"`{shlex.join(command)}` failed: {said}")


def _no_manager(why: str) -> LoopdeskError:
    return LoopdeskError(
        f"No service can be installed: {why}",
        "In a container, or over `su`, there is none",
        "Have `loopdesk serve` started by what starts your other programs, or run it in tmux",
    )
