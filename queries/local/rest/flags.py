"""What the SDKs ask: `POST /flags/`, which evaluates here, and `GET /flags/definitions`, with which they evaluate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from queries.local.flags.answers import definitions_answer, flags_answer
from queries.local.flags.definition import flag_from
from queries.local.flags.evaluation import Subject, evaluate
from queries.local.objects import ObjectStore
from queries.local.rest.feature_flags import KIND
from queries.local.rest.group_types import group_types
from queries.local.rest.problems import invalid

_PERSON = "SELECT properties FROM persons WHERE distinct_id = ?"


@dataclass(frozen=True, slots=True)
class Flags:
    """Over one store. Raise `Problem` or `LoopdeskError`."""

    store: ObjectStore

    def answer(self, body: Mapping[str, object], version: int, only_overrides: bool, now: datetime) -> dict:
        """PostHog's answer in `version` 1 to 4. `only_overrides`: what is stored about the person does not count."""
        distinct_id = _distinct_id(body)
        wanted = _keys(body.get("flag_keys_to_evaluate"))
        with self.store.reading() as objects:
            flags = [flag_from(each) for each in objects.all(KIND) if not each["deleted"]]
            row = None if only_overrides else objects.connection.execute(_PERSON, (distinct_id,)).fetchone()
        subject = _subject(body, distinct_id, json.loads(row[0]) if row else {})
        # A flag that asks about no group needs no look at who was identified as one.
        by_group = any(condition.group_type is not None for flag in flags for condition in flag.conditions)
        types = group_types(self.store, subject.groups) if by_group and subject.groups else {}
        found = evaluate(flags, subject, types, now).values()
        asked = [each for each in found if wanted is None or each.flag.key in wanted]
        return flags_answer(version, asked, str(uuid4()), now)

    def definitions(self) -> tuple[bytes, str]:
        """The body for local evaluation and its ETag."""
        types = group_types(self.store)
        with self.store.reading() as objects:
            documents = [each for each in objects.all(KIND) if not each["deleted"]]
        body = json.dumps(definitions_answer(documents, types), ensure_ascii=False, separators=(",", ":")).encode()
        return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether the sender of `If-None-Match` already has the body of `etag`."""
    known = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in known or "*" in known


def _distinct_id(body: Mapping[str, object]) -> str:
    value = body.get("distinct_id")
    if value is None:
        raise invalid(
            "The distinct_id field is missing from the request. Please include a valid identifier.",
            "distinct_id",
            "required",
        )
    text = _text(value, "distinct_id")
    if not text:
        raise invalid("The distinct_id field cannot be empty. Please provide a valid identifier.", "distinct_id")
    return text


def _subject(body: Mapping[str, object], distinct_id: str, stored: Mapping[str, object]) -> Subject:
    device_id = body.get("device_id")
    groups = {name: _text(key, "groups") for name, key in _object(body, "groups").items() if key is not None}
    given = _object(body, "group_properties")
    return Subject(
        distinct_id=distinct_id,
        device_id=None if device_id is None else _text(device_id, "device_id"),
        person={"distinct_id": distinct_id, **stored, **_object(body, "person_properties")},
        groups=groups,
        group_properties={name: {"$group_key": key, **_object(given, name)} for name, key in groups.items()},
    )


def _object(body: Mapping[str, object], name: str) -> dict:
    value = body.get(name)
    if not isinstance(value, dict | None):
        raise invalid(f'Expected a dictionary of items but got type "{type(value).__name__}".', name, "not_a_dict")
    return value or {}


def _text(value: object, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise invalid("Not a valid string.", name)
    return str(value)


def _keys(value: object) -> frozenset[str] | None:
    """None is all of them; so is an empty list, as for the SDK."""
    if not value:
        return None
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise invalid("Expected a list of flag keys.", "flag_keys_to_evaluate", "not_a_list")
    return frozenset(value)
