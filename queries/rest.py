"""PostHog's private REST, the same for both backends: the configured PostHog over HTTP, or the workspace's own store.

Paths are inside the project (`annotations/`) unless they begin with a slash. A reading or a change to a named object is
sent again after a broken connection; making something is not, because PostHog knows no key that makes it once.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from queries.backend import QueryTimedOut
from queries.limiter import Limiter, account
from queries.remote import pause_before_retry
from queries.remote_errors import NoTurn, PostHogBusy, PostHogFailed, Refusal, Throttled, conflict, error_for
from queries.remote_host import is_loopback
from queries.remote_http import CutOff, Reply, Transport
from queries.turns import Priority
from workspace.config import Config
from workspace.connection import connection
from workspace.errors import LoopdeskError

LOST = (PostHogBusy, CutOff, QueryTimedOut)
"""After any of these errors what was sent may have been done."""
_DEADLINE_S = 30.0
_PATIENCE_S = 5.0
_PAGE = 100
MOST_LISTED = 1_000
"""Of one kind, unless more are asked for."""


class NotThere(LoopdeskError):
    """PostHog answered 404: the object is gone, or this PostHog has no such objects."""


class Unanswered(LoopdeskError):
    """What was sent may have been done: neither its answer came nor, since then, what is there now."""


def unanswered(whether: str, met: LoopdeskError) -> Unanswered:
    return Unanswered(f"Whether {whether} is not known: {met.what}", met.means, "Look at it before you go on")


class Rest(Protocol):
    """Blocking, for one thread. `place` names the PostHog and project, and never holds a key."""

    place: str

    def ask(self, method: str, path: str, document: Mapping[str, object] | None = None) -> object:
        """The answer's JSON. Raises `NotThere` or another `LoopdeskError`."""
        ...

    def close(self) -> None: ...


class RemoteRest:
    """The configured PostHog."""

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
        self._transport, self._limiter, self._account = transport, limiter, account
        self._project_id = project_id.strip() or "@current"
        self._deadline_s, self._monotonic, self._pause = deadline_s, monotonic, pause
        self.place = f"{transport.host}/project/{self._project_id}"

    def ask(self, method: str, path: str, document: Mapping[str, object] | None = None) -> object:
        deadline, tried = self._monotonic() + self._deadline_s, 0
        while True:
            try:
                return self._once(method, path, document, deadline)
            except (Throttled, PostHogBusy, CutOff) as error:
                # Both may come after what was asked was done.
                is_made = method == "POST" and isinstance(error, CutOff | PostHogBusy)
                if isinstance(error, NoTurn) or is_made:
                    raise
                if isinstance(error, Throttled) and error.seconds is not None:
                    self._limiter.throttled(self._account, error.seconds)
                pause = pause_before_retry(error, tried, _PATIENCE_S, random.random())  # noqa: S311
                if pause is None or self._monotonic() + pause >= deadline:
                    raise
                tried += 1
                self._pause(pause)

    def close(self) -> None:
        self._transport.close()
        self._limiter.close()

    def _once(self, method: str, path: str, document: Mapping[str, object] | None, deadline: float) -> object:
        whole = path if path.startswith("/") else f"/api/projects/{quote(self._project_id, safe='@')}/{path}"
        left = deadline - self._monotonic()
        with self._limiter.slot(self._account, Priority.DESK, within_s=left, lease_s=left):
            reply = self._transport.exchange(method, whole, document, deadline=deadline)
        if reply.status == 204 or (200 <= reply.status < 300 and reply.is_json):
            return reply.body
        raise self._error(reply)

    def _error(self, reply: Reply) -> LoopdeskError:
        host = self._transport.host
        if 200 <= reply.status < 300:
            return PostHogFailed(f"{host} answered with a page, not as PostHog does", do="Check POSTHOG_HOST")
        return _refused(Refusal(
            reply.status, reply.body, host, self._project_id, self._transport.key_kind, is_json=reply.is_json
        ))  # fmt: skip


