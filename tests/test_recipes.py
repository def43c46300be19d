"""The recipes of examples/: real provider SDKs against scripted servers, PostHog's wrappers, and the embedded store."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from observability import posthog_client as ph
from tests import required
from tests.conftest import Served
from tests.messages_api import MessagesApi, Request, Step, messages_api
from tests.provider_answers import TOKENS_IN, TOKENS_OUT, answering, refusing

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Recipe:
    """`modules` are what its wrapper needs; `settings` point the provider's SDK at a server."""

    name: str
    modules: tuple[str, ...]
    settings: dict[str, str]
    model: str


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("anthropic", ("anthropic",), {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "{}"}, "claude-haiku-4-5"),
        Recipe("openai", ("openai",), {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "{}/v1"}, "gpt-5-mini"),
        Recipe(
            "gemini", ("google.genai",), {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "{}"}, "gemini-2.5-flash"
        ),
        Recipe(
            "langchain",
            ("langchain_core", "langchain_openai"),
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "{}/v1", "OPENAI_API_BASE": "{}/v1"},
            "gpt-4.1-mini",
        ),
    )
}
SCORES = ["0.6", "0.4"]
SLOGANS = ["Ride on.", "Two wheels, no worries."]


@pytest.fixture(scope="module")
def api() -> Iterator[MessagesApi]:
    with messages_api() as running:
        yield running


class Writer:
    """Answers as a model would that improves once, then gets worse. `prompts` are those it was asked."""

    def __init__(self) -> None:
        self.slogans, self.scores = list(SLOGANS), list(SCORES)

    def __call__(self, prompt: str) -> str:
        if "better slogan" in prompt:
            return self.slogans.pop(0)
        return self.scores.pop(0) if prompt.startswith("Rate") else "It says nothing about service."


@dataclass(frozen=True, slots=True)
class Played:
    """Rows of the store in the order of time, prompts and completions joined to them."""

    slogan: str
    rows: list[tuple[str, dict[str, Any]]]

    def named(self, *events: str) -> list[dict[str, Any]]:
        return [properties for event, properties in self.rows if event in events]


Play = Callable[..., Played]


