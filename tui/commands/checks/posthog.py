"""PostHog, if one is configured: whether the settings fit, whether it can be reached, and what the key may do there.

Nothing is written there, and the key goes to the configured host alone, never after a redirect.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tui.commands.checks.line import Line, note, ok, wrong
from tui.commands.checks.settings import masked, without_password
from tui.commands.checks.together import Outcome, together
from workspace.config import Config
from workspace.text import plain

_STEP_S = 5.0
# Where SDKs send events -> where questions are asked.
_ASKED_AT = {
    "us.i.posthog.com": "us.posthog.com",
    "eu.i.posthog.com": "eu.posthog.com",
    "app.posthog.com": "us.posthog.com",
}
_CLOUDS = ("us.posthog.com", "eu.posthog.com")
# Scope -> the list that needs it. What the desk asks now is `query:read`; these belong to screens that come later.
_LATER = {
    "annotation:read": "annotations",
    "feature_flag:read": "feature_flags",
    "experiment:read": "experiments",
}
_SENDABLE = re.compile(r"[!-~]+")  # what a header may hold
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


def check(config: Config) -> list[Line]:
    if config.is_own_server and config.backend != "posthog":
        return [ok("PostHog", "POSTHOG_HOST is this machine's own `loopdesk serve`"), *project_key(config)]
    if not (config.posthog_host or config.posthog_personal_key or config.backend == "posthog"):
        return [ok("PostHog", "not configured; the workspace's own store answers"), *project_key(config)]
    lines = [*settings(config), *project_key(config)]
    if not config.posthog_host:
        return lines
    url = asked_at(config.posthog_host)
    reached, is_reached = _reach(url)
    lines += reached
    if not is_reached:
        return lines
    key = config.posthog_personal_key
    if not (key.startswith("phx_") and _SENDABLE.fullmatch(key) and config.posthog_project_id.isdigit()):
        return [*lines, note("permissions", "not asked for: that needs a personal key and the project's number")]
    return lines + _ask(url, config)


def settings(config: Config) -> list[Line]:
    """Pure. What can be said of host, personal key and project without asking."""
    lines, host, key = [], config.posthog_host, config.posthog_personal_key
    if not host:
        lines.append(
            wrong("host", "a personal key is set and no host", "Set POSTHOG_HOST, for example https://us.posthog.com")
        )
    elif urlsplit(host).scheme == "http" and urlsplit(host).hostname not in ("127.0.0.1", "localhost", "::1"):
        lines.append(
            wrong("host", f"{without_password(host)} is not encrypted: the key can be read on its way", "Use https://")
        )
    if key.startswith("phc_"):
        lines.append(
            wrong(
                "personal key",
                "this is a project's key (phc_...), which sends events and asks nothing",
                "Set POSTHOG_PERSONAL_API_KEY to one that begins with phx_",
            )
        )
    elif key.startswith("phs_"):
        lines.append(
            wrong(
                "personal key",
                "this is a project's secret key (phs_...), which may not ask questions",
                "Set POSTHOG_PERSONAL_API_KEY to one that begins with phx_",
            )
        )
    elif not key:
        state = wrong if config.backend == "posthog" else note
        lines.append(
            state(
                "personal key",
                "not set: loops may send there, and the desk asks the embedded store",
                "Make one with the scope query:read, and set POSTHOG_PERSONAL_API_KEY",
            )
        )
    elif not _SENDABLE.fullmatch(key):
        said = f"{masked(key)} holds a space, a line break or a letter that no key has"
        lines.append(wrong("personal key", said, "Copy it again, whole and alone"))
    elif not key.startswith("phx_"):
        lines.append(note("personal key", f"{masked(key)} does not look like one (phx_...)"))
    else:
        lines.append(ok("personal key", f"{masked(key)} has the right form"))
    if key and not config.posthog_project_id:
        lines.append(
            wrong(
                "project",
                "its number is not set",
                "Set POSTHOG_PROJECT_ID: the number in the address of PostHog's pages",
            )
        )
    elif key and not config.posthog_project_id.isdigit():
        lines.append(
            wrong(
                "project",
                f"{plain(config.posthog_project_id, 40)} is not a number",
                "Set POSTHOG_PROJECT_ID: the number in the address of PostHog's pages",
            )
        )
    return lines


def project_key(config: Config) -> list[Line]:
    """Pure. Only its form can be looked at: PostHog takes events with any well-formed key and drops them later."""
    key = config.posthog_project_key
    if not key:
        return []
    if key.startswith("phx_"):
        return [
            wrong(
                "project key",
                "POSTHOG_API_KEY holds a personal key (phx_...), and every loop sends it along",
                "Set it to the project's key (phc_...), and make a new personal key",
            )
        ]
    if not key.startswith("phc_"):
        return [wrong("project key", "POSTHOG_API_KEY is not a project's key", "It begins with phc_")]
    if config.is_own_server:
        return [ok("project key", f"{masked(key)} has the right form")]
    return [ok("project key", f"{masked(key)} has the right form; PostHog tells nobody whether it knows it")]


def asked_at(host: str) -> str:
    """The address that answers questions, for one that may be where events are sent."""
    parts = urlsplit(host)
    name = parts.hostname or ""
    if name not in _ASKED_AT:
        return host.rstrip("/")
    return urlunsplit((parts.scheme, _ASKED_AT[name], "", "", ""))


def _reach(url: str) -> tuple[list[Line], bool]:
    """DNS and TCP by themselves, so that the line says which of them it is."""
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(name):
        return [note("reach", f"{name} is asked through the proxy {plain(without_password(proxy), 100)}")], True
    found = together({"dns": lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)}, _STEP_S)["dns"]
    if found.value is None:
        why = "no answer" if found.is_late else plain(getattr(found.error, "strerror", "") or found.error, 80)
        return [
            wrong("reach", f"DNS does not find {plain(name, 80)} ({why})", "Is the name right, and is there a network?")
        ], False
    started = time.monotonic()
    dialled = together({"tcp": lambda: _dial(name, port)}, _STEP_S + 1)["tcp"]
    if dialled.value is None:
        why = f"no answer within {_STEP_S:g} s" if dialled.is_late else plain(dialled.error, 80)
        return [
            wrong(
                "reach",
                f"{plain(name, 80)} does not take a connection on port {port} ({why})",
                "A firewall, a VPN, or the server is down",
            )
        ], False
    addresses = len({address[4][0] for address in found.value})
    took = (time.monotonic() - started) * 1000
    return [ok("reach", f"{plain(name, 80)}: {addresses} addresses, connected in {took:.0f} ms")], True


def _dial(name: str, port: int) -> bool:
    socket.create_connection((name, port), _STEP_S).close()
    return True


def _ask(url: str, config: Config) -> list[Line]:
    key, project = config.posthog_personal_key, config.posthog_project_id
    base = f"{url}/api/projects/{project}"
    query = {"query": {"kind": "HogQLQuery", "query": "SELECT 1"}, "name": "loopdesk doctor"}
    me = together({"me": lambda: _http("GET", f"{url}/api/users/@me/", key)}, 3 * _STEP_S)["me"]
    if me.value is None:
        return [no_answer(me)]
    lines = [*clock(me.value), *who(me.value, urlsplit(url).hostname or "")]
    if me.value.status in (301, 302, 307, 308, 401) or (me.value.status == 200 and not me.value.is_json):
        return lines  # nothing more can be learned there
    found = together(
        {
            "query:read": lambda: _http("POST", f"{base}/query/", key, query),
            **{scope: _lister(f"{base}/{path}/?limit=1", key) for scope, path in _LATER.items()},
        },
        3 * _STEP_S,
    )
    answered = {scope: outcome.value for scope, outcome in found.items()}
    return [*lines, *permissions(answered, project)]


def _lister(url: str, key: str) -> Any:
    return lambda: _http("GET", url, key)


def _http(method: str, url: str, key: str, body: object = None) -> Answer:
    import httpx

    started = time.time()
    with httpx.Client(timeout=_STEP_S, follow_redirects=False, headers={"Authorization": f"Bearer {key}"}) as client:
        response = client.request(method, url, json=body) if body is not None else client.request(method, url)
    try:
        found = response.json()
    except ValueError:
        found = None
    return Answer(
        status=response.status_code,
        detail=plain(found.get("detail") or "", 200) if isinstance(found, dict) else "",
        is_json=found is not None,
        date=response.headers.get("date", ""),
        location=plain(response.headers.get("location", ""), 100),
        asked_at=(started + time.time()) / 2,
    )


def no_answer(found: Outcome[Answer]) -> Line:
    """Pure. A connection that broke, in the words of what broke it."""
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
    """Pure. What `/api/users/@me/` says of the key."""
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
    """Pure. A line for each scope; only `query:read` is needed now. Write scopes cannot be tried without writing."""
    lines = []
    for scope, answer in found.items():
        is_needed = scope not in _LATER
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
    """Pure. This machine's clock against the server's, which is right to the second."""
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
