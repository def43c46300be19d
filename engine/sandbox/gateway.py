"""The way from a jail to the model: HTTP on a unix socket, one gateway for each run.

It adds the key, forwards only what `requests` built anew, and only after its cost was reserved. It runs in the
engine's own loop: the books belong to that thread, a run is known by the socket it speaks to, and a gateway ends with
its engine. What it does itself is parsing; a request of a megabyte holds the loop for some 20 ms.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from engine.sandbox import requests
from engine.sandbox.meter import Allowance, Answer, Purse, worst_usd
from engine.sandbox.protocol import Kind, Refusal
from engine.sandbox.requests import Json, Refused, Terms
from queries.local.prices import Price, Prices
from queries.remote_host import is_loopback
from workspace.errors import LoopdeskError
from workspace.text import plain

API_VERSION = "2023-06-01"
_MOST_REFUSALS = 1_000  # kept; a run that asks on is only counted
_MOST_CONNECTIONS = 32
_MOST_ERROR_BYTES = 64_000
_TIMEOUT = httpx.Timeout(600.0, connect=10.0)
# Features of the API that give it nothing to act with, and cost nothing more than is reserved.
_BETAS = frozenset({"interleaved-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14", "effort-2025-11-24"})
_PASSED_BACK = ("content-type", "request-id", "retry-after")
_STATUS = {Kind.PATH: 404, Kind.BODY: 400}
_NEVER_AGAIN = {"x-should-retry": "false"}
_FINAL = (400, 401, 402, 403, 404, 413)  # of the API: asked again, they answer the same
_NAMES = {400: "invalid_request_error", 403: "permission_error", 404: "not_found_error", 502: "api_error"}


@dataclass(frozen=True, slots=True)
class Upstream:
    """The Messages API, and how it is paid for."""

    url: str
    key: str
    table: Prices
    price: Price

    def __repr__(self) -> str:
        return f"Upstream({self.url!r})"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was sent on. `request` is what was sent; `answer` the usage that was read, whole or not. `status`
    is the API's, 0 where it gave none; `said` the body of an error, as it came; `wait` its `retry-after`."""

    at: datetime
    latency_s: float
    request: Json
    status: int
    answer: Answer
    usd: float
    said: bytes = b""
    wait: str = ""


