"""GitHub as the forge. Its documents become dataclasses at once; text in them is anybody's and stays data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from engine.forges.answers import Answers
from engine.forges.ci import clipped
from engine.forges.errors import ForgeError, Limited, Moved, Refused, Unanswered
from engine.forges.github_api import API, BETWEEN_WRITES_S, TIMEOUT_S, Api
from engine.forges.mirror import Mirror
from engine.forges.protocol import (
    Check,
    CheckState,
    Comment,
    Draft,
    Merged,
    Opened,
    PullRequest,
    Pushed,
    Repository,
    chosen,
    marker,
    ours,
)
from engine.git import Git
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

WEB = "https://github.com"
MOST_BODY = 10_000  # characters of a comment
MOST_ANNOTATED = 3  # failed checks of which the annotations are read
_NAME = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_SHA = re.compile(r"[0-9a-f]{40}")
_CONCLUSIONS: Mapping[str, CheckState] = {"success": "passed", "neutral": "skipped", "skipped": "skipped"}
_STATUSES: Mapping[str, CheckState] = {"success": "passed", "pending": "pending"}
_VERDICTS = {"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested"}
Method = Literal["merge", "squash", "rebase"]


@dataclass(frozen=True, slots=True)
class GitHubForge:
    """`owner/name`. `mirror` is where git fetches from it and pushes to it, with the same token."""

    name: str
    api: Api
    mirror: Mirror
    method: Method = "squash"
    web: str = WEB

    @classmethod
    def opened(
        cls,
        name: str,
        mirrors: Path,
        git: Git,
        now: Callable[[], datetime],
        token: str,
        *,
        method: Method = "squash",
        api: str = API,
        web: str = WEB,
        timeout_s: int = TIMEOUT_S,
        between_writes_s: float | None = BETWEEN_WRITES_S,
    ) -> GitHubForge:
        """Addresses are of GitHub or of an own server of it; none is ever taken from an answer."""
        if not _NAME.fullmatch(name):
            raise LoopdeskError(f"{plain(name, 80)!r} is not a repository", do="Write it as owner/name")
        mirror = Mirror.opened(mirrors, f"{web}/{name}.git", git, token)
        answers = Answers(mirror.folder.with_suffix(".answers"))
        return cls(name, Api(name, answers, now, token, api, timeout_s, between_writes_s), mirror, method, web)

    def repository(self) -> Repository:
        document = self.api.get(f"/repos/{self.name}")
        with _understood(self.name):
            can_push = bool((document.get("permissions") or {}).get("push"))
            return Repository(self.name, f"{self.web}/{self.name}", str(document["default_branch"]), can_push)

    def push(self, mirror: Mirror, sha: str, branch: str, expected: str | None) -> Pushed:
        return Pushed(branch, sha, was_there=not mirror.push(sha, ours(branch), expected))

    def pull_request(self, branch: str) -> PullRequest | None:
        owner = self.name.partition("/")[0]
        listed = self.api.pages(self._path("pulls"), head=f"{owner}:{ours(branch)}", state="all")
        with _understood(self.name):
            # Somebody's fork may have a branch of the same name, and a server may not filter.
            return chosen(self._pull(one) for one in listed if self._is_of(one, branch))

    def open_pulls(self) -> tuple[PullRequest, ...]:
        listed = self.api.pages(self._path("pulls"), state="open")
        with _understood(self.name):
            return tuple(self._pull(one) for one in listed)

    def read(self, number: int) -> PullRequest:
        document = self.api.get(self._path("pulls", number))
        with _understood(self.name):
            return self._pull(document)

    def propose(self, draft: Draft) -> Opened:
        if found := self.pull_request(draft.branch):
            return Opened(found, was_there=True)
        body = {"title": draft.title, "body": draft.body, "head": draft.branch, "base": draft.base}
        try:
            document = self.api.send("POST", self._path("pulls"), body)
            with _understood(self.name):
                return Opened(self._pull(document))
        except Limited:
            raise
        except ForgeError as error:
            # The answer was lost, or GitHub says that there is one already.
            if found := self.pull_request(draft.branch):
                return Opened(found, was_there=not isinstance(error, Unanswered))
            raise

    def checks(self, sha: str) -> tuple[Check, ...]:
        """Check runs and commit statuses, which are two things at GitHub and one here."""
        if not _SHA.fullmatch(sha):
            raise Refused(f"{plain(sha, 60)!r} is not a commit")
        runs = self.api.pages(self._path("commits", sha, "check-runs"), "check_runs", filter="latest")
        statuses = self.api.pages(self._path("commits", sha, "status"), "statuses")
        with _understood(self.name):
            found = [*map(self._check, runs), *map(_status, statuses)]
            annotated = [int(run["id"]) if _count(run) else 0 for run in runs] + [0] * len(statuses)
        return tuple(self._annotated(found, annotated))

    def run_checks(self, sha: str) -> tuple[Check, ...]:
        """GitHub has started them by itself."""
        return self.checks(sha)

    def conversation(self, number: int) -> tuple[Comment, ...]:
        me = self._login()
        said = self.api.pages(self._path("issues", number, "comments"))
        lines = self.api.pages(self._path("pulls", number, "comments"))
        reviews = self.api.pages(self._path("pulls", number, "reviews"))
        with _understood(self.name):
            found = [_comment("comment", one, me) for one in said]
            found += [_comment("line", one, me) for one in lines]
            # A review without words and verdict only carries its lines; a pending one has not been sent.
            found += [
                _comment("review", one, me)
                for one in reviews
                if one["state"] != "PENDING" and (one.get("body") or one["state"] in _VERDICTS)
            ]
        return tuple(sorted(found, key=lambda one: one.at))

    def comment(self, number: int, key: str, body: str) -> Comment:
        line, me = marker(key), self._login()
        if found := self._marked(number, line, me):
            return found
        try:
            path = self._path("issues", number, "comments")
            document = self.api.send("POST", path, {"body": f"{body}\n\n{line}"})
            with _understood(self.name):
                return _comment("comment", document, me)
        except Unanswered:
            if found := self._marked(number, line, me):
                return found
            raise

    def merge(self, number: int, sha: str, title: str) -> Merged:
        pull = self.read(number)
        if pull.state == "merged":
            return Merged(pull.merge_sha, was_there=True)
        if pull.state == "closed":
            raise Refused(f"Pull request {number} is closed", "Somebody closed it without merging")
        if pull.head_sha != sha:
            raise Moved(
                f"{pull.branch} stands at {pull.head_sha[:10]} and not at {sha[:10]}",
                "Somebody pushed after it was shown",
                "Look at the new change first",
            )
        body = {"sha": sha, "merge_method": self.method, "commit_title": title}
        try:
            document = self.api.send("PUT", self._path("pulls", number, "merge"), body)
        except Limited:
            raise
        except ForgeError as error:
            # The answer was lost, or somebody else was faster.
            found = self.read(number)
            if found.state == "merged" and found.head_sha == sha:
                return Merged(found.merge_sha, was_there=not isinstance(error, Unanswered))
            raise
        with _understood(self.name):
            return Merged(str(document["sha"]))

    def close(self, number: int) -> PullRequest:
        pull = self.read(number)
        if pull.state != "open":
            return pull
        try:
            document = self.api.send("PATCH", self._path("pulls", number), {"state": "closed"})
            with _understood(self.name):
                return self._pull(document)
        except Unanswered:
            found = self.read(number)
            if found.state == "open":
                raise
            return found

    def _path(self, *parts: object) -> str:
        return "/".join(["", "repos", self.name, *map(str, parts)])

    def _is_of(self, document: Mapping[str, Any], branch: str) -> bool:
        head = document["head"]
        repository = (head.get("repo") or {}).get("full_name") or ""
        return head["ref"] == branch and repository.casefold() == self.name.casefold()

    def _pull(self, document: Mapping[str, Any]) -> PullRequest:
        number = int(document["number"])
        is_merged = bool(document.get("merged_at") or document.get("merged"))
        mergeable = document.get("mergeable")
        return PullRequest(
            number=number,
            state="merged" if is_merged else "open" if document["state"] == "open" else "closed",
            branch=str(document["head"]["ref"]),
            base=str(document["base"]["ref"]),
            head_sha=_sha(document["head"]["sha"]),
            title=plain(document.get("title") or "", 300),
            url=f"{self.web}/{self.name}/pull/{number}",
            mergeable=mergeable if isinstance(mergeable, bool) else None,
            is_draft=bool(document.get("draft")),
            merge_sha=_sha(document["merge_commit_sha"]) if is_merged and document.get("merge_commit_sha") else "",
        )

    def _check(self, document: Mapping[str, Any]) -> Check:
        """Anything that ended and is not known to be good is bad: timed out, cancelled, waiting for someone's click."""
        output = document.get("output") or {}
        state: CheckState = "pending"
        if document["status"] == "completed":
            state = _CONCLUSIONS.get(str(document.get("conclusion")), "failed")
        said = "\n".join(str(output[part]) for part in ("title", "summary", "text") if output.get(part))
        if state == "failed" and document.get("conclusion") != "failure":
            said = f"{document.get('conclusion')}\n{said}"
        return Check(plain(document["name"], 120), state, _page(document.get("html_url")), clipped(said))

    def _annotated(self, checks: list[Check], ids: list[int]) -> Iterator[Check]:
        """With the lines that failed ones point at: of GitHub's own CI they are all that says what failed."""
        left = MOST_ANNOTATED
        for check, id in zip(checks, ids, strict=True):
            if check.state != "failed" or not id or not left:
                yield check
                continue
            left -= 1
            found = self.api.pages(self._path("check-runs", id, "annotations"))
            lines = [f"{one.get('path')}:{one.get('start_line')}: {one.get('message')}" for one in found[:20]]
            yield replace(check, summary=clipped("\n".join([check.summary, *lines])))

    def _marked(self, number: int, line: str, me: str) -> Comment | None:
        """Only a comment of our own: anybody can write our marker."""
        for one in self.api.pages(self._path("issues", number, "comments")):
            with _understood(self.name):
                if line in (one.get("body") or "") and _is_ours(one, me):
                    return _comment("comment", one, me)
        return None

    def _login(self) -> str:
        """Empty for the token of an app's installation, which is nobody."""
        try:
            return str(self.api.get("/user").get("login") or "")
        except Refused:
            return ""


