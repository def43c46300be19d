"""One request to PostHog's private REST: in its turn among all processes, and again while what is in its way passes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

from queries.limiter import Limiter, account
from queries.remote import pause_before_retry
from queries.remote_errors import NoTurn, PostHogBusy, Refusal, Throttled
from queries.remote_host import is_loopback
from queries.remote_http import CutOff, Reply, Transport
from queries.turns import Priority
from workspace.config import Config
from workspace.connection import connection
from workspace.errors import LoopdeskError

_DEADLINE_S = 30.0
_PATIENCE_S = 5.0
Refused = Callable[[Reply], LoopdeskError | None]
"""Why an answer is none; None for one that is."""


class Exchanges:
    """Blocking, for one thread."""

    def __init__(
        self,
        transport: Transport,
        limiter: Limiter,
        account: str,
        project_id: str = "",
        *,
        deadline_s: float = _DEADLINE_S,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.host, self.project_id = transport.host, project_id.strip() or "@current"
        self._transport, self._limiter, self._account = transport, limiter, account
        self._deadline_s, self._monotonic, self._pause = deadline_s, monotonic, pause

    def within_project(self, path: str) -> str:
        return f"/api/projects/{quote(self.project_id, safe='@')}/{path}"

    def exchange(
        self,
        method: str,
        path: str,
        document: Mapping[str, object] | None,
        refused: Refused,
        *,
        is_repeatable: bool = True,
    ) -> Reply:
        """What is not `is_repeatable` is not sent again once it may have been done. Raises what `refused` gives, or
        another `LoopdeskError`."""
        deadline, tried = self._monotonic() + self._deadline_s, 0
        while True:
            try:
                return self._once(method, path, document, refused, deadline)
            except (Throttled, PostHogBusy, CutOff) as error:
                # The last two may come after what was asked was done.
                may_be_done = isinstance(error, CutOff | PostHogBusy)
                if isinstance(error, NoTurn) or (may_be_done and not is_repeatable):
                    raise
                if isinstance(error, Throttled) and error.seconds is not None:
                    self._limiter.throttled(self._account, error.seconds)
                pause = pause_before_retry(error, tried, _PATIENCE_S, random.random())  # noqa: S311
                if pause is None or self._monotonic() + pause >= deadline:
                    raise
                tried += 1
                self._pause(pause)

    def refusal(self, reply: Reply) -> Refusal:
        return Refusal(
            reply.status, reply.body, self.host, self.project_id, self._transport.key_kind, is_json=reply.is_json
        )

    def close(self) -> None:
        self._transport.close()
        self._limiter.close()

    def _once(
        self, method: str, path: str, document: Mapping[str, object] | None, refused: Refused, deadline: float
    ) -> Reply:
        left = deadline - self._monotonic()
        with self._limiter.slot(self._account, Priority.DESK, within_s=left, lease_s=left):
            reply = self._transport.exchange(method, path, document, deadline=deadline)
        error = refused(reply)
        if error is not None:
            raise error
        return reply


def open_exchanges(config: Config, warn: Callable[[str], None]) -> Exchanges:
    """With the configured PostHog; nothing is asked yet. Raises `LoopdeskError` where none is."""
    made = connection(config)
    transport = Transport(made.host, made.personal_key)
    if transport.host.startswith("http:") and not is_loopback(transport.host):
        warn(f"{transport.host} is asked without TLS: others on the network can read the personal key.")
    return Exchanges(transport, Limiter(warn=warn), account(transport.host, made.personal_key), made.project_id)
