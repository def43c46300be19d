"""Answers HogQL from a PostHog over HTTP: within its limits, with a deadline, and left at once when nobody waits."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote

from queries.backend import QueryCancelled, QueryResult, QueryTimedOut
from queries.limiter import Limiter, account
from queries.remote_answer import answer, wire_values
from queries.remote_errors import NoTurn, PostHogBusy, PostHogFailed, Refusal, Throttled, error_for
from queries.remote_host import is_loopback
from queries.remote_http import CutOff, Reply, Transport
from queries.turns import Priority, Wait
from workspace.config import Config
from workspace.connection import connection
from workspace.errors import LoopdeskError

_BUSY_TRIES = 2  # after a 503 or a gateway's 502
_THROTTLED_TRIES = 5
_FIRST_POLL_S, _LONGEST_POLL_S = 0.1, 2.0
_GRACE_S = 2.0  # name resolution has no time limit of its own: the caller leaves this long after the deadline
_GOODBYE_S = 0.5
_DEADLINE_S = 60.0  # 30 s in PostHog's queue, 10 s of work, and time to try again


@dataclass(frozen=True, slots=True)
class Manner:
    """How to ask. `fresh` passes over PostHog's cache, for when a person pressed refresh; `in_background` lets PostHog
    work without a connection held open; a 429 that names more than `patience_s` is not waited for."""

    priority: Priority = Priority.DESK
    fresh: bool = False
    in_background: bool = False
    deadline_s: float = _DEADLINE_S
    patience_s: float = 5.0
    name: str = "loopdesk"
    told: Callable[[Wait], None] = lambda _: None

    @property
    def refresh(self) -> str:
        if self.in_background:
            return "force_async" if self.fresh else "async"
        return "force_blocking" if self.fresh else "blocking"


@dataclass(slots=True, eq=False)
class _Asking:
    """One question on its way. Whoever waits for it can leave; the first outcome counts."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent: bool = False
    result: QueryResult | None = None
    error: BaseException | None = None
    over: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        self.left.set()
        self.over.set()


