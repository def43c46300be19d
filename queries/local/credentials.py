"""Who may send events and who may ask: PostHog's refusals for a key that is missing, wrong, or of the other kind."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from queries.local.keys import Keys
from queries.local.responses import error_response
from queries.local.wire import BadRequest


class Credentials:
    """Checks against one workspace's keys. `current` gives them as they are now, so that a removed key stops working
    while the server runs; without it they are the ones given."""

    def __init__(self, keys: Keys, current: Callable[[], Keys] | None = None) -> None:
        self._current = current or (lambda: keys)

    def check_project(self, token: str, peer: str) -> None:
        """Raises `BadRequest` 401 unless `token` may send events from the address `peer`.

        The project key that loops of this machine share is taken from loopback only; another machine sends its own.
        """
        if not token:
            raise BadRequest(401, "API key not provided. Send the project's key (phc_...) as api_key.")
        if token.startswith("phx_"):
            raise BadRequest(401, "This is a personal key (phx_...). Events are sent with the project's key (phc_...).")
        keys = self._current()
        # Every key is compared, so that the time taken says nothing about which one was nearly right.
        shared = _same(token, keys.project)
        own = [_same(token, key) for key in keys.machines.values()]
        if any(own) or (shared and is_loopback(peer)):
            return
        if shared:
            raise BadRequest(
                401,
                "Project API key invalid from another machine. "
                "Make this machine its own with `loopdesk serve --new-key NAME`.",
            )
        raise BadRequest(401, "Project API key invalid. `loopdesk serve` prints the right one (phc_...).")

    def check_personal(self, request: Request) -> Response | None:
        """PostHog's 401 unless the request carries the personal key; None where it may be answered.

        The personal key opens everything and would travel unencrypted: it is taken from loopback only.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            return _unauthorized("not_authenticated", "Authentication credentials were not provided.")
        if key.startswith("phc_"):
            return _unauthorized(
                "authentication_failed", "This is the project's key (phc_...). Queries need the personal key (phx_...)."
            )
        if not is_loopback(peer_of(request)):
            return _unauthorized(
                "authentication_failed",
                "Queries are answered to this machine only. Reach it with: ssh -L 8377:127.0.0.1:8377 HOST",
            )
        if not _same(key, self._current().personal):
            return _unauthorized(
                "authentication_failed", "Personal API key found in request Authorization header is invalid."
            )
        return None


def peer_of(request: Request) -> str:
    """The address that the request came from. A socket file has none, and is of this machine."""
    return request.client.host if request.client else "127.0.0.1"


def is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _unauthorized(code: str, detail: str) -> Response:
    return error_response(401, "authentication_error", code, detail)
