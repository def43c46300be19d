"""Which MCP servers an agent may ask something of, by the configuration.

[mcp.linear]
url = "https://mcp.linear.app/mcp"                   # https; http on this machine alone
headers_env = { Authorization = "LINEAR_MCP_TOKEN" } # a header's value is that variable's
tools = ["list_issues", "get_issue"]                 # nothing else of the server is offered
writes = []                                          # of these tools, those that may change something there
timeout_s = 20
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from workspace.config import LOOPBACK, Config, is_http
from workspace.errors import LoopdeskError
from workspace.text import plain

TIMEOUT_S = 20.0
LONGEST_TIMEOUT_S = 120.0
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")
_TOOL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Server:
    """`headers_env` names an environment variable for each header; `tools` is all that may be called there, and
    `writes` those of them that need not say that they only read."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S

    def sent(self) -> dict[str, str]:
        """The headers of every request. Raises `LoopdeskError` for a variable that is not set."""
        missing = [name for name in self.headers_env.values() if not os.environ.get(name)]
        if missing:
            raise LoopdeskError(f"{missing[0]} is not set")
        return {**self.headers, **{header: os.environ[name] for header, name in self.headers_env.items()}}


def servers(config: Config) -> tuple[Server, ...]:
    """Raises `LoopdeskError` for a table that makes no sense."""
    return tuple(_server(name, table) for name, table in config.mcp.items())


def _server(name: str, table: object) -> Server:
    where = f"[mcp.{plain(name, 40)}]"
    if not _NAME.fullmatch(name):
        raise LoopdeskError(f"{where} has a name that no tool can begin with", do="Use up to 20 of a-z, 0-9, _ and -")
    if not isinstance(table, Mapping):
        raise LoopdeskError(f"{where} is not a table")
    known = [one.name for one in fields(Server) if one.name != "name"]
    if unknown := sorted(set(map(str, table)) - set(known)):
        raise LoopdeskError(
            f"{where} has a setting that loopdesk does not know: {plain(unknown[0], 40)}",
            do=f"Known settings are {', '.join(known)}",
        )
    tools = _words(where, "tools", table.get("tools", []), _TOOL)
    if not tools:
        raise LoopdeskError(f"{where} names no tools", "Only tools that are named are offered", "Name them in tools")
    writes = _words(where, "writes", table.get("writes") or [], _TOOL)
    if odd := sorted(set(writes) - set(tools)):
        raise LoopdeskError(f"{where} lets {odd[0]} write and does not name it in tools")
    timeout_s = table.get("timeout_s", TIMEOUT_S)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise LoopdeskError(f"{where} has a timeout_s that is no number from 0 to {LONGEST_TIMEOUT_S:g}")
    return Server(
        name,
        _address(where, table.get("url")),
        _headers(where, "headers", table.get("headers", {})),
        _headers(where, "headers_env", table.get("headers_env", {})),
        tools,
        writes,
        float(timeout_s),
    )


def _address(where: str, url: object) -> str:
    parts = urlsplit(url) if isinstance(url, str) and is_http(url) else None
    if parts is None or parts.username or (parts.scheme == "http" and parts.hostname not in LOOPBACK):
        raise LoopdeskError(
            f"{where} has a url that no MCP server is asked at",
            "It has to begin with https://, or http:// on this machine, and hold no name or token",
            "Put a token into the environment and name its variable in headers_env",
        )
    return str(url)


def _words(where: str, key: str, value: object, form: re.Pattern[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and form.fullmatch(one) for one in value):
        raise LoopdeskError(f"{where} has {key} that are no list of names")
    return tuple(dict.fromkeys(value))


def _headers(where: str, key: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(
        _HEADER.fullmatch(str(name)) and isinstance(one, str) and one.isascii() and one.isprintable()
        for name, one in value.items()
    ):
        raise LoopdeskError(f"{where} has {key} that are no table of headers")  # a value may be a secret
    return dict(value)
