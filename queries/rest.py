"""PostHog's private REST, the same for both backends: the configured PostHog over HTTP, or the workspace's own store.

Paths are inside the project (`annotations/`) unless they begin with a slash. A reading or a change to a named object is
sent again after a broken connection; making something is not, because PostHog knows no key that makes it once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from queries.backend import QueryTimedOut
from queries.remote_errors import PostHogBusy, PostHogFailed, Refusal, conflict, error_for
from queries.remote_exchange import Exchanges, open_exchanges
from queries.remote_http import CutOff, Reply
from workspace.config import Config
from workspace.errors import LoopdeskError

LOST = (PostHogBusy, CutOff, QueryTimedOut)
"""After any of these errors what was sent may have been done."""
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

    def __init__(self, exchanges: Exchanges) -> None:
        self._exchanges = exchanges
        self.place = f"{exchanges.host}/project/{exchanges.project_id}"

    def ask(self, method: str, path: str, document: Mapping[str, object] | None = None) -> object:
        whole = path if path.startswith("/") else self._exchanges.within_project(path)
        return self._exchanges.exchange(method, whole, document, self._refused, is_repeatable=method != "POST").body

    def close(self) -> None:
        self._exchanges.close()

    def _refused(self, reply: Reply) -> LoopdeskError | None:
        if reply.status == 204 or (200 <= reply.status < 300 and reply.is_json):
            return None
        if 200 <= reply.status < 300:
            host = self._exchanges.host
            return PostHogFailed(f"{host} answered with a page, not as PostHog does", do="Check POSTHOG_HOST")
        return _refused(self._exchanges.refusal(reply))


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
    return RemoteRest(open_exchanges(config, warn))


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
