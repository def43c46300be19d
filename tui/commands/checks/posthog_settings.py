"""What can be said of the settings for PostHog without asking anybody: do host, keys and project fit? Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from queries.remote_host import is_loopback
from tui.commands.checks.line import Line, note, ok, wrong
from tui.commands.checks.settings import masked, without_password
from workspace.config import Config
from workspace.connection import CURRENT
from workspace.text import plain


def is_sendable(key: str) -> bool:
    """Whether a header can hold it."""
    return re.fullmatch(r"[!-~]+", key) is not None


def settings(config: Config) -> list[Line]:
    """What can be said of host, personal key and project without asking."""
    lines, host, key = [], config.posthog_host, config.posthog_personal_key.strip()
    if not host:
        lines.append(
            wrong("host", "a personal key is set and no host", "Set POSTHOG_HOST, for example https://us.posthog.com")
        )
    elif urlsplit(host).scheme == "http" and not is_loopback(host):
        said = f"{without_password(host)} is not encrypted: the key can be read on its way"
        lines.append(note("host", said, "Use https:// unless the network is yours alone"))
    if key.startswith("phc_"):
        lines.append(
            wrong(
                "personal key",
                "this is a project's key (phc_...), which sends events and asks nothing",
                "Set POSTHOG_PERSONAL_API_KEY to one that begins with phx_",
            )
        )
    elif key.startswith("phs_"):
        lines.append(
            wrong(
                "personal key",
                "this is a project's secret key (phs_...), which may not ask questions",
                "Set POSTHOG_PERSONAL_API_KEY to one that begins with phx_",
            )
        )
    elif not key:
        state = wrong if config.backend == "posthog" else note
        lines.append(
            state(
                "personal key",
                "not set: loops may send there, and the desk asks the embedded store",
                "Make one with the scope query:read, and set POSTHOG_PERSONAL_API_KEY",
            )
        )
    elif not is_sendable(key):
        said = f"{masked(key)} holds a space, a line break or a letter that no key has"
        lines.append(wrong("personal key", said, "Copy it again, whole and alone"))
    elif not key.startswith("phx_"):
        lines.append(note("personal key", f"{masked(key)} does not look like one (phx_...)"))
    else:
        lines.append(ok("personal key", f"{masked(key)} has the right form"))
    project = config.posthog_project_id
    if key and project in ("", CURRENT):
        lines.append(ok("project", "the one that the personal key belongs to"))
    elif key and not project.isdecimal():
        said = f"{plain(project, 40)} is not a number"
        lines.append(wrong("project", said, "Set POSTHOG_PROJECT_ID: the number in the address of PostHog's pages"))
    return lines


def project_key(config: Config) -> list[Line]:
    """Only its form can be looked at: PostHog takes events with any well-formed key and drops them later."""
    key = config.posthog_project_key
    if not key:
        return []
    if key.startswith("phx_"):
        return [
            wrong(
                "project key",
                "POSTHOG_API_KEY holds a personal key (phx_...), and every loop sends it along",
                "Set it to the project's key (phc_...), and make a new personal key",
            )
        ]
    if not key.startswith("phc_"):
        return [wrong("project key", "POSTHOG_API_KEY is not a project's key", "It begins with phc_")]
    if config.is_own_server:
        return [ok("project key", f"{masked(key)} has the right form")]
    return [ok("project key", f"{masked(key)} has the right form; PostHog tells nobody whether it knows it")]
