"""What a jailed agent may ask of the Messages API: its request is parsed and built anew from the fields known here.

Tools are the agent's own; content is text, images and documents that came along. What would let the API's side act or
fetch for the agent is refused: server tools, MCP servers, containers, URLs and files as sources. What is merely
unknown is left out. The model is the run's, and the longest answer too. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from engine.sandbox.protocol import Kind
from workspace.text import plain

MOST_BYTES = 16 << 20  # the API takes 32 MB
IMAGE_TOKENS = 6_000  # more than any image costs, whatever its bytes
_NAME_CHARACTERS = 128
_LEAST_THINKING = 1_024  # the API's own
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_MEDIA = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain")
_CHOICES = ("auto", "any", "tool", "none")
# Top-level fields that give the API's side something to act with.
_OUTSIDE = {"mcp_servers": Kind.MCP_SERVER, "container": Kind.SERVER_TOOL, "agents": Kind.SERVER_TOOL}

Json = dict[str, Any]


class Refused(Exception):
    """`said` goes to the agent and into the record."""

    def __init__(self, kind: Kind, said: str) -> None:
        self.kind, self.said = kind, said
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed for a run: its model, and the longest answer in tokens."""

    model: str
    most_tokens: int


def rebuild(raw: bytes, terms: Terms) -> Json:
    """The request that is sent in place of `raw`. Raises `Refused`."""
    body = parsed(raw)
    for name, kind in _OUTSIDE.items():
        if body.get(name):
            raise Refused(kind, f"The field {name} is not open to this run")
    if body.get("model") != terms.model:
        raise Refused(Kind.MODEL, f"This run's model is {terms.model}, not {_shown(body.get('model'))}")
    tokens = body.get("max_tokens")
    if not _is_count(tokens) or not tokens:
        _malformed("max_tokens")
    built: Json = {
        "model": terms.model,
        "max_tokens": min(tokens, terms.most_tokens),
        "messages": [_message(one) for one in _list(body.get("messages"), "messages")],
    }
    for name, build in _OPTIONAL.items():
        if body.get(name) is not None:
            built[name] = build(body[name])
    if "thinking" in body:
        built |= _thinking(body["thinking"], built["max_tokens"])
    return built


