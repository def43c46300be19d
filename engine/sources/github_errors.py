"""What went wrong between here and GitHub, in sentences. Loaded with PyGithub only."""

from __future__ import annotations

import requests
from github import GithubException, RateLimitExceededException
from github.Requester import Requester

from workspace.errors import LoopdeskError
from workspace.text import plain

_LATER = "The issues are looked at again at the next round of the engine"


def explained(error: Exception, repository: str, *, has_token: bool) -> LoopdeskError:
    """The sentence for `error`. What GitHub itself says is quoted, made plain; no token is ever in it."""
    if isinstance(error, GithubException):
        return _refused(error, repository, has_token)
    if isinstance(error, requests.exceptions.Timeout):
        return LoopdeskError(f"GitHub did not answer about {repository} in time", _LATER)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | ValueError | KeyError | TypeError):
        return LoopdeskError(f"GitHub's answer about {repository} was cut short or is not what it should be", _LATER)
    if isinstance(error, requests.exceptions.ConnectionError):
        return LoopdeskError("GitHub cannot be reached", _LATER, "Check the network and any proxy")
    if isinstance(error, RuntimeError) and "redirect" in str(error):
        return LoopdeskError(f"{repository} has moved", do="Write its new name into [sources.github_issues]")
    return LoopdeskError(f"Looking at the issues of {repository} failed: {type(error).__name__}", _LATER)


def _refused(error: GithubException, repository: str, has_token: bool) -> LoopdeskError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = error.data.get("message", "") if isinstance(error.data, dict) else ""
    # GitHub answers 429 for the same limits.
    is_limit = isinstance(error, RateLimitExceededException) or "retry-after" in headers or error.status == 429
    if is_limit or (error.status == 403 and Requester.isRateLimitError(said)):
        wait = str(headers.get("retry-after", ""))
        when = f"It may be asked again in {wait} s" if wait.isdigit() else _LATER
        kind = "secondary rate limit" if "secondary" in said.lower() else "rate limit"
        return LoopdeskError(f"GitHub asks to slow down ({kind})", when, "" if has_token else "Set GITHUB_TOKEN")
    if error.status == 401:
        return LoopdeskError("GitHub refused the token", "It has expired or was revoked", "Set a new GITHUB_TOKEN")
    if error.status == 403:
        return LoopdeskError(
            f"GitHub refuses the issues of {repository} ({plain(said, 120) or 'forbidden'})",
            "The token lacks the permission to read issues",
            "Give it Issues: read for this repository",
        )
    if error.status in (404, 410):
        what = f"GitHub has no issues of {repository}" if error.status == 410 else f"GitHub knows no {repository}"
        does = "or the token may not see it" if has_token else "or it is private and no GITHUB_TOKEN is set"
        return LoopdeskError(f"{what}, {does}", do="Check the name in [sources.github_issues]")
    if error.status >= 500:
        return LoopdeskError(f"GitHub itself has a problem (HTTP {error.status})", _LATER)
    return LoopdeskError(f"GitHub refused to list the issues of {repository} (HTTP {error.status}: {plain(said, 120)})")
