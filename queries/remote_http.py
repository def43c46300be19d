"""One HTTP exchange with PostHog's private API: the key only in a header, a limit on everything, no redirects.

Proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`) and `SSL_CERT_FILE` are honoured as other tools do, except for
loopback addresses, whose key would otherwise be shown to the proxy.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from queries.backend import QueryCancelled, QueryTimedOut
from queries.remote_errors import AnswerTooLarge, PostHogFailed, PostHogUnreachable, redirected
from queries.remote_host import is_loopback, private_host
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 64 * 1024 * 1024
CONNECT_S = 6.0
READ_S = 45.0  # PostHog keeps a query waiting for 30 s for a place, then runs it for 10
_KEY = re.compile(r"[!-~]{8,200}")


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the JSON document; None with `is_json` false where it was something else, such as a page."""

    status: int
    body: object
    is_json: bool


class CutOff(PostHogUnreachable):
    """The connection ended before the answer did. Asking once more is right: it may have been an old connection."""


class Transport:
    """One client for one host and key; threads share it. httpx is loaded by the first exchange."""

    def __init__(
        self,
        host: str,
        key: str,
        *,
        max_bytes: int = MAX_BYTES,
        read_s: float = READ_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = private_host(host)
        self._key = _checked(key)
        self._max_bytes, self._read_s, self._monotonic = max_bytes, read_s, monotonic
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._closed = False

    @property
    def key_kind(self) -> str:
        return self._key[:4]

    def exchange(self, method: str, path: str, document: object = None, *, deadline: float) -> Reply:
        """`deadline` is a time of the monotonic clock. Any HTTP status is a reply; only a redirect is not.

        Raises `PostHogUnreachable`, `QueryTimedOut`, `AnswerTooLarge` or `PostHogFailed`; `QueryCancelled` once closed.
        """
        import httpx

        left = deadline - self._monotonic()
        if left <= 0:
            raise _too_slow(self.host)
        content = None if document is None else json.dumps(document, allow_nan=False).encode()
        timeout = httpx.Timeout(left, connect=min(CONNECT_S, left), read=min(self._read_s, left))
        client = self._http()
        request = client.build_request(
            method,
            f"{self.host}{path}",
            content=content,
            headers={"Content-Type": "application/json"} if content else None,
            timeout=timeout,
        )
        try:
            response = client.send(request, stream=True)
            try:
                if response.is_redirect:
                    raise redirected(self.host, response.headers.get("location", ""))
                body = b"".join(self._chunks(response, deadline))
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Not chained: an exception of httpx carries the request with its headers.
            raise unreachable(error, self.host) from None
        return _reply(response.status_code, body)

    def close(self) -> None:
        with self._lock:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()

    def _chunks(self, response: httpx.Response, deadline: float) -> Iterator[bytes]:
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > self._max_bytes:
                raise AnswerTooLarge(
                    f"PostHog's answer is larger than {self._max_bytes // 2**20:,} MB",
                    do="Ask for fewer rows or columns",
                )
            if self._monotonic() > deadline:
                raise _too_slow(self.host)
            yield chunk

    def _http(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._closed:
                raise QueryCancelled
            if self._client is None:
                self._client = httpx.Client(
                    headers={
                        "Authorization": f"Bearer {self._key}",
                        "Accept": "application/json",
                        "User-Agent": _user_agent(),
                    },
                    http2=False,
                    follow_redirects=False,
                    trust_env=not is_loopback(self.host),
                    limits=httpx.Limits(max_connections=10, max_keepalive_connections=4, keepalive_expiry=30),
                )
            return self._client


def unreachable(error: Exception, host: str) -> LoopdeskError:
    """The sentence for an exchange that gave no reply."""
    import httpx

    name = urlsplit(host).hostname or host
    if isinstance(error, httpx.ProxyError):
        return PostHogUnreachable(
            f"The proxy before {host} refused or broke the connection",
            f"{_proxy_variable(host)} sends loopdesk through it",
            f"Mend the proxy's address, or add {name} to NO_PROXY",
        )
    if isinstance(error, httpx.ConnectTimeout):
        return PostHogUnreachable(
            f"{host} did not accept a connection within {CONNECT_S:g} s",
            "The network, a firewall or a VPN is in the way" + _through_proxy(host),
            "Check the connection and POSTHOG_HOST",
        )
    if isinstance(error, httpx.TimeoutException):
        return _too_slow(host)
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed"
        return PostHogUnreachable(
            f"No safe connection to {host}: {str(reason).replace('_', ' ').lower()}",
            "Its certificate is not trusted here, or it does not speak TLS at that port",
            "Behind a company's proxy set SSL_CERT_FILE to its certificates; else check POSTHOG_HOST",
        )
    if isinstance(cause, socket.gaierror):
        return PostHogUnreachable(
            f"There is no address for {name}",
            "This machine is offline, or the name is misspelt" + _through_proxy(host),
            "Check the connection and POSTHOG_HOST",
        )
    if isinstance(error, httpx.DecodingError):
        return PostHogFailed(f"{host} sent an answer that cannot be unpacked", do="Try again")
    if isinstance(cause, ConnectionRefusedError):
        starting = "Start it, or check" if is_loopback(host) else "Check"
        return PostHogUnreachable(
            f"{host} refuses connections", "Nothing listens there" + _through_proxy(host), f"{starting} POSTHOG_HOST"
        )
    if isinstance(error, httpx.ConnectError):
        return PostHogUnreachable(
            f"{host} cannot be reached", "The network is down" + _through_proxy(host), "Check the connection"
        )
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | ConnectionError):
        return CutOff(
            f"{host} ended the connection in the middle of its answer", "The answer is not complete", "Try again"
        )
    return PostHogUnreachable(f"{host} could not be asked ({type(error).__name__})", do="Check POSTHOG_HOST")


def _reply(status: int, body: bytes) -> Reply:
    try:
        return Reply(status, json.loads(body), True)
    except (ValueError, RecursionError):
        return Reply(status, None, False)


def _too_slow(host: str) -> QueryTimedOut:
    return QueryTimedOut(
        f"{host} did not answer in time", "It is busy, or the query is heavy", "Try again, or ask for a shorter time"
    )


def _checked(key: str) -> str:
    """Never in an error: httpx would quote a header that it refuses."""
    key = key.strip()
    if not key:
        raise LoopdeskError(
            "There is no personal key", "PostHog answers questions only with one", "Set POSTHOG_PERSONAL_API_KEY"
        )
    if not _KEY.fullmatch(key):
        raise LoopdeskError(
            "The personal key is malformed",
            "A key is one word such as phx_..., without spaces, quotes or line ends",
            "Copy it again into POSTHOG_PERSONAL_API_KEY",
        )
    return key


def _cause(error: BaseException) -> BaseException:
    """The exception of the operating system or of TLS at the bottom of httpx's."""
    found: BaseException = error
    while (below := found.__cause__ or found.__context__) is not None:
        found = below
        if isinstance(found, ssl.SSLError | socket.gaierror):
            break
    return found


def _proxy_variable(host: str) -> str:
    scheme = urlsplit(host).scheme
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name)), "A setting of this machine")


def _through_proxy(host: str) -> str:
    if is_loopback(host):
        return ""
    variable = _proxy_variable(host)
    return f"; {variable} sends loopdesk through a proxy" if variable in os.environ else ""


def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"loopdesk/{version('loopdesk')}"
    except PackageNotFoundError:
        return "loopdesk"
