"""The embedded PostHog over HTTP: what the loops' SDKs send to, and what scripts may ask.

`application` is plain Starlette, so tests and `loopdesk serve` run the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from queries.backend import Backend, QueryRefused, QueryResult, QueryTimedOut
from queries.local import api, capture, capture_v1
from queries.local.capture import CaptureV0, read_body
from queries.local.capture_v1 import CaptureV1
from queries.local.credentials import Credentials
from queries.local.keys import Keys
from queries.local.origins import LocalOnly, Reach
from queries.local.responses import error_response
from queries.local.rest.problems import Problem
from queries.local.rest.project import check_project_id
from queries.local.store import Store
from queries.local.wire import BadRequest, load
from queries.local.writer import Writer, utc_now
from workspace.errors import LoopdeskError

# Where a configured web page may send to.
OPEN_PATHS = (*capture.EVENTS, capture.AI_BATCH, capture_v1.ANALYTICS, capture_v1.AI, "/flags")


def application(
    store: Store,
    backend: Backend,
    keys: Keys,
    warn: Callable[[str], None] = lambda _: None,
    *,
    current_keys: Callable[[], Keys] | None = None,
    reach: Reach | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> ASGIApp:
    """The whole server as one ASGI application. `warn` is told, in a sentence, of events that were dropped;
    `current_keys` gives the keys as they are now, for a server that runs while they change."""
    credentials = Credentials(keys, current_keys)
    writer = Writer(store, warn, clock)
    routes = [
        *CaptureV0(writer, credentials).routes(),
        *CaptureV1(writer, credentials).routes(),
        *Health(writer).routes(),
        *Queries(backend, credentials).routes(),
        *api.routes(store.path, credentials, keys.project, backend.timezone),
    ]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 500: _broken})
    return LocalOnly(app, reach or Reach(), OPEN_PATHS)


class Health:
    """`/_liveness` says that the process runs, `/_readiness` that events would be stored."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def routes(self) -> list[Route]:
        return [
            Route("/_readiness", self.ready, methods=["GET"]),
            *(Route(path, self.alive, methods=["GET"]) for path in ("/", "/_liveness")),
        ]

    async def alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(self, _request: Request) -> Response:
        try:
            await run_in_threadpool(self._writer.check)
        except LoopdeskError as error:
            return PlainTextResponse(str(error), 503)
        return PlainTextResponse("ok")


class Queries:
    """PostHog's query endpoint over one backend."""

    def __init__(self, backend: Backend, credentials: Credentials) -> None:
        self._backend, self._credentials = backend, credentials

    def routes(self) -> list[Route]:
        return [
            Route(f"/api/{scope}/{{project}}/query{slash}", self.query, methods=["POST"])
            for scope in ("projects", "environments")
            for slash in ("", "/")
        ]

    async def query(self, request: Request) -> Response:
        refusal = self._credentials.check_personal(request)
        if refusal:
            return refusal
        try:
            check_project_id(request.path_params["project"])
        except Problem as error:
            return error.response()
        try:
            document = load(await read_body(request))
            asked = document["query"]  # type: ignore[index]
            text, values = asked["query"], asked.get("values") or {}
            if asked.get("kind") != "HogQLQuery" or not isinstance(text, str) or not isinstance(values, dict):
                raise TypeError
        except BadRequest as error:
            code = "too_large" if error.status == 413 else "parse_error"
            return error_response(error.status, "invalid_request", code, error.reason)
        except (TypeError, KeyError, AttributeError):
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


async def _not_found(_request: Request, _error: Exception) -> Response:
    return error_response(404, "invalid_request", "not_found", "Not found.")


async def _broken(_request: Request, _error: Exception) -> Response:
    return error_response(500, "server_error", "error", "A server error occurred.")
