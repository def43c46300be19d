"""A run as events of `project = loopdesk`, so that the boards count its model calls and the desk shows it as a trace.

The trace is the run, under a ULID of its own; it is no round, and stands in no list of them. What was said to the
model, and anything longer than a name or a command, is only told where the owner records prompts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ulid import ULID

from engine.agents.cli import SERVER
from engine.agents.transcript import Called, Item, Note, Refused, Returned, Said, clipped
from engine.own_events import OwnEvents, distinct_id
from engine.sandbox.gateway import Call
from engine.sandbox.protocol import CLONE

_SHORT = 200  # characters of an argument: a path, a pattern, a command
_LONGEST = 20_000  # characters of one prompt or completion
_OK = 200


class Telling:
    def __init__(
        self, events: OwnEvents, role: str, model: str, base_url: str, records_prompts: bool, began: datetime
    ) -> None:
        self._began = began
        self.trace_id = str(ULID())
        self._events, self._role, self._model, self._base_url = events, role, model, base_url
        self._records_prompts = records_prompts
        self._steps: dict[str, str] = {}
        self._said: dict[str, list[dict[str, Any]]] = {}
        self._waiting: Call | None = None

    def item(self, item: Item) -> None:
        match item:
            case Said():
                self._adds(item.message, {"type": "text", "text": clipped(item.text, _LONGEST)})
            case Called():
                arguments = clipped(item.arguments, _LONGEST)
                self._adds(item.message, {"type": "function", "function": {"name": item.tool, "arguments": arguments}})
                self._called(item)
            case Returned():
                self._returned(item)
            case Refused():
                self._observed(item.at, "gateway", f"refused: {item.said}")
            case Note():
                self._observed(item.at, "loopdesk", item.text)

    def call(self, call: Call) -> None:
        """Told once what it answered was heard: that comes from the agent, on another way."""
        self._tell_waiting()
        self._waiting = call

    async def keep(self) -> None:
        """What was told so far outlives this process."""
        await self._events.flush()

    async def end(self, at: datetime, why: str) -> None:
        """`why` there is no answer, empty where there is one."""
        self._tell_waiting()
        latency_s = (at - self._began).total_seconds()
        said = {"$ai_trace_name": f"agent: {self._role}", "$ai_latency": latency_s, "$ai_is_error": bool(why)}
        self._tell("$ai_trace", at, **said, **({"$ai_error": clipped(why, _SHORT)} if why else {}))
        await self._events.flush()

    def _adds(self, message: str, block: dict[str, Any]) -> None:
        if self._records_prompts and message:
            self._said.setdefault(message, []).append(block)

    def _called(self, item: Called) -> None:
        step_id = self._steps[item.call] = str(ULID())
        arguments = item.arguments if self._records_prompts else _short(item.arguments)
        args_json = json.dumps(clipped(arguments), ensure_ascii=False)
        self._tell("step.tool_called", item.at, step_id=step_id, tool=_name(item.tool), args_json=args_json)

    def _returned(self, item: Returned) -> None:
        self._tell(
            "step.tool_returned",
            item.at,
            step_id=self._steps.pop(item.call, str(ULID())),
            tool=_name(item.tool),
            ok=item.is_ok,
            latency_ms=round(item.latency_ms, 1),
            result_bytes=item.size,
            error="" if item.is_ok else clipped(item.text, _LONGEST if self._records_prompts else _SHORT),
        )

    def _observed(self, at: datetime, source: str, value: str) -> None:
        self._tell("step.observation", at, step_id=str(ULID()), source=source, value=clipped(value, 500))

    def _tell_waiting(self) -> None:
        call, self._waiting = self._waiting, None
        if call is None:
            return
        usage, is_error = call.answer.usage, call.status != _OK or not call.answer.is_whole
        self._tell(
            "$ai_generation",
            call.at + timedelta(seconds=call.latency_s),  # at its end, as PostHog's own wrappers do
            **{
                "$ai_provider": "anthropic",
                "$ai_model": self._model,
                "$ai_span_id": str(ULID()),
                "$ai_http_status": call.status,
                "$ai_latency": round(call.latency_s, 3),
                "$ai_base_url": self._base_url,
                "$ai_input_tokens": usage.get("input_tokens", 0),
                "$ai_output_tokens": usage.get("output_tokens", 0),
                "$ai_cache_read_input_tokens": usage.get("cache_read_input_tokens", 0),
                "$ai_cache_creation_input_tokens": usage.get("cache_creation_input_tokens", 0),
                "$ai_is_error": is_error,
                **({"$ai_error": _error(call)} if is_error else {}),
                "$ai_input": _new(call.request) if self._records_prompts else None,
                "$ai_output_choices": self._output(call.answer.id),
            },
        )

    def _output(self, message: str) -> list[dict[str, Any]] | None:
        said = self._said.pop(message, [])
        return [{"role": "assistant", "content": said}] if self._records_prompts else None

    def _tell(self, event: str, at: datetime, **properties: object) -> None:
        common = {"agent": self._role, "$ai_trace_id": self.trace_id}
        self._events.sdk.capture(
            event, distinct_id=distinct_id(self._role), properties={**properties, **common}, timestamp=at
        )


def _error(call: Call) -> str:
    if call.status == _OK:
        return "the answer broke off"
    return f"status {call.status}" if call.status else "no answer"


def _name(tool: str) -> str:
    return clipped(tool.removeprefix(f"mcp__{SERVER}__"), 80)


def _short(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a call is about: what is written into a file, or found there, stays at home."""
    return {clipped(str(name), 80): _shown(value) for name, value in list(arguments.items())[:20]}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        text = value.removeprefix(f"{CLONE}/")
        return clipped(text) if len(text) <= _SHORT else f"({len(text):,} characters)"
    return value if isinstance(value, bool | int | float | None) else f"({type(value).__name__} of {len(value)})"


def _new(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What this call added to the conversation. All of it, every time, would grow with the square of the turns."""
    messages: Sequence[Mapping[str, Any]] = request["messages"]
    answered = max((place for place, one in enumerate(messages) if one["role"] == "assistant"), default=-1)
    system = [{"role": "system", "content": request["system"]}] if answered < 0 and request.get("system") else []
    return [{**one, "content": clipped(one["content"], _LONGEST)} for one in (*system, *messages[answered + 1 :])]
