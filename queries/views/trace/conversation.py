"""A model call as a conversation: who said what. Providers spell messages differently; what is in no known form is
shown as it is, never left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LONGEST_TURN = 200_000  # characters; more than anybody scrolls through, and little enough to wrap at once


@dataclass(frozen=True, slots=True)
class Turn:
    """`text` may have many lines, and is as untrusted as anything from an event. `left_out` counts characters."""

    role: str
    text: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said to the model and what it answered; `tools` are the names of those it was offered."""

    prompt: tuple[Turn, ...]
    answer: tuple[Turn, ...]
    tools: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.prompt or self.answer)

    def text(self) -> str:
        """For the clipboard and for export."""
        return "\n\n".join(f"{turn.role}:\n{turn.text}" for turn in (*self.prompt, *self.answer))


def conversation(payload: Mapping[str, object]) -> Conversation:
    """From the columns of `posthog.ai_events`: `input`, `output_choices`, `tools` and the like, each JSON text."""
    said = {name: _loaded(value) for name, value in payload.items()}
    prompt = said.get("input") or said.get("input_state")
    answer = said.get("output_choices") or said.get("output") or said.get("output_state")
    return Conversation(
        prompt=tuple(_turns(prompt, "user")),
        answer=tuple(_turns(answer, "assistant")),
        tools=tuple(_tool_names(said.get("tools"))),
    )


def _loaded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, strict=False)
    except ValueError:
        return value


def _turns(said: object, role: str) -> Iterator[Turn]:
    if said in (None, "", [], {}):
        return
    if isinstance(said, Mapping) and isinstance(said.get("choices"), Sequence):
        said = said["choices"]
    for message in said if isinstance(said, list) else [said]:
        yield _turn(message, role)


def _turn(message: object, role: str) -> Turn:
    if isinstance(message, Mapping):
        inner = message.get("message")
        if isinstance(inner, Mapping):  # OpenAI's choice around its message
            message = inner
        who = message.get("role")
        role = who if isinstance(who, str) and who else role
        parts = [_said(message["content"])] if message.get("content") not in (None, "", []) else []
        parts += [_said(call) for call in _list(message.get("tool_calls"))]
        if not parts:
            rest = {name: value for name, value in message.items() if name != "role"}
            parts = [_said(rest)] if rest else []
        return _clipped(role, "\n".join(parts))
    return _clipped(role, _said(message))


def _said(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_said(part) for part in content)
    if isinstance(content, Mapping):
        if isinstance(content.get("text"), str):
            return content["text"]
        kind, function = content.get("type"), content.get("function")
        if isinstance(function, Mapping):
            return f"[calls {function.get('name')}] {_argued(function.get('arguments'))}"
        if kind in ("tool_use", "tool-call", "function_call"):
            return f"[calls {content.get('name')}] {_argued(content.get('input', content.get('arguments')))}"
        if kind in ("tool_result", "tool-result"):
            return f"[result] {_said(content.get('content', content.get('result')))}"
        if kind in ("thinking", "reasoning") and isinstance(content.get("thinking"), str):
            return f"[thinks] {content['thinking']}"
    return pretty(content)


def _argued(arguments: object) -> str:
    return pretty(_loaded(arguments)) if arguments is not None else ""


def pretty(value: object) -> str:
    """JSON on several lines; text that is JSON itself is taken apart."""
    if isinstance(value, str):
        loaded = _loaded(value)
        if not isinstance(loaded, Mapping | list):
            return value
        value = loaded
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _tool_names(tools: object) -> Iterator[str]:
    for tool in _list(tools):
        if isinstance(tool, Mapping):
            function = tool.get("function")
            name = tool.get("name") or (function.get("name") if isinstance(function, Mapping) else None)
            yield str(name or tool.get("type") or "tool")


def _clipped(role: str, text: str) -> Turn:
    return Turn(role, text[:LONGEST_TURN], max(0, len(text) - LONGEST_TURN))
