"""Which scopes a personal key has, found out without changing anything.

Reading asks for one object. Writing changes an object that cannot be (id 0): PostHog checks the scope first, so that
403 says that it is missing and 404 that it is there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from queries.remote_errors import KeyRefused, PostHogUnreachable
from queries.rest import NotThere, Rest
from workspace.errors import LoopdeskError


@dataclass(frozen=True, slots=True)
class Scope:
    name: str
    method: str
    path: str
    needed_for: str


_NOBODY = "00000000-0000-0000-0000-000000000000"
SCOPES = (
    Scope("annotation:read", "GET", "annotations/?limit=1", "annotate --list, and marks on the charts"),
    Scope("annotation:write", "PATCH", "annotations/0/", "annotate"),
    Scope("dashboard:write", "PATCH", "dashboards/0/", "posthog push"),
    Scope("insight:write", "PATCH", "insights/0/", "posthog push"),
    Scope("feature_flag:read", "GET", "feature_flags/?limit=1", "knobs"),
    Scope("feature_flag:write", "PATCH", "feature_flags/0/", "turning knobs"),
    Scope("experiment:read", "GET", "experiments/?limit=1", "experiments, and the engine's source of them"),
    Scope("experiment:write", "PATCH", "experiments/0/", "starting and ending experiments"),
    Scope("task:read", "GET", "signals/reports/?limit=1", "inbox posthog"),
    Scope("task:write", "PATCH", f"signals/reports/{_NOBODY}/", "decisions about PostHog's own reports"),
)
"""Beside `query:read`, without which nothing can be checked at all."""


@dataclass(frozen=True, slots=True)
class Has:
    """`has` is None where PostHog's answer said neither yes nor no; `why` is what it said."""

    scope: Scope
    has: bool | None
    why: str = ""


def scopes(rest: Rest) -> tuple[Has, ...]:
    """Blocking. Raises `LoopdeskError` where PostHog does not know the key at all, or cannot be reached."""
    return tuple(_tried(rest, scope) for scope in SCOPES)


def lacking(rest: Rest, names: Collection[str]) -> tuple[str, ...]:
    """Those of the scopes that the key surely lacks. Blocking. Raises `LoopdeskError` as `scopes` does."""
    tried = [_tried(rest, scope) for scope in SCOPES if scope.name in names]
    return tuple(one.scope.name for one in tried if one.has is False)


def _tried(rest: Rest, scope: Scope) -> Has:
    try:
        rest.ask(scope.method, scope.path, {} if scope.method == "PATCH" else None)
    except NotThere:
        return Has(scope, True)
    except KeyRefused as error:
        if "scope" not in error.what and "forbids" not in error.what:
            raise
        # A write scope contains the read scope, and PostHog may name either.
        return Has(scope, False, error.what)
    except PostHogUnreachable:
        raise
    except LoopdeskError as error:
        return Has(scope, None, str(error))
    return Has(scope, True)
