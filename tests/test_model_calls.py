"""Model calls inside `model_call`: phase, place in the trace, agent and privacy, as PostHog's wrappers tell them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from posthog.ai.anthropic import Anthropic, AsyncAnthropic
from ulid import ULID

from observability.posthog_client import Client, Settings, TrackingError, carry
from tests.messages_api import MessagesApi, messages_api
from tests.provider_answers import answering, refusing


class Told:
    """What a client keeps, in order."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[dict[str, Any]] = []
        keep = client.sdk.before_send
        client.sdk.before_send = lambda message: self.events.append(keep(message)) or self.events[-1]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event["properties"] for event in self.events if event["event"] == name]

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self.named("$ai_generation")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Told]]:
    """Clients of the loop `autoagent` that send nowhere; keywords are settings."""
    started: list[Client] = []

    def make(**changes: Any) -> Told:
        started.append(Client(Settings(project="autoagent", git_sha="c0ffee", spool=tmp_path, **changes)))
        return Told(started[-1])

    yield make
    for client in started:
        client.shutdown(1)


@pytest.fixture(scope="module")
def api() -> Iterator[MessagesApi]:
    with messages_api() as running:
        yield running


@pytest.fixture
def ask(start: Callable[..., Told], api: MessagesApi) -> Callable[..., Told]:
    """A client and its `ask`, which is one call of the real SDK through the real wrapper."""

    def make(**changes: Any) -> tuple[Told, Callable[..., Any]]:
        told = start(strict=True, **changes)
        api.plays(answering(lambda prompt: "a completion"))
        model = Anthropic(posthog_client=told.client.sdk, api_key="k", base_url=api.url, max_retries=0)

        def call(**more: Any) -> Any:
            said = [{"role": "user", "content": "a prompt"}]
            return model.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=said, **more)

        return told, call

    return make


