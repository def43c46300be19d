"""The routes of PostHog's REST over this workspace's store: what the SDKs ask about flags, and the private API.

`routes` is all that the server mounts. Handlers are plain functions that run in a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from queries.local.bodies import BadRequest, unpacked
from queries.local.capture import packing_of, read_body
from queries.local.credentials import Credentials, peer_of
from queries.local.objects import ObjectStore
from queries.local.responses import error_response
from queries.local.rest import group_types
from queries.local.rest.annotations import Annotations
from queries.local.rest.asked import Asked, Handler
from queries.local.rest.documents import parse_object
from queries.local.rest.experiments import Experiments
from queries.local.rest.feature_flags import FeatureFlags
from queries.local.rest.flags import Flags, is_known
from queries.local.rest.problems import Problem, not_allowed
from queries.local.rest.project import Project, check_project_id
from workspace.errors import LoopdeskError

_CODES = {413: "too_large", 415: "unsupported_media_type"}
_MOVES = ("launch", "pause", "resume", "end", "archive", "reset", "ship_variant")
# Every method comes to the endpoint, which refuses in PostHog's shape the ones that a path has not.
_ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Methods = Mapping[str, Handler]


def routes(events_db: Path, credentials: Credentials, project_key: str, timezone: str) -> list[Route]:
    """Every route, with and without the slash at its end, as PostHog has them."""
    store = ObjectStore(events_db)
    api = _Api(store, credentials)
    public = [
        *_both("/flags", api.flags, ["POST"]),
        *_both("/flags/definitions", api.definitions, ["GET"]),
        *_both("/api/feature_flag/local_evaluation", api.definitions, ["GET"]),
    ]
    table = private_table(store, Project(project_key, timezone))
    private = [
        route for path, methods in table.items() for route in _both(path, partial(api.private, methods), _ALL_METHODS)
    ]
    return [*public, *private]


def private_table(store: ObjectStore, project: Project) -> dict[str, Methods]:
    """What the private API answers, by path and method."""
    flags, annotations, experiments = FeatureFlags(store), Annotations(store), Experiments(store)
    inside = "/api/projects/{project}"
    table: dict[str, Methods] = {"/api/users/@me": {"GET": project.me}}
    for name in ("projects", "environments"):
        table[f"/api/{name}"] = {"GET": project.listing}
        table[f"/api/{name}/{{project}}"] = {"GET": project.retrieve}
    for name, each in (("feature_flags", flags), ("annotations", annotations), ("experiments", experiments)):
        table[f"{inside}/{name}"] = {"GET": each.listing, "POST": each.create}
        table[f"{inside}/{name}/{{id}}"] = {"GET": each.retrieve, "PATCH": each.change, "DELETE": each.delete}
    table[f"{inside}/feature_flags/{{id}}/enable"] = {"POST": flags.enable}
    table[f"{inside}/feature_flags/{{id}}/disable"] = {"POST": flags.disable}
    table[f"{inside}/feature_flags/{{id}}/remote_config"] = {"GET": flags.remote_config}
    table[f"{inside}/groups_types"] = {"GET": partial(group_types.listing, store)}
    for move in _MOVES:
        table[f"{inside}/experiments/{{id}}/{move}"] = {"POST": getattr(experiments, move)}
    return table


def _both(path: str, endpoint: Callable, methods: Collection[str]) -> list[Route]:
    return [Route(path + slash, endpoint, methods=list(methods)) for slash in ("", "/")]


class _Api:
    def __init__(self, store: ObjectStore, credentials: Credentials) -> None:
        self._flags, self._credentials = Flags(store), credentials

    async def flags(self, request: Request) -> Response:
        async def answer() -> Response:
            return JSONResponse(await run_in_threadpool(self._evaluated, await read_body(request), request))

        return await _guarded(answer)

    def _evaluated(self, raw: bytes, request: Request) -> dict:
        body = parse_object(unpacked(raw, packing_of(request)))
        token = body.get("api_key") or body.get("token") or ""
        self._credentials.check_project(token if isinstance(token, str) else "", peer_of(request))
        only_overrides = request.query_params.get("only_use_override_person_properties", "") in ("1", "true")
        return self._flags.answer(body, _version(request.query_params.get("v", "")), only_overrides, _now())

    async def definitions(self, request: Request) -> Response:
        async def answer() -> Response:
            refusal = self._credentials.check_personal(request)
            if refusal:
                return refusal
            if "token" in request.query_params:
                self._credentials.check_project(request.query_params["token"], peer_of(request))
            body, etag = await run_in_threadpool(self._flags.definitions)
            if is_known(etag, request.headers.get("if-none-match", "")):
                return Response(status_code=304, headers={"ETag": etag})
            return Response(body, media_type="application/json", headers={"ETag": etag})

        return await _guarded(answer)

    async def private(self, methods: Methods, request: Request) -> Response:
        async def answer() -> Response:
            refusal = self._credentials.check_personal(request)
            if refusal:
                return refusal
            if "project" in request.path_params:
                check_project_id(request.path_params["project"])
            handler = methods.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                raise not_allowed(request.method)
            status, found = await run_in_threadpool(_handled, handler, request, await read_body(request))
            return Response(status_code=status) if status == 204 else JSONResponse(found, status)

        return await _guarded(answer)


def _handled(handler: Handler, request: Request, raw: bytes) -> tuple[int, object]:
    body = parse_object(raw) if request.method in ("POST", "PATCH") else {}
    return handler(Asked(request.url, _now(), request.path_params, request.query_params, body))


async def _guarded(answer: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await answer()
    except Problem as problem:
        return problem.response()
    except BadRequest as error:
        if error.status == 401:
            return error_response(401, "authentication_error", "invalid_api_key", error.reason)
        return error_response(error.status, "invalid_request", _CODES.get(error.status, "parse_error"), error.reason)
    except LoopdeskError as error:
        return error_response(503, "server_error", "error", str(error))


def _version(text: str) -> int:
    """Without one, the oldest shape; a version from the future gets the newest that is known."""
    return min(int(text), 4) if text.isdecimal() and text.isascii() and len(text) < 4 else 1


def _now() -> datetime:
    return datetime.now(UTC)
