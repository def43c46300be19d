"""What the machine's own service manager is told about `serve` and the engine: systemd units, launchd property lists.

Pure: texts from a `Service`. Paths may hold spaces, quotes, per cent and dollar signs, which mean something to systemd.
"""

from __future__ import annotations

import plistlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workspace.errors import LoopdeskError

# What runs day and night -> its command line, and what it is.
PARTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "serve": (("serve",), "the embedded PostHog that loops send their events to"),
    "engine": (("engine", "run"), "it turns the loops' signals into reports and applies what you decide"),
}
# The engine's jails are made of namespaces, and of a network without a wire (AF_NETLINK).
_NARROWER: Mapping[str, tuple[str, ...]] = {
    "serve": ("RestrictNamespaces=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"),
}
# Of the installing shell's environment only what decides where things are. A unit is a plain file: no key is in it.
PASSED = ("LOOPDESK_CONFIG_DIR", "LOOPDESK_TIMEZONE", "TZ")


@dataclass(frozen=True, slots=True)
class Service:
    """`python` is the interpreter that has loopdesk installed, `part` one of `PARTS`. `enabled_linger` notes that
    installing switched on lingering, so that removing switches it off again."""

    python: Path
    workspace: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    enabled_linger: bool = False
    part: str = "serve"

    @property
    def command(self) -> tuple[str, ...]:
        # -P: whatever lies in the folder that it is started in is not imported.
        return (str(self.python), "-P", "-m", "tui.main", *PARTS[self.part][0], "--workspace", str(self.workspace))


def unit_name(part: str) -> str:
    return f"loopdesk-{part}.service"


def label(part: str) -> str:
    return f"dev.loopdesk.{part}"


def systemd_unit(service: Service) -> str:
    """A user unit. Its hardening is what a user's own manager can do everywhere: nothing in it needs a namespace, which
    many machines forbid. Raises `LoopdeskError` for a path that a unit cannot hold."""
    environment = [f"Environment={_quoted(f'{name}={value}', '%')}" for name, value in service.environment.items()]
    lines = [
        "# Written by `loopdesk service install`; `loopdesk service remove` takes it away.",
        "[Unit]",
        f"Description=loopdesk {service.part}: {PARTS[service.part][1]}",
        # Never given up: a night is long, and whatever was wrong (another program on the port) may end.
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={_command(service)}",
        *environment,
        "Restart=on-failure",
        "RestartSec=10",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        *_NARROWER.get(service.part, ()),
        "SystemCallArchitectures=native",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
        # Sections of this form are another program's own; systemd passes over them.
        "[X-Loopdesk]",
        f"Workspace={_one_line(str(service.workspace))}",
        f"EnabledLinger={'yes' if service.enabled_linger else 'no'}",
    ]
    return "\n".join(lines) + "\n"


def _command(service: Service) -> str:
    program, *arguments = service.command
    # No variable is looked for in the program's own path, so that a dollar sign there stands for itself.
    return " ".join([_quoted(program, "%"), *(_quoted(word, "%$") for word in arguments)])


def _quoted(word: str, doubled: str) -> str:
    # systemd.service(5): % begins a specifier, $ a variable, and a backslash or quote within quotes is escaped.
    text = _one_line(word).replace("\\", "\\\\").replace('"', '\\"')
    for sign in doubled:
        text = text.replace(sign, sign * 2)
    return f'"{text}"'


def _one_line(word: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", word):
        raise LoopdeskError(
            f"{word!r} has a control character", "A service's file cannot hold it", "Use another folder"
        )
    return word


def workspace_of(unit: str) -> str:
    """The workspace that a unit of ours serves; empty for any other unit."""
    return _noted(unit, "Workspace")


def enabled_linger(unit: str) -> bool:
    """Whether installing this unit switched on lingering."""
    return _noted(unit, "EnabledLinger") == "yes"


def _noted(unit: str, name: str) -> str:
    found = re.search(rf"^\[X-Loopdesk\]\n(?:.*\n)*?{name}=(.*)$", unit, re.MULTILINE)
    return found[1] if found else ""


def launchd_plist(service: Service) -> bytes:
    """A launch agent: started at log-in, started again when it fails, its output in the workspace."""
    log = str(service.workspace / f"{service.part}.log")
    return plistlib.dumps(
        {
            "Label": label(service.part),
            "ProgramArguments": list(service.command),
            "EnvironmentVariables": dict(service.environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 5,
            "Umask": 0o077,
            "ProcessType": "Background",
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
    )
