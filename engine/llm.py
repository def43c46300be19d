"""Asks a model, through PostHog's instrumented client: a question of ours, text as data, and an answer in one form.

Whatever goes wrong ends in `judge.Unavailable` with a sentence. Nothing is sent before its cost is reserved.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import anthropic
import httpx2
from anthropic.types import Message
from posthog.ai.anthropic import AsyncAnthropic
from pydantic import BaseModel, ValidationError

from engine import llm_errors, roles
from engine.budget import Purser
from engine.data_blocks import Data, user_message
from engine.judge import Unavailable
from engine.own_events import OwnEvents, distinct_id
from queries.local import prices
from workspace.config import Config

TIMEOUT_S = 60.0
CONNECT_S = 5.0
TRIES = 3
LONGEST_WAIT_S = 30.0
# What the API puts around a request of its own: the form of the answer is explained to the model.
_OVERHEAD_TOKENS = 1_000
_BAD_ANSWER_AGAIN = timedelta(hours=6)

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """`system` is a constant of ours, the same for every request. `most_tokens` is the longest answer. `answer` is its
    form; what a form cannot say, the caller checks."""

    role: str
    system: str
    answer: type[Answer]
    most_tokens: int


@dataclass(frozen=True, slots=True)
class About:
    """What is judged: a signal, or a report, whose budget it then counts to. Its id is the trace's."""

    signal_id: str = ""
    report_id: str = ""


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    stop_reason: str | None
    usd: float
    input_tokens: int
    output_tokens: int


