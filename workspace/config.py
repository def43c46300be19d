"""What is configured, and where each value came from.

Order, later wins: defaults, `config.toml`, the environment, the command line.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from workspace.errors import LoopdeskError
from workspace.paths import Workspace, config_folder, default_root, refuse_writable_by_others

# Environment variable -> field.
_ENVIRONMENT = {
    "LOOPDESK_WORKSPACE": "workspace_dir",
    "LOOPDESK_TIMEZONE": "timezone",
    "LOOPDESK_THEME": "theme",
}


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting with its default. `sources` names where a value came from, by field name."""

    workspace_dir: str = ""
    timezone: str = ""
    """IANA name; empty means the machine's own."""
    night_starts_hour: int = 18
    """Local hour at which a night begins, 0 to 23."""
    theme: str = "loopdesk-dark"
    port: int = 8377
    """Where `loopdesk serve` listens on loopback."""
    ascii: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key overrides of the desk: verb name -> keys, comma separated."""
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        return Workspace(Path(self.workspace_dir).expanduser() if self.workspace_dir else default_root())

    @property
    def zone(self) -> str:
        return self.timezone or machine_timezone()


_SETTABLE = {f.name: f.type for f in fields(Config) if f.name != "sources"}


def load(overrides: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration. `overrides` are command line values (None is ignored). Raises `LoopdeskError`."""
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    sources: dict[str, str] = {}

    def put(found: Mapping[str, object], source: str) -> None:
        values.update(found)
        sources.update(dict.fromkeys(found, source))

    path = config_folder() / "config.toml"
    put(_from_file(path), str(path))
    put({key: environment[name] for name, key in _ENVIRONMENT.items() if environment.get(name)}, "environment")
    put({key: value for key, value in (overrides or {}).items() if value is not None}, "command line")
    return _checked(replace(Config(), **values, sources=sources))  # type: ignore[arg-type]


def _from_file(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise LoopdeskError(f"Cannot read {path}: {error.strerror}", do="Make it readable, or move it away") from error
    refuse_writable_by_others(path)
    try:
        found = tomllib.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LoopdeskError(f"{path} is not valid TOML: {error}", do="Mend the line, or move the file away") from error
    unknown = sorted(found.keys() - _SETTABLE.keys())
    if unknown:
        raise LoopdeskError(
            f"{path} has a setting that loopdesk does not know: {unknown[0]}",
            do=f"Known settings are {', '.join(sorted(_SETTABLE))}",
        )
    return found


def _checked(config: Config) -> Config:
    hour = config.night_starts_hour
    if isinstance(hour, bool) or not isinstance(hour, int) or not 0 <= hour <= 23:
        raise LoopdeskError(f"night_starts_hour is {hour!r}, but must be a whole hour from 0 to 23")
    if not isinstance(config.port, int) or not 0 <= config.port <= 65535:
        raise LoopdeskError(f"port is {config.port!r}, but must be a number from 0 to 65535")
    for name in ("workspace_dir", "timezone", "theme"):
        if not isinstance(getattr(config, name), str):
            raise LoopdeskError(f"{name} is {getattr(config, name)!r}, but must be text")
    try:
        ZoneInfo(config.zone)
    except (KeyError, ValueError, OSError) as error:
        raise LoopdeskError(
            f"There is no time zone {config.timezone!r}", do='Use an IANA name such as "Europe/Berlin"'
        ) from error
    return config


def machine_timezone() -> str:
    """The machine's IANA zone: `TZ`, else what /etc/localtime points at, else UTC."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        target = os.path.realpath("/etc/localtime")
        _, found, name = target.partition("zoneinfo/")
        name = name if found else ""
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (KeyError, ValueError, OSError):
        return "UTC"
