"""Open issues of the owner's repositories on GitHub, one signal an issue. Their text is anybody's: it is carried as
data, and never becomes a command, a file name or a query.

Asked with `since` and the ETag of the last answer: where nothing changed GitHub answers 304, which costs nothing of the
hourly limit. PyGithub has no conditional request for lists, so the request goes through its requester.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.model import Signal
from engine.sources.records import BACKFILL, Fetched
from engine.sources.settings import setting
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

if TYPE_CHECKING:
    from github import Github

NAME = "github_issues"
SOURCE = "github/issue"
WEIGHT = 0.5  # two of them, or one beside a signal of ours, start a report
API = "https://api.github.com"
PAGE = 100  # GitHub's largest page
MOST_PAGES = 10
TIMEOUT_S = 15
CLOCKS_DIFFER = timedelta(minutes=10)
MOST_BODY = 3000  # characters of an issue's text in a signal
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)  # what a template tells the writer, and nobody sees


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`repositories` are `owner/name`, or `owner/name=project` where one holds the code of a loop."""

    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue. `association` is GitHub's word for the author: OWNER, MEMBER, NONE ..."""

    repository: str
    number: int
    title: str
    body: str
    state: str
    labels: tuple[str, ...]
    url: str
    association: str
    is_assigned: bool
    is_pull_request: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GitHubIssues:
    """One repository, `owner/name`. `project` is the loop whose code it holds."""

    repository: str
    project: str = ""
    token: str = field(default="", repr=False)
    weight: float = WEIGHT
    api: str = API
    timeout_s: int = TIMEOUT_S

    @property
    def key(self) -> str:
        return f"{SOURCE}:{self.repository}"

    def fetch(self, cursor: str | None, now: datetime) -> Fetched[Issue]:
        """The newest issues the first time, then those that were touched since. Raises `LoopdeskError`."""
        _repository(self.repository)
        from engine.sources.github_errors import explained

        since, etag = _position(cursor)
        client = self._client()
        try:
            found, new_etag = self._pages(client, since, etag)
            issues = tuple(issue_of(self.repository, document) for document in found)
        except LoopdeskError:
            raise
        except Exception as error:
            raise explained(error, self.repository, has_token=bool(self.token)) from error
        finally:
            client.close()
        if new_etag is None:
            return Fetched((), cursor or "", is_unchanged=True)
        # From now on all that is touched counts, also an old issue that was not among the newest ones.
        start = since or now - CLOCKS_DIFFER
        latest = max((issue.updated_at for issue in issues), default=start) if since else start
        latest = max(latest, start)
        # The ETag belongs to one address; once `since` moves, the next answer brings its own.
        etag = new_etag if latest == since else ""
        return Fetched(issues, json.dumps({"since": latest.isoformat(), "etag": etag}))

    def emit(self, record: Issue) -> Signal | None:
        """None for a pull request and for what is closed."""
        if record.is_pull_request or record.state != "open":
            return None
        return Signal(
            source_product="github",
            source_type="issue",
            source_id=f"{record.repository}#{record.number}",
            content=f"{record.title or 'An issue without a title'}\n{record.body}".rstrip(),
            weight=self.weight,
            occurred_at=record.updated_at,
            extra={
                **({"project": self.project} if self.project else {}),
                "repository": record.repository,
                "number": record.number,
                "url": record.url,
                "labels": list(record.labels),
                "association": record.association,
                "is_assigned": record.is_assigned,
                "created_at": record.created_at.isoformat(),
            },
        )

    def _client(self) -> Github:
        from github import Auth, Github

        # No retries of PyGithub's own: it would sleep as long as the answer tells it to.
        return Github(
            auth=Auth.Token(self.token) if self.token else None,
            base_url=self.api,
            timeout=self.timeout_s,
            retry=None,
            seconds_between_requests=None,
            user_agent="loopdesk",
        )

    def _pages(self, client: Github, since: datetime | None, etag: str) -> tuple[list[Mapping[str, Any]], str | None]:
        """The issues' documents, and the ETag of the first page; None where nothing changed."""
        asked = {"state": "open", "per_page": PAGE}
        asked |= (
            {"sort": "updated", "direction": "asc", "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
            if since
            else {"sort": "created", "direction": "desc"}
        )
        found: list[Mapping[str, Any]] = []
        first = ""
        for number in range(1, MOST_PAGES + 1):
            headers, documents = client.requester.requestJsonAndCheck(
                "GET",
                f"/repos/{self.repository}/issues",
                parameters={**asked, "page": number},
                headers={"If-None-Match": etag} if etag and number == 1 else {},
            )
            if documents is None and etag and number == 1:
                return [], None  # 304: its body is empty
            found += _listed(documents, self.repository)
            first = first or headers.get("etag", "")
            is_enough = since is None and sum("pull_request" not in one for one in found) >= BACKFILL
            if is_enough or len(documents) < PAGE:
                break
        return found, first


def configured(table: object, token: str) -> tuple[GitHubIssues, ...]:
    """A source for each repository of `[sources.github_issues]`; none where it is switched off. Raises
    `LoopdeskError`."""
    chosen = setting(NAME, WEIGHT, Thresholds(), table)
    if not chosen.is_enabled:
        return ()
    named = [entry.partition("=") for entry in chosen.thresholds.repositories]
    return tuple(
        GitHubIssues(_repository(name.strip()), project.strip(), token, chosen.weight) for name, _, project in named
    )


def _repository(name: str) -> str:
    """It becomes part of an address. Raises `LoopdeskError` for what is no `owner/name`."""
    if not _REPOSITORY.fullmatch(name):
        raise LoopdeskError(f"{plain(name, 80)!r} is not a repository", do="Write it as owner/name")
    return name


def _listed(documents: object, repository: str) -> Iterator[Mapping[str, Any]]:
    if not isinstance(documents, list) or not all(isinstance(one, Mapping) for one in documents):
        raise LoopdeskError(
            f"The answer about the issues of {repository} is not a list of issues",
            "Something between here and GitHub answers in its place",
        )
    yield from documents


def issue_of(repository: str, document: Mapping[str, Any]) -> Issue:
    """From GitHub's document; texts made plain and bounded. Raises `ValueError`, `KeyError` or `TypeError` for what is
    no issue."""
    labels = [label.get("name") if isinstance(label, Mapping) else label for label in document.get("labels") or ()]
    return Issue(
        repository=repository,
        number=int(document["number"]),
        title=plain(document.get("title") or "", 200),
        body=_body(document.get("body") or ""),
        state=str(document.get("state") or "open"),
        labels=tuple(plain(label, 50) for label in labels[:20] if label),
        url=_url(document.get("html_url"), repository, int(document["number"])),
        association=plain(document.get("author_association") or "", 30),
        is_assigned=bool(document.get("assignees") or document.get("assignee")),
        is_pull_request="pull_request" in document,
        created_at=_instant(document["created_at"]),
        updated_at=_instant(document["updated_at"]),
    )


def _body(text: str) -> str:
    seen = _COMMENT.sub("", text[: 4 * MOST_BODY])
    said = "\n".join(line.rstrip() for line in plain_lines(seen)).strip()
    return said if len(said) <= MOST_BODY else said[: MOST_BODY - 1].rstrip() + "…"


def _url(given: object, repository: str, number: int) -> str:
    """The issue's own address; anything else that comes in its place is not followed."""
    text = given if isinstance(given, str) else ""
    path = f"/{repository}/issues/{number}"
    return text if re.fullmatch(r"https://[a-z0-9.-]+" + re.escape(path), text, re.IGNORECASE) else ""


def _instant(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _position(cursor: str | None) -> tuple[datetime | None, str]:
    """`since` and ETag. A cursor that cannot be read is none: the newest issues are looked at again."""
    try:
        document = json.loads(cursor or "")
        return _instant(document["since"]), str(document["etag"])
    except (ValueError, KeyError, TypeError):
        return None, ""
