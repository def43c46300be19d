"""Who may come in. Pure: what a request said goes in, yes or the sentence of a refusal comes out.

Loopback is no wall: every user of the machine, and every page in the owner's browser, can reach the port. So

- a `Host` that is not ours is refused: a name that was made to point here (DNS rebinding);
- an `Origin` that is not ours is refused, and a websocket must bring one: another page, also one on another port of
  this machine, to which browsers send our cookies as well (they know neither ports nor, so, a different site);
- everything lives under a path that nobody can guess, and the cookie belongs to that path: servers on other ports of
  this machine are never sent it;
- the token in the printed address opens once. An address that was overheard, or is left in a history, opens nothing.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus

COOKIE = "loopdesk"
_BYTES = 24  # of every secret: 192 bits


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides. Headers that were not sent are None."""

    method: str
    path: str
    """As it was sent: nothing decoded, nothing resolved, no query."""
    token: str | None = None
    host: str | None = None
    origin: str | None = None
    site: str | None = None
    """`Sec-Fetch-Site`: whose page asks, as the browser says."""
    cookies: tuple[str, ...] = ()
    """Every one of our name: a server on another port can add its own to what the browser sends."""
    is_websocket: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    status: HTTPStatus
    why: str


@dataclass(slots=True)
class Gate:
    """`authority` is the one host and port that the server has. Secrets are random and this server's alone."""

    authority: str
    place: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES))
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES), repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES), repr=False)

    @property
    def origin(self) -> str:
        return f"http://{self.authority}"

    @property
    def home(self) -> str:
        return f"/{self.place}/"

    @property
    def address(self) -> str:
        """What opens the desk once."""
        return f"{self.origin}{self.home}?token={self.token}"

    def is_entry(self, asked: Asked) -> bool:
        """Whether this request brings a token. `refusal` says whether it is the right one."""
        return asked.token is not None and asked.path == self.home and not asked.is_websocket

    def burn(self) -> None:
        """The token was used: from now on another one opens."""
        self.token = secrets.token_urlsafe(_BYTES)

    def refusal(self, asked: Asked) -> Refused | None:
        """None lets the request through. The sentences repeat nothing of the request."""
        if asked.host != self.authority:
            return Refused(
                HTTPStatus.FORBIDDEN, f"This is not the address of the desk: it only answers as {self.authority}."
            )
        if asked.origin not in (None, self.origin) or (asked.is_websocket and asked.origin is None):
            return Refused(HTTPStatus.FORBIDDEN, "Another page asked for the desk; only its own page may.")
        if asked.site not in (None, "none", "same-origin") and not self.is_entry(asked):
            return Refused(HTTPStatus.FORBIDDEN, "Another page asked for the desk; only its own page may.")
        if asked.method != "GET":
            return Refused(HTTPStatus.METHOD_NOT_ALLOWED, "The desk is only read and drawn: use GET.")
        if self.is_entry(asked):
            if _same(asked.token, self.token):
                return None
            return Refused(
                HTTPStatus.FORBIDDEN,
                "This address is wrong or used: each opens one browser. `loopdesk web` prints the next one.",
            )
        if not any(_same(cookie, self.cookie) for cookie in asked.cookies):
            return Refused(HTTPStatus.FORBIDDEN, "Open the desk with the address that `loopdesk web` printed.")
        return None


def _same(given: str | None, wanted: str) -> bool:
    """Compared in a time that tells nothing."""
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