class Gateway:
    """`async with Gateway(...)`: it listens while that lasts. `spent_usd` is what the run cost so far.

    `told` hears of every request that was sent on, once it has ended; `last` is the latest of them.
    """

    def __init__(
        self,
        path: Path,
        upstream: Upstream,
        terms: Terms,
        purse: Purse,
        limit_usd: float,
        clock: Callable[[], datetime],
        told: Callable[[Call], None] = lambda _: None,
    ) -> None:
        self.socket = path
        self.refusals: list[Refusal] = []
        self.refused = 0
        self.last: Call | None = None
        self._upstream, self._terms, self._clock, self._told = upstream, terms, clock, told
        self._allowance = Allowance(purse, limit_usd)
        self._routes: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("POST", "/v1/messages"): self._messages,
            ("POST", "/v1/messages/count_tokens"): self._count,
            ("GET", "/api/hello"): _hello,
            ("HEAD", "/api/hello"): _hello,
        }

    @property
    def spent_usd(self) -> float:
        return self._allowance.spent_usd

    @property
    def requests(self) -> int:
        """How many were sent on."""
        return self._allowance.requests

    @property
    def held(self) -> LoopdeskError | None:
        """The budget beyond this run's own that its latest request would have passed."""
        return self._allowance.held

    async def __aenter__(self) -> Gateway:
        url = self._upstream.url
        # As everywhere in the house: the key for an address of this machine is not shown to a proxy.
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, trust_env=not is_loopback(url))
        config = uvicorn.Config(
            self,
            lifespan="off",
            ws="none",
            log_level="critical",
            access_log=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[_listening(self.socket)]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.end()
        try:
            await self._serving
        finally:
            self.socket.unlink(missing_ok=True)
            await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = self._routes.get((request.method, request.url.path))
            if answer is None:
                asked = plain(f"{request.method} {request.url.path}", 120)
                raise Refused(Kind.PATH, f"{asked} is not open to this run")
            response = await answer(request)
        except Refused as refused:
            self._record(refused)
            response = _error(_STATUS.get(refused.kind, 403), refused.said)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    def _record(self, refused: Refused) -> None:
        self.refused += 1
        if len(self.refusals) < _MOST_REFUSALS:
            self.refusals.append(Refusal(self._clock(), refused.kind, refused.said))

    async def _messages(self, request: Request) -> Response:
        body = requests.rebuild(await _read(request), self._terms)
        content = requests.written(body)
        ticket = self._allowance.reserve(worst_usd(body, self._upstream.price))
        headers = {
            "x-api-key": self._upstream.key,
            "anthropic-version": API_VERSION,
            "content-type": "application/json",
            "accept-encoding": "identity",
        }
        betas = {name.strip() for name in request.headers.get("anthropic-beta", "").split(",")} & _BETAS
        if betas:
            headers["anthropic-beta"] = ",".join(sorted(betas))
        sent = self._client.build_request("POST", f"{self._upstream.url}/v1/messages", content=content, headers=headers)
        began = _Began(self._clock(), time.monotonic(), body, ticket)
        try:
            response = await self._client.send(sent, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._allowance.book(ticket, 0.0)
            self._tell(began, 0, Answer(False), 0.0)
            return _error(502, "The model's API cannot be reached")
        except httpx.HTTPError:
            self._tell(began, 0, Answer(False), self._allowance.reserved_usd(ticket))
            return _error(502, "The model's API gave no answer")
        if response.status_code != 200:
            return await self._failed(response, began)
        return StreamingResponse(self._passed_on(response, began), 200, _passed_back(response))

    async def _failed(self, response: httpx.Response, began: _Began) -> Response:
        """What was not answered is not charged."""
        self._allowance.book(began.ticket, 0.0)
        said = b""
        try:
            async for chunk in response.aiter_bytes():
                said = (said + chunk)[:_MOST_ERROR_BYTES]
        except httpx.HTTPError:
            pass
        finally:
            await response.aclose()
        wait = response.headers.get("retry-after", "")
        self._tell(began, response.status_code, Answer(False), 0.0, said, wait)
        is_known = 400 <= response.status_code < 600
        headers = _passed_back(response) | (_NEVER_AGAIN if response.status_code in _FINAL else {})
        return Response(said, response.status_code if is_known else 502, headers)

    async def _passed_on(self, response: httpx.Response, began: _Began) -> AsyncIterator[bytes]:
        answer = Answer(is_stream="event-stream" in response.headers.get("content-type", ""))
        try:
            async for chunk in response.aiter_bytes():
                answer.feed(chunk)
                yield chunk
            answer.end()
        finally:
            usd = self._allowance.reserved_usd(began.ticket)
            if answer.is_whole:
                usd = answer.usd(self._terms.model, self._upstream.table)
                counts = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
                self._allowance.book(began.ticket, usd, **counts)
            self._tell(began, 200, answer, usd)
            await response.aclose()

    def _tell(self, began: _Began, status: int, answer: Answer, usd: float, said: bytes = b"", wait: str = "") -> None:
        latency_s = time.monotonic() - began.monotonic_s
        self.last = Call(began.at, latency_s, began.request, status, answer, usd, said, wait)
        self._told(self.last)

    async def _count(self, request: Request) -> Response:
        """An estimate of ours, four bytes a token: nothing is sent, and nothing is charged."""
        body = requests.parsed(await _read(request))
        return JSONResponse({"input_tokens": max(1, requests.tokens_at_most(body) // 4)})


@dataclass(frozen=True, slots=True)
class _Began:
    at: datetime
    monotonic_s: float
    request: Json
    ticket: int


async def _hello(_: Request) -> Response:
    return Response(status_code=200)


async def _read(request: Request) -> bytes:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > requests.MOST_BYTES:
            raise Refused(Kind.BODY, f"A request of more than {requests.MOST_BYTES >> 20} MB is not sent")
    return bytes(read)


def _passed_back(response: httpx.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in _PASSED_BACK if name in response.headers}


def _error(status: int, said: str) -> Response:
    # Closed, so that nobody sends on to a request that was refused for its length. The SDKs do not ask again where they
    # are told so.
    headers = {"connection": "close"} | ({} if status == 502 else _NEVER_AGAIN)
    return JSONResponse({"type": "error", "error": {"type": _NAMES[status], "message": said}}, status, headers)


def _listening(path: Path) -> socket.socket:
    """0600. By the folder's descriptor, because the path of a socket may have only 107 bytes."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


class Server(uvicorn.Server):
    """Without uvicorn's signal handlers, because the engine has its own, and without its ten looks a second at whether
    it should end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_over = asyncio.Event()

    def end(self) -> None:
        self._is_over.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._is_over.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
