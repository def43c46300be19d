"""Tools that run on the host for a jailed agent: its calls come over the SDK's control line, and are checked here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import jsonschema
from claude_agent_sdk import McpSdkServerConfig, SdkMcpTool, ToolAnnotations, create_sdk_mcp_server

from engine.agents.cli import SERVER
from engine.agents.protocol import HostTool
from engine.agents.transcript import HostCall, Transcript, clipped
from workspace.errors import LoopdeskError

MOST_TEXT = 40_000  # characters of an answer; the CLI would put a longer one into a file
MOST_CALLS = 500


class HostTools:
    """Those of one run. Every call is an item of the transcript, also one that is refused."""

    def __init__(self, tools: Sequence[HostTool], transcript: Transcript, clock: Callable[[], datetime]) -> None:
        self._tools, self._transcript, self._clock = tools, transcript, clock
        self._calls = 0

    def server(self) -> McpSdkServerConfig:
        return create_sdk_mcp_server(SERVER, tools=[self._offered(tool) for tool in self._tools])

    def _offered(self, tool: HostTool) -> SdkMcpTool[Any]:
        async def handler(arguments: dict[str, Any]) -> dict[str, Any]:
            return await self._called(tool, arguments)

        # Only with both names the SDK takes it for a JSON schema, instead of making one of its own.
        schema = {"type": "object", "properties": {}, **tool.schema}
        hints = ToolAnnotations(readOnlyHint=True, maxResultSizeChars=MOST_TEXT + 1_000)
        return SdkMcpTool(tool.name, tool.description, schema, handler, hints)

    async def _called(self, tool: HostTool, arguments: dict[str, Any]) -> dict[str, Any]:
        at, began = self._clock(), time.monotonic()
        is_ok, text = await self._answer(tool, arguments)
        latency_ms = (time.monotonic() - began) * 1000
        text = clipped(text, MOST_TEXT)
        self._transcript.add(HostCall(at, tool.name, arguments, is_ok, latency_ms, text))
        return {"content": [{"type": "text", "text": text}], "is_error": not is_ok}

    async def _answer(self, tool: HostTool, arguments: dict[str, Any]) -> tuple[bool, str]:
        self._calls += 1
        if self._calls > MOST_CALLS:
            return False, f"No more than {MOST_CALLS} calls are answered"
        # The SDK checks too, today.
        complaint = wrong(arguments, tool.schema)
        if complaint:
            return False, f"Not called: {complaint}"
        try:
            return True, await tool.call(arguments)
        except LoopdeskError as error:
            return False, str(error)
        except Exception as error:
            # What a tool did not think of is no reason to lose the run; its text may hold what is not for the agent.
            return False, f"The tool failed ({type(error).__name__})"


def wrong(value: object, schema: Any) -> str:
    """What does not fit `schema`, the most telling fault; empty where all does."""
    fault = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    if fault is None:
        return ""
    where = fault.json_path.removeprefix("$").removeprefix(".")
    return clipped(f"{where}: {fault.message}" if where else fault.message, 300)
