"""A request's body as the JSON it was before it travelled: unpacked, out of its form, out of base64.

Server SDKs say `Content-Encoding`; posthog-js cannot, and says `?compression=` instead, with `text/plain` or a form so
that the browser asks no permission first.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qs

MAX_BODY_BYTES = 20 * 1024 * 1024  # PostHog's limit for a batch, before and after decompression
_GZIP = b"\x1f\x8b"
_FORM = "application/x-www-form-urlencoded"
_MAX_WINDOW = 32 * 1024 * 1024  # what a zstd frame may make the decoder hold


class BadRequest(Exception):
    """A refused request: HTTP status and PostHog's plain-text reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Packing:
    """`Content-Encoding`, `?compression=` and `Content-Type`, lower case."""

    encoding: str = ""
    compression: str = ""
    content_type: str = ""


def unpacked(body: bytes, packing: Packing) -> bytes:
    """The JSON text. Raises `BadRequest`: 400 broken, 413 too large when unpacked, 415 packed in another way."""
    body = inflated(body, packing.encoding)
    compression = packing.compression
    if compression in ("gzip", "gzip-js") or body.startswith(_GZIP):
        if body.startswith(_GZIP) or not packing.encoding:
            body = inflated(body, "gzip")
    elif compression not in ("", "none", "base64"):
        raise BadRequest(415, f"Unsupported compression {compression[:40]!r}: send gzip-js or base64")
    if packing.content_type.startswith(_FORM) or body.startswith(b"data="):
        body, compression = _form_data(body, compression)
    # A few SDKs name base64 and send JSON all the same.
    if compression == "base64" and not _is_json(body):
        body = _from_base64(body)
    return body


def inflated(body: bytes, encoding: str) -> bytes:
    """`body` without its content encoding. Raises `BadRequest`."""
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip"):
        return _zlib(body, "gzip", 31)
    if encoding == "deflate":
        return _zlib(body, "deflate", zlib.MAX_WBITS)
    if encoding == "zstd":
        return _zstd(body)
    raise BadRequest(415, f"Unsupported content encoding {encoding[:40]!r}: send gzip, deflate, zstd or none")


def _zlib(body: bytes, name: str, wbits: int) -> bytes:
    # A small body may unpack to gigabytes: stop at the limit, not after it.
    inflater = zlib.decompressobj(wbits=wbits)
    try:
        text = inflater.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise BadRequest(400, f"Could not unpack the {name} body: {error}") from error
    if len(text) > MAX_BODY_BYTES:
        raise _too_large()
    if not inflater.eof:
        raise BadRequest(400, f"The {name} body is cut off")
    return text


def _zstd(body: bytes) -> bytes:
    import zstandard  # only senders that use it pay for it

    try:
        with zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(body) as reader:
            text = reader.read(MAX_BODY_BYTES + 1)
    except (zstandard.ZstdError, MemoryError) as error:
        raise BadRequest(400, f"Could not unpack the zstd body: {error}") from error
    if len(text) > MAX_BODY_BYTES:
        raise _too_large()
    return text


def _form_data(body: bytes, compression: str) -> tuple[bytes, str]:
    if _is_json(body):
        return body, compression  # `curl -d` calls everything a form
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=20)
    except ValueError as error:
        raise BadRequest(400, f"Could not read the form: {error}") from error
    if "data" not in fields:
        raise BadRequest(400, "The form has no field data")
    data = fields["data"][0].encode()
    return data, fields.get("compression", ["base64" if not _is_json(data) else compression])[0]


def _from_base64(body: bytes) -> bytes:
    # An unescaped + of a form has become a space; padding is often left out.
    text = body.strip().replace(b" ", b"+").replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(400, f"Could not decode the base64 body: {error}") from error


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in (b"{", b"[")


def _too_large() -> BadRequest:
    return BadRequest(413, f"The unpacked body is larger than {MAX_BODY_BYTES:,} bytes")
