"""Runs an agent: the real CLI in a jail, asked through the SDK, paid through the gateway, judged by what it hands in.

Whatever it says of itself counts for nothing here. A run that was denied all its tools still ends in "success", one
without an answer too; so the answer is checked against its schema, and what became of the model is read from the
gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

from engine import llm_errors, roles
from engine.agents import cli
from engine.agents.conversation import Conversation
from engine.agents.host_tools import HostTools, wrong
from engine.agents.keeping import Keeper, Snapshots, restore
from engine.agents.outage import outage
from engine.agents.protocol import Answer, Snapshot, Task
from engine.agents.telling import Telling
from engine.agents.transcript import Asked, ModelCall, Note, Refused, Transcript
from engine.agents.transport import JailTransport
from engine.blobs import Blobs
from engine.in_thread import in_thread
from engine.own_events import OwnEvents
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


@dataclass(frozen=True, slots=True)
class Means:
    """What all runs share. `purse` makes the purse of a task, by its model. Without `events` nothing is told of the
    model's calls. `program` is the agent CLI on the host; `retries` are the CLI's, of a request to the model."""

    sandbox: Sandbox
    runs: Path
    blobs: Blobs
    purse: Callable[[Task, str], Purse]
    clock: Callable[[], datetime]
    events: OwnEvents | None = None
    program: Path = field(default_factory=cli.find)
    snapshot_every: int = 10
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
        self._records_prompts = roles.records_prompts(config)
        self._explain = llm_errors.Explainer(config.anthropic_key)

    async def ask(self, task: Task, snapshot: Snapshots | None = None) -> Answer:
        means, model = self._means, self._models[task.role]
        telling = self._telling(task, model)
        transcript = Transcript(telling.item if telling else lambda _: None)

        def told(call: Call) -> None:
            transcript.add(_model_call(call, model))
            if telling is not None:
                telling.call(call)

        async def taken(one: Snapshot) -> None:
            if telling is not None:
                await telling.keep()
            if snapshot is not None:
                await snapshot(one)

        why = "it was stopped"
        terms, purse = Terms(model, MOST_TOKENS), means.purse(task, model)
        with run_folder(means.runs) as folder:
            if task.session:
                await restore(means.sandbox, means.blobs, task.session, folder.session, folder.received)
            keeper = Keeper(means.sandbox, means.blobs, task, folder, taken if snapshot else None, means.snapshot_every)
            try:
                async with Gateway(
                    folder.socket, self._upstreams[model], terms, purse, task.limit_usd, means.clock, told
                ) as gateway:
                    run = _Running(means, task, model, folder, gateway, transcript, keeper.after)
                    content, why = await run.talk()
                    keeper.end(run.heard.turns)
                kept = await keeper.kept()
                for note in (*keeper.complaints, *([f"No answer: {why}"] if why else [])):
                    transcript.add(Note(means.clock(), note))
            finally:
                await keeper.stop()
                if telling is not None:
                    await telling.end(means.clock(), why)
        key = await in_thread(lambda: means.blobs.put(transcript.written()), "transcript")
        if content is None:
            unavailable = outage(gateway.held, gateway.last, model, self._explain, means.clock())
            if unavailable is not None:
                raise unavailable
        return Answer(
            content,
            why,
            session=kept.session,
            transcript=key,
            trace=telling.trace_id if telling else "",
            turns=run.heard.turns,
            cost_usd=gateway.spent_usd,
            refusals=tuple(gateway.refusals),
            denied=tuple(run.heard.denied),
        )

    def _telling(self, task: Task, model: str) -> Telling | None:
        if self._means.events is None:
            return None
        return Telling(
            self._means.events, task.role, model, self._upstreams[model].url, self._records_prompts, self._means.clock()
        )


class _Running:
    """One task in one jail."""

    def __init__(
        self,
        means: Means,
        task: Task,
        model: str,
        folder: RunFolder,
        gateway: Gateway,
        transcript: Transcript,
        after: Callable[[int], None],
    ) -> None:
        """`after` is told how many turns are over, whenever another one begins."""
        self._means, self._task, self._gateway, self._transcript = means, task, gateway, transcript
        self._after, self._refusals_told = after, 0
        own = cli.tools(task.clone is not None, task.may_write)
        self.heard = Conversation(
            transcript, means.clock, (*own, *(f"mcp__{cli.SERVER}__{tool.name}" for tool in task.tools))
        )
        start = cli.Start(
            model, own, task.schema, task.turns, MOST_TOKENS, bool(task.tools), bool(task.session), means.retries
        )
        system = folder.root / "system.txt"
        system.write_bytes(task.system.encode("utf-8", "replace"))
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
            why = why or f"what it wrote to the host ended ({error or type(error).__name__})"
        finally:
            await self._client.disconnect()
            self._add_refusals()
        return content, "" if content is not None else self._reason(why, await self._transport.ended())

    async def _asked(self, prompt: str) -> tuple[Mapping[str, Any] | None, str]:
        self._transcript.add(Asked(self._means.clock(), prompt))
        self.heard.result = None
        # What no encoding has, no model is sent.
        await self._client.query(prompt.encode("utf-8", "replace").decode())
        async for message in self._client.receive_response():
            before = self.heard.turns
            self.heard.hear(message)
            self._add_refusals()
            if self.heard.turns > before:
                self._after(before)
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

    def _add_refusals(self) -> None:
        for refusal in self._gateway.refusals[self._refusals_told :]:
            self._refusals_told += 1
            self._transcript.add(Refused(refusal.at, refusal.kind, refusal.said))

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
