"""A scripted model for agents: the Messages API as the real agent CLI asks it, streamed.

A script is a list of turns for each role. A role is a text of the test's choosing that stands in the system prompt of
its task, or in its prompt; the first one that is found there answers:

    turns = {
        "You mend loops": [calls("Bash", command="echo fixed > a.txt"), answers({"summary": "mended"})],
        "You review": [says("Let me see."), answers({"verdict": "fine"})],
    }
    with agent_api(turns) as api:
        config = Config(..., anthropic_key="k", anthropic_url=api.url)

Which turn is due is counted from the request itself, by the model's answers in it. So a session that goes on, goes on
in the script; a fresh one starts at its beginning; and what is asked again is answered again. A turn may be a function
of the request, for what a test learns on the way, and a `Step` of `messages_api` (`fails(429)`, `HANGS`) for what goes
wrong. A role that has no turn left is answered with a 400 that says so.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.messages_api import MessagesApi, Request, Step, fails, messages_api

USAGE = {
    "input_tokens": 900,
    "output_tokens": 1,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 50,
}
OUTPUT_TOKENS = 40
Block = dict[str, Any]
Turn = Step | list[Block] | Callable[[Request], Step | list[Block]]
_NOBODYS = "No response requested."  # the CLI's own, in the model's place, where a session goes on
_ids = itertools.count(1)


def says(text: str) -> list[Block]:
    return [{"type": "text", "text": text}]


def calls(tool: str, /, **arguments: Any) -> list[Block]:
    """Lists can be added up for an answer of several blocks: `says("Now") + calls("Bash", command="ls")`."""
    return [{"type": "tool_use", "id": f"toolu_{next(_ids)}", "name": tool, "input": arguments}]


def host(tool: str, /, **arguments: Any) -> list[Block]:
    """A tool of ours that runs on the host."""
    return calls(f"mcp__host__{tool}", **arguments)


def answers(content: Mapping[str, Any]) -> list[Block]:
    """The answer to the task, by its schema."""
    return calls("StructuredOutput", **content)


def streamed(blocks: Sequence[Block], model: str) -> Step:
    """A message as the API streams it. Its id is new, as the API's are."""
    stop_reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    start = {"id": f"msg_{next(_ids)}", "type": "message", "role": "assistant", "model": model, "content": []}
    start |= {"usage": USAGE, "stop_reason": None, "stop_sequence": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(blocks):
        text = block["type"] == "text"
        begun = {**block, "text": ""} if text else {**block, "input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if text
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        events += [
            {"type": "content_block_start", "index": index, "content_block": begun},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ending = {"stop_reason": stop_reason, "stop_sequence": None}
    events += [
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": OUTPUT_TOKENS}},
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return Step(body.encode(), content_type="text/event-stream")


def turn_of(request: Request) -> int:
    """How often the model has answered in this session, as the request tells it."""
    return sum(one["role"] == "assistant" and _text(one["content"]) != _NOBODYS for one in request.body["messages"])


def results(request: Request) -> list[str]:
    """What the tools of its last turn answered, as text."""
    content = request.body["messages"][-1]["content"]
    found = [block for block in content if isinstance(block, dict) and block["type"] == "tool_result"]
    return [_text(block.get("content", "")) for block in found]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)


def step_of(script: Mapping[str, Sequence[Turn]], request: Request) -> Step:
    said = request.system + json.dumps(request.body["messages"][0], ensure_ascii=False)
    role = next((one for one in script if one in said), None)
    if role is None:
        return fails(400, "this script knows no such role")
    turns, at = script[role], turn_of(request)
    if at >= len(turns):
        return fails(400, f"this script has no turn {at} for {role!r}")
    turn = turns[at]
    if callable(turn):
        turn = turn(request)
    return turn if isinstance(turn, Step) else streamed(turn, request.body["model"])


@contextmanager
def agent_api(script: Mapping[str, Sequence[Turn]]) -> Iterator[MessagesApi]:
    """`requests` of what it yields are those that came, in order."""
    with messages_api() as api:
        api.plays(lambda request: step_of(script, request))
        yield api