class RemoteBackend:
    """PostHog's query side. Threads share it; `with_manner` gives another way of asking over the same connections.

    `timezone` is the project's once a first answer has told it.
    """

    name = "posthog"

    def __init__(
        self,
        transport: Transport,
        limiter: Limiter,
        account: str,
        project_id: str = "",
        *,
        timezone: str = "UTC",
        manner: Manner | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.project_id = project_id.strip() or "@current"
        self.timezone = timezone
        self._transport, self._limiter, self._account = transport, limiter, account
        self._manner = manner or Manner()
        self._now, self._monotonic, self._pause = now, monotonic, pause
        self._asking: set[_Asking] = set()
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        return self._transport.host

    def with_manner(self, **changes: object) -> RemoteBackend:
        """The same PostHog, asked in another manner. `cancel` of the one does not touch the other."""
        return RemoteBackend(
            self._transport,
            self._limiter,
            self._account,
            self.project_id,
            timezone=self.timezone,
            manner=replace(self._manner, **changes),  # type: ignore[arg-type]
            now=self._now,
            monotonic=self._monotonic,
            pause=self._pause,
        )

    def query(
        self, text: str, values: Mapping[str, object] | None = None, types: Mapping[str, str] | None = None
    ) -> QueryResult:
        """Blocks until PostHog answered or `cancel` was called. Raises besides what `Backend` says `QueryCancelled`,
        `Throttled`, `KeyRefused`, `PostHogUnreachable`, `PostHogBusy`, `PostHogFailed` or `AnswerTooLarge`."""
        asked = {"kind": "HogQLQuery", "query": text, "values": wire_values(values or {}, types or {})}
        asking = _Asking()
        with self._lock:
            self._asking.add(asking)
        # The work has a thread of its own, so that whoever asked can leave while a read is blocked.
        threading.Thread(target=self._work, args=(asking, asked), name="posthog-query", daemon=True).start()
        try:
            if not asking.over.wait(self._manner.deadline_s + _GRACE_S):
                raise _too_late(self._manner.deadline_s)
        except BaseException:
            self._give_up(asking)
            raise
        finally:
            with self._lock:
                self._asking.discard(asking)
        if asking.result is not None:
            return asking.result
        raise asking.error or QueryCancelled()

    def project_number(self) -> str:
        """The project's id, which stays the same whichever project its owner looks at. Raises `LoopdeskError`."""
        if self.project_id == "@current":
            reply = self._transport.exchange("GET", "/api/projects/@current/", deadline=self._monotonic() + 20)
            found = reply.body.get("id") if isinstance(reply.body, dict) else None
            if reply.status == 401:
                raise error_for(self._refusal(reply))
            if not 200 <= reply.status < 300 or type(found) is not int:
                raise LoopdeskError(
                    "The project is not named, and the key may not look it up",
                    do="Give its number with --project-id or POSTHOG_PROJECT_ID; it is in the project's address",
                )
            self.project_id = str(found)
        return self.project_id

    def cancel(self) -> list[threading.Thread]:
        """Every question on its way in this manner is given up; PostHog is told by the threads that are returned."""
        with self._lock:
            asking = list(self._asking)
        return [thread for one in asking if (thread := self._give_up(one))]

    def close(self) -> None:
        """Questions on their way are given up first, and PostHog is given a moment to hear of it."""
        telling = self.cancel()
        for thread in telling:
            thread.join(_GOODBYE_S / len(telling))
        self._transport.close()
        self._limiter.close()

    def _give_up(self, asking: _Asking) -> threading.Thread | None:
        already = asking.left.is_set()
        asking.leave()
        if already or not asking.sent:
            return None
        telling = threading.Thread(target=self._tell_cancelled, args=(asking.id,), name="posthog-cancel", daemon=True)
        telling.start()
        return telling

    def _tell_cancelled(self, id: str) -> None:
        # Where it cannot be told, PostHog ends the query after 10 s by itself.
        with suppress(LoopdeskError):
            self._transport.exchange("DELETE", f"{self._path}{id}/", deadline=self._monotonic() + 5)

    @property
    def _path(self) -> str:
        return f"/api/projects/{quote(self.project_id, safe='@')}/query/"

    def _work(self, asking: _Asking, asked: dict) -> None:
        try:
            asking.result = self._ask(asking, asked)
        except BaseException as error:
            asking.error = error
        asking.over.set()

    def _ask(self, asking: _Asking, asked: dict) -> QueryResult:
        deadline = self._monotonic() + self._manner.deadline_s
        tried = 0
        while True:
            try:
                return self._ask_once(asking, asked, deadline)
            except (Throttled, PostHogBusy, CutOff) as error:
                if isinstance(error, NoTurn):
                    raise
                if isinstance(error, Throttled) and error.seconds is not None:
                    self._limiter.throttled(self._account, error.seconds)
                pause = pause_before_retry(error, tried, self._manner.patience_s, random.random())  # noqa: S311
                if pause is None or self._monotonic() + pause >= deadline:
                    raise
                tried += 1
                if pause >= 1:
                    self._manner.told(Wait("PostHog asked to come back later", pause))
                self._rest(asking, pause)

    def _ask_once(self, asking: _Asking, asked: dict, deadline: float) -> QueryResult:
        left = deadline - self._monotonic()
        with self._limiter.slot(
            self._account,
            self._manner.priority,
            within_s=left,
            lease_s=left + _GRACE_S,
            cancelled=asking.left.is_set,
            told=self._manner.told,
        ):
            started = self._monotonic()
            asking.sent = True
            # Whoever left before this line saw that there is nothing to cancel, and tells PostHog nothing.
            if asking.left.is_set():
                raise QueryCancelled
            document = {
                "query": asked,
                "name": self._manner.name,
                "refresh": self._manner.refresh,
                "client_query_id": asking.id,
            }
            reply = self._transport.exchange("POST", self._path, document, deadline=deadline)
            body = self._settled(reply, asking, deadline)
        result = answer(
            body,
            text=asked["query"],
            timezone=self.timezone,
            backend=self.name,
            now=self._now(),
            elapsed_ms=(self._monotonic() - started) * 1000,
        )
        self.timezone = result.timezone
        return result

    def _settled(self, reply: Reply, asking: _Asking, deadline: float) -> object:
        """The body of the final answer; a query that runs in the background is looked after until it is there."""
        pause = _FIRST_POLL_S
        while True:
            status = _query_status(reply)
            if status is None or status.get("complete") is True or status.get("error") is True:
                break
            if self._monotonic() + pause > deadline:
                self._tell_cancelled(asking.id)
                raise _too_late(self._manner.deadline_s)
            self._rest(asking, pause)
            pause = min(pause * 1.6, _LONGEST_POLL_S)
            id = status.get("id") if isinstance(status.get("id"), str) else asking.id
            reply = self._transport.exchange("GET", f"{self._path}{quote(str(id), safe='')}/", deadline=deadline)
        if status is not None and status.get("error") is True:
            message = status.get("error_message")
            failed = reply.status if reply.status >= 400 else 400 if message else 500
            raise error_for(self._refusal(replace(reply, status=failed, body={"detail": message})))
        if not 200 <= reply.status < 300:
            raise error_for(self._refusal(reply))
        if not reply.is_json:
            raise PostHogFailed(
                f"{self.host} answered with something that is not JSON",
                "It is cut off, or a proxy or another program answered in PostHog's place",
                "Try again, and check POSTHOG_HOST",
            )
        return status["results"] if status is not None and isinstance(status.get("results"), dict) else reply.body

    def _refusal(self, reply: Reply) -> Refusal:
        return Refusal(
            reply.status, reply.body, self.host, self.project_id, self._transport.key_kind, is_json=reply.is_json
        )

    def _rest(self, asking: _Asking, seconds: float) -> None:
        if self._pause is not None:
            self._pause(seconds)
        else:
            asking.left.wait(seconds)
        if asking.left.is_set():
            raise QueryCancelled


def open_remote(
    config: Config, *, warn: Callable[[str], None] = lambda _: None, manner: Manner | None = None
) -> RemoteBackend:
    """The configured PostHog; nothing is asked yet. `warn` is told, in sentences, where limits cannot be shared and
    where the key is not protected on its way.

    Raises `LoopdeskError` where host or key are missing or malformed."""
    made = connection(config)
    transport = Transport(made.host, made.personal_key)
    if transport.host.startswith("http:") and not is_loopback(transport.host):
        warn(f"{transport.host} is asked without TLS: others on the network can read the personal key.")
    return RemoteBackend(
        transport,
        Limiter(warn=warn),
        account(transport.host, made.personal_key),
        made.project_id,
        timezone=config.zone,
        manner=manner,
    )


def pause_before_retry(error: LoopdeskError, tried: int, patience_s: float, jitter: float) -> float | None:
    """Seconds to rest before asking again, None for not at all. `jitter` is 0 to 1, so that processes that were refused
    together do not come back together."""
    if isinstance(error, Throttled):
        if error.seconds is not None:
            return error.seconds + jitter / 4 if error.seconds <= patience_s and tried < _THROTTLED_TRIES else None
        return 0.5 * 2**tried * (0.75 + jitter / 2) if tried < _THROTTLED_TRIES else None
    if isinstance(error, PostHogBusy):
        return 0.5 * 2**tried * (0.75 + jitter / 2) if tried < _BUSY_TRIES else None
    return 0.0 if tried == 0 else None  # cut off: an old connection, most likely


def _query_status(reply: Reply) -> dict | None:
    found = reply.body.get("query_status") if isinstance(reply.body, dict) else None
    return found if isinstance(found, dict) else None


def _too_late(seconds: float) -> QueryTimedOut:
    return QueryTimedOut(
        f"PostHog did not answer within {seconds:g} s",
        "It is busy, or the query is heavy",
        "Try again, or ask for a shorter time range",
    )
