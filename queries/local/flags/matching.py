"""Whether a property satisfies one filter of a flag: every operator that PostHog has.

Where the SDK's local evaluation reaches a verdict, this is the same one (a test compares them). Where the SDK has to
ask the server, this is the server: a missing property matches only `is_not_set` and the operators that deny; a value
or a filter that cannot be read matches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from queries.local.flags import instants, patterns, versions
from queries.local.flags.definition import PropertyFilter
from queries.local.flags.texts import is_boolean, is_true, lowered, number_of, text_of

NUMERIC = frozenset({"gt", "gte", "lt", "lte"})
TEXTUAL = frozenset({"icontains", "not_icontains", "starts_with", "not_starts_with", "ends_with", "not_ends_with"})
REGEX = frozenset({"regex", "not_regex"})
DATES = frozenset({"is_date_before", "is_date_after"})
SEMVER_RANGES = frozenset({"semver_tilde", "semver_caret", "semver_wildcard"})
SEMVER = SEMVER_RANGES | {"semver_eq", "semver_neq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"}
OPERATORS = frozenset({"exact", "is_not", "is_set", "is_not_set"}) | NUMERIC | TEXTUAL | REGEX | DATES | SEMVER


def matches(asked: PropertyFilter, properties: Mapping[str, object], now: datetime) -> bool:
    """`now` is what relative dates count from. Never raises."""
    operator = asked.operator
    if operator not in OPERATORS:
        return False
    if asked.key not in properties:
        return operator in ("is_not", "is_not_set") or operator.startswith("not_")
    if operator in ("is_set", "is_not_set"):
        return operator == "is_set"
    value = properties[asked.key]
    if operator in ("exact", "is_not"):
        return _is_exact(asked.value, value) == (operator == "exact")
    if operator in NUMERIC:
        return _compares(operator, number_of(value), number_of(asked.value))
    if operator in TEXTUAL:
        return _is_textual(operator, lowered(asked.value), lowered(value))
    if operator in REGEX:
        found = patterns.found(str(asked.value), text_of(value))
        return found is not None and found == (operator == "regex")
    if operator in DATES:
        return _is_dated(operator, asked.value, value, now)
    return value is not None and _is_version(operator, asked.value, value)


def _is_exact(wanted: object, value: object) -> bool:
    if wanted == []:
        return is_true(value)
    # PostHog's property matching version 1: a filter on true or false asks for truth, not for text.
    if is_boolean(wanted):
        return is_true(wanted) == is_true(value)
    text = text_of(value).lower()
    candidates = wanted if isinstance(wanted, list) else [wanted]
    return any(text == text_of(candidate).lower() for candidate in candidates)


def _compares(operator: str, value: float | tuple | None, bound: float | tuple | None) -> bool:
    if value is None or bound is None:
        return False
    # mypy cannot know that both are numbers or both are versions.
    if operator.endswith("gt"):
        return value > bound  # type: ignore[operator]
    if operator.endswith("gte"):
        return value >= bound  # type: ignore[operator]
    if operator.endswith("lt"):
        return value < bound  # type: ignore[operator]
    return value <= bound  # type: ignore[operator]


def _is_textual(operator: str, wanted: str, value: str) -> bool:
    kind = operator.removeprefix("not_")
    if kind == "icontains":
        found = wanted in value
    else:
        found = value.startswith(wanted) if kind == "starts_with" else value.endswith(wanted)
    return found != operator.startswith("not_")


def _is_dated(operator: str, bound: object, value: object, now: datetime) -> bool:
    if not isinstance(value, str):
        return False
    try:
        limit, instant = instants.parse_bound(bound, now), instants.parse(value, now)
    except ValueError:
        return False
    return instant < limit if operator == "is_date_before" else instant > limit


def _is_version(operator: str, wanted: object, value: object) -> bool:
    try:
        version = versions.parse(value)
        if operator in SEMVER_RANGES:
            low, high = versions.bounds(operator, wanted)
            return low <= version < high
        other = versions.parse(wanted)
    except ValueError:
        return False
    if operator in ("semver_eq", "semver_neq"):
        return (version == other) == (operator == "semver_eq")
    return _compares(operator, version, other)
