"""What PostHog's SDKs put in a v0 capture request, decoded and checked as PostHog's capture service does."""

from __future__ import annotations

import json
from dataclasses import dataclass

from queries.local.bodies import BadRequest, Packing, unpacked
from queries.local.prices import PRICED_EVENTS

IDENTIFY = "$identify"
_TOKENS = ("api_key", "token", "$token")


@dataclass(frozen=True, slots=True)
class Capture:
    """One request's events with the key and the sender's clock that came with them."""

    token: str
    events: list[dict]
    sent_at: object = None


def decode(body: bytes, packing: Packing, *, sent_at: str = "", unnamed: str = "") -> Capture:
    """`sent_at` is the query's `_` (milliseconds), for a body that says no time; `unnamed` names events without a name.

    Raises `BadRequest` where PostHog refuses the whole request: 400 undecodable, empty or without a name or id; 401 for
    events of several keys.
    """
    document = load(unpacked(body, packing))
    said: object = int(sent_at) if sent_at.isascii() and sent_at.isdigit() and len(sent_at) < 20 else None
    if isinstance(document, list):
        return _checked("", document, said, unnamed)
    if not isinstance(document, dict):
        raise BadRequest(400, "The request body is neither an event nor a batch")
    # History is sent long after it happened: its times stand as they are.
    said = None if document.get("historical_migration") is True else document.get("sent_at") or said
    events = document.get("batch", [document])
    return _checked(_token(document), events, said, unnamed)


def load(text: bytes) -> object:
    """Raises `BadRequest` 400 for what is not JSON, NaN and infinity too."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, f"Could not decode the request body: {error}") from error


def check_ai(events: list[dict]) -> None:
    """Raises `BadRequest` 400 for what PostHog's AI lane refuses."""
    for event in events:
        reason = refused_as_ai(event)
        if reason:
            raise BadRequest(400, f"An event of the AI lane {reason}")


def refused_as_ai(event: dict) -> str:
    """Why the AI lane does not take an event, as a clause; empty where it does.

    PostHog wants `$ai_model` on every event there; the SDK sends spans and traces, which have none, so it is asked only
    of what is priced by it.
    """
    name = str(event.get("event"))
    if not name.startswith("$ai_"):
        return "is no $ai_ event"
    if name in PRICED_EVENTS and not (event.get("properties") or {}).get("$ai_model"):
        return "has no $ai_model"
    return ""


def _checked(token: str, events: object, sent_at: object, unnamed: str) -> Capture:
    if not isinstance(events, list):
        raise BadRequest(400, "The batch is not a list")
    if not events:
        raise BadRequest(400, "The batch is empty")
    for event in events:
        if not isinstance(event, dict):
            raise BadRequest(400, "An event in the batch is not an object")
        if unnamed:
            event.setdefault("event", unnamed)
        if not isinstance(event.get("event"), str) or not event["event"].strip():
            raise BadRequest(400, "An event in the batch has no name")
        properties = event.get("properties")
        if not (properties is None or isinstance(properties, dict)):
            raise BadRequest(400, "An event's properties are not an object")
        if event.get("distinct_id") in (None, "") and (properties or {}).get("distinct_id") in (None, ""):
            event["distinct_id"] = event.get("$distinct_id")  # as /engage has it
            if event["distinct_id"] in (None, ""):
                raise BadRequest(400, "An event in the batch has no distinct_id")
    return Capture(token or _common_token(events), events, sent_at)


def _common_token(events: list[dict]) -> str:
    """The key that the events themselves carry, as a browser's do."""
    tokens = {_token(event) or _token(event.get("properties") or {}) for event in events}
    if len(tokens) > 1:
        raise BadRequest(401, "The events of the batch have different API keys")
    return tokens.pop()


def _token(document: dict) -> str:
    for name in _TOKENS:
        token = document.get(name)
        if token:
            if not isinstance(token, str):
                raise BadRequest(401, "The API key must be text")
            return token
    return ""


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
