"""A scripted model in place of a real one: the Messages API on loopback, as far as the agent's program asks it.

What it answers follows from the request alone: whose task it is by the instructions, how far that is by the tool calls
since the question. It has read nothing and understood nothing, and says so wherever it is named.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from engine import prompts
from engine.agents import cli
from engine.demo.story import Story
from engine.sandbox.gateway import Server
from engine.sandbox.protocol import CLONE

NAME = "the demo's script"
"""Who judged, wherever a screen says so."""
_NO_USAGE = {"input_tokens": 0, "output_tokens": 0}
Block = dict[str, Any]


class ScriptedModel:
    """Listens between `started` and `close`."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def started(self) -> str:
        """Its address."""
        app = Starlette(routes=[Route("/v1/messages", self._answer, methods=["POST"])])
        config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="critical", access_log=False)
        self._server = Server(config)
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.005)
        (port,) = [one.getsockname()[1] for server in self._server.servers for one in server.sockets]
        return f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        if self._server is not None and self._serving is not None:
            self._server.end()
            await self._serving

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        blocks = answer(self._story, body)
        if blocks is None:
            said = {"type": "invalid_request_error", "message": "the demo's script knows no answer to this"}
            return JSONResponse({"type": "error", "error": said}, 400)
        return StreamingResponse(_streamed(blocks, body["model"]), media_type="text/event-stream")


def answer(story: Story, body: Mapping[str, Any]) -> list[Block] | None:
    """The next turn; None for a request that is not one of the demo's tasks. Pure."""
    system, wanted, step = _system(body), _question(body["messages"]), _step(body["messages"])
    if _is_of(prompts.RESEARCH, system):
        return _research(story, body, step)
    if _is_of(prompts.SPECIFIC, wanted):
        plan = "Use activation_bytes() in the condition, and test it with a long sequence."
        return _call(cli.ANSWER, {"is_specific": True, "question": "", "plan": plan})
    if _is_of(prompts.MEND, wanted):
        files = list(story.fix.items())
        if step < len(files):
            path, text = files[step]
            return _call("Write", {"file_path": f"{CLONE}/{path}", "content": text})
        if step == len(files):
            return _call("Bash", {"command": " ".join(story.ci), "description": "Run the tests"})
        return _call(cli.ANSWER, dict(story.fix_says))
    if _is_of(prompts.REVIEW, system):
        return _call(cli.ANSWER, {**story.review, "points": []})
    return None


def _is_of(prompt: str, system: str) -> bool:
    return prompt.strip().splitlines()[0] in system


def _research(story: Story, body: Mapping[str, Any], step: int) -> list[Block]:
    said = story.research
    if step == 0:
        command = f"grep -n 'free_bytes' *.py && git log --oneline -- {said['path']}"
        return _call("Bash", {"command": command, "description": "Find what chooses the batch"})
    signals = sorted(set(re.findall(r"\bS\d+\b", json.dumps(body["messages"][0]))), key=lambda name: int(name[1:]))
    place = {"kind": "code", "where": said["path"], "line": said["line"], "said": said["said"]}
    finding = {"signals": signals or ["S1"], "said": said["said"], "evidence": [place]}
    names = ("root_cause", "reason", "priority", "priority_reason", "title", "summary")
    return _call(
        cli.ANSWER,
        {
            "findings": [finding],
            **{name: said[name] for name in names},
            "actionability": "immediately_actionable",
            "question": "",
            "already_addressed": False,
            "metric": {"name": "stop_nights", "project": story.project, "reason": "crash"},
        },
    )


def _system(body: Mapping[str, Any]) -> str:
    system = body.get("system", "")
    return system if isinstance(system, str) else "\n".join(one.get("text", "") for one in system)


def _step(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many tool calls were answered since the question. The program adds reminders of its own to both."""
    steps = 0
    for message in reversed(messages):
        content = message["content"]
        if message["role"] != "user":
            continue
        if isinstance(content, str) or any(_is_question(block) for block in content):
            break
        steps += any(block.get("type") == "tool_result" for block in content)
    return steps


def _question(messages: Sequence[Mapping[str, Any]]) -> str:
    """What was asked last."""
    for message in reversed(messages):
        if message["role"] != "user":
            continue
        if isinstance(content := message["content"], str):
            return content
        if asked := [block["text"] for block in content if _is_question(block)]:
            return "\n".join(asked)
    return ""


def _is_question(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and not block["text"].startswith("<system-reminder>")


def _call(tool: str, arguments: Mapping[str, Any]) -> list[Block]:
    # Ids are new each time, as the API's are: the program takes two messages with one id for one.
    return [{"type": "tool_use", "id": f"toolu_{secrets.token_hex(8)}", "name": tool, "input": arguments}]


def _streamed(blocks: Sequence[Block], model: str) -> Iterator[str]:
    start = {"id": f"msg_{secrets.token_hex(8)}", "type": "message", "role": "assistant", "model": model, "content": []}
    yield _event("message_start", message={**start, "stop_reason": None, "stop_sequence": None, "usage": _NO_USAGE})
    for index, block in enumerate(blocks):
        yield _event("content_block_start", index=index, content_block={**block, "input": {}})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ending = {"stop_reason": "tool_use", "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage=_NO_USAGE)
    yield _event("message_stop")


def _event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
