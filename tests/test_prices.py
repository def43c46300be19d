"""What a model call cost, by PostHog's rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from queries.local import prices
from queries.local.prices import PACKAGED, Price, Prices, cost_properties
from workspace.errors import LoopdeskError

TABLE = Prices(
    [
        Price("claude-opus-4", "anthropic", 10.0, 50.0),
        Price("claude-opus-4-5", "anthropic", 4.0, 20.0, cache_read_token=1.0, cache_write_token=6.0),
        Price("gpt-4o", "openai", 2.0, 8.0),
        Price("gpt-4o-mini", "openai", 1.0, 4.0, cache_read_token=0.25),
        Price("gemini-2.5-pro", "google", 1.0, 10.0),
        Price("searcher", "someone", 1.0, 1.0, request=3.0, web_search=7.0),
    ]
)


def cost(model: str = "gpt-4o", **properties: object) -> dict[str, object]:
    named = {f"$ai_{name}": value for name, value in properties.items()}
    return cost_properties({"$ai_model": model, **named}, TABLE)


def amounts(found: dict[str, object]) -> tuple:
    return found["$ai_input_cost_usd"], found["$ai_output_cost_usd"], found["$ai_total_cost_usd"]


def test_tokens_times_their_price():
    assert cost(input_tokens=3, output_tokens=2) == {
        "$ai_input_cost_usd": 6.0,
        "$ai_output_cost_usd": 16.0,
        "$ai_total_cost_usd": 22.0,
        "$ai_model_cost_used": "gpt-4o",
        "$ai_cost_model_source": "manual",
        "$ai_cost_model_provider": "openai",
        "$ai_cache_reporting_exclusive": False,
    }


def test_costs_on_the_event_are_kept():
    found = cost(input_cost_usd=0.5, output_cost_usd="0.25", web_search_cost_usd=0.125, input_tokens=9)
    assert found == {"$ai_total_cost_usd": 0.875, "$ai_cost_model_source": "passthrough"}


def test_a_total_on_the_event_is_kept_beside_its_parts():
    assert cost(input_cost_usd=0.5, output_cost_usd=0.5, total_cost_usd=3)["$ai_total_cost_usd"] == 3


def test_one_cost_of_the_two_is_not_believed():
    assert cost(input_cost_usd=9, input_tokens=1, output_tokens=1)["$ai_total_cost_usd"] == 10.0


def test_token_prices_on_the_event_come_before_the_table():
    found = cost(input_token_price=1, output_token_price=100, input_tokens=1, output_tokens=1)
    assert amounts(found) == (1.0, 100.0, 101.0)
    assert found["$ai_cost_model_source"] == "custom"


def test_a_model_at_home_costs_nothing():
    found = cost("gpt-4o", input_token_price=0, output_token_price=0, input_tokens=5)
    assert (found["$ai_total_cost_usd"], found["$ai_cost_model_source"]) == (0.0, "custom")


def test_anthropic_counts_the_cache_beside_the_input():
    used = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 5}
    assert amounts(cost("claude-opus-4", **used))[0] == 10 * 10 + 100 * 1.0 + 5 * 12.5
    assert amounts(cost("claude-opus-4-5", **used))[0] == 10 * 4 + 100 * 1.0 + 5 * 6.0


def test_anthropic_tokens_that_include_the_cache_say_so():
    used = {"input_tokens": 115, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 5}
    found = cost("claude-opus-4", cache_reporting_exclusive=False, **used)
    assert amounts(found)[0] == 10 * 10 + 100 * 1.0 + 5 * 12.5
    assert found["$ai_cache_reporting_exclusive"] is False


@pytest.mark.parametrize(("model", "expected"), [("gpt-4o", 4 * 2 + 6 * 1.0), ("gpt-4o-mini", 4 * 1 + 6 * 0.25)])
def test_others_count_the_cache_in_the_input(model: str, expected: float):
    assert amounts(cost(model, input_tokens=10, cache_read_input_tokens=6))[0] == expected


@pytest.mark.parametrize(("model", "expected"), [("gemini-2.5-pro", 70.0), ("gpt-4o", 16.0)])
def test_only_gemini_bills_reasoning_beside_the_output(model: str, expected: float):
    assert amounts(cost(model, output_tokens=2, reasoning_tokens=5))[1] == expected


def test_requests_and_searches_have_prices_too():
    found = cost("searcher", input_tokens=1, web_search_count=2)
    assert found["$ai_request_cost_usd"] == 3.0
    assert found["$ai_web_search_cost_usd"] == 14.0
    assert found["$ai_total_cost_usd"] == 18.0


@pytest.mark.parametrize(
    ("sent", "row"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5"),
        ("claude-opus-4.5", "claude-opus-4-5"),
        ("claude-opus-4-9", None),
        ("claude", None),
        ("my-own-model", None),
        ("", None),
    ],
)
def test_a_model_is_found_by_its_name(sent: str, row: str | None):
    found = TABLE.find(sent)
    assert (found.model if found else None) == row


@pytest.mark.parametrize("model", [None, 7, "", "my-own-model"])
def test_a_model_without_a_price_adds_nothing(model: object):
    assert cost_properties({"$ai_model": model, "$ai_input_tokens": 5}, TABLE) == {}


@pytest.mark.parametrize("tokens", [None, "many", -5, True, float("inf"), {}, "1e999"])
def test_tokens_that_are_no_count_cost_nothing(tokens: object):
    assert amounts(cost(input_tokens=tokens)) == (0.0, 0.0, 0.0)


def test_the_packaged_table_says_where_each_price_is_from():
    rows = json.loads(PACKAGED.read_text())["models"]
    assert len({row["model"] for row in rows}) == len(rows) > 30
    assert all(row["source"] and re.fullmatch(r"\d{4}-\d\d", row["as_of"]) for row in rows)
    found = prices.packaged().find("claude-sonnet-4-5-20250929")
    assert found and (found.prompt_token, found.completion_token) == (3e-6, 15e-6)
    assert all(prices.packaged().find(row["model"]).model == row["model"] for row in rows)


def test_a_table_of_ones_own_replaces_it(tmp_path: Path):
    file = tmp_path / "prices.json"
    file.write_text('{"models": [{"model": "mine", "provider": "me", "prompt_token": 2, "completion_token": 0}]}')
    table = prices.load(str(file))
    assert cost_properties({"$ai_model": "mine-2", "$ai_input_tokens": 3}, table) == {}
    assert cost_properties({"$ai_model": "mine", "$ai_input_tokens": 3}, table)["$ai_total_cost_usd"] == 6.0
    assert table.find("gpt-4o") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "Cannot read the price table"),
        ("{", "is not a price table"),
        ("[]", "no list of models"),
        ('{"models": [{}]}', "a row has no model"),
        ('{"models": [{"model": "m", "completion_token": 1}]}', "prompt_token of 'm' is not a number"),
        ('{"models": [{"model": "m", "prompt_token": 1, "completion_token": -1}]}', "completion_token of 'm'"),
    ],
)
def test_a_bad_table_is_one_sentence(text: str | None, said: str, tmp_path: Path):
    file = tmp_path / "prices.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(LoopdeskError, match=said):
        prices.load(str(file))