class LocalRest:
    """The workspace's own store, through the handlers that `loopdesk serve` mounts."""

    def __init__(self, config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._config, self._now = config, now
        self._table: list[tuple[re.Pattern[str], Mapping[str, Callable]]] = []
        self.place = f"embedded:{config.workspace.root.absolute()}"

    def ask(self, method: str, path: str, document: Mapping[str, object] | None = None) -> object:
        from starlette.datastructures import URL

        from queries.local.rest.asked import Asked
        from queries.local.rest.problems import Problem

        whole = path if path.startswith("/") else f"/api/projects/@current/{path}"
        parts = urlsplit(whole)
        for pattern, methods in self._opened():
            found = pattern.fullmatch(parts.path)
            if found and method in methods:
                query = dict(parse_qsl(parts.query))
                try:
                    return methods[method](Asked(URL(whole), self._now(), found.groupdict(), query, document or {}))[1]
                except Problem as problem:
                    body = {"type": problem.type, "code": problem.code, "detail": problem.detail, "attr": problem.attr}
                    raise _refused(Refusal(problem.status, body, "The embedded store", "@current")) from None
        raise NotThere("The embedded store has nothing of that kind", do="This needs a PostHog: loopdesk connect")

    def close(self) -> None:
        pass

    def _opened(self) -> list[tuple[re.Pattern[str], Mapping[str, Callable]]]:
        from queries.local.api import private_table
        from queries.local.keys import load_keys
        from queries.local.objects import ObjectStore
        from queries.local.rest.project import Project

        workspace = self._config.workspace
        if not workspace.events_db.exists():
            raise LoopdeskError(
                f"There is nothing to ask: {workspace.events_db} does not exist",
                do="Send events to `loopdesk serve`, import a log, or run: loopdesk connect",
            )
        if not self._table:
            project = Project(load_keys(workspace.root).project, self._config.zone)
            table = private_table(ObjectStore(workspace.events_db), project)
            self._table = [(_pattern(path), methods) for path, methods in table.items()]
        return self._table


@dataclass(frozen=True, slots=True)
class Listed:
    """`is_all` False: there are more than were asked for."""

    rows: tuple[dict, ...]
    is_all: bool


def listed(rest: Rest, path: str, most: int = MOST_LISTED, **asked: str) -> Listed:
    """The objects of a list, page by page; the address of `next` is never followed, because the key would go there.
    Raises `LoopdeskError`."""
    rows: list[dict] = []
    for page in _pages(rest, path, asked):
        rows += [row for row in page["results"] if isinstance(row, dict)]
        if not page.get("next") or not page["results"]:
            return Listed(tuple(rows[:most]), len(rows) <= most)
        if len(rows) >= most:
            break
    return Listed(tuple(rows[:most]), False)


def open_rest(config: Config, warn: Callable[[str], None] = lambda _: None) -> Rest:
    """Of whoever answers questions: the configured PostHog, else the workspace's store. Nothing is asked yet.

    Raises `LoopdeskError`."""
    if not config.asks_posthog:
        return LocalRest(config)
    made = connection(config)
    transport = Transport(made.host, made.personal_key)
    if transport.host.startswith("http:") and not is_loopback(transport.host):
        warn(f"{transport.host} is asked without TLS: others on the network can read the personal key.")
    return RemoteRest(transport, Limiter(warn=warn), account(transport.host, made.personal_key), made.project_id)


def _pages(rest: Rest, path: str, asked: Mapping[str, str]) -> Iterator[dict]:
    offset = 0
    while True:
        page = rest.ask("GET", f"{path}?{urlencode({**asked, 'limit': str(_PAGE), 'offset': str(offset)})}")
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise PostHogFailed("PostHog did not answer with a list", do="Try again, or update loopdesk")
        yield page
        offset += _PAGE


def _refused(refusal: Refusal) -> LoopdeskError:
    if refusal.status == 404 and refusal.detail != "Project not found.":
        return NotThere(
            f"{refusal.host} has no such object in this project",
            "It was deleted, or this PostHog or project is another one",
            "Check POSTHOG_PROJECT_ID and POSTHOG_HOST",
        )
    return conflict(refusal) if refusal.status == 409 else error_for(refusal)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?")
