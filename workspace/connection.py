"""The PostHog that the boards may be asked of: its host, project and personal key, checked, and written to the file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from workspace.config import LOOPBACK, Config, config_file, is_http
from workspace.errors import LoopdeskError
from workspace.paths import refuse_writable_by_others, write_private

CURRENT = "@current"  # PostHog's name for the project that a key belongs to
HOSTS = ("https://us.posthog.com", "https://eu.posthog.com")
_MAKE_A_KEY = "Make one with the scope query:read under Settings > Personal API keys"


@dataclass(frozen=True, slots=True)
class Connection:
    """`host` as it was configured; `queries.remote` derives the one that answers questions."""

    host: str
    project_id: str
    personal_key: str = field(repr=False)


def checked(host: str, project_id: str, personal_key: str) -> Connection:
    """What a person typed, as a connection. Raises `LoopdeskError` for what cannot be right."""
    host, project_id, key = host.strip().rstrip("/"), project_id.strip(), personal_key.strip()
    if not is_http(host):
        raise LoopdeskError(
            f"The host {host!r} is no address" if host else "There is no host", do=f"Write it like {HOSTS[0]}"
        )
    if not key:
        raise LoopdeskError("There is no personal key", "PostHog answers questions only with one", _MAKE_A_KEY)
    if key.startswith("phc_"):
        raise LoopdeskError(
            "This is the project's key (phc_...), with which loops send events",
            "Questions need a personal key (phx_...)",
            _MAKE_A_KEY,
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise LoopdeskError("The personal key holds characters that no key has", do="Copy it again, on one line")
    if project_id and project_id != CURRENT and not project_id.isdecimal():
        raise LoopdeskError(f"The project {project_id!r} is not a number", do="It stands in the project's settings")
    return Connection(host, project_id or CURRENT, key)


def connection(config: Config) -> Connection:
    """The configured one. Raises `LoopdeskError` where something is missing or must not be used."""
    if not (config.posthog_host and config.posthog_personal_key):
        missing = "POSTHOG_PERSONAL_API_KEY" if config.posthog_host else "POSTHOG_HOST"
        raise LoopdeskError(
            f"PostHog cannot be asked: {missing} is not set", do="Run: loopdesk connect, or set it in the environment"
        )
    _refuse_strange_host(config)
    return checked(config.posthog_host, config.posthog_project_id, config.posthog_personal_key)


def offered_host(config: Config) -> str:
    """What a form begins with. Never a host that only the folder's `.env` names, unless it is PostHog's or this
    machine: whoever accepts it unread would send the personal key there."""
    return HOSTS[0] if _is_strange_host(config) else config.posthog_host or HOSTS[0]


def save(made: Connection) -> Path:
    """Write it to `config.toml` (0600), leaving everything else there as it is. Returns the file's path.

    Raises `LoopdeskError`."""
    # tomlkit keeps the owner's comments and order; loading it is only worth while for writing.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = config_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        refuse_writable_by_others(path.parent)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
        table = document.setdefault("posthog", tomlkit.table())
        table["host"], table["project_id"], table["personal_key"] = made.host, made.project_id, made.personal_key
        write_private(path, tomlkit.dumps(document))
    except OSError as error:
        raise LoopdeskError(f"Cannot write {path}: {error.strerror}", "The connection was not kept") from error
    except (TOMLKitError, UnicodeDecodeError, TypeError) as error:
        raise LoopdeskError(f"{path} is not valid TOML", "The connection was not kept", "Mend or move it") from error
    return path


def overridden() -> tuple[str, ...]:
    """Environment variables that would win over what `save` has written."""
    return tuple(
        name for name in ("POSTHOG_HOST", "POSTHOG_PROJECT_ID", "POSTHOG_PERSONAL_API_KEY") if os.environ.get(name)
    )


def _is_strange_host(config: Config) -> bool:
    if config.sources.get("posthog_host") != ".env" or not is_http(config.posthog_host):
        return False
    name = urlsplit(config.posthog_host).hostname or ""
    return name not in LOOPBACK and name != "posthog.com" and not name.endswith(".posthog.com")


def _refuse_strange_host(config: Config) -> None:
    # A checkout that brings a `.env` must not be able to have the owner's personal key sent to a host of its choice.
    if config.sources.get("posthog_personal_key") != ".env" and _is_strange_host(config):
        raise LoopdeskError(
            f"The .env in this folder names the host {config.posthog_host}, but your personal key comes from elsewhere",
            "It would be sent to that host",
            "Set POSTHOG_HOST in your environment or config.toml if this is right",
        )