@pytest.fixture
def play(serve: Callable[..., Served], api: MessagesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Plays two rounds of a recipe in this process; `fails` is what it is to raise."""

    def run(name: str, step: Any = None, fails: bool = False, **environment: str) -> Played:
        recipe, served = RECIPES[name], serve()
        required.required_modules("recipes", *recipe.modules)
        api.plays(step or answering(Writer()))
        for key, value in {
            **{key: value.format(api.url) for key, value in recipe.settings.items()},
            "POSTHOG_HOST": served.url,
            "POSTHOG_API_KEY": served.project_key,
            "AUTORESEARCH_PROJECT": name,
            "LOOPDESK_SPOOL": str(tmp_path / "spool"),
            "AUTORESEARCH_GIT_SHA": "c0ffee",
            "LOOPDESK_STRICT": "1",
            **environment,
        }.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setattr(ph, "_default", None)
        monkeypatch.chdir(tmp_path)
        loop = loaded(name)
        if fails:
            with pytest.raises(Exception) as raised:
                loop.main(2)
            assert type(raised.value).__module__.partition(".")[0] not in ("posthog", "observability", "builtins")
        else:
            loop.main(2)
        assert ph.flush()
        ph.shutdown()
        return Played((tmp_path / "slogan.txt").read_text(), stored(served.events_db))

    return run


def loaded(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_loop", ROOT / "examples" / f"{name}_loop.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stored(events_db: Path) -> list[tuple[str, dict[str, Any]]]:
    connection = sqlite3.connect(events_db)
    try:
        rows = connection.execute(
            "SELECT events.event, distinct_id, properties, payload FROM events JOIN bodies USING (id)"
            " LEFT JOIN ai_payloads USING (id) ORDER BY timestamp, id"
        ).fetchall()
    finally:
        connection.close()
    return [
        (event, {"distinct_id": who, **json.loads(light), **json.loads(heavy or "{}")})
        for event, who, light, heavy in rows
    ]


def test_a_recipe_whose_sdk_is_missing_is_skipped_by_name_or_fails_where_it_was_promised(
    monkeypatch: pytest.MonkeyPatch,
):
    for missing in ("no_such_sdk", "no_such.sdk"):
        monkeypatch.setattr(required, "_PROMISED", frozenset({"ssh"}))
        with pytest.raises(pytest.skip.Exception, match=f"recipes: .*{missing}"):
            required.required_modules("recipes", "json", missing)
        monkeypatch.setattr(required, "_PROMISED", frozenset({"recipes"}))
        with pytest.raises(pytest.fail.Exception, match=missing):
            required.required_modules("recipes", "json", missing)


@pytest.mark.parametrize("name", RECIPES)
def test_every_call_of_a_recipe_is_a_generation_in_its_place(play: Play, name: str):
    played = play(name)
    rounds = [row["round_id"] for row in played.named("round_started")]
    calls = played.named("$ai_generation")
    assert [(call["round_id"], call["phase"]) for call in calls] == [
        (round_id, phase) for round_id in rounds for phase in ("proposal", "critique", "score")
    ]
    assert len({call["$ai_span_id"] for call in calls}) == 6
    for call in calls:
        assert call["$ai_trace_id"] == call["round_id"]
        assert call["task_type"] == "slogan"
        assert (call["agent"], call["distinct_id"]) == ("writer", f"{name}:internal:writer")
        assert call["$ai_model"].startswith(RECIPES[name].model)
        assert (call["$ai_input_tokens"], call["$ai_output_tokens"]) == (TOKENS_IN, TOKENS_OUT)
        assert call["$ai_latency"] > 0
        assert call["$ai_http_status"] == 200
        assert call["$ai_total_cost_usd"] > 0
        assert "$ai_is_error" not in call
    said = json.dumps(calls)
    assert "bicycle shop" in said and "It says nothing about service." in said and SLOGANS[0] in said
    assert [row["score"] for row in played.named("round_scored")] == [0.6, 0.4]
    assert [event for event, _ in played.rows if event in ("round_kept", "round_reverted")] == [
        "round_kept", "round_reverted",
    ]  # fmt: skip
    assert played.slogan == SLOGANS[0]  # the worse one was put back
    assert played.named("stop_triggered")[0]["rounds_completed"] == 2


@pytest.mark.parametrize("name", RECIPES)
def test_a_call_that_fails_is_told_and_ends_the_loop_as_it_would_without(play: Play, name: str):
    played = play(name, refusing(400, "scripted: the prompt 'bicycle shop' is not wanted"), fails=True)
    (call,) = played.named("$ai_generation")
    assert (call["phase"], call["$ai_is_error"], call["$ai_http_status"]) == ("proposal", True, 400)
    assert "scripted" in call["$ai_error"]
    (crash,) = played.named("round_reverted")
    assert crash["failure_mode"] == "crash" and "scripted" in crash["error"]
    assert call["$ai_trace_id"] == crash["round_id"]


@pytest.mark.parametrize("name", RECIPES)
def test_under_privacy_what_was_said_stays_home_and_the_figures_come(play: Play, name: str):
    played = play(name, AUTORESEARCH_PRIVACY="1")
    calls = played.named("$ai_generation")
    assert [call["phase"] for call in calls] == ["proposal", "critique", "score"] * 2
    for call in calls:
        assert (call["$ai_input_tokens"], call["$ai_output_tokens"]) == (TOKENS_IN, TOKENS_OUT)
        assert call["$ai_total_cost_usd"] > 0
    told = json.dumps(played.named("$ai_generation", "$ai_span", "$ai_trace"))
    assert "bicycle shop" not in told and SLOGANS[0] not in told and "about service" not in told


@pytest.mark.parametrize("name", RECIPES)
def test_under_privacy_an_error_does_not_quote_the_prompt(play: Play, name: str):
    played = play(
        name, refusing(400, "scripted: the prompt 'bicycle shop' is not wanted"), fails=True, AUTORESEARCH_PRIVACY="1"
    )
    (call,) = played.named("$ai_generation")
    assert (call["$ai_is_error"], call["$ai_http_status"]) == (True, 400)
    assert "bicycle shop" not in json.dumps(played.rows)


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_stream_that_breaks_off_is_told_with_what_came(play: Play, name: str):
    def half(request: Request) -> Step:
        return replace(answering(Writer())(request), cut=True)

    played = play(name, half, fails=True)
    (call,) = played.named("$ai_generation")
    assert (call["phase"], call["$ai_is_error"]) == ("proposal", True)
    assert call["$ai_error"]


def test_a_chain_of_langchain_is_a_span_of_the_round_with_its_call_below(play: Play):
    played = play("langchain")
    calls, spans = played.named("$ai_generation"), played.named("$ai_span")
    chains = [span for span in spans if span["$ai_span_id"] == calls[0]["$ai_parent_id"]]
    assert len(chains) == 1
    assert chains[0]["$ai_trace_id"] == chains[0]["round_id"] == calls[0]["round_id"]
    assert not played.named("$ai_trace")
    assert {span["distinct_id"] for span in spans} == {"langchain:internal:writer"}
