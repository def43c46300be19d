"""The real agent CLI in the real jail, where its package is installed: it is too large to be a dependency."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.gateway import Gateway, Upstream
from engine.sandbox.protocol import CLONE, Run
from engine.sandbox.requests import Terms
from queries.local import prices
from tests.conftest import NOW
from tests.jails import jails
from tests.messages_api import USAGE, Request, Step, messages_api
from tests.test_sandbox_requests import MODEL, Purse

_WITHIN = "/opt/claude"


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture(scope="module")
def agent() -> Path:
    found = importlib.util.find_spec("claude_agent_sdk")
    if found is None or found.origin is None:
        if "agent" in os.environ.get("LOOPDESK_REQUIRE", "").split(","):
            pytest.fail("LOOPDESK_REQUIRE names agent, but claude-agent-sdk is not installed")
        pytest.skip("agent: claude-agent-sdk is not installed")
    return Path(found.origin).with_name("_bundled") / "claude"


def streamed(blocks: Sequence[dict[str, Any]], stop_reason: str) -> Step:
    """A message as the API streams it."""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": USAGE}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**start, "stop_reason": None}}]
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
    events += [
        {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 40}},
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return Step(body.encode(), content_type="text/event-stream")


def step(request: Request) -> Step:
    """The first turn writes a file, by the agent's own tool; the next one ends."""
    if any(turn["role"] == "assistant" for turn in request.body["messages"]):
        return streamed([{"type": "text", "text": "Done."}], "end_turn")
    command = {"command": f"echo made > {CLONE}/made.txt; id -u", "description": "make"}
    return streamed([{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": command}], "tool_use")


async def test_the_agent_works_in_its_jail_and_speaks_to_the_gateway_alone(
    sandbox: Bubblewrap, agent: Path, tmp_path: Path
):
    clone, session = tmp_path / "clone", tmp_path / "session"
    clone.mkdir()
    session.mkdir()
    table = prices.packaged()
    price = table.find(MODEL)
    assert price is not None
    options = ["--print", "--model", MODEL, "--tools", "Bash", "--permission-mode", "bypassPermissions"]
    with messages_api() as api:
        api.plays(step)
        upstream = Upstream(api.url, "the-real-key", table, price)
        async with Gateway(tmp_path / "s", upstream, Terms(MODEL, 4_000), Purse(), 50.0, lambda: NOW) as gateway:
            run = Run(
                [_WITHIN, *options, "--output-format", "json", "make it"],
                clone=clone,
                session=session,
                read_only={_WITHIN: agent},
                gateway=gateway,
                environment={"CLAUDE_CODE_MAX_RETRIES": "0"},
            )
            jail = await sandbox.start(run)
            jail.stdin.close()
            said = await jail.stdout.read()
            ended = await jail.wait()
    assert ended.exit_code == 0, (said, ended)
    assert (clone / "made.txt").read_text() == "made\n"
    assert json.loads(said)["result"] == "Done."
    assert ended.refusals == () and {one.key for one in api.requests} == {"the-real-key"}
    assert list(session.iterdir())  # from which it can be resumed
