"""PostHog, if one is configured: whether the settings fit, whether it can be reached, and what the key may do there.

Nothing is written there, and the key goes to the configured host alone, never after a redirect.
"""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from queries.remote_host import is_loopback, private_host
from tui.commands.checks.line import WRONG, Line, note, ok, wrong
from tui.commands.checks.posthog_answers import LATER, Answer, clock, no_answer, permissions, who
from tui.commands.checks.posthog_settings import project_key, settings
from tui.commands.checks.settings import without_password
from tui.commands.checks.together import together
from workspace.config import Config
from workspace.connection import Connection, connection
from workspace.errors import LoopdeskError
from workspace.text import plain

_STEP_S = 4.0


def check(config: Config) -> list[Line]:
    if config.is_own_server and config.backend != "posthog":
        return [ok("PostHog", "POSTHOG_HOST is this machine's own `loopdesk serve`"), *project_key(config)]
    if not (config.posthog_host or config.posthog_personal_key or config.backend == "posthog"):
        return [ok("PostHog", "not configured; the workspace's own store answers"), *project_key(config)]
    lines = [*settings(config), *project_key(config)]
    if not config.posthog_host:
        return lines
    try:
        url = private_host(config.posthog_host)
    except LoopdeskError as error:
        return [*lines, wrong("host", error.what, error.do)]
    reached, is_reached = _reach(url)
    lines += reached
    if not is_reached:
        return lines
    try:
        made = connection(config)
    except LoopdeskError as error:
        if config.posthog_personal_key and not any(line.state == WRONG for line in lines):
            return [*lines, wrong("permissions", error.what, error.do)]
        return [*lines, note("permissions", "not asked for: that needs a personal key of the right form")]
    return lines + _ask(url, made)


def _reach(url: str) -> tuple[list[Line], bool]:
    """DNS and TCP by themselves, so that the line says which of them it is."""
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not is_loopback(url) and not urllib.request.proxy_bypass(name):
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
    return [
        ok(
            "reach",
            f"{plain(name, 80)}: {addresses} address{'es' if addresses != 1 else ''}, connected in {took:.0f} ms",
        )
    ], True


def _dial(name: str, port: int) -> bool:
    socket.create_connection((name, port), _STEP_S).close()
    return True


def _ask(url: str, made: Connection) -> list[Line]:
    key, project = made.personal_key, made.project_id
    base = f"{url}/api/projects/{project}"
    query = {"query": {"kind": "HogQLQuery", "query": "SELECT 1"}, "name": "loopdesk doctor"}
    me = together({"me": lambda: _http("GET", f"{url}/api/users/@me/", key)}, 2 * _STEP_S)["me"]
    if me.value is None:
        return [no_answer(me)]
    lines = [*clock(me.value), *who(me.value, urlsplit(url).hostname or "")]
    if me.value.status in (301, 302, 307, 308, 401) or (me.value.status == 200 and not me.value.is_json):
        return lines  # nothing more can be learned there
    found = together(
        {
            "query:read": lambda: _http("POST", f"{base}/query/", key, query),
            **{scope: _lister(f"{base}/{path}/?limit=1", key) for scope, path in LATER.items()},
        },
        2 * _STEP_S,
    )
    answered = {scope: outcome.value for scope, outcome in found.items()}
    return [*lines, *permissions(answered, project)]


def _lister(url: str, key: str) -> Callable[[], Answer]:
    return lambda: _http("GET", url, key)


def _http(method: str, url: str, key: str, body: object = None) -> Answer:
    import httpx

    started = time.time()
    # As in queries.remote_http: the key for an address of this machine is not shown to a proxy.
    with httpx.Client(
        timeout=_STEP_S,
        follow_redirects=False,
        trust_env=not is_loopback(url),
        headers={"Authorization": f"Bearer {key}"},
    ) as client:
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
