"""Which hosts the server answers as, and which web pages may send events to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workspace.config import LOOPBACK

_REMEMBERED_S = 3600  # how long a browser need not ask again


@dataclass(frozen=True, slots=True)
class Reach:
    """From where the server may be spoken to.

    `hosts` are names in a Host header beside loopback's; with `any_address` so is every address written in digits: a
    name that was made to point here (DNS rebinding) is what must be refused. `origins` are web pages.
    """

    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    origins: tuple[str, ...] = ()

    def knows_host(self, header: str) -> bool:
        name = host_name(header).lower()
        return name in LOOPBACK or name in self.hosts or (self.any_address and _is_address(name))

    def knows_origin(self, origin: str) -> bool:
        return origin.lower() in {known.rstrip("/").lower() for known in self.origins}


class LocalOnly:
    """Refuses what a web page could send: a foreign Host (DNS rebinding), or an Origin that was not configured.

    A configured page may speak to `open_paths` only (capture and flags), and is told so as browsers want to be told.
    """

    def __init__(self, app: ASGIApp, reach: Reach, open_paths: Iterable[str]) -> None:
        self._app, self._reach = app, reach
        self._open = frozenset(path.rstrip("/") for path in open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        refusal = self._refusal(scope["path"], headers.get(b"host", ""), origin)
        if refusal:
            await refusal(scope, receive, send)
        elif origin is None:
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _preflight(origin, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, _allowing(origin, send))

    def _refusal(self, path: str, host: str, origin: str | None) -> Response | None:
        if not self._reach.knows_host(host):
            return PlainTextResponse("This server answers only to its own name.", 421)
        if origin is None:
            return None
        if not self._reach.knows_origin(origin):
            return PlainTextResponse(
                "Web pages may not send events here. Those that may are browser_origins in config.toml.", 403
            )
        if path.rstrip("/") not in self._open:
            return PlainTextResponse("Web pages may only send events and ask for flags here.", 403)
        return None


def host_name(header: str) -> str:
    """The name in a Host header, without its port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cors(origin: str) -> dict[str, str]:
    # posthog-js sends with credentials; there are none here, but a browser then hides the answer without this.
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}


def _preflight(origin: str, headers: dict[bytes, str]) -> Response:
    asked = headers.get(b"access-control-request-headers", "")
    answer = {
        **_cors(origin),
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Max-Age": str(_REMEMBERED_S),
    }
    if asked:
        answer["Access-Control-Allow-Headers"] = asked
    if headers.get(b"access-control-request-private-network") == "true":
        answer["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=answer)


def _allowing(origin: str, send: Send) -> Send:
    added = [(name.lower().encode(), value.encode("latin-1")) for name, value in _cors(origin).items()]

    async def send_allowed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return send_allowed
