"""What is forwarded of an agent's request: only what is known, and nothing that acts or fetches on the API's side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.sandbox.meter import Allowance, Answer, worst_usd
from engine.sandbox.protocol import Kind
from engine.sandbox.requests import IMAGE_TOKENS, Refused, Terms, rebuild, tokens_at_most, written
from queries.local import prices
from workspace.errors import LoopdeskError

MODEL = "claude-sonnet-4-6"
TERMS = Terms(MODEL, 4_000)
TOOL = {"name": "Bash", "description": "runs", "input_schema": {"type": "object", "properties": {"x": {"enum": [1]}}}}


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 1_000, "messages": [{"role": "user", "content": "hello"}], **fields}


def built(body: Any) -> dict[str, Any]:
    return rebuild(json.dumps(body).encode(), TERMS)


def refused(body: Any) -> Kind:
    with pytest.raises(Refused) as caught:
        built(body)
    return caught.value.kind


def block(content: dict[str, Any]) -> dict[str, Any]:
    return asked(messages=[{"role": "user", "content": [content]}])


class TestWhatPasses:
    def test_an_ordinary_turn_passes_as_it_is(self):
        turns = [
            {"role": "user", "content": [{"type": "text", "text": "fix it", "cache_control": {"type": "ephemeral"}}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "d"},
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "Bash",
                        "input": {"command": "ls", "deep": [{"a": 1}]},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "is_error": False,
                        "content": [
                            {"type": "text", "text": "out"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                        ],
                    },
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
                ],
            },
        ]
        body = asked(
            messages=turns,
            system=[{"type": "text", "text": "you are"}],
            tools=[TOOL, {**TOOL, "type": "custom", "strict": True}],
            tool_choice={"type": "tool", "name": "Bash", "disable_parallel_tool_use": True},
            output_config={"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            stop_sequences=["END"],
            stream=True,
            temperature=0.5,
        )
        expected = json.loads(json.dumps(body))
        del expected["tools"][1]["type"]
        assert built(body) == expected

    def test_what_is_not_known_is_left_out_at_every_depth(self):
        body = asked(
            metadata={"user_id": "x"},
            service_tier="priority",
            betas=["files-api"],
            context_management={"edits": []},
            something_new={"url": "https://evil.example"},
            system=[{"type": "text", "text": "s", "new": 1}],
            tools=[{**TOOL, "new": 1, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        )
        body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "t", "citations": []}], "new": 1}]
        assert built(body) == asked(
            messages=[{"role": "user", "content": [{"type": "text", "text": "t"}]}],
            system=[{"type": "text", "text": "s"}],
            tools=[{**TOOL, "cache_control": {"type": "ephemeral"}}],
        )

    @pytest.mark.parametrize(("given", "sent"), [(100, 100), (4_000, 4_000), (64_000, 4_000)])
    def test_an_answer_is_no_longer_than_the_run_allows(self, given: int, sent: int):
        assert built(asked(max_tokens=given))["max_tokens"] == sent

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ({"type": "adaptive", "display": "x"}, {"type": "adaptive"}),
            ({"type": "disabled"}, {"type": "disabled"}),
            ({"type": "enabled", "budget_tokens": 2_000}, {"type": "enabled", "budget_tokens": 2_000}),
            ({"type": "enabled", "budget_tokens": 31_999}, {"type": "enabled", "budget_tokens": 3_999}),
        ],
    )
    def test_thinking_fits_into_the_answer(self, given: dict[str, Any], sent: dict[str, Any]):
        assert built(asked(max_tokens=9_000, thinking=given))["thinking"] == sent

    def test_an_answer_too_short_for_thinking_is_given_without(self):
        assert "thinking" not in built(asked(max_tokens=500, thinking={"type": "enabled", "budget_tokens": 2_000}))

    def test_a_name_given_twice_is_sent_once_as_it_was_read(self):
        raw = json.dumps(asked()).encode()[:-1] + b', "model": "' + MODEL.encode() + b'"}'
        assert rebuild(raw, TERMS) == asked()


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "tool",
        [
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "mcp_toolset", "mcp_server_name": "x"},
            {"type": "bash_20250124", "name": "bash"},
            {"type": ["custom"], "name": "x", "input_schema": {}},
        ],
    )
    def test_tools_that_are_not_the_agents_own(self, tool: dict[str, Any]):
        assert refused(asked(tools=[TOOL, tool])) == Kind.SERVER_TOOL

    def test_servers_and_containers(self):
        assert refused(asked(mcp_servers=[{"type": "url", "url": "https://evil.example"}])) == Kind.MCP_SERVER
        assert refused(asked(container="c_1")) == Kind.SERVER_TOOL

    @pytest.mark.parametrize("type_", ["image", "document"])
    @pytest.mark.parametrize(
        "source",
        [
            {"type": "url", "url": "https://evil.example/?secret"},
            {"type": "file", "file_id": "file_1"},
            {"type": "content", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]},
            {"type": "base64", "media_type": "image/png", "data": "x", "url": "x", "type ": "url"} | {"type": "URL"},
        ],
    )
    def test_sources_that_are_fetched(self, type_: str, source: dict[str, Any]):
        assert refused(block({"type": type_, "source": source})) == Kind.SOURCE
        nested = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": type_, "source": source}]}
        assert refused(block(nested)) == Kind.SOURCE

    @pytest.mark.parametrize(
        "type_",
        ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "container_upload", "search_result", None, {}, 7],
    )
    def test_content_of_other_types(self, type_: Any):
        assert refused(block({"type": type_})) == Kind.SERVER_TOOL

    @pytest.mark.parametrize("model", ["claude-opus-4-6", "", None, 7, MODEL + " ", [MODEL]])
    def test_another_model(self, model: Any):
        assert refused(asked(model=model)) == Kind.MODEL

    @pytest.mark.parametrize(
        "body",
        [
            [],
            "x",
            asked(max_tokens=0),
            asked(max_tokens=-1),
            asked(max_tokens=True),
            asked(max_tokens="9"),
            asked(messages=None),
            asked(messages=["x"]),
            asked(messages=[{"role": "system", "content": "x"}]),
            asked(messages=[{"role": "user", "content": {"type": "text"}}]),
            asked(stream="yes"),
            asked(system=7),
            asked(tools={"name": "x"}),
            asked(tools=[{"name": "x" * 200, "input_schema": {}}]),
            asked(tools=[{"name": "x"}]),
            asked(thinking={"type": "other"}),
            asked(temperature="hot"),
            asked(tool_choice={"type": "web"}),
            block({"type": "image", "source": {"type": "base64", "media_type": "text/html", "data": "x"}}),
            block({"type": "tool_use", "id": "x", "name": "y", "input": "z"}),
        ],
    )
    def test_another_form(self, body: Any):
        assert refused(body) == Kind.BODY

    @pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"model":' * 50_000])
    def test_what_is_no_json(self, raw: bytes):
        with pytest.raises(Refused) as caught:
            rebuild(raw, TERMS)
        assert caught.value.kind == Kind.BODY

    def test_text_that_no_encoding_has(self):
        with pytest.raises(Refused):
            written(built(asked(messages=[{"role": "user", "content": "\ud800"}])))

    def test_what_was_refused_is_shown_plain_and_short(self):
        with pytest.raises(Refused) as caught:
            built(asked(model="\x1b[31m\u202eevil" + "x" * 500))
        assert len(caught.value.said) < 200 and caught.value.said.isprintable()


class Purse:
    def __init__(self, most_usd: float = 100.0) -> None:
        self.most_usd, self.reserved, self.booked = most_usd, [], {}

    def reserve(self, usd: float) -> int:
        if usd > self.most_usd:
            raise LoopdeskError("The night's budget is reached")
        self.reserved.append(usd)
        return len(self.reserved)

    def book(self, ticket: int, usd: float, *, input_tokens: int, output_tokens: int) -> None:
        self.booked[ticket] = (usd, input_tokens, output_tokens)


class TestCost:
    def test_no_answer_costs_more_than_was_reserved(self):
        price = prices.packaged().find(MODEL)
        assert price is not None
        body = asked(messages=[{"role": "user", "content": "ä" * 1_000}])
        worst = worst_usd(body, price)
        # Every byte a token, all of them written into the cache, and the longest answer.
        answer = Answer(is_stream=False)
        answer.usage = {"cache_creation_input_tokens": 2_000, "output_tokens": 1_000}
        assert worst >= answer.usd(MODEL, prices.packaged())

    def test_an_image_is_counted_by_itself(self):
        source = {"type": "base64", "media_type": "image/png", "data": "x" * 1_000_000}
        body = block({"type": "image", "source": source})
        assert IMAGE_TOKENS < tokens_at_most(body) < IMAGE_TOKENS + 500

    def test_a_run_is_held_at_its_own_limit_and_at_the_purses(self):
        purse = Purse()
        allowance = Allowance(purse, 1.0)
        first = allowance.reserve(0.6)
        with pytest.raises(Refused) as caught:
            allowance.reserve(0.6)
        assert caught.value.kind == Kind.BUDGET and len(purse.reserved) == 1
        allowance.book(first, 0.1, input_tokens=5, output_tokens=6)
        assert allowance.spent_usd == pytest.approx(0.1) and purse.booked[1] == (0.1, 5, 6)
        allowance.reserve(0.6)
        assert allowance.spent_usd == pytest.approx(0.7)  # until its answer is booked
        purse.most_usd = 0.0
        with pytest.raises(Refused, match="night's budget"):
            allowance.reserve(0.1)

    def test_usage_is_read_from_events_in_pieces(self):
        start = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
        delta = {"type": "message_delta", "usage": {"output_tokens": 40, "cache_read_input_tokens": 3}}
        text = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in (start, {"type": "ping"}, delta))
        answer = Answer(is_stream=True)
        for place in range(0, len(text), 7):
            assert not answer.is_whole
            answer.feed(text[place : place + 7].encode())
        assert answer.is_whole and (answer.input_tokens, answer.output_tokens) == (12, 40)

    @pytest.mark.parametrize(
        "data", [b"data: {\n", b"data: []\n", b'data: {"type": "message_delta", "usage": 7}\n', b"x" * 2_000_000]
    )
    def test_events_that_are_none_count_nothing(self, data: bytes):
        answer = Answer(is_stream=True)
        answer.feed(data)
        assert not answer.is_whole and answer.usage == {}
