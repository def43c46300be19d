"""PostHog's own inbox: the self-driving reports of the connected project, read, and their states sent back.

`GET` and `POST /api/projects/:id/signals/reports/`, scopes `task:read` and `task:write`. A project that has no such
inbox is nothing wrong: it is said once, as a sentence, and not asked again. Titles and summaries are written by
PostHog's model from whatever reached the project: they are untrusted, and made safe to show here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from queries.moments import moment_of
from queries.remote_errors import KeyRefused, PostHogFailed, error_for
from queries.remote_exchange import Exchanges, open_exchanges
from queries.remote_http import Reply
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

STATUSES = (
    "potential", "candidate", "in_progress", "pending_input", "ready", "resolved", "failed", "suppressed", "deleted",
)  # fmt: skip
OPEN = ("candidate", "in_progress", "pending_input", "ready", "failed")
"""What is listed unless somebody asks for more: no hunches, and nothing that is over."""
REASONS = (
    "already_fixed", "report_unclear", "analysis_wrong", "wontfix_intentional", "wontfix_irrelevant", "wrong_repo",
    "other",
)  # fmt: skip
MOST_NOTE = 4_000  # PostHog's own limit
MOST_REPORTS = 500
_PAGE = 100
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_TITLE, _MOST_SUMMARY = 200, 4_000


class NoPostHogInbox(LoopdeskError):
    """The project has no such reports for this key: no such product, or not allowed to read it."""


@dataclass(frozen=True, slots=True)
class PostHogReport:
    """`priority` is P0 to P4, or empty. Words are printable; `signals` is how many there are."""

    id: str
    title: str
    summary: str
    status: str
    priority: str
    signals: int
    created_at: datetime | None
    updated_at: datetime | None
    url: str


@dataclass(frozen=True, slots=True)
class Listed:
    """`is_all` False: there are more than were asked for. `unavailable` says why there is nothing to list."""

    reports: tuple[PostHogReport, ...] = ()
    is_all: bool = True
    unavailable: str = ""


class PostHogInbox:
    """Blocking, for one thread."""

    def __init__(self, exchanges: Exchanges) -> None:
        self._exchanges = exchanges
        self._unavailable = ""

    def close(self) -> None:
        self._exchanges.close()

    def reports(self, statuses: Sequence[str] = OPEN, *, most: int = MOST_REPORTS) -> Listed:
        """The newest change first. Raises `LoopdeskError` where PostHog does not answer; a project without an inbox
        is `unavailable`."""
        if self._unavailable:
            return Listed(unavailable=self._unavailable)
        found: dict[str, PostHogReport] = {}
        offset = 0
        while True:
            asked = {"status": ",".join(statuses), "scope": "entire_project", "ordering": "-updated_at"}
            asked |= {"limit": str(_PAGE), "offset": str(offset)}
            if {"deleted", "suppressed"} & set(statuses):
                asked["include_all_statuses"] = "true"
            try:
                rows, has_more = self._page(asked)
            except NoPostHogInbox as error:
                self._unavailable = str(error)
                return Listed(unavailable=self._unavailable)
            # While pages are read a report may move from one to the next; the address of `next` is never followed.
            for report in (made for row in rows if (made := self._report(row))):
                found.setdefault(report.id, report)
            offset += _PAGE
            if not has_more or not rows or len(found) >= most or offset >= 2 * max(most, _PAGE):
                return Listed(tuple(found.values())[:most], not has_more and len(found) <= most)

    def report(self, id: str) -> PostHogReport:
        """Raises `LoopdeskError` where there is none of that id."""
        reply = self._exchange("GET", f"{_checked(id)}/")
        found = self._report(reply.body)
        if found is None:
            raise _no_answer(self._exchanges.host)
        return found

    def resolve(self, id: str) -> None:
        """From ready, pending input or suppressed alone. Raises `LoopdeskError`, as all that follow do."""
        self._state(id, {"state": "resolved"})

    def dismiss(self, id: str, reason: str, note: str = "") -> None:
        if reason not in REASONS:
            raise LoopdeskError("Dismissing needs a reason", do=f"Use one of {', '.join(REASONS)}")
        if len(note) > MOST_NOTE:
            raise LoopdeskError(f"A note is text of at most {MOST_NOTE:,} characters")
        document: dict[str, object] = {"state": "suppressed", "dismissal_reason": reason}
        self._state(id, {**document, "dismissal_note": note} if note else document)

    def snooze(self, id: str, signals: int) -> None:
        """Until so many further signals came; PostHog snoozes by no clock."""
        if signals < 1:
            raise LoopdeskError("Snoozing needs a number of further signals, from 1 on")
        self._state(id, {"state": "potential", "snooze_for": signals})

    def reopen(self, id: str) -> None:
        self._state(id, {"state": "potential"})

    def _state(self, id: str, document: Mapping[str, object]) -> None:
        # To state a verdict that a report already has is answered with 200, so this may be sent again.
        self._exchange("POST", f"{_checked(id)}/state/", document)

    def _page(self, asked: Mapping[str, str]) -> tuple[Sequence[object], bool]:
        body = self._exchange("GET", f"?{urlencode(asked)}", is_list=True).body
        rows = body.get("results") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise _no_answer(self._exchanges.host)
        return rows, bool(body.get("next")) if isinstance(body, dict) else False

    def _exchange(
        self, method: str, rest: str, document: Mapping[str, object] | None = None, *, is_list: bool = False
    ) -> Reply:
        path = self._exchanges.within_project(f"signals/reports/{rest}")
        return self._exchanges.exchange(method, path, document, partial(self._refused, is_list=is_list))

    def _report(self, row: object) -> PostHogReport | None:
        return _report(row, self._exchanges.host, self._exchanges.project_id)

    def _refused(self, reply: Reply, *, is_list: bool) -> LoopdeskError | None:
        if not 200 <= reply.status < 300:
            return self._error(reply, is_list=is_list)
        if reply.is_json:
            return None
        # An older self-hosted PostHog answers an address that it does not know with its app's page.
        return _none("answers with a page in its place") if is_list else _no_answer(self._exchanges.host)

    def _error(self, reply: Reply, *, is_list: bool) -> LoopdeskError:
        refusal = self._exchanges.refusal(reply)
        error = error_for(refusal)
        if reply.status == 404 and is_list:
            return _none("this PostHog or project has none")
        if is_list and isinstance(error, KeyRefused):
            return NoPostHogInbox(f"PostHog's own inbox is not listed: {error.what}", error.means, error.do)
        if reply.status == 404:
            return LoopdeskError("That report is not in PostHog's inbox any more", do="List them again")
        if reply.status in (400, 409):
            said = refusal.detail.rstrip(".")
            return LoopdeskError(
                f"PostHog does not take that state for this report{f': {said}' if said else ''}",
                "It may have moved since you saw it",
                "List them again",
            )
        return error


def open_inbox(config: Config, warn: Callable[[str], None] = lambda _: None) -> PostHogInbox:
    """Of the configured PostHog; nothing is asked yet. Raises `LoopdeskError` where none is."""
    return PostHogInbox(open_exchanges(config, warn))


def _none(why: str) -> NoPostHogInbox:
    return NoPostHogInbox(f"PostHog's own inbox is not listed: {why}", do="Nothing is wrong; yours works without it")


def _no_answer(host: str) -> PostHogFailed:
    return PostHogFailed(f"{host} did not answer as PostHog's inbox does", do="Try again, or update loopdesk")


def _checked(id: str) -> str:
    if not _ID.fullmatch(id):
        raise LoopdeskError(f"{plain(id, 80)!r} is no report of PostHog's")
    return id


def _report(row: object, host: str, project_id: str) -> PostHogReport | None:
    """None for what is no report that we could name."""
    if not isinstance(row, dict) or not isinstance(id := row.get("id"), str) or not _ID.fullmatch(id):
        return None
    status, priority, signals = row.get("status"), row.get("priority"), row.get("signal_count")
    place = f"/project/{project_id}" if project_id.isdecimal() else ""
    return PostHogReport(
        id=id,
        title=plain(row.get("title") or "", _MOST_TITLE) or "(no title)",
        summary="\n".join(plain_lines(str(row.get("summary") or "")[:_MOST_SUMMARY])),
        status=status if status in STATUSES else "unknown",
        priority=priority if priority in ("P0", "P1", "P2", "P3", "P4") else "",
        signals=signals if type(signals) is int else 0,
        created_at=moment_of(row.get("created_at")),
        updated_at=moment_of(row.get("updated_at")),
        url=f"{host}{place}/inbox/{id}",
    )
