"""What PostHog's refusals mean, in sentences. Pure: a status and a body in, an error out.

Shapes are drf-exceptions-hog's `{type, code, detail, attr}`; what stands before PostHog (a load balancer, a proxy)
answers HTML, which is never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from queries.backend import QueryRefused, QueryTimedOut
from queries.remote_host import is_loopback
from workspace.errors import LoopdeskError
from workspace.text import plain

_SHOWN = 300  # characters of PostHog's own words
_SECONDS = re.compile(r"available in (\d+(?:\.\d+)?) second|(\d+(?:\.\d+)?) seconds?\b")
_SCOPE = re.compile(r"required scope '([a-z_]+:[a-z]+|\*)'")
_CONCURRENCY = re.compile(r"concurrency|concurrent|too many simultaneous", re.IGNORECASE)
_KEYS = re.compile(r"ph[a-z]_[A-Za-z0-9_-]{8,}")
_TIMED_OUT = frozenset({504, 512, 524})
_GATEWAY = frozenset({502, 503, 520, 521, 522, 523})


class PostHogUnreachable(LoopdeskError):
    """Nothing that speaks for PostHog answered: no such name, refused, cut off, too slow, no TLS, a proxy."""


class KeyRefused(LoopdeskError):
    """The personal key is not one that this PostHog knows, or lacks a scope or the project."""


class Throttled(LoopdeskError):
    """PostHog said: not now. `seconds` until it is possible again, None where nobody knows."""

    def __init__(self, what: str, means: str = "", do: str = "", *, seconds: float | None = None) -> None:
        super().__init__(what, means, do)
        self.seconds = seconds


class NoTurn(Throttled):
    """Our own limiter did not let the question go in time; PostHog was not asked."""


class PostHogBusy(LoopdeskError):
    """PostHog's database or the gateway before it has no room: worth trying again soon."""


class PostHogConflict(LoopdeskError):
    """PostHog refused a change to an object because of another change, or of a rule that wants it approved: asking
    again the same changes nothing."""


class PostHogFailed(LoopdeskError):
    """PostHog answered, but with an error of its own, or with something that is no answer."""


class AnswerTooLarge(LoopdeskError):
    """The answer is larger than loopdesk takes into memory."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is no answer. `host` is the private host that was asked, `key_kind` what the key begins with."""

    status: int
    body: object
    host: str
    project: str
    key_kind: str = "phx_"
    is_json: bool = True

    @property
    def detail(self) -> str:
        """PostHog's own words, made safe to show; empty where a gateway answered."""
        found = self.body.get("detail") if isinstance(self.body, dict) else None
        if not isinstance(found, str) and isinstance(self.body, dict):
            found = self.body.get("error_message") or self.body.get("error")
        return shown(found) if isinstance(found, str) else ""


def error_for(refusal: Refusal) -> LoopdeskError:
    """The error that a person is told, of the class that decides whether asking again makes sense."""
    status = refusal.status
    if status == 401:
        return _unknown_key(refusal)
    if status == 403:
        return _forbidden(refusal)
    if status == 429:
        return _throttled(refusal)
    if status in _TIMED_OUT:
        return QueryTimedOut(
            _told(refusal, "PostHog stopped the query because it took too long or too much memory"),
            do="Ask for a shorter time range or fewer columns",
        )
    if not refusal.is_json:
        return _by_a_gateway(refusal)
    if status in _GATEWAY:
        return PostHogBusy(
            _told(refusal, "PostHog has no room for the query right now"), do="Try again in a minute, or shorter"
        )
    if status == 400:
        return _refused_query(refusal)
    if status == 402:
        return LoopdeskError(
            _told(refusal, "PostHog refused because of the plan or the quota of this organisation"),
            do="Look at Billing in PostHog; events that are already synced can be read offline",
        )
    if status == 404:
        return LoopdeskError(
            f"{refusal.host} has no project {plain(refusal.project, 40)!r} for this key",
            "Either the id is another one, or the host is not a PostHog",
            "Set POSTHOG_PROJECT_ID to the number in the project's address, and check POSTHOG_HOST",
        )
    if status == 409:
        return PostHogBusy(_told(refusal, "PostHog says that the same query is already running"), do="Ask again")
    if status == 413:
        return QueryRefused("PostHog says that the query is too long", do="Shorten it or its values")
    if status >= 500:
        return PostHogFailed(
            _told(refusal, f"PostHog failed with an error of its own (HTTP {status})"),
            do="Try again; if it stays, look at status.posthog.com",
        )
    return PostHogFailed(_told(refusal, f"PostHog refused the request (HTTP {status})"), do="Check POSTHOG_HOST")


def conflict(refusal: Refusal) -> PostHogConflict:
    """Of a 409 that an object's REST answers; a query's 409 is another thing."""
    code = refusal.body.get("code") if isinstance(refusal.body, dict) else None
    if re.search(r"approv|change_request", f"{code} {refusal.detail}", re.IGNORECASE):
        return PostHogConflict(
            _told(refusal, "PostHog wants this change approved first"),
            "Nothing changes until somebody approves it",
            "Ask for the approval in PostHog",
        )
    return PostHogConflict(
        _told(refusal, "PostHog refused the change because it conflicts with another"),
        do="Look at it again, then decide again",
    )


