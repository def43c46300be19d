"""What PostHog's answers mean for whoever set the key: one line each. Pure."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tui.commands.checks.line import Line, note, ok, wrong
from tui.commands.checks.together import Outcome
from workspace.text import plain

_CLOUDS = ("us.posthog.com", "eu.posthog.com")
# Scope -> the list that needs it. What the desk asks now is `query:read`; these belong to screens that come later.
LATER = {
    "annotation:read": "annotations",
    "feature_flag:read": "feature_flags",
    "experiment:read": "experiments",
}
_NAMED_SCOPE = re.compile(r"scope '([a-z_]+:[a-z]+)'")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, PostHog's `detail` made plain (empty where it is no JSON), the server's clock."""

    status: int
    detail: str = ""
    is_json: bool = False
    date: str = ""
    location: str = ""
    asked_at: float = 0.0


def no_answer(found: Outcome[Answer]) -> Line:
    """A connection that broke, in the words of what broke it."""
    error: BaseException | None = found.error
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            why = plain(getattr(error, "verify_message", "") or error, 120)
            do = "Is the clock right? Is there a proxy that needs a certificate of its own (SSL_CERT_FILE)?"
            return wrong("TLS", f"the server's certificate is not trusted: {why}", do)
        if isinstance(error, ssl.SSLError):
            return wrong("TLS", f"no encrypted connection: {plain(error, 120)}", "Is it https:// on that port?")
        error = error.__cause__ or error.__context__
    # Only what kind of error: a message may hold what was sent.
    why = "there was no answer in time" if found.is_late else f"the answer broke off ({type(found.error).__name__})"
    return wrong("HTTP", f"connected, but {why}", "Is that address PostHog's?")


def who(me: Answer, host: str) -> list[Line]:
    """What `/api/users/@me/` says of the key."""
    if me.status == 200 and not me.is_json:
        return [wrong("HTTP", "a web page answers, and not PostHog", "Is that address PostHog's, or a log-in page's?")]
    if me.status == 200:
        return [ok("key", "PostHog knows the personal key")]
    if me.status == 401:
        other = next((cloud for cloud in _CLOUDS if cloud != host), "")
        mixed = f" A key made on {other} is not known on {host}." if host in _CLOUDS else ""
        return [
            wrong(
                "key",
                f"PostHog does not know the personal key.{mixed}",
                "Make one under Settings > Personal API keys, on that host",
            )
        ]
    if me.status == 403:
        return [ok("key", "PostHog knows the personal key (it may not read its owner's name, which nothing needs)")]
    if me.status in (301, 302, 307, 308):
        return [
            wrong(
                "HTTP",
                f"the host sends us on to {me.location or 'another address'}",
                "Set POSTHOG_HOST to that one, if it is PostHog's",
            )
        ]
    if me.status == 429:
        return [note("key", "PostHog knows the key and throttles it at the moment", "Ask again in a minute")]
    if me.status >= 500:
        return [wrong("HTTP", f"PostHog has a fault of its own ({me.status})", "Ask again later")]
    return [note("key", f"/api/users/@me/ answers {me.status}; the next line decides")]


def permissions(found: Mapping[str, Answer | None], project: str) -> list[Line]:
    """A line for each scope; only `query:read` is needed now. Write scopes cannot be tried without writing."""
    lines = []
    for scope, answer in found.items():
        is_needed = scope not in LATER
        state = wrong if is_needed else note
        if answer is None:
            lines.append(state(scope, "no answer in time", "Ask again later"))
        elif answer.status in (200, 202) and answer.is_json:
            lines.append(ok(scope, "allowed" if is_needed else "allowed (not needed yet)"))
        elif answer.status == 403 and _NAMED_SCOPE.search(answer.detail):
            named = _NAMED_SCOPE.search(answer.detail)[1]  # type: ignore[index]
            if is_needed:
                lines.append(
                    wrong(
                        scope,
                        f"missing: the key lacks {named}",
                        "Make a key with it under Settings > Personal API keys",
                    )
                )
            else:
                lines.append(note(scope, "missing; not needed yet", "For screens that come later"))
        elif answer.status in (403, 404):
            said = answer.detail or f"status {answer.status}"
            lines.append(
                state(
                    scope,
                    f"project {project} cannot be asked: {said}",
                    "Check POSTHOG_PROJECT_ID, the key's projects, and US or EU",
                )
            )
        elif answer.status == 429:
            lines.append(note(scope, "throttled at the moment", "Ask again in a minute"))
        else:
            said = answer.detail or ("" if answer.is_json else "not PostHog's JSON")
            lines.append(state(scope, f"answers {answer.status} {said}".rstrip(), "Ask again later"))
    return lines


def clock(answer: Answer) -> list[Line]:
    """This machine's clock against the server's, which is right to the second."""
    try:
        theirs = parsedate_to_datetime(answer.date)
    except (TypeError, ValueError):
        return [note("clock", "the server does not say its time")]
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    off_s = (datetime.fromtimestamp(answer.asked_at, UTC) - theirs).total_seconds()
    if abs(off_s) <= 30:
        return [ok("clock", "agrees with the server's")]
    means = "rounds get times that are off by as much, and nights begin and end at the wrong ones"
    said = f"{abs(off_s):,.0f} s {'ahead of' if off_s > 0 else 'behind'} the server's: {means}"
    state = wrong if abs(off_s) > 600 else note
    return [state("clock", said, "Switch on time synchronisation (timedatectl set-ntp true)")]
