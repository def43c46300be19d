"""Whether the MCP servers that research may ask let us in, and offer what was named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from engine.agents.mcp_config import Server, servers
from queries.views.words import counted
from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.errors import LoopdeskError

_PATIENCE_S = 5.0


def check(config: Config) -> list[Line]:
    try:
        known = servers(config)
    except LoopdeskError as error:
        return [wrong("mcp", f"{error.what}: no engine starts", error.do)]
    if not known:
        return []  # nobody needs one
    return asyncio.run(_asked(known))


async def _asked(known: Sequence[Server]) -> list[Line]:
    from engine.agents import mcp

    found = []
    for server in known:
        offered = await mcp.offered([replace(server, timeout_s=min(server.timeout_s, _PATIENCE_S))])
        name = f"mcp {server.name}"
        if offered.said:
            # Research goes on without it.
            found.append(note(name, " ".join(offered.said), f"Look at [mcp.{server.name}] in config.toml"))
        else:
            found.append(ok(name, f"{counted(len(offered.tools), 'tool')} can be called"))
    return found
