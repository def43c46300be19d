"""Every setting with its value and where it came from; secrets are masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from urllib.parse import urlsplit, urlunsplit

from engine import notify
from tui.commands.checks.line import Line, ok, wrong
from workspace.config import SECRETS, Config, config_file
from workspace.errors import LoopdeskError
from workspace.text import plain

_SECRET_FORMS = ("phx_", "phs_", "sk-")


def check(config: Config) -> list[Line]:
    file = config_file()
    said = f"{file} is read" if file.exists() else f"there is no {file}; defaults and the environment are used"
    return [
        ok("config.toml", plain(said, 300)),
        *(_setting(config, field.name) for field in fields(Config) if field.name not in ("sources", "notify")),
        _notify(config),
    ]


def _setting(config: Config, name: str) -> Line:
    value = getattr(config, name)
    source = plain(config.sources.get(name, "default"), 200)
    return ok(name, f"{_shown(name, value, config)} ({source})")


def _notify(config: Config) -> Line:
    """By the names of the ways: a webhook's address may be a secret."""
    try:
        names = [way.name for way in notify.ways(config)]
    except LoopdeskError as error:
        return wrong("notify", str(error))
    source = plain(config.sources.get("notify", "default"), 200)
    return ok("notify", f"{plain(', '.join(names), 300) or 'not set'} ({source})")


def _shown(name: str, value: object, config: Config) -> str:
    if name in SECRETS:
        return masked(str(value))
    if name == "workspace_dir" and not value:
        return str(config.workspace.root)
    if name == "timezone" and not value:
        return config.zone
    if isinstance(value, Mapping):
        return plain(", ".join(f"{key} = {keys}" for key, keys in value.items()), 300) or "none"
    if isinstance(value, tuple):
        return plain(", ".join(map(str, value)), 300) or "none"
    if isinstance(value, str) and value.strip().startswith(_SECRET_FORMS):
        return masked(value.strip())  # a secret that was put in the wrong place
    return plain(without_password(str(value)), 300) if value != "" else "not set"


def masked(secret: str) -> str:
    """`phx_…abcd`: enough to tell two keys apart, not enough to use one."""
    if not secret:
        return "not set"
    prefix, underscore, _ = secret.partition("_")
    start = f"{prefix}_" if underscore and len(prefix) <= 4 else ""
    return plain(f"{start}…{secret[-4:]}") if len(secret) >= len(start) + 12 else f"{plain(start)}… (very short)"


def without_password(url: str) -> str:
    """An address without the user and password that may stand in it."""
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url
    except ValueError:
        return "…"
