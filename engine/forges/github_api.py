"""GitHub's REST for one repository: conditional reads, single writes, and no request while GitHub asks to wait.

PyGithub has no conditional requests for its objects, and follows the addresses in answers; so requests go through its
requester, to addresses that are made here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from engine.forges.answers import Answer, Answers
from engine.forges.errors import Limited, Unanswered

if TYPE_CHECKING:
    from github import Github

API = "https://api.github.com"
PAGE = 100  # GitHub's largest page
MOST_PAGES = 10
TIMEOUT_S = 15
BETWEEN_WRITES_S = 1.0  # GitHub's advice; faster ones meet its secondary limits


@dataclass
class Api:
    """One request at a time, as GitHub advises. `asked` counts what went over the wire, `unchanged` the 304 of it."""

    repository: str
    answers: Answers
    now: Callable[[], datetime]
    token: str = field(default="", repr=False)
    address: str = API
    timeout_s: int = TIMEOUT_S
    between_writes_s: float | None = BETWEEN_WRITES_S
    asked: int = 0
    unchanged: int = 0
    _until: datetime | None = None
    _limits_in_a_row: int = 0
    _client: Github | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self, path: str, **parameters: object) -> Any:
        """A document, as it is now. Raises `ForgeError`."""
        where = f"{path}?{urlencode(sorted(parameters.items()))}" if parameters else path
        known = self.answers.of(where)
        headers = {"If-None-Match": known.etag} if known else {}
        got, document = self._ask("GET", where, headers, None)
        if document is None and known:
            self.unchanged += 1
            return known.document
        if document is None:
            raise Unanswered(f"GitHub's answer about {self.repository} is empty")
        if etag := got.get("etag"):
            self.answers.keep(where, Answer(str(etag), document))
        return document

    def pages(self, path: str, inside: str = "", **parameters: object) -> list[Mapping[str, Any]]:
        """All entries of a list, or of the list `inside` each document. Raises `ForgeError`."""
        found: list[Mapping[str, Any]] = []
        for number in range(1, MOST_PAGES + 1):
            document = self.get(path, per_page=PAGE, page=number, **parameters)
            entries = document.get(inside) if inside and isinstance(document, Mapping) else document
            if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
                raise Unanswered(
                    f"GitHub's answer about {self.repository} is not a list",
                    "Something between here and GitHub answers in its place",
                )
            found += entries
            if len(entries) < PAGE:
                break
        return found

    def send(self, verb: str, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """Once, whatever comes of it. Raises `ForgeError`."""
        document = self._ask(verb, path, {}, body)[1]
        if not isinstance(document, Mapping):
            raise Unanswered(f"GitHub's answer about {self.repository} is not what it should be")
        return document

    def close(self) -> None:
        if self._client:
            self._client.close()
            self._client = None

    def _ask(
        self, verb: str, path: str, headers: Mapping[str, str], body: Mapping[str, object] | None
    ) -> tuple[Mapping[str, Any], Any]:
        from engine.forges.github_errors import explained, spent_until

        with self._lock:
            now = self.now()
            if self._until and now < self._until:
                seconds = round((self._until - now).total_seconds())
                raise Limited("GitHub asked to slow down", self._until, f"It is asked again in {seconds:,} s")
            self.asked += 1
            try:
                got, document = self._requester().requestJsonAndCheck(verb, path, headers=dict(headers), input=body)
            except Exception as error:
                found = explained(error, self.repository, path, now, self._limits_in_a_row)
                if isinstance(found, Limited):
                    self._until, self._limits_in_a_row = found.until, self._limits_in_a_row + 1
                raise found from error
            self._limits_in_a_row = 0
            got = {name.lower(): value for name, value in got.items()}
            self._until = spent_until(got)
            return got, document

    def _requester(self) -> Any:
        if self._client is None:
            from github import Auth, Github

            # No retries of PyGithub's own: it would sleep as long as the answer tells it to.
            self._client = Github(
                auth=Auth.Token(self.token) if self.token else None,
                base_url=self.address,
                timeout=self.timeout_s,
                retry=None,
                seconds_between_requests=None,
                seconds_between_writes=self.between_writes_s,
                user_agent="loopdesk",
            )
        return self._client.requester
