"""How you are told: a command, a webhook or a mail, as `[notify]` says.

[notify]
quiet = "22:00-07:30"                # local time; what came in it is sent as one summary after
details = false                      # true: findings and client names come along
command = ["/usr/local/bin/tell"]      # the text is its standard input, LOOPDESK_TITLE and LOOPDESK_BODY
webhook = "https://hooks.example/…"  # a POST of JSON: text, title, body, kinds
[notify.mail]
host = "smtp.example"                # port, security = "starttls" | "tls" | "none", user, password_file
from = "loopdesk@example"
to = ["me@example"]

No word of a signal is ever part of a command line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from engine.notices import Message, Quiet
from workspace.config import LOOPBACK, Config, is_http
from workspace.errors import LoopdeskError

PASSWORD = "LOOPDESK_MAIL_PASSWORD"  # noqa: S105  # the variable's name
SECURITY = {"starttls": 587, "tls": 465, "none": 25}
_KNOWN = ("quiet", "details", "command", "webhook", "mail")
_MAIL = ("host", "port", "security", "user", "password_file", "from", "to")


class NotSent(LoopdeskError):
    """It certainly did not arrive: trying again is right."""


class MayHaveArrived(LoopdeskError):
    """Nobody knows whether it arrived: trying again could tell it twice."""


class Way(Protocol):
    @property
    def key(self) -> str:
        """`command`, `webhook` or `mail`: what the store knows it by."""
        ...

    @property
    def name(self) -> str:
        """What a person calls it; no secret."""
        ...

    def send(self, message: Message) -> None:
        """Blocking, with a limit on everything. Raises `NotSent` or `MayHaveArrived`."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """`password_file` None: the environment has the password, where one is needed."""

    host: str
    port: int
    security: str
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password_file: Path | None = None

    def password(self) -> str:
        """Raises `NotSent` where there is none, or where others can read it."""
        if self.password_file is None:
            found = os.environ.get(PASSWORD, "")
            if not found:
                raise NotSent(
                    "There is no password for the mail's user", do=f"Set {PASSWORD}, or notify.mail.password_file"
                )
            return found
        try:
            with self.password_file.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o077 and os.name != "nt":
                    raise NotSent(
                        f"Others on this machine can read {self.password_file}", do=f"Run: chmod 600 {file.name}"
                    )
                return file.readline().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise NotSent(f"The mail's password cannot be read from {self.password_file}") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """`webhook` may hold a secret: services put one into the address."""

    quiet: Quiet | None = None
    details: bool = False
    command: tuple[str, ...] = ()
    webhook: str = field(default="", repr=False)
    mail: Mail | None = None


def settings(config: Config) -> Settings:
    """`[notify]`, checked. Raises `LoopdeskError` with a sentence for whoever wrote it."""
    given = config.notify
    _known(given, _KNOWN, "notify")
    details = given.get("details", False)
    if not isinstance(details, bool):
        raise LoopdeskError(f"notify.details is {details!r}, but must be true or false")
    return Settings(
        _quiet(given.get("quiet")),
        details,
        _command(given.get("command")),
        _webhook(given.get("webhook", "")),
        _mail(given["mail"]) if "mail" in given else None,
    )


def ways(config: Config) -> Sequence[Way]:
    """Every configured way. Raises `LoopdeskError` for a `[notify]` that makes no sense."""
    from engine.ways import ByCommand, ByMail, ByWebhook  # loads what it needs when it sends

    made = settings(config)
    found: list[Way] = []
    if made.command:
        found.append(ByCommand(made.command))
    if made.webhook:
        found.append(ByWebhook(made.webhook))
    if made.mail:
        found.append(ByMail(made.mail))
    return found


def _known(given: Mapping[str, object], names: Sequence[str], table: str) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise LoopdeskError(
            f"[{table}] has a setting that loopdesk does not know: {unknown[0]}",
            do=f"Known settings are {', '.join(names)}",
        )


def _quiet(given: object) -> Quiet | None:
    if given is None:
        return None
    try:
        start, end = (time.fromisoformat(part.strip()) for part in str(given).split("-"))
        if start == end or start.tzinfo or end.tzinfo:
            raise ValueError
    except ValueError as error:
        raise LoopdeskError(
            f"notify.quiet is {given!r}, which are no hours", do='Write local times, as "22:00-07:30"'
        ) from error
    return Quiet(start, end)


def _command(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    is_list = isinstance(given, list | tuple) and given and all(isinstance(one, str) and one for one in given)
    if not is_list:
        raise LoopdeskError(
            f"notify.command is {given!r}, but must be a list of a program and its arguments",
            "No shell reads it",
            'Write it as ["/usr/local/bin/tell", "--urgent"]',
        )
    parts = tuple(str(one) for one in given)  # type: ignore[attr-defined]
    if any("\0" in one for one in parts):
        raise LoopdeskError("notify.command holds a character that no argument can have")
    if placed := next((one for one in parts if any(word in one for word in ("{title}", "{body}", "{text}"))), None):
        raise LoopdeskError(
            f"notify.command has {placed!r}, but what is told is never part of a command line",
            "Every user of the machine can read those",
            'Let it read standard input, or LOOPDESK_TITLE: ["sh", "-c", \'notify-send "$LOOPDESK_TITLE"\']',
        )
    return parts


def _webhook(given: object) -> str:
    """The address is not shown: it may be a secret."""
    if given == "":
        return ""
    if not isinstance(given, str) or not is_http(given):
        raise LoopdeskError("notify.webhook is no address", do='Write it as "https://hooks.example/..."')
    parts = urlsplit(given)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise LoopdeskError(
            "notify.webhook is not asked over TLS", "Others on the network could read what is told", "Use https://"
        )
    if parts.username or parts.password:
        raise LoopdeskError("notify.webhook holds a user name or a password", do="Give the address alone")
    return given


def _mail(given: object) -> Mail:
    if not isinstance(given, Mapping):
        raise LoopdeskError("notify.mail must be a table", do="Write [notify.mail]")
    _known(given, _MAIL, "notify.mail")
    for name in ("host", "security", "user", "password_file", "from"):
        if not isinstance(given.get(name, ""), str):
            raise LoopdeskError(f"notify.mail.{name} is {given[name]!r}, but must be text")
    host, security = given.get("host", ""), given.get("security", "starttls")
    if not host or any(character.isspace() for character in host):
        raise LoopdeskError("notify.mail has no host", do="Name the server that takes your mail")
    if security not in SECURITY:
        raise LoopdeskError(f"notify.mail.security is {security!r}, but must be one of {', '.join(SECURITY)}")
    port = given.get("port", SECURITY[security])
    if type(port) is not int or not 0 < port < 65536:
        raise LoopdeskError(f"notify.mail.port is {port!r}, but must be a number from 1 to 65535")
    to = given.get("to", ())
    to = (to,) if isinstance(to, str) else tuple(to) if isinstance(to, list | tuple) else ()
    for name, address in (("from", given.get("from", "")), *(("to", one) for one in to or ("",))):
        if not _is_address(address):
            raise LoopdeskError(f"notify.mail.{name} is {address!r}, which is no address", do="Write me@example.org")
    user, kept = given.get("user", ""), given.get("password_file", "")
    if user and security == "none" and host not in LOOPBACK:
        raise LoopdeskError(
            "notify.mail has a user but no security", "The password would be readable on its way", "Use starttls or tls"
        )
    return Mail(host, port, security, given["from"], to, user, Path(kept).expanduser() if kept else None)


def _is_address(given: object) -> bool:
    return isinstance(given, str) and given.isprintable() and given == parseaddr(given)[1] and "@" in given[1:-1]
