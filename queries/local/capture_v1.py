"""PostHog's v1 capture: the key in a header, and a result for each event.

Where the v1 contract is not public the lenient way is taken: an event with a time that cannot be read is stored with
the time of arrival and a `warning`; one without a name or id is dropped alone, and only that batch is refused whose
events cannot be told apart or whose options are of the wrong type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from queries.local.bodies import BadRequest, inflated
from queries.local.capture import read_body
from queries.local.credentials import Credentials, peer_of
from queries.local.ingest import MAX_AI_EVENT_BYTES, MAX_EVENT_BYTES
from queries.local.wire import load, refused_as_ai
from queries.local.writer import Writer
from workspace.errors import LoopdeskError

ANALYTICS, AI = "/i/v1/analytics/events", "/i/v1/ai/events"
_REQUIRED = (
    "Authorization", "Content-Type", "User-Agent",
    "PostHog-Sdk-Info", "PostHog-Attempt", "PostHog-Request-Id", "PostHog-Request-Timestamp",
)  # fmt: skip
# The typed options of an event -> the property that v0 has for each.
_OPTIONS = {
    "cookieless_mode": (bool, "$cookieless_mode"),
    "disable_skew_correction": (bool, "$ignore_sent_at"),
    "disable_skew_adjustment": (bool, "$ignore_sent_at"),  # its older name
    "process_person_profile": (bool, "$process_person_profile"),
    "product_tour_id": (str, "$product_tour_id"),
}
_BESIDE = {"session_id": "$session_id", "window_id": "$window_id"}
_TAGS = {400: "request_parsing_error", 401: "invalid_api_token", 413: "payload_too_large", 415: "unsupported_encoding"}


class V1Error(Exception):
    """A refused request: HTTP status, PostHog's word for it and a sentence."""

    def __init__(self, status: int, tag: str, description: str) -> None:
        super().__init__(description)
        self.status, self.tag, self.description = status, tag, description

    def response(self) -> JSONResponse:
        body = {
            "error": self.tag,
            "error_description": self.description,
            "error_uri": "https://posthog.com/docs/api/capture",
        }
        return JSONResponse(body, self.status)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as v0 has them, and the uuids of those whose time could not be read."""

    events: list[dict]
    untimed: frozenset[str]
    historical: bool


class CaptureV1:
    def __init__(self, writer: Writer, credentials: Credentials) -> None:
        self._writer, self._credentials = writer, credentials

    def routes(self) -> list[Route]:
        return [
            Route(path + slash, handler, methods=["POST"])
            for path, handler in ((ANALYTICS, self.analytics), (AI, self.ai))
            for slash in ("", "/")
        ]

    async def analytics(self, request: Request) -> Response:
        return await self._answer(request, ai=False)

    async def ai(self, request: Request) -> Response:
        return await self._answer(request, ai=True)

    async def _answer(self, request: Request, *, ai: bool) -> Response:
        try:
            _check_headers(request.headers)
            body = await read_body(request)
            results = await run_in_threadpool(self._take, body, request.headers, ai, peer_of(request))
        except V1Error as error:
            answer = error.response()
        except BadRequest as error:
            answer = V1Error(error.status, _TAGS.get(error.status, "request_parsing_error"), error.reason).response()
        else:
            answer = JSONResponse({"results": results})
            if any(result["result"] == "retry" for result in results.values()):
                answer.headers["Retry-After"] = "1"
        request_id = request.headers.get("posthog-request-id", "")
        if request_id.isascii() and request_id.isprintable():
            answer.headers["PostHog-Request-Id"] = request_id
        return answer

    def _take(self, body: bytes, headers: Mapping[str, str], ai: bool, peer: str) -> dict[str, dict]:
        scheme, _, token = headers["authorization"].partition(" ")
        self._credentials.check_project(token.strip() if scheme.lower() == "bearer" else "", peer)
        text = inflated(body, headers.get("content-encoding", "").strip().lower())
        batch = read_batch(load(text), headers["posthog-sdk-info"])
        results = {event["uuid"]: {"result": "ok"} for event in batch.events}
        results |= {uuid: {"result": "warning", "details": "invalid_timestamp"} for uuid in batch.untimed}
        taken = batch.events
        if ai:
            taken = [event for event in taken if not refused_as_ai(event)]
            refused = [event for event in batch.events if refused_as_ai(event)]
            results |= {event["uuid"]: {"result": "drop", "details": "misrouted_event"} for event in refused}
        sent_at = None if batch.historical else headers["posthog-request-timestamp"]
        try:
            done = self._writer.take(taken, sent_at=sent_at, limit=MAX_AI_EVENT_BYTES if ai else MAX_EVENT_BYTES)
        except LoopdeskError:
            # What was stored before the disk was full is stored once when it comes again.
            return results | {event["uuid"]: {"result": "retry", "details": "not_persisted"} for event in taken}
        for place, code in done.refused:
            details = "ai_event_too_big" if ai and code == "event_too_big" else code
            results[taken[place]["uuid"]] = {"result": "drop", "details": details}
        return results


def read_batch(document: object, sdk_info: str) -> Batch:
    """Raises `V1Error` 400 for what cannot be answered event by event."""
    events = document.get("batch") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(events, list):
        raise V1Error(400, "request_parsing_error", "The body has no list named batch")
    if not events:
        raise V1Error(400, "empty_batch", "The batch is empty")
    read = [_as_v0(event, sdk_info) for event in events]
    untimed = frozenset(event["uuid"] for event in read if not _is_rfc3339(event.get("timestamp")))
    return Batch(read, untimed, document.get("historical_migration") is True)


def _as_v0(event: object, sdk_info: str) -> dict:
    if not isinstance(event, dict) or not isinstance(event.get("uuid"), str):
        raise V1Error(400, "request_parsing_error", "An event in the batch has no uuid")
    properties, options = event.get("properties"), event.get("options")
    properties = {} if properties is None else properties
    options = {} if options is None else options
    if not isinstance(properties, dict) or not isinstance(options, dict):
        raise V1Error(400, "request_parsing_error", "An event's properties or options are not an object")
    library, _, version = sdk_info.partition("/")
    added: dict[str, object] = {"$lib": library, "$lib_version": version}
    for name, (type_, property_) in _OPTIONS.items():
        value = options.get(name)
        if value is not None and not isinstance(value, type_):
            raise V1Error(400, "request_parsing_error", f"The option {name} is not a {type_.__name__}")
        if value is not None:
            added[property_] = value
    added |= {property_: event[name] for name, property_ in _BESIDE.items() if isinstance(event.get(name), str)}
    timed = event.get("timestamp") if _is_rfc3339(event.get("timestamp")) else None
    kept = {name: event.get(name) for name in ("event", "uuid", "distinct_id")}
    return {**kept, "timestamp": timed, "properties": {**properties, **added}}


def _check_headers(headers: Mapping[str, str]) -> None:
    missing = [name for name in _REQUIRED if not headers.get(name.lower(), "").strip()]
    if "Authorization" in missing:
        raise V1Error(401, "invalid_api_token", "Send the project's key (phc_...) as Authorization: Bearer")
    if missing:
        raise V1Error(400, "missing_required_headers", f"Missing headers: {', '.join(missing)}")
    if not headers["content-type"].lower().startswith("application/json"):
        raise V1Error(415, "unsupported_content_type", "Send Content-Type: application/json")


def _is_rfc3339(value: object) -> bool:
    """With its offset: a time without one is somebody's guess."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