class Model:
    """One client for all roles. The clock and the sleep are given, so that a test waits for nothing."""

    def __init__(
        self,
        config: Config,
        books: Purser,
        events: OwnEvents,
        clock: Callable[[], datetime],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Raises `LoopdeskError` for models, prices or an address that make no sense."""
        roles.check(config)
        self.models = roles.models(config)
        self._prices = {name: roles.price_of(config, name) for name in self.models.values()}
        self._table = prices.load(config.prices_file)
        self._books, self._events, self._clock, self._sleep = books, events, clock, sleep
        self._records_prompts = roles.records_prompts(config)
        self._explain = llm_errors.Explainer(config.anthropic_key)
        self._paused: dict[str, Unavailable] = {}
        self._client = AsyncAnthropic(
            posthog_client=events.sdk,
            api_key=config.anthropic_key,
            base_url=config.anthropic_url or None,
            timeout=httpx2.Timeout(timeout_s, connect=CONNECT_S),
            # Retries are ours: each is a request of its own that is reserved, booked and told.
            max_retries=0,
        )

    async def close(self) -> None:
        await self._client.close()
        self._events.close()

    async def ask(
        self,
        question: Question[Answer],
        blocks: Sequence[Data],
        about: About,
        wrong: Callable[[Answer], str] = lambda _: "",
    ) -> Answer:
        """`wrong` says in a sentence of ours what an answer of the right form gets wrong, empty where nothing. Raises
        `Unavailable`."""
        nonce = secrets.token_hex(8)
        turns = [user_message(blocks, nonce)]
        try:
            said = await self._said(question, turns, about)
            found, complaint = _read(question, said, wrong)
            if found is None:
                # The answer may quote what it read, so it comes back as data too.
                turns.append(f"{complaint} Answer again.\n{user_message([Data('former_answer', said)], nonce)}")
                said = await self._said(question, turns, about)
                found, complaint = _read(question, said, wrong)
        finally:
            await self._events.flush()
        if found is None:
            raise Unavailable(
                f"{self.models[question.role]} gave no answer that can be used, twice",
                complaint,
                retry_at=self._clock() + _BAD_ANSWER_AGAIN,
            )
        return found

    async def _said(self, question: Question[Any], turns: Sequence[str], about: About) -> str:
        model = self.models[question.role]
        request: dict[str, Any] = {
            "model": model,
            "max_tokens": question.most_tokens,
            "system": [{"type": "text", "text": question.system, "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": turn} for turn in turns],
            "output_config": {"format": {"type": "json_schema", "schema": anthropic.transform_schema(question.answer)}},
        }
        reply = await self._sent(question.role, model, request, about)
        failed = llm_errors.unusable(model, reply.stop_reason, reply.text)
        if failed is not None:
            raise Unavailable(*failed, retry_at=self._clock() + _BAD_ANSWER_AGAIN)
        return reply.text

    async def _sent(self, role: str, model: str, request: Mapping[str, Any], about: About) -> _Reply:
        """The answer of the first try that has one, of at most `TRIES`."""
        create: Any = self._client.messages.create  # PostHog's, which takes more than the SDK's own type says
        for tries in range(1, TRIES + 1):
            self._refuse_while_paused(model)
            worst_usd = self._worst_usd(model, request)
            reserved = self._books.reserve(worst_usd, role=role, model=model, report_id=about.report_id)
            try:
                message = await create(
                    posthog_distinct_id=distinct_id(role),
                    posthog_trace_id=about.report_id or about.signal_id,
                    posthog_properties={"agent": role},
                    posthog_privacy_mode=not self._records_prompts,
                    **request,
                )
                reply = self._reply(model, message)
            # Telemetry and a server that is none of Anthropic's may raise anything.
            except Exception as error:
                trouble = self._explain(error, model)
                if trouble.is_free:
                    self._books.book(reserved, 0.0)
                wait_s = trouble.wait_s if trouble.wait_s is not None else 2.0 ** (tries - 1)
                if not trouble.may_pass or tries == TRIES or wait_s > LONGEST_WAIT_S:
                    raise self._given_up(trouble, model) from None
                await self._sleep(wait_s)
            else:
                self._books.book(
                    reserved, reply.usd, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens
                )
                return reply
        raise AssertionError("the last try returns or raises")

    def _given_up(self, trouble: llm_errors.Trouble, model: str) -> Unavailable:
        again = timedelta(seconds=max(trouble.again_s, trouble.wait_s or 0.0))
        failed = Unavailable(*trouble.said, retry_at=self._clock() + again)
        if trouble.pauses:
            self._paused["" if trouble.pauses == "all" else model] = failed
        return failed

    def _refuse_while_paused(self, model: str) -> None:
        """What has just failed for everything fails at once for the next, instead of after three tries each."""
        for name in ("", model):
            failed = self._paused.get(name)
            if failed is not None and failed.retry_at is not None and self._clock() < failed.retry_at:
                raise Unavailable(failed.what, failed.means, failed.do, retry_at=failed.retry_at)

    def _worst_usd(self, model: str, request: Mapping[str, Any]) -> float:
        """No tokenizer makes more tokens than there are bytes, and all of them may go into the cache."""
        price = self._prices[model]
        written = price.prompt_token * 1.25 if price.cache_write_token is None else price.cache_write_token
        tokens = len(json.dumps(request, ensure_ascii=False).encode()) + _OVERHEAD_TOKENS
        out = request["max_tokens"] * price.completion_token
        return tokens * max(price.prompt_token, written) + out + (price.request or 0.0)

    def _reply(self, model: str, message: Message) -> _Reply:
        """Raises `AttributeError` or `TypeError` for what is no message: the SDK builds one from any JSON."""
        text = "".join(block.text for block in message.content if block.type == "text").strip()
        usage = message.usage
        read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        counted = {
            "$ai_model": model,
            "$ai_provider": "anthropic",
            "$ai_input_tokens": usage.input_tokens,
            "$ai_output_tokens": usage.output_tokens,
            "$ai_cache_read_input_tokens": read,
            "$ai_cache_creation_input_tokens": written,
        }
        usd = float(str(prices.cost_properties(counted, self._table)["$ai_total_cost_usd"]))
        return _Reply(text, message.stop_reason, usd, usage.input_tokens + read + written, usage.output_tokens)


def _read(question: Question[Answer], said: str, wrong: Callable[[Answer], str]) -> tuple[Answer | None, str]:
    """The answer, or a sentence about what is wrong with it: in our words alone, because it goes back to the model."""
    try:
        found = question.answer.model_validate_json(said)
    except ValidationError as error:
        return None, _complaint(question.answer, error)
    complaint = wrong(found)
    return (None, complaint) if complaint else (found, "")


def _complaint(answer: type[BaseModel], error: ValidationError) -> str:
    """Without what was given: names that are not the form's own, and inputs, are the model's."""
    said = []
    for one in error.errors(include_url=False, include_context=False, include_input=False)[:5]:
        names = [str(part) for part in one["loc"] if isinstance(part, int) or part in answer.model_fields]
        what = "it is not JSON" if one["type"] == "json_invalid" else one["msg"]
        said.append(f"{'.'.join(names)}: {what}" if names else what)
    return f"The answer is not in the form it was asked for ({'; '.join(said)})."
