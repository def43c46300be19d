"""The embedded PostHog over HTTP: what the loops' SDKs send to, and what scripts may ask.

`application` is plain Starlette, so tests and `loopdesk serve` run the same thing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from queries.backend import Backend, QueryRefused, QueryResult, QueryTimedOut
from queries.local import api
from queries.local.credentials import Credentials, peer_of
from queries.local.keys import Keys
from queries.local.responses import error_response
from queries.local.store import Store
from queries.local.wire import MAX_BODY_BYTES, BadRequest, decode
from workspace.errors import LoopdeskError

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_CAPTURE_PATHS = ("/batch", "/i/v0/e", "/e", "/capture", "/track")


class Server:
    """The handlers over one store and one backend. Writes take turns; reads do not wait for them."""

    def __init__(self, store: Store, backend: Backend, keys: Keys, warn: Callable[[str], None]) -> None:
        self._store, self._backend, self._warn = store, backend, warn
        self._credentials = Credentials(keys)
        self._writing = threading.Lock()

    async def ready(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def capture(self, request: Request) -> Response:
        try:
            body = await _body(request)
            encoding = request.headers.get("content-encoding", "").lower()
            await run_in_threadpool(
                self._take, body, encoding, request.query_params.get("compression", ""), peer_of(request)
            )
        except BadRequest as error:
            return PlainTextResponse(error.reason, error.status)
        except LoopdeskError as error:
            # 503 makes the SDK try again, and the loops' client spool: nothing is lost while the disk is full.
            return PlainTextResponse(str(error), 503)
        return JSONResponse({"status": "Ok"})

    def _take(self, body: bytes, encoding: str, compression: str, peer: str) -> None:
        capture = decode(body, encoding, compression)
        self._credentials.check_project(capture.token, peer)
        with self._writing:
            refused = self._store.ingest(capture.events, sent_at=capture.sent_at).rejected
        for reason in refused:
            # PostHog answers 200 here too, and shows an ingestion warning elsewhere.
            self._warn(f"An event was dropped: {reason}.")

    async def query(self, request: Request) -> Response:
        refusal = self._credentials.check_personal(request)
        if refusal:
            return refusal
        try:
            asked = (await request.json()).get("query")
            text, values = asked["query"], asked.get("values") or {}
            if asked.get("kind") != "HogQLQuery" or not isinstance(text, str) or not isinstance(values, dict):
                raise TypeError
        except BadRequest as error:
            return error_response(error.status, "invalid_request", "too_large", error.reason)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return error_response(
                400, "validation_error", "required", 'Expected {"query": {"kind": "HogQLQuery", "query": "SELECT ..."}}'
            )
        try:
            result = await run_in_threadpool(self._backend.query, text, values)
        except QueryRefused as error:
            return error_response(
                400, "validation_error", "invalid_input", str(error), {"start": error.start, "end": error.end}
            )
        except QueryTimedOut as error:
            return error_response(504, "server_error", "error", str(error))
        except LoopdeskError as error:
            return error_response(503, "server_error", "error", str(error))
        return JSONResponse(answer(result, text))


def answer(result: QueryResult, text: str) -> dict:
    """PostHog's response to a HogQLQuery, with the fields that this store can fill."""
    return {
        "results": [list(row) for row in result.rows],
        "columns": list(result.columns),
        "types": [list(pair) for pair in zip(result.columns, result.types, strict=True)],
        "hasMore": result.has_more,
        "limit": result.limit,
        "offset": 0,
        "timezone": result.timezone,
        "query": text,
        "hogql": text,
        "error": None,
        "is_cached": False,
        "last_refresh": result.asked_at.isoformat(),
        "timings": [{"k": "./execute", "t": round(result.elapsed_ms / 1000, 6)}],
    }


def application(store: Store, backend: Backend, keys: Keys, warn: Callable[[str], None] = lambda _: None) -> ASGIApp:
    """The whole server as one ASGI application. `warn` is told, in a sentence, of each event that was dropped."""
    server = Server(store, backend, keys, warn)
    capture = [Route(path + slash, server.capture, methods=["POST"]) for path in _CAPTURE_PATHS for slash in ("", "/")]
    ready = [Route(path, server.ready, methods=["GET"]) for path in ("/", "/_readiness", "/_liveness")]
    query = [
        Route(f"/api/{scope}/{{project}}/query{slash}", server.query, methods=["POST"])
        for scope in ("projects", "environments")
        for slash in ("", "/")
    ]
    routes = [*capture, *ready, *query, *api.routes(store.path, Credentials(keys), keys.project, backend.timezone)]
    return LocalOnly(Starlette(routes=routes, exception_handlers={404: _not_found, 500: _broken}))


class LocalOnly:
    """Refuses what a web page could send: a foreign Host (DNS rebinding) or any Origin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            if host_name(headers.get(b"host", "")) not in _LOOPBACK_NAMES:
                await PlainTextResponse("This server answers only to localhost.", 421)(scope, receive, send)
                return
            if b"origin" in headers:
                await PlainTextResponse("Web pages may not send events here.", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_name(header: str) -> str:
    """The name in a Host header, without its port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BadRequest(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def _not_found(_request: Request, _error_: Exception) -> Response:
    return error_response(404, "invalid_request", "not_found", "Not found.")


async def _broken(_request: Request, _error_: Exception) -> Response:
    return error_response(500, "server_error", "error", "A server error occurred.")
