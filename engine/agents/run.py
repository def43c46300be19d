"""Runs an agent: the real CLI in a jail, asked through the SDK, paid through the gateway, judged by what it hands in.

Whatever it says of itself counts for nothing here. A run that was denied all its tools still ends in "success", one
without an answer too; so the answer is checked against its schema, and what became of the model is read from the
gateway.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

from engine import llm_errors, roles
from engine.agents import cli
from engine.agents.conversation import Conversation
from engine.agents.host_tools import HostTools, wrong
from engine.agents.protocol import Answer, Snapshot, Task
from engine.agents.transcript import Asked, ModelCall, Note, Refused, Transcript
from engine.agents.transport import JailTransport
from engine.blobs import Blobs
from engine.in_thread import in_thread
from engine.judge import Unavailable
from engine.sandbox.folders import RunFolder, run_folder
from engine.sandbox.gateway import Call, Gateway, Upstream
from engine.sandbox.meter import Purse
from engine.sandbox.protocol import Ended, Kind, Run, Sandbox, Why
from engine.sandbox.requests import Terms
from queries.local import prices
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_TOKENS = 16_000  # of one answer
API = "https://api.anthropic.com"
_SNAPSHOT_EVERY = 10  # turns
# The API's refusals that say something about the request and not about whether a model can be had.
_OF_THE_REQUEST = (400, 413, 422)

Snapshots = Callable[[Snapshot], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Means:
    """What all runs share. `purse` makes the purse of a task, by its model. `told` hears of every item of a run, with
    the task. `program` is the agent CLI on the host; `retries` are the CLI's, of a request to the model."""

    sandbox: Sandbox
    runs: Path
    blobs: Blobs
    purse: Callable[[Task, str], Purse]
    clock: Callable[[], datetime]
    program: Path = field(default_factory=cli.find)
    snapshot_every: int = _SNAPSHOT_EVERY
    retries: int = 3


class JailedAgent:
    """An `Agent`. In the main thread: a jail dies with the thread that started it."""

    def __init__(self, config: Config, means: Means) -> None:
        """Raises `LoopdeskError` for models or prices that make no sense."""
        self._means = means
        self._models = roles.models(config)
        url = config.anthropic_url.rstrip("/") or API
        table = prices.load(config.prices_file)
        self._upstreams = {
            model: Upstream(url, config.anthropic_key, table, roles.price_of(config, model))
            for model in self._models.values()
        }
        self._explain = llm_errors.Explainer(config.anthropic_key)

    async def ask(self, task: Task, snapshot: Snapshots | None = None) -> Answer:
        means, model = self._means, self._models[task.role]
        transcript = Transcript()
        with run_folder(means.runs) as folder:
            gateway = Gateway(
                folder.socket,
                self._upstreams[model],
                Terms(model, MOST_TOKENS),
                means.purse(task, model),
                task.limit_usd,
                means.clock,
                lambda call: transcript.add(_model_call(call, model)),
            )
            async with gateway:
                run = _Running(means, task, model, folder, gateway, transcript)
                content, why = await run.talk()
            for refusal in gateway.refusals:
                transcript.add(Refused(refusal.at, refusal.kind, refusal.said))
            if why:
                transcript.add(Note(means.clock(), f"No answer: {why}"))
            key = await in_thread(lambda: means.blobs.put(transcript.written()), "transcript")
            if content is None:
                self._raise_unavailable(gateway, model)
            return Answer(
                content,
                why,
                transcript=key,
                turns=run.heard.turns,
                cost_usd=gateway.spent_usd,
                refusals=tuple(gateway.refusals),
                denied=tuple(run.heard.denied),
            )

    def _raise_unavailable(self, gateway: Gateway, model: str) -> None:
        """For a run that ended without an answer because there was no model, or no money, for its last request."""
        if gateway.held is not None:
            if isinstance(gateway.held, Unavailable):
                raise gateway.held
            raise Unavailable(gateway.held.what, gateway.held.means, gateway.held.do)
        last = gateway.last
        if last is None or last.status == 200 or last.status in _OF_THE_REQUEST:
            return
        trouble = llm_errors.UNREACHABLE if last.status == 0 else self._refused(last, model)
        wait_s = max(trouble.again_s, trouble.wait_s or 0.0)
        raise Unavailable(*trouble.said, retry_at=self._means.clock() + timedelta(seconds=wait_s))

    def _refused(self, call: Call, model: str) -> llm_errors.Trouble:
        try:
            body = json.loads(call.said)
        except (ValueError, RecursionError):
            body = None
        return self._explain.refused(call.status, body, call.wait, model)


