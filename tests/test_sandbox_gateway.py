"""The gateway: what reaches the model's API, what is said to the agent, what it costs; and the agent's own tries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import budget
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.gateway import Gateway, Upstream
from engine.sandbox.meter import Purse as PurseProtocol
from engine.sandbox.meter import ReportPurse
from engine.sandbox.protocol import Kind
from engine.sandbox.requests import MOST_BYTES, Terms
from engine.store import Store
from queries.local import prices
from tests.conftest import NOW
from tests.jails import hostile, jails, ran
from tests.messages_api import CUT, USAGE, MessagesApi, Step, fails, messages_api, says
from tests.test_sandbox_requests import MODEL, TOOL, Purse, asked
from workspace.config import Config

KEY = "sk-ant-the-real-key-of-the-host"


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with messages_api() as running:
        yield running


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@asynccontextmanager
async def gate(
    api: MessagesApi | str, folder: Path, purse: PurseProtocol | None = None, limit_usd: float = 50.0
) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient]]:
    table = prices.packaged()
    price = table.find(MODEL)
    assert price is not None
    upstream = Upstream(api if isinstance(api, str) else api.url, KEY, table, price)
    path = folder / "gateway.sock"
    async with (
        Gateway(path, upstream, Terms(MODEL, 4_000), purse or Purse(), limit_usd, lambda: NOW) as gateway,
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://jail") as client,
    ):
        yield gateway, client


def events(*, is_cut: bool = False) -> Step:
    """A streamed message, with `USAGE` spread over its events as the API does."""
    start = {"type": "message_start", "message": {"type": "message", "usage": {**USAGE, "output_tokens": 1}}}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi " * 2_000}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}
    body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in (start, text, end))
    return Step(body.encode(), content_type="text/event-stream", cut=is_cut)


COST = (900 * 3 + 100 * 3 * 1.25 + 50 * 3 * 0.1 + 40 * 15) / 1e6


@pytest.mark.parametrize("step", [says("done"), events()], ids=["whole", "streamed"])
async def test_a_request_is_sent_with_our_key_and_its_answer_booked(api: MessagesApi, tmp_path: Path, step: Step):
    api.plays(step)
    purse = Purse()
    headers = {
        "x-api-key": "none",
        "authorization": "Bearer theirs",
        "anthropic-version": "1999-01-01",
        "anthropic-beta": "interleaved-thinking-2025-05-14, files-api-2025-04-14,context-1m-2025-08-07",
        "x-forwarded-for": "1.2.3.4",
        "cookie": "a=b",
    }
    async with gate(api, tmp_path, purse) as (gateway, client):
        answer = await client.post("/v1/messages?beta=true", json=asked(tools=[TOOL]), headers=headers)
        assert answer.status_code == 200 and answer.content == step.body
        assert gateway.refusals == [] and gateway.requests == 1
        assert gateway.spent_usd == pytest.approx(COST)
    (sent,) = api.requests
    assert sent.path == "/v1/messages" and sent.body == asked(tools=[TOOL])
    assert sent.headers["x-api-key"] == KEY and sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"
    assert not {"authorization", "cookie", "x-forwarded-for"} & sent.headers.keys()
    assert purse.booked == {1: (pytest.approx(COST), 1_050, 40)} and purse.reserved[0] > COST


async def test_nothing_is_sent_past_the_runs_limit(api: MessagesApi, tmp_path: Path):
    api.plays(says("done"))
    async with gate(api, tmp_path, limit_usd=0.01) as (gateway, client):
        answer = await client.post("/v1/messages", json=asked())
        assert answer.status_code == 403 and "$0.01" in answer.json()["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert api.requests == [] and [one.kind for one in gateway.refusals] == [Kind.BUDGET]


async def test_the_engines_own_books_hold_a_run(api: MessagesApi, tmp_path: Path):
    config = Config(workspace_dir=str(tmp_path / "w"), timezone="UTC", budgets={"report_usd": 0.05})
    config.workspace.create()
    store = Store.open(config.workspace.inbox_db)
    purse = ReportPurse(budget.Books(config, store, lambda: NOW), "fix", MODEL, "r1")
    api.plays(says("done"))
    async with gate(api, tmp_path, purse) as (gateway, client):
        statuses = [(await client.post("/v1/messages", json=asked())).status_code for _ in range(12)]
    assert statuses[0] == 200 and statuses[-1] == 403
    assert len(api.requests) == statuses.count(200)
    assert "report's budget" in gateway.refusals[0].said
    assert budget.spent_on(store.connection, "r1") == pytest.approx(COST * statuses.count(200))
    store.close()


@pytest.mark.parametrize("step", [fails(529), fails(429, retry_after="7"), fails(400, "bad")])
async def test_an_error_of_the_api_comes_back_and_costs_nothing(api: MessagesApi, tmp_path: Path, step: Step):
    api.plays(step)
    async with gate(api, tmp_path) as (gateway, client):
        answer = await client.post("/v1/messages", json=asked())
        assert answer.status_code == step.status and answer.content == step.body
        assert answer.headers.get("retry-after") == step.headers.get("retry-after")
        assert gateway.spent_usd == 0.0


async def test_a_redirect_is_not_followed_with_the_key(api: MessagesApi, tmp_path: Path):
    api.plays(Step(b"", 307, {"location": api.url + "/elsewhere"}))
    async with gate(api, tmp_path) as (_, client):
        assert (await client.post("/v1/messages", json=asked())).status_code == 502
    assert [one.path for one in api.requests] == ["/v1/messages"]


async def test_an_api_that_is_not_there_costs_nothing(tmp_path: Path):
    async with gate("http://127.0.0.1:9", tmp_path) as (gateway, client):
        answer = await client.post("/v1/messages", json=asked())
        assert answer.status_code == 502 and KEY not in answer.text and gateway.spent_usd == 0.0


@pytest.mark.parametrize("step", [CUT, events(is_cut=True)], ids=["whole", "streamed"])
async def test_an_answer_that_was_cut_costs_what_was_reserved(api: MessagesApi, tmp_path: Path, step: Step):
    api.plays(step)
    purse = Purse()
    async with gate(api, tmp_path, purse) as (gateway, client):
        with pytest.raises(httpx.HTTPError):
            await client.post("/v1/messages", json=asked())
        assert purse.booked == {} and gateway.spent_usd == purse.reserved[0]


async def test_an_agent_that_hangs_up_still_pays(api: MessagesApi, tmp_path: Path):
    api.plays(Step(hangs=True))
    purse = Purse()
    async with gate(api, tmp_path, purse) as (gateway, client):
        asking = asyncio.create_task(client.post("/v1/messages", json=asked()))
        while not api.requests:
            await asyncio.sleep(0.005)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert gateway.spent_usd == purse.reserved[0]


async def test_tokens_are_counted_here_and_the_greeting_answered(api: MessagesApi, tmp_path: Path):
    async with gate(api, tmp_path) as (gateway, client):
        counted = await client.post("/v1/messages/count_tokens", json={"model": "m", "messages": ["x" * 4_000]})
        assert 1_000 <= counted.json()["input_tokens"] <= 1_100
        assert (await client.head("/api/hello")).status_code == 200
        assert (await client.get("/api/hello")).status_code == 200
        assert gateway.spent_usd == 0.0 and gateway.refusals == []
    assert api.requests == []


async def test_a_body_beyond_measure_is_refused(api: MessagesApi, tmp_path: Path):
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * (1 << 20)

    async with gate(api, tmp_path) as (gateway, client):
        with pytest.raises(httpx.HTTPError):
            answer = await client.post("/v1/messages", content=endless())
            answer.raise_for_status()
        assert [one.kind for one in gateway.refusals] == [Kind.BODY]
        assert f"{MOST_BYTES >> 20} MB" in gateway.refusals[0].said


async def test_a_flood_of_refusals_is_counted_and_not_kept(
    api: MessagesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("engine.sandbox.gateway._MOST_REFUSALS", 3)
    async with gate(api, tmp_path) as (gateway, client):
        for _ in range(5):
            await client.get("/v1/files")
    assert len(gateway.refusals) == 3 and gateway.refused == 5


async def test_the_socket_is_its_owners_alone_and_goes_with_the_gateway(api: MessagesApi, tmp_path: Path):
    folder = tmp_path / ("long" * 30)  # longer than the path of a socket may be
    folder.mkdir()
    table = prices.packaged()
    price = table.find(MODEL)
    assert price is not None
    gateway = Gateway(folder / "s", Upstream(api.url, KEY, table, price), Terms(MODEL, 9), Purse(), 1.0, lambda: NOW)
    async with gateway:
        assert gateway.socket.is_socket() and gateway.socket.stat().st_mode & 0o777 == 0o600
    assert not gateway.socket.exists()
    assert KEY not in repr(Upstream(api.url, KEY, table, price))


async def test_an_agent_in_a_jail_reaches_the_model_and_nothing_beyond(
    sandbox: Bubblewrap, api: MessagesApi, tmp_path: Path
):
    api.plays(says("done"), events(), says("done"))
    url_source = {"type": "image", "source": {"type": "url", "url": "https://evil.example/?secret"}}
    tries: list[tuple[str, str, Any, int, Kind | None]] = [
        ("POST", "/v1/messages?beta=true", asked(), 200, None),
        ("POST", "/v1/messages", asked(stream=True), 200, None),
        ("POST", "/v1/messages", asked(tools=[{"type": "web_search_20250305", "name": "w"}]), 403, Kind.SERVER_TOOL),
        ("POST", "/v1/messages", asked(mcp_servers=[{"type": "url", "url": "x"}]), 403, Kind.MCP_SERVER),
        ("POST", "/v1/messages", asked(messages=[{"role": "user", "content": [url_source]}]), 403, Kind.SOURCE),
        ("POST", "/v1/messages", asked(model="claude-opus-4-6"), 403, Kind.MODEL),
        ("POST", "/v1/messages", "no json", 400, Kind.BODY),
        ("POST", "/v1/files", {}, 404, Kind.PATH),
        ("GET", "/v1/models", {}, 404, Kind.PATH),
        ("POST", "/v1/messages/batches", {}, 404, Kind.PATH),
        ("POST", "/v1/messages/../files", {}, 404, Kind.PATH),
        ("POST", "/v1//messages", {}, 404, Kind.PATH),
        ("PUT", "/v1/messages", {}, 404, Kind.PATH),
        ("GET", "http://evil.example/", {}, 404, Kind.PATH),
    ]
    body = json.dumps(asked())
    raw = [
        # Two requests to whom only one was meant, if the two ends disagreed on where the first one ends.
        f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /v1/files HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    ]
    facts = {
        "requests": [[m, p, {"x-api-key": "mine", "host": "evil.example"}, b] for m, p, b, *_ in tries],
        "raw": raw,
    }
    async with gate(api, tmp_path) as (gateway, _):
        answers, ended = await ran(sandbox, hostile(sandbox, "gateway", facts, gateway=gateway))
    assert [status for status, _ in answers[: len(tries)]] == [status for *_, status, _ in tries]
    assert all(status >= 400 for status, _ in answers[len(tries) :])
    assert KEY not in json.dumps(answers)
    recorded = [one.kind for one in ended.refusals]
    assert recorded[: len(tries) - 2] == [kind for *_, kind in tries if kind is not None]
    # Of all of it, the API saw two requests, both with our key.
    assert [(one.path, one.key) for one in api.requests] == [("/v1/messages", KEY)] * 2
    assert {one.headers["host"] for one in api.requests} == {api.url.removeprefix("http://")}


async def test_requests_side_by_side_are_each_answered(api: MessagesApi, tmp_path: Path):
    api.plays(says("done"))
    async with gate(api, tmp_path) as (gateway, client):
        answers = await asyncio.gather(*(client.post("/v1/messages", json=asked()) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert gateway.spent_usd == pytest.approx(8 * COST)
