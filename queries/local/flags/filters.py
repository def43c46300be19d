"""A flag's `filters` as a person or script sends them, checked before they are stored: what gets through here can be
evaluated. The words are PostHog's where it has some."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime

from queries.local.flags import instants, matching, patterns, versions
from queries.local.flags.texts import number_of

MAX_SETS = 200  # condition sets, filters in one and variants: ours, so that one flag cannot hold up a request
MAX_GROUP_TYPES = 5  # PostHog's limit for a project
_ID = re.compile(r"[0-9]{1,18}")


class FiltersRefused(ValueError):
    """Why a flag cannot have these filters, as a sentence."""


def checked(filters: object, now: datetime) -> dict:
    """`filters` with its defaults filled in. Raises `FiltersRefused`."""
    found = dict(_mapping(filters, "Filters"))
    found["groups"] = [_condition(each, now) for each in _items(found.get("groups") or [], "Condition sets")]
    variants = _variants(found.get("multivariate"))
    if found.get("multivariate") is not None:
        found["multivariate"] = {**found["multivariate"], "variants": variants}
    found["payloads"] = _payloads(found.get("payloads"), [variant["key"] for variant in variants])
    _group_type(found)
    _holdout(found.get("holdout"))
    for name in ("early_exit", "feature_enrollment"):
        if not isinstance(found.get(name), bool | None):
            raise FiltersRefused(f"{name} must be true or false.")
    return found


def _condition(group: object, now: datetime) -> dict:
    found = dict(_mapping(group, "A condition set"))
    found["properties"] = [_filter(each, now) for each in _items(found.get("properties") or [], "Properties")]
    if found.get("rollout_percentage") is not None:
        _percentage(found["rollout_percentage"])
    if not isinstance(found.get("variant"), str | None):
        raise FiltersRefused("A condition set's variant must be the key of a variant.")
    _group_type(found)
    return found


def _filter(asked: object, now: datetime) -> dict:
    found = dict(_mapping(asked, "A property filter"))
    found.setdefault("type", "person")
    if found["type"] == "flag" and type(found.get("key")) is int:
        found["key"] = str(found["key"])
    key, operator, value = found.get("key"), found.get("operator") or "exact", found.get("value")
    if found["type"] == "cohort":
        raise FiltersRefused(f"Cohort with id {str(value)[:40]} does not exist.")
    if not isinstance(key, str) or not key:
        raise FiltersRefused("A property filter needs the property's name as key.")
    if found["type"] == "flag":
        _dependency(key, operator, value)
    elif found["type"] not in ("person", "group"):
        raise FiltersRefused(f"Property filters of the type {str(found['type'])[:40]!r} are not supported in flags.")
    elif not isinstance(operator, str) or operator not in matching.OPERATORS:
        raise FiltersRefused(f"{str(operator)[:40]!r} is not an operator of property filters.")
    else:
        _comparable(operator, value, now)
    return found


def _dependency(key: str, operator: object, value: object) -> None:
    if not _ID.fullmatch(key):
        raise FiltersRefused("Flag dependencies must reference flag IDs (integers) in property keys.")
    if operator != "flag_evaluates_to":
        raise FiltersRefused("Flag dependencies have the operator 'flag_evaluates_to'.")
    if not isinstance(value, bool) and not (isinstance(value, str) and value):
        raise FiltersRefused("A flag dependency's value is true, false or the key of a variant.")


def _comparable(operator: str, value: object, now: datetime) -> None:
    try:
        if operator in matching.NUMERIC and number_of(value) is None:
            raise ValueError("it is not a finite number")
        if operator in matching.DATES:
            instants.parse_bound(value, now)
        elif operator in matching.SEMVER_RANGES:
            versions.bounds(operator, value)
        elif operator in matching.SEMVER:
            versions.parse(value)
        elif operator in matching.REGEX:
            if isinstance(value, list | dict | None):
                raise ValueError("it is not text")
            patterns.check(str(value))
    except ValueError as error:
        raise FiltersRefused(f"Invalid value for operator {operator}: {error}.") from error


def _variants(multivariate: object) -> list[dict]:
    if multivariate is None:
        return []
    listed = _items(_mapping(multivariate, "multivariate").get("variants"), "Variants")
    found = [dict(_mapping(each, "A variant")) for each in listed]
    for variant in found:
        if not isinstance(variant.get("key"), str) or not 0 < len(variant["key"]) <= 400:
            raise FiltersRefused("Every variant needs a key of 1 to 400 characters.")
        _percentage(variant.get("rollout_percentage"))
    if len({variant["key"] for variant in found}) < len(found):
        raise FiltersRefused("Variant keys must be unique.")
    if found and not math.isclose(sum(variant["rollout_percentage"] for variant in found), 100, abs_tol=1e-6):
        raise FiltersRefused("Invalid variant definitions: Variant rollout percentages must sum to 100.")
    return found


def _payloads(payloads: object, variants: list[str]) -> dict[str, str]:
    """JSON texts by the value they belong to; a payload that is JSON but no text is written as one."""
    found = {key: value for key, value in _mapping(payloads or {}, "Payloads").items() if value is not None}
    if variants and not found.keys() <= set(variants):
        raise FiltersRefused("Payload keys must match a variant key for multivariate flags")
    if not variants and not found.keys() <= {"true"}:
        raise FiltersRefused("Payload keys must be 'true' for boolean flags")
    return {key: _json_text(value) for key, value in found.items()}


def _json_text(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    try:
        json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FiltersRefused("Payload value is not valid JSON") from error
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _group_type(found: Mapping) -> None:
    index = found.get("aggregation_group_type_index")
    if index is not None and (type(index) is not int or not 0 <= index < MAX_GROUP_TYPES):
        raise FiltersRefused(f"aggregation_group_type_index is 0 to {MAX_GROUP_TYPES - 1}, or null for persons.")


def _holdout(holdout: object) -> None:
    if holdout is None:
        return
    found = _mapping(holdout, "A holdout")
    if type(found.get("id")) is not int:
        raise FiltersRefused("A holdout needs a numeric id.")
    _percentage(found.get("exclusion_percentage"))


def _percentage(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise FiltersRefused("Rollout percentages are numbers from 0 to 100.")


def _mapping(value: object, what: str) -> Mapping:
    if not isinstance(value, dict):
        raise FiltersRefused(f"{what} must be an object.")
    return value


def _items(value: object, what: str) -> list:
    if not isinstance(value, list):
        raise FiltersRefused(f"{what} must be a list.")
    if len(value) > MAX_SETS:
        raise FiltersRefused(f"{what} may be {MAX_SETS} at most.")
    return value