class _Running:
    """One task in one jail."""

    def __init__(
        self, means: Means, task: Task, model: str, folder: RunFolder, gateway: Gateway, transcript: Transcript
    ) -> None:
        self._means, self._task, self._gateway, self._transcript = means, task, gateway, transcript
        own = cli.tools(task.clone is not None, task.may_write)
        self.heard = Conversation(
            transcript, means.clock, (*own, *(f"mcp__{cli.SERVER}__{tool.name}" for tool in task.tools))
        )
        start = cli.Start(
            model, own, task.schema, task.turns, MOST_TOKENS, bool(task.tools), bool(task.session), means.retries
        )
        system = folder.root / "system.txt"
        system.write_text(task.system, encoding="utf-8")
        run = Run(
            cli.command(start),
            clone=task.clone,
            clone_is_read_only=not task.may_write,
            session=folder.session,
            read_only={**task.read_only, cli.WITHIN: means.program, cli.SYSTEM: system},
            gateway=gateway,
            environment=cli.environment(start),
            limits=task.limits,
        )
        self._transport = JailTransport(means.sandbox, run)
        host_tools = HostTools(task.tools, transcript, means.clock)
        options = ClaudeAgentOptions(
            mcp_servers={cli.SERVER: host_tools.server()} if task.tools else {},
            # A prompt holds text of third parties: no file is read, and no command run, because it names one.
            verbatim_prompts=True,
        )
        self._client = ClaudeSDKClient(options, self._transport)

    async def talk(self) -> tuple[Mapping[str, Any] | None, str]:
        """Its answer, or why there is none. Raises `NoSandbox`. Cancelled, it kills the jail."""
        content, why = None, ""
        try:
            await self._client.connect()
            content, why = await self._asked(self._task.prompt)
            if content is None and self._may_repair():
                content, why = await self._asked(
                    f"Your answer could not be used: {why}. Give it again with the tool {cli.ANSWER}, in the form that "
                    "it asks for."
                )
        except asyncio.CancelledError:
            self._transport.kill()
            raise
        except LoopdeskError:
            raise
        except Exception as error:
            # Of the SDK, and of what is said over its line: it says nothing about whether there was an answer.
            why = why or f"{type(error).__name__}: {error}"
        finally:
            await self._client.disconnect()
        return content, "" if content is not None else self._reason(why, await self._transport.ended())

    async def _asked(self, prompt: str) -> tuple[Mapping[str, Any] | None, str]:
        self._transcript.add(Asked(self._means.clock(), prompt))
        self.heard.result = None
        await self._client.query(prompt)
        async for message in self._client.receive_response():
            self.heard.hear(message)
        result = self.heard.result
        if result is None:
            return None, "it ended without one"
        if result.is_error or result.subtype != "success":
            return None, plain(result.result or "; ".join(result.errors or ()) or result.subtype, 300)
        if result.structured_output is None:
            return None, "none was given in the form that was asked for"
        complaint = wrong(result.structured_output, self._task.schema)
        if complaint or not isinstance(result.structured_output, Mapping):
            return None, complaint or "it is no object"
        return result.structured_output, ""

    def _may_repair(self) -> bool:
        result = self.heard.result
        return result is not None and not result.is_error and result.subtype == "success"

    def _reason(self, why: str, ended: Ended) -> str:
        """The most telling of what is known."""
        if ended.why not in (Why.EXIT, Why.KILLED):
            return ended.said
        refusals = self._gateway.refusals
        if refusals and refusals[-1].kind is Kind.BUDGET:
            return refusals[-1].said
        result = self.heard.result
        if result is not None and result.subtype == "error_max_turns":
            return f"It had no answer after {self._task.turns} turns"
        if result is None and ended.exit_code and ended.errors.strip():
            return plain(f"The agent CLI ended with {ended.exit_code}: {ended.errors.strip().splitlines()[-1]}", 400)
        return plain(f"It gave no answer that can be used: {why}", 400)


def _model_call(call: Call, model: str) -> ModelCall:
    usage = call.answer.usage
    return ModelCall(
        call.at,
        model,
        call.status,
        call.latency_s * 1000,
        usage.get("input_tokens", 0),
        usage.get("cache_read_input_tokens", 0),
        usage.get("cache_creation_input_tokens", 0),
        usage.get("output_tokens", 0),
        call.usd,
        call.answer.id,
    )
