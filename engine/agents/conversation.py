"""What an agent says while it works, heard message by message: into the transcript, and into what is asked of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ResultMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from engine.agents.cli import ANSWER, SERVER
from engine.agents.transcript import Called, Note, Returned, Said, Transcript, clipped

_SYNTHETIC = "<synthetic>"  # the CLI's own sentences about an error, in the model's place
_MOST_DENIED = 50


class Conversation:
    """`turns` are the model's answers so far, `denied` the tools that it asked for in vain, `result` the latest."""

    def __init__(self, transcript: Transcript, clock: Callable[[], datetime], tools: Collection[str]) -> None:
        """`tools` are those that it has, by the CLI's names."""
        self.turns = 0
        self.denied: list[str] = []
        self.result: ResultMessage | None = None
        self._transcript, self._clock = transcript, clock
        self._tools = {*tools, ANSWER}
        self._answering = ""
        self._open: dict[str, tuple[str, float]] = {}

    def hear(self, message: Message) -> None:
        if isinstance(message, AssistantMessage):
            self._assistant(message)
        elif isinstance(message, UserMessage) and not isinstance(message.content, str):
            for block in message.content:
                if isinstance(block, ToolResultBlock):
                    self._returned(block)
        elif isinstance(message, ResultMessage):
            self._ended(message)

    def _assistant(self, message: AssistantMessage) -> None:
        texts = [block.text for block in message.content if isinstance(block, TextBlock)]
        if message.model == _SYNTHETIC:
            self._transcript.add(Note(self._clock(), "\n".join(texts)))
            return
        # Every block of an answer comes as a message of its own, under the answer's id.
        if not message.message_id or message.message_id != self._answering:
            self.turns += 1
            self._answering = message.message_id or ""
        now = self._clock()
        for block in message.content:
            if isinstance(block, TextBlock):
                self._transcript.add(Said(now, self.turns, self._answering, block.text))
            elif isinstance(block, ToolUseBlock):
                self._open[block.id] = (block.name, time.monotonic())
                self._transcript.add(Called(now, self.turns, self._answering, block.id, block.name, block.input))
                if block.name not in self._tools:
                    self._deny(block.name)

    def _returned(self, block: ToolResultBlock) -> None:
        tool, began = self._open.pop(block.tool_use_id, ("", time.monotonic()))
        text = _text(block.content)
        latency_ms = (time.monotonic() - began) * 1000
        size = len(text.encode("utf-8", "replace"))
        self._transcript.add(
            Returned(self._clock(), block.tool_use_id, tool, not block.is_error, latency_ms, text, size)
        )

    def _ended(self, message: ResultMessage) -> None:
        self.result = message
        for one in message.permission_denials or ():
            self._deny(str(one.get("tool_name", "")) if isinstance(one, dict) else "")

    def _deny(self, tool: str) -> None:
        name = clipped(tool.removeprefix(f"mcp__{SERVER}__"), 80)
        if name and name not in self.denied and len(self.denied) < _MOST_DENIED:
            self.denied.append(name)


def _text(content: str | Sequence[Any] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(_block(one) for one in content)


def _block(block: Any) -> str:
    if not isinstance(block, dict):
        return str(block)
    if block.get("type") == "text":
        return str(block.get("text", ""))
    kind = block.get("type")
    return f"({kind})" if kind in ("image", "document") else json.dumps(block)