def redirected(host: str, location: str) -> LoopdeskError:
    """A redirect is never followed: the key would go to a host that nobody configured."""
    place = shown(location.partition("?")[0].rpartition("@")[2], 100)
    return PostHogUnreachable(
        f"{host} sends on to {place or 'another address'}",
        "The key is not sent there",
        "If that is right, set POSTHOG_HOST to it",
    )


def seconds_in(detail: str) -> float | None:
    """The number in `Expected available in 27 seconds.`; PostHog sends no Retry-After."""
    found = _SECONDS.search(detail)
    return float(found[1] or found[2]) if found else None


def shown(text: object, limit: int = _SHOWN) -> str:
    """A server's words: one safe line, clipped, and never with a key in it."""
    return plain(_KEYS.sub("ph*_…", plain(text, limit * 4)), limit)


def _told(refusal: Refusal, what: str) -> str:
    return f"{what}: {refusal.detail.rstrip('.')}" if refusal.detail else what


def _unknown_key(refusal: Refusal) -> KeyRefused:
    make = "Make a personal key under Settings > Personal API keys, then set POSTHOG_PERSONAL_API_KEY"
    kinds = {
        "phc_": "a project key (phc_...), which can only send events",
        "phs_": "a secret key of the feature flags (phs_...), which cannot ask questions",
    }
    if refusal.key_kind in kinds:
        return KeyRefused(
            "PostHog refused the key", f"POSTHOG_PERSONAL_API_KEY holds {kinds[refusal.key_kind]}", f"{make} (phx_...)"
        )
    if refusal.key_kind != "phx_":
        return KeyRefused("PostHog refused the key", "It is no personal key: those begin with phx_", make)
    if is_loopback(refusal.host):
        meaning = "It is not the personal key of the PostHog that runs there"
        return KeyRefused(f"{refusal.host} does not know the personal key", meaning, make)
    region = {"https://us.posthog.com": ("US", "EU"), "https://eu.posthog.com": ("EU", "US")}.get(refusal.host)
    elsewhere = f", or it is a key of the {region[1]} cloud and this is {region[0]}" if region else ""
    return KeyRefused(
        f"{refusal.host} does not know the personal key",
        f"It was revoked or is not complete{elsewhere}",
        f"{make}{' and POSTHOG_HOST to its cloud' if region else ''}",
    )


def _forbidden(refusal: Refusal) -> LoopdeskError:
    detail = refusal.detail
    if not refusal.is_json:
        return PostHogUnreachable(
            f"Something before {refusal.host} forbids access (HTTP 403)",
            "A proxy, firewall or bot protection answered, not PostHog",
            "Open the address in a browser on this machine, and ask who runs the network",
        )
    scope = _SCOPE.search(detail)
    if scope:
        return KeyRefused(
            f"The personal key lacks the scope `{scope[1]}`",
            "PostHog refuses what the key was not given",
            "Edit the key under Settings > Personal API keys and add it",
        )
    if "requested project" in detail or "requested organization" in detail or "requested team" in detail:
        return KeyRefused(
            f"The personal key has no access to project {plain(refusal.project, 40)}",
            detail,
            "Set POSTHOG_PROJECT_ID to a project that the key may read, or edit the key",
        )
    if "personal API key" in detail:
        return KeyRefused(_told(refusal, "PostHog refused the personal key here"), do="Update loopdesk or PostHog")
    return KeyRefused(
        _told(refusal, "PostHog forbids this to the personal key"), do="Check its scopes and projects in PostHog"
    )


def _throttled(refusal: Refusal) -> Throttled:
    detail, seconds = refusal.detail, seconds_in(refusal.detail)
    if seconds is not None:
        return Throttled(
            f"PostHog's limit of questions is reached; the next is possible in {duration(seconds)}",
            "All that use this key share the limit",
            "Wait, or read what is synced",
            seconds=seconds,
        )
    if _CONCURRENCY.search(detail):
        return Throttled(
            "PostHog is already running as many queries of this organisation as it allows",
            "Others with a key of it are asking too",
            "Try again in a moment",
        )
    return Throttled("PostHog asks to slow down and does not say for how long", do="Try again in a minute")


def _refused_query(refusal: Refusal) -> LoopdeskError:
    body = refusal.body if isinstance(refusal.body, dict) else {}
    raw = body.get("extra")
    extra = raw if isinstance(raw, dict) else {}
    start, end = (extra.get(name) if type(extra.get(name)) is int else None for name in ("start", "end"))
    return QueryRefused(refusal.detail or "PostHog refused the query without a reason", start, end)


def _by_a_gateway(refusal: Refusal) -> LoopdeskError:
    if refusal.status in _GATEWAY:
        return PostHogBusy(
            f"The gateway before {refusal.host} cannot reach PostHog (HTTP {refusal.status})",
            do="Try again in a minute",
        )
    if refusal.status >= 500:
        return PostHogFailed(
            f"Something before {refusal.host} failed (HTTP {refusal.status}) and did not answer as PostHog does",
            do="Try again in a minute",
        )
    return PostHogFailed(
        f"{refusal.host} answered HTTP {refusal.status} with a page, not as PostHog does",
        "Something else listens there, or a proxy answered in its place",
        "Check POSTHOG_HOST; for PostHog's cloud it is https://us.posthog.com or https://eu.posthog.com",
    )


def duration(seconds: float) -> str:
    """`27 s`, `4 min` or `1 h 10 min`; rounded up, so that nobody comes too early."""
    whole = max(1, -int(-seconds // 1))
    if whole < 120:
        return f"{whole} s"
    minutes = -(-whole // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