def parsed(raw: bytes) -> Json:
    """Raises `Refused` for what is no JSON object, or nested beyond measure."""
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(Kind.BODY, "The request is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(Kind.BODY, "The request is not a JSON object")
    return body


def written(body: Json | str) -> bytes:
    """Raises `Refused` for text that no encoding has (lone surrogates), or nested beyond measure."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused(Kind.BODY, "The request cannot be written as JSON") from None


def tokens_at_most(body: Json) -> int:
    """Of the input. No tokenizer makes more tokens than there are bytes; an image is counted by itself."""
    images = 0

    def count(value: Any) -> int:
        nonlocal images
        if isinstance(value, dict):
            if value.get("type") == "image" and isinstance(value.get("source"), dict):
                images += 1
                return 0
            return sum(len(name) + 4 + count(inner) for name, inner in value.items()) + 2
        if isinstance(value, list):
            return sum(count(inner) + 1 for inner in value) + 2
        return len(written(value)) if isinstance(value, str) else len(json.dumps(value))

    return count(body) + images * IMAGE_TOKENS


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _message(one: Any) -> Json:
    one = _dict(one, "messages")
    if one.get("role") not in ("user", "assistant"):
        _malformed("messages.role")
    return {"role": one["role"], "content": _content(one.get("content"), _BLOCKS, "messages.content")}


def _content(value: Any, blocks: Mapping[str, Callable[[Json], Json]], where: str) -> str | list[Json]:
    if isinstance(value, str):
        return value
    built = []
    for block in _list(value, where):
        block = _dict(block, where)
        type_ = block.get("type")
        if not isinstance(type_, str) or type_ not in blocks:
            raise Refused(Kind.SERVER_TOOL, f"Content of the type {_shown(type_)} is not open to this run")
        built.append({"type": type_, **blocks[type_](block), **_cached(block)})
    return built


def _text(block: Json) -> Json:
    return {"text": _string(block.get("text"), "text")}


def _attached(block: Json) -> Json:
    """An image or a document: its bytes, never where they could be fetched."""
    source = _dict(block.get("source"), "source")
    type_ = source.get("type")
    if type_ not in ("base64", "text"):
        raise Refused(Kind.SOURCE, f"A source of the type {_shown(type_)} is not open to this run")
    if source.get("media_type") not in _MEDIA:
        _malformed("source.media_type")
    data = _string(source.get("data"), "source.data")
    return {"source": {"type": type_, "media_type": source["media_type"], "data": data}}


def _used(block: Json) -> Json:
    return {
        "id": _name(block.get("id"), "tool_use.id"),
        "name": _name(block.get("name"), "tool_use.name"),
        "input": _dict(block.get("input"), "tool_use.input"),
    }


def _result(block: Json) -> Json:
    built: Json = {"tool_use_id": _name(block.get("tool_use_id"), "tool_result.tool_use_id")}
    if block.get("content") is not None:
        built["content"] = _content(block["content"], _RESULTS, "tool_result.content")
    if isinstance(block.get("is_error"), bool):
        built["is_error"] = block["is_error"]
    return built


def _thought(block: Json) -> Json:
    return {name: _string(block.get(name), f"thinking.{name}") for name in ("thinking", "signature")}


def _hidden(block: Json) -> Json:
    return {"data": _string(block.get("data"), "redacted_thinking.data")}


_RESULTS = {"text": _text, "image": _attached, "document": _attached}
_BLOCKS = {**_RESULTS, "tool_use": _used, "tool_result": _result, "thinking": _thought, "redacted_thinking": _hidden}


def _cached(block: Json) -> Json:
    # Five minutes, which is the default: an hour costs more than is reserved.
    given = block.get("cache_control")
    return {"cache_control": {"type": "ephemeral"}} if isinstance(given, dict) else {}


def _system(value: Any) -> str | list[Json]:
    return _content(value, {"text": _text}, "system")


def _tools(value: Any) -> list[Json]:
    return [_tool(_dict(one, "tools")) for one in _list(value, "tools")]


def _tool(one: Json) -> Json:
    if one.get("type") not in (None, "custom"):
        raise Refused(
            Kind.SERVER_TOOL, f"Only tools of the agent's own are open to this run, not {_shown(one['type'])}"
        )
    built = {
        "name": _name(one.get("name"), "tools.name"),
        "input_schema": _dict(one.get("input_schema"), "tools.input_schema"),
        **_cached(one),
    }
    if one.get("description") is not None:
        built["description"] = _string(one["description"], "tools.description")
    if isinstance(one.get("strict"), bool):
        built["strict"] = one["strict"]
    return built


def _choice(value: Any) -> Json:
    value = _dict(value, "tool_choice")
    if value.get("type") not in _CHOICES:
        _malformed("tool_choice.type")
    built: Json = {"type": value["type"]}
    if value["type"] == "tool":
        built["name"] = _name(value.get("name"), "tool_choice.name")
    if isinstance(value.get("disable_parallel_tool_use"), bool):
        built["disable_parallel_tool_use"] = value["disable_parallel_tool_use"]
    return built


def _output(value: Any) -> Json:
    value, built = _dict(value, "output_config"), {}
    if value.get("effort") in _EFFORTS:
        built["effort"] = value["effort"]
    given = value.get("format")
    if isinstance(given, dict) and given.get("type") == "json_schema":
        built["format"] = {"type": "json_schema", "schema": _dict(given.get("schema"), "output_config.format.schema")}
    return built


def _thinking(value: Any, most_tokens: int) -> Json:
    value = _dict(value, "thinking")
    if value.get("type") in ("disabled", "adaptive"):
        return {"thinking": {"type": value["type"]}}
    if value.get("type") != "enabled" or not _is_count(value.get("budget_tokens")):
        _malformed("thinking")
    budget = min(value["budget_tokens"], most_tokens - 1)
    # An answer that is too short for thinking is given without.
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= _LEAST_THINKING else {}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _malformed("a number")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        _malformed("stream")
    return value


def _stops(value: Any) -> list[str]:
    return [_string(one, "stop_sequences") for one in _list(value, "stop_sequences")]


_OPTIONAL: Mapping[str, Callable[[Any], Any]] = {
    "system": _system,
    "tools": _tools,
    "tool_choice": _choice,
    "output_config": _output,
    "stop_sequences": _stops,
    "stream": _flag,
    "temperature": _number,
    "top_p": _number,
    "top_k": _number,
}


def _dict(value: Any, where: str) -> Json:
    return value if isinstance(value, dict) else _malformed(where)


def _list(value: Any, where: str) -> Sequence[Any]:
    return value if isinstance(value, list) else _malformed(where)


def _string(value: Any, where: str) -> str:
    return value if isinstance(value, str) else _malformed(where)


def _name(value: Any, where: str) -> str:
    return value if isinstance(value, str) and 0 < len(value) <= _NAME_CHARACTERS else _malformed(where)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _malformed(where: str) -> NoReturn:
    raise Refused(Kind.BODY, f"{where} is not in a form that is known here")


def _shown(value: Any) -> str:
    return repr(plain(value, 60)) if isinstance(value, str) else "what was named"
