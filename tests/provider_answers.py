"""What Anthropic, OpenAI and Google answer over the wire, whole or as a stream: steps for `tests.messages_api`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.messages_api import Request, Step

TOKENS_IN, TOKENS_OUT = 900, 40


def answering(say: Callable[[str], str]) -> Callable[[Request], Step]:
    """A step that answers each request in the form of its provider with what `say` makes of its last prompt."""

    def step(request: Request) -> Step:
        path, body = request.path.partition("?")[0], request.body
        if path.endswith("/messages"):
            text = say(_text(body["messages"][-1]["content"]))
            return _stream(_messages_events(text)) if body.get("stream") else _whole(_message(text))
        if path.endswith("/responses"):
            text = say(_text(body["input"]))
            return _stream(_responses_events(text)) if body.get("stream") else _whole(_response(text))
        if path.endswith("/chat/completions"):
            text = say(_text(body["messages"][-1]["content"]))
            return _chat_stream(text) if body.get("stream") else _whole(_completion(text))
        text = say(body["contents"][-1]["parts"][-1]["text"])
        return _gemini_stream(text) if path.endswith(":streamGenerateContent") else _whole(_content(text))

    return step


def refusing(status: int, message: str) -> Callable[[Request], Step]:
    """In the form of the provider that is asked. A 400 is tried once by all SDKs."""

    def step(request: Request) -> Step:
        if request.path.endswith("/messages"):
            error: dict[str, Any] = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
        elif "/models/" in request.path:
            error = {"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}}
        else:
            error = {"error": {"message": message, "type": "invalid_request_error", "code": None, "param": None}}
        return Step(json.dumps(error).encode(), status)

    return step


def _text(content: Any) -> str:
    return content if isinstance(content, str) else content[-1]["text"]


def _whole(document: Mapping[str, Any]) -> Step:
    return Step(json.dumps(document).encode())


def _stream(events: Iterable[tuple[str, dict[str, Any]]]) -> Step:
    lines = [f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events]
    return Step("".join(lines).encode(), content_type="text/event-stream")


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _message(text: str) -> dict[str, Any]:
    usage = {"input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT}
    content = [{"type": "text", "text": text}]
    named = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5"}
    return {**named, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def _messages_events(text: str) -> Iterable[tuple[str, dict[str, Any]]]:
    started = {**_message(""), "content": [], "stop_reason": None}
    yield "message_start", {"message": {**started, "usage": {"input_tokens": TOKENS_IN, "output_tokens": 1}}}
    yield "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}
    for half in _halves(text):
        yield "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": half}}
    yield "content_block_stop", {"index": 0}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield "message_delta", {"delta": ended, "usage": {"output_tokens": TOKENS_OUT}}
    yield "message_stop", {}


def _response(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    said = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    usage = {
        "input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    named = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-5-mini"}
    settings = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}
    return {**named, **settings, "output": [said], "usage": usage}


def _responses_events(text: str) -> Iterable[tuple[str, dict[str, Any]]]:
    started = {**_response(""), "output": [], "status": "in_progress", "usage": None}
    yield "response.created", {"response": started, "sequence_number": 0}
    for number, half in enumerate(_halves(text), 1):
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        yield "response.output_text.delta", {"delta": half, "sequence_number": number, **place}
    yield "response.completed", {"response": _response(text), "sequence_number": 3}


def _completion(text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    named = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4.1-mini"}
    return {**named, "choices": [choice], "usage": usage}


def _chat_stream(text: str) -> Step:
    whole = _completion(text)
    chunks = []
    for delta, reason in [({"role": "assistant", "content": half}, None) for half in _halves(text)] + [({}, "stop")]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunks.append({**whole, "object": "chat.completion.chunk", "choices": [choice], "usage": None})
    chunks.append({**whole, "object": "chat.completion.chunk", "choices": []})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return Step("".join(lines).encode(), content_type="text/event-stream")


def _content(text: str, reason: str | None = "STOP") -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    usage = {
        "promptTokenCount": TOKENS_IN, "candidatesTokenCount": TOKENS_OUT, "totalTokenCount": TOKENS_IN + TOKENS_OUT,
    }  # fmt: skip
    ended = {"finishReason": reason} if reason else {}
    return {"candidates": [candidate | ended], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}


def _gemini_stream(text: str) -> Step:
    first, last = _halves(text)
    lines = [f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in (_content(first, None), _content(last))]
    return Step("".join(lines).encode(), content_type="text/event-stream")
