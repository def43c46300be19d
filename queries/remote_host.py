"""Which host answers questions, for whatever address a loop's environment gives. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from workspace.config import LOOPBACK, is_http
from workspace.errors import LoopdeskError
from workspace.text import plain

# PostHog's ingestion hosts only take events; its private API is on the app hosts (posthog.com/docs/api).
_APP_HOSTS = {
    "us.i.posthog.com": "us.posthog.com",
    "eu.i.posthog.com": "eu.posthog.com",
    "us-assets.i.posthog.com": "us.posthog.com",
    "eu-assets.i.posthog.com": "eu.posthog.com",
    "app.posthog.com": "us.posthog.com",
    "i.posthog.com": "us.posthog.com",
    "posthog.com": "us.posthog.com",
}
_ROUTES = re.compile(r"/(api|i/v[01]|batch|capture|decide|e|flags|project)(/.*)?$")


def private_host(given: str) -> str:
    """`https://us.i.posthog.com/` -> `https://us.posthog.com`: scheme, name and port, without a slash at the end.

    PostHog's own cloud is always asked over TLS, and an address without a scheme is too. A self-hosted address keeps
    everything up to `/api`, `/i/v0` or `/batch`. Raises `LoopdeskError` for what is no address.
    """
    text = given.strip()
    if "://" not in text:
        text = f"https://{text}"
    parts = urlsplit(text) if is_http(text) else None
    if parts is None or not parts.hostname:
        raise LoopdeskError(
            f"{plain(given, 80)!r} is not the address of a PostHog", do="Use one like https://us.posthog.com"
        )
    if parts.username or parts.password:
        raise LoopdeskError("PostHog's address holds a user name or a password", do="Give the address alone")
    name = _APP_HOSTS.get(parts.hostname, parts.hostname)
    if name == "posthog.com" or name.endswith(".posthog.com"):
        return f"https://{name}"
    shown = f"[{name}]" if ":" in name else name
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{shown}{port}{_prefix(parts.path)}"


def is_loopback(host: str) -> bool:
    return urlsplit(host).hostname in LOOPBACK


def _prefix(path: str) -> str:
    """The part of a self-hosted PostHog's path that a proxy put before PostHog's own."""
    return _ROUTES.sub("", path).rstrip("/")