def test_everything_inside_carries_phase_and_task_type_and_nothing_outside(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.round_(agent="coder") as round_id:
        with told.client.model_call(phase="critique", task_type="code", agent="critic") as span_id:
            call()
            told.client.step_observation("judge", 1)
        call()
    first, second = told.calls
    expected = {"phase": "critique", "task_type": "code", "agent": "critic", "$ai_trace_id": round_id}
    assert (expected | {"$ai_span_id": span_id, "$ai_span_name": "critique"}).items() <= first.items()
    assert told.named("step.observation")[0]["phase"] == "critique"
    assert ULID.from_str(second["$ai_span_id"]) and second["$ai_span_id"] != span_id
    assert "phase" not in second and second["agent"] == "coder"
    assert "$ai_parent_id" not in {name for name, value in first.items() if value}
    assert not told.named("$ai_span")


def test_a_call_inside_a_call_stands_below_it(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.round_(), told.client.model_call(phase="proposal") as outer:
        call()
        call()  # another try
        with told.client.model_call(phase="refine"):
            call()
    first, again, inner = told.calls
    assert first["$ai_span_id"] == outer
    assert again["$ai_span_id"] != outer and not again["$ai_parent_id"]
    assert inner["$ai_parent_id"] == outer
    assert not told.named("$ai_span")


def test_a_parent_that_no_call_stands_for_is_told_as_a_span(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.round_() as round_id, told.client.model_call(phase="proposal") as outer:
        for phase in ("critique", "score"):
            with told.client.model_call(phase=phase):
                call()
    assert [below["$ai_parent_id"] for below in told.calls] == [outer, outer]
    (span,) = told.named("$ai_span")
    assert (span["$ai_span_id"], span["$ai_span_name"], span["$ai_trace_id"]) == (outer, "proposal", round_id)


def test_what_a_step_calls_stands_below_the_step(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.round_():
        told.client.step_tool("judge", call)
        call()
    step_id = told.named("step.tool_called")[0]["step_id"]
    below, beside = told.calls
    assert below["$ai_parent_id"] == step_id and below["$ai_span_id"] != step_id
    assert not beside.get("$ai_parent_id")


async def test_async_steps_and_calls_do_not_mix(start: Callable[..., Told], api: MessagesApi):
    told = start()
    api.plays(answering(lambda prompt: "a completion"))

    async def step(number: int) -> None:
        async def judge() -> None:
            await asyncio.sleep(0)
            with told.client.model_call(phase="score", task_type=str(number)):
                said = [{"role": "user", "content": "a prompt"}]
                await model.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=said)

        await told.client.step_tool(f"judge {number}", judge)

    async with AsyncAnthropic(posthog_client=told.client.sdk, api_key="k", base_url=api.url) as model:
        with told.client.round_() as round_id:
            await asyncio.gather(*map(step, range(4)))
    steps = {called["tool"]: called["step_id"] for called in told.named("step.tool_called")}
    assert {f"judge {call['task_type']}": call["$ai_parent_id"] for call in told.calls} == steps
    assert {call["$ai_trace_id"] for call in told.calls} == {round_id}


def test_threads_that_share_a_call_do_not_share_its_id(ask: Callable[..., Any]):
    told, call = ask()
    with ThreadPoolExecutor(4) as pool, told.client.round_(), told.client.model_call(phase="proposal") as span_id:
        list(pool.map(carry(lambda _: call()), range(8)))
    ids = [one["$ai_span_id"] for one in told.calls]
    assert len(set(ids)) == 8 and span_id in ids
    assert {one["phase"] for one in told.calls} == {"proposal"}


def test_calls_outside_of_a_round_have_one_trace(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.model_call(phase="proposal") as outer:
        call()
        with told.client.model_call(phase="critique"):
            call()
    assert [one["$ai_trace_id"] for one in told.calls] == [outer, outer]


def test_a_streamed_call_is_the_agents_and_no_new_persons(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.round_(agent="coder"), told.client.model_call(phase="proposal"):
        list(call(stream=True))
    list(call(stream=True))
    assert [event["distinct_id"] for event in told.events] == ["autoagent:internal:coder", "autoagent:internal:loop"]
    assert all("$process_person_profile" not in one for one in told.calls)


def test_a_distinct_id_that_the_loop_chose_is_kept(ask: Callable[..., Any]):
    told, call = ask()
    with told.client.round_(agent="coder"):
        call(posthog_distinct_id="somebody")
    assert told.events[0]["distinct_id"] == "somebody"


def test_a_span_id_and_a_parent_that_came_with_the_call_are_kept(start: Callable[..., Told]):
    told = start()
    own, above = uuid4(), uuid4()
    with told.client.round_(), told.client.model_call(phase="score"):
        properties = {"$ai_span_id": own, "$ai_parent_id": above, "$ai_span_name": "ChatModel"}
        told.client.sdk.capture("$ai_generation", properties=properties)
    assert {name: told.calls[0][name] for name in ("$ai_span_id", "$ai_parent_id", "$ai_span_name")} == {
        "$ai_span_id": str(own), "$ai_parent_id": str(above), "$ai_span_name": "ChatModel",
    }  # fmt: skip


def test_what_the_provider_raises_is_told_and_goes_on(ask: Callable[..., Any], api: MessagesApi):
    told, call = ask()
    api.plays(refusing(400, "too long"))
    with pytest.raises(Exception, match="too long"), told.client.round_(), told.client.model_call(phase="proposal"):
        call()
    (failed,) = told.calls
    assert (failed["phase"], failed["$ai_is_error"], failed["$ai_http_status"]) == ("proposal", True, 400)
    assert "too long" in failed["$ai_error"]


@pytest.mark.parametrize(
    ("said", "sent"),
    [("proposal", "proposal"), ("propose", "proposal"), ("Score ", "score"), ("plan", None), (7, None), ("", None)],
)
def test_a_wrong_phase_is_an_error_in_development_and_mended_or_left_out_at_night(
    start: Callable[..., Told], caplog: pytest.LogCaptureFixture, said: Any, sent: str | None
):
    strict, night = start(strict=True), start()
    is_right = said in ("proposal", "propose")
    if is_right:
        with strict.client.model_call(phase=said):
            pass
    else:
        with pytest.raises(TrackingError, match="phase"), strict.client.model_call(phase=said):
            pass
    with caplog.at_level(logging.WARNING, logger="loopdesk"):
        for _ in range(2):
            with night.client.model_call(phase=said, task_type=3):
                night.client.sdk.capture("$ai_generation", properties={"$ai_model": "small"})
    assert [call.get("phase") for call in night.calls] == [sent, sent]
    complaints = [record for record in caplog.records if "a model call: phase" in record.message]
    assert len(complaints) == (0 if is_right else 1)


def test_privacy_keeps_home_what_was_said_even_where_the_loop_hands_it_over(ask: Callable[..., Any]):
    told, call = ask(privacy=True)
    more = {"$ai_input_state": "a prompt", "$ai_tools": [{"description": "a prompt"}]}
    with told.client.round_():
        call(posthog_properties=more)
        told.client.sdk.capture("$ai_span", properties={"$ai_output_state": "a completion"})
    said = str(told.events)
    assert "a prompt" not in said and "a completion" not in said
    assert told.calls[0]["$ai_input_tokens"] == 900


def test_privacy_keeps_the_message_of_an_error_home_whoever_tells_it(ask: Callable[..., Any], api: MessagesApi):
    told, call = ask(privacy=True)
    api.plays(refusing(400, "the prompt 'a prompt' is too long"))
    with pytest.raises(Exception, match="too long"), told.client.round_():
        told.client.step_tool("judge", call)
    assert "a prompt" not in str(told.events)
    for name in ("step.tool_returned", "round_reverted"):
        assert told.named(name)[0]["error"] == "BadRequestError"


def test_a_cost_that_comes_with_the_call_is_sent_as_it_is(ask: Callable[..., Any]):
    told, call = ask()
    known = {"$ai_input_cost_usd": 0.01, "$ai_output_cost_usd": 0.02}
    with told.client.round_(), told.client.model_call(phase="score"):
        call(posthog_properties=known)
    assert known.items() <= told.calls[0].items()


def test_settings_of_privacy_and_of_tags_come_from_the_environment():
    found = Settings.from_environment({"AUTORESEARCH_PRIVACY": "1", "AUTORESEARCH_REDACTION_KEY": "k3y-of-ours"})
    assert (found.privacy, found.redaction_key) == (True, "k3y-of-ours")
    assert "k3y-of-ours" not in repr(found)
    assert not Settings.from_environment({"AUTORESEARCH_PRIVACY": "0"}).privacy