@contextmanager
def _understood(repository: str) -> Iterator[None]:
    """A document that lacks what it has to have is an answer that did not come."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unanswered(f"GitHub's answer about {repository} is not what it should be") from error


def _status(document: Mapping[str, Any]) -> Check:
    state = _STATUSES.get(str(document["state"]), "failed")
    return Check(
        plain(document["context"], 120),
        state,
        _page(document.get("target_url")),
        clipped(str(document.get("description") or "")),
    )


def _comment(kind: Literal["comment", "line", "review"], document: Mapping[str, Any], me: str) -> Comment:
    at = document.get("submitted_at") or document["created_at"]
    found = datetime.fromisoformat(str(at))
    line = document.get("line")
    body = "\n".join(plain_lines(str(document.get("body") or "")[: 2 * MOST_BODY]))
    return Comment(
        id=f"{kind}-{int(document['id'])}",
        kind=kind,
        author=plain((document.get("user") or {}).get("login") or "ghost", 60),
        association=plain(document.get("author_association") or "NONE", 30),
        body=body if len(body) <= MOST_BODY else body[: MOST_BODY - 1] + "…",
        at=found if found.tzinfo else found.replace(tzinfo=UTC),
        path=plain(document.get("path") or "", 300),
        line=line if isinstance(line, int) else None,
        verdict=_VERDICTS.get(str(document.get("state")), "") if kind == "review" else "",
        is_ours=_is_ours(document, me),
    )


def _is_ours(document: Mapping[str, Any], me: str) -> bool:
    user = document.get("user") or {}
    if me:
        return str(user.get("login")).casefold() == me.casefold()
    return user.get("type") == "Bot" and "<!-- loopdesk:" in (document.get("body") or "")


def _sha(text: object) -> str:
    if not isinstance(text, str) or not _SHA.fullmatch(text):
        raise ValueError("not a commit")
    return text


def _count(run: Mapping[str, Any]) -> int:
    return int((run.get("output") or {}).get("annotations_count") or 0)


def _page(address: object) -> str:
    """Only an address of a page: it is shown as a link."""
    text = address if isinstance(address, str) else ""
    return text if re.fullmatch(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,500}", text) else ""
