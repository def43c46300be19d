"""What GitHub refuses, as the errors of a forge. Loaded with PyGithub only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import requests
from github import GithubException, RateLimitExceededException
from github.Requester import Requester

from engine.forges.errors import Conflict, ForgeError, Limited, Missing, Moved, Refused, Unanswered
from workspace.text import plain

_AGAIN = "What came of it is looked up before anything is done again"
_SHORTEST = timedelta(minutes=1)  # GitHub's advice where a secondary limit names no time; then twice as long each time
_LONGEST = timedelta(minutes=32)
_NEEDS = {
    "/check-runs": "Checks: read",
    "/status": "Commit statuses: read",
    "/merge": "Contents: write and Pull requests: write",
    "/pulls": "Pull requests: write",
    "/issues": "Pull requests: write",
}


def explained(error: Exception, repository: str, path: str, now: datetime, in_a_row: int) -> ForgeError:
    """`in_a_row` is how often the limit was met without a good answer between. No token is ever in the sentence."""
    if isinstance(error, GithubException):
        return _refused(error, repository, path, now, in_a_row)
    if isinstance(error, requests.exceptions.Timeout):
        return Unanswered(f"GitHub did not answer about {repository} in time", _AGAIN)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | ValueError | KeyError | TypeError):
        return Unanswered(f"GitHub's answer about {repository} was cut short or is not what it should be", _AGAIN)
    if isinstance(error, requests.exceptions.RequestException):
        return Unanswered("GitHub cannot be reached", _AGAIN, "Check the network and any proxy")
    if isinstance(error, RuntimeError) and "redirect" in str(error):
        return _has_moved(repository)
    return Unanswered(f"Asking GitHub about {repository} failed: {type(error).__name__}", _AGAIN)


def spent_until(headers: Mapping[str, object]) -> datetime | None:
    """When the hourly limit begins anew, if there is nothing left of it."""
    reset = str(headers.get("x-ratelimit-reset", ""))
    if str(headers.get("x-ratelimit-remaining", "")) != "0" or not reset.isdigit():
        return None
    return datetime.fromtimestamp(int(reset), UTC)


def _refused(error: GithubException, repository: str, path: str, now: datetime, in_a_row: int) -> ForgeError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = _said(error.data)
    # GitHub answers 429 for the same limits.
    is_limit = isinstance(error, RateLimitExceededException) or "retry-after" in headers or error.status == 429
    if is_limit or (error.status == 403 and Requester.isRateLimitError(said)):
        return _limited(headers, said, now, in_a_row)
    if error.status in (301, 302, 307, 308):
        return _has_moved(repository)
    if error.status == 401:
        return Refused("GitHub refused the token", "It has expired or was revoked", "Set a new GITHUB_TOKEN")
    if error.status == 403:
        needed = next((needed for part, needed in _NEEDS.items() if part in path), "Contents: write")
        what = f"GitHub refuses this to the token ({plain(said, 160) or 'forbidden'})"
        return Refused(what, f"It may lack a permission for {repository}", f"Give it {needed}")
    if error.status in (404, 410):
        return Missing(
            f"GitHub knows no {path.removeprefix('/repos/').partition('?')[0]}",
            "It is gone, or the token may not see it",
            "Check the name, and the repositories that the token was given",
        )
    if error.status == 405 and "base branch was modified" in said.lower():
        return Moved("The base branch moved during the merge", said, "Merge again")
    if error.status == 405:
        kind = Conflict if "not mergeable" in said.lower() else Refused
        return kind(f"GitHub does not merge it: {plain(said, 200)}", "A conflict, or a rule of the repository")
    if error.status == 409:
        return Moved(
            f"GitHub says that it changed meanwhile: {plain(said, 200)}", "Nothing was done", "Look at it again"
        )
    if error.status >= 500:
        return Unanswered(f"GitHub itself has a problem (HTTP {error.status})", _AGAIN)
    return Refused(f"GitHub refused it (HTTP {error.status}): {plain(said, 300) or 'without a reason'}")


def _limited(headers: Mapping[str, object], said: str, now: datetime, in_a_row: int) -> Limited:
    wait = str(headers.get("retry-after", ""))
    reset = spent_until(headers)
    if wait.isdigit():
        until = now + timedelta(seconds=int(wait))
    elif reset:
        until = max(reset, now)
    else:
        until = now + min(_SHORTEST * 2 ** min(in_a_row, 10), _LONGEST)
    kind = "secondary rate limit" if "secondary" in said.lower() else "rate limit"
    seconds = max(0, round((until - now).total_seconds()))
    return Limited(f"GitHub asks to slow down ({kind})", until, f"It is asked again in {seconds:,} s")


def _has_moved(repository: str) -> Refused:
    return Refused(f"{repository} has moved", do="Write its new name into the configuration")


def _said(data: object) -> str:
    """GitHub's message, and the parts of a 422."""
    if not isinstance(data, Mapping):
        return ""
    parts = [str(data.get("message") or "")]
    errors = data.get("errors")
    for one in errors if isinstance(errors, list) else ():
        if isinstance(one, Mapping):
            parts.append(str(one.get("message") or " ".join(str(one.get(name, "")) for name in ("field", "code"))))
        else:
            parts.append(str(one))
    return "; ".join(dict.fromkeys(part for part in parts if part))
