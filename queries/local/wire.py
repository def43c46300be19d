"""What PostHog's SDKs put in a capture request, decoded and checked as PostHog's capture service does."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

MAX_BODY_BYTES = 20 * 1024 * 1024  # PostHog's limit for a batch, before and after decompression


class BadRequest(Exception):
    """A refused request: HTTP status and PostHog's plain-text reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Capture:
    """One request's events with the key and the sender's clock that came with them."""

    token: str
    events: list[dict]
    sent_at: object = None


def decode(body: bytes, encoding: str, compression: str = "") -> Capture:
    """Raises `BadRequest` where PostHog refuses the whole request: 400 undecodable, empty or without a name or id."""
    try:
        document = json.loads(inflated(body, encoding, compression), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, f"Could not decode the request body: {error}") from error
    if isinstance(document, list):
        return _checked("", document, None)
    if not isinstance(document, dict):
        raise BadRequest(400, "The request body is neither an event nor a batch")
    token = document.get("api_key") or document.get("token") or ""
    if not isinstance(token, str):
        raise BadRequest(401, "The API key must be text")
    events = document.get("batch", [document])
    return _checked(token, events, document.get("sent_at"))


def _checked(token: str, events: object, sent_at: object) -> Capture:
    if not isinstance(events, list):
        raise BadRequest(400, "The batch is not a list")
    if not events:
        raise BadRequest(400, "The batch is empty")
    for event in events:
        if not isinstance(event, dict):
            raise BadRequest(400, "An event in the batch is not an object")
        if not isinstance(event.get("event"), str) or not event["event"].strip():
            raise BadRequest(400, "An event in the batch has no name")
        properties = event.get("properties")
        if not (properties is None or isinstance(properties, dict)):
            raise BadRequest(400, "An event's properties are not an object")
        if event.get("distinct_id") in (None, "") and (properties or {}).get("distinct_id") in (None, ""):
            raise BadRequest(400, "An event in the batch has no distinct_id")
    first = events[0]
    token = token or first.get("api_key") or first.get("token") or (first.get("properties") or {}).get("token") or ""
    return Capture(str(token), events, sent_at)


def inflated(body: bytes, encoding: str, compression: str) -> bytes:
    """The body's bytes. Raises `BadRequest`: 400 broken, 413 too large, 415 packed in another way."""
    if encoding in ("", "identity") and compression in ("", "none"):
        return body
    if encoding == "gzip" or compression in ("gzip", "gzip-js"):
        # A small body may unpack to gigabytes: stop at the limit, not after it.
        inflater = zlib.decompressobj(wbits=31)
        try:
            text = inflater.decompress(body, MAX_BODY_BYTES + 1)
        except zlib.error as error:
            raise BadRequest(400, f"Could not unpack the gzip body: {error}") from error
        if len(text) > MAX_BODY_BYTES:
            raise BadRequest(413, f"The unpacked body is larger than {MAX_BODY_BYTES:,} bytes")
        if not inflater.eof:
            raise BadRequest(400, "The gzip body is cut off")
        return text
    raise BadRequest(415, f"Unsupported content encoding {encoding or compression!r}")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
