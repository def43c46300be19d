"""`/api/projects/:id/feature_flags/`: flags kept as PostHog keeps them. Every change is a new version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from queries.local.flags.definition import flag_from
from queries.local.flags.dependencies import has_circle
from queries.local.flags.filters import FiltersRefused, checked
from queries.local.objects import KeyTaken, Objects, ObjectStore
from queries.local.rest import fields
from queries.local.rest.asked import Answer, Asked, page
from queries.local.rest.fields import Check, boolean, choice, cleaned, or_null, require, stamp, tags, text, whole
from queries.local.rest.problems import conflict, invalid, not_found
from queries.local.rest.project import USER

KIND = "feature_flag"
_KEY = re.compile(r"[a-zA-Z0-9_-]+")


def _key(value: object, name: str) -> str:
    key = str(text(400, blank=False)(value, name))
    if not _KEY.fullmatch(key):
        raise invalid("Only letters, numbers, hyphens (-) & underscores (_) are allowed.", name, "invalid_key")
    return key


def _no_encryption(value: object, name: str) -> bool:
    if boolean(value, name):
        raise invalid("The embedded PostHog does not encrypt payloads.", name)
    return False


_FIELDS: Mapping[str, Check] = {
    "key": _key,
    "name": text(10_000),
    "active": boolean,
    "deleted": boolean,
    "filters": fields.mapping,
    "tags": tags,
    "version": whole,
    "ensure_experience_continuity": or_null(boolean),
    "evaluation_runtime": choice(("all", "client", "server")),
    "bucketing_identifier": or_null(choice(("distinct_id", "device_id"))),
    "is_remote_configuration": or_null(boolean),
    "has_encrypted_payloads": or_null(_no_encryption),
}
_DEFAULTS: Mapping[str, object] = {
    "name": "",
    "filters": {"groups": []},
    "active": True,
    "deleted": False,
    "tags": [],
    "ensure_experience_continuity": False,
    "evaluation_runtime": "all",
    "bucketing_identifier": None,
    "is_remote_configuration": False,
    "has_encrypted_payloads": False,
    "experiment_set": [],
}


@dataclass(frozen=True, slots=True)
class FeatureFlags:
    """The handlers. Raise `Problem`."""

    store: ObjectStore

    def listing(self, asked: Asked) -> Answer:
        with self.store.reading() as objects:
            rows = [each for each in reversed(objects.all(KIND)) if not each["deleted"]]
        wanted = asked.query.get("search", "").lower()
        if wanted:
            rows = [each for each in rows if wanted in each["key"].lower() or wanted in each["name"].lower()]
        if asked.query.get("active") in ("true", "false"):
            rows = [each for each in rows if each["active"] == (asked.query["active"] == "true")]
        return page(asked, rows)

    def create(self, asked: Asked) -> Answer:
        with self.store.writing() as objects:
            return 201, create_flag(objects, asked.body, asked.now)

    def retrieve(self, asked: Asked) -> Answer:
        with self.store.reading() as objects:
            return 200, existing(objects, asked.id)

    def change(self, asked: Asked) -> Answer:
        with self.store.writing() as objects:
            return 200, change_flag(objects, existing(objects, asked.id), asked.body, asked.now)

    def delete(self, asked: Asked) -> Answer:
        with self.store.writing() as objects:
            change_flag(objects, existing(objects, asked.id), {"deleted": True}, asked.now)
        return 204, None

    def enable(self, asked: Asked) -> Answer:
        return self._switch(asked, True)

    def disable(self, asked: Asked) -> Answer:
        return self._switch(asked, False)

    def remote_config(self, asked: Asked) -> Answer:
        """The payload of a flag, by id or key, as the SDK's `get_remote_config_payload` reads it."""
        named = asked.params["id"]
        with self.store.reading() as objects:
            found = objects.find(KIND, named) or (existing(objects, asked.id) if named.isdecimal() else None)
        if found is None or found["deleted"]:
            raise not_found()
        return 200, found["filters"].get("payloads", {}).get("true")

    def _switch(self, asked: Asked, active: bool) -> Answer:
        with self.store.writing() as objects:
            document = existing(objects, asked.id)
            if document["deleted"]:
                raise not_found()
            if document["active"] == active:
                return 200, document
            return 200, change_flag(objects, document, {"active": active}, asked.now)


def existing(objects: Objects, id: int) -> dict:
    found = objects.get(KIND, id)
    if found is None:
        raise not_found()
    return found


def create_flag(objects: Objects, body: Mapping[str, object], now: datetime) -> dict:
    """Checked, stored and returned. Raises `Problem`."""
    given = cleaned(body, _FIELDS)
    require(given, "key")
    made = {
        **_DEFAULTS,
        **given,
        "version": 1,
        "deleted": False,
        "created_at": stamp(now),
        "created_by": dict(USER),
        "updated_at": stamp(now),
        "last_modified_by": dict(USER),
    }
    made["filters"] = _checked_filters(made["filters"], now)
    _check_dependencies(objects, {**made, "id": 0})
    try:
        return objects.insert(KIND, made, key=made["key"])
    except KeyTaken:
        raise _taken() from None


def change_flag(objects: Objects, document: dict, body: Mapping[str, object], now: datetime) -> dict:
    """The next version, stored and returned; `filters` are replaced whole. Raises `Problem`."""
    given = cleaned(body, _FIELDS)
    if given.pop("version", document["version"]) != document["version"]:
        raise conflict("The feature flag was updated since you started editing it. Please refresh and try again.")
    if "filters" in given:
        given["filters"] = _checked_filters(given["filters"], now)
    changed = {
        **document,
        **given,
        "version": document["version"] + 1,
        "updated_at": stamp(now),
        "last_modified_by": dict(USER),
    }
    if changed["deleted"] and not document["deleted"]:
        _check_unused(objects, document)
    elif not changed["deleted"]:
        _check_dependencies(objects, changed)
    try:
        objects.update(KIND, changed, key=None if changed["deleted"] else changed["key"])
    except KeyTaken:
        raise _taken() from None
    return changed


def _checked_filters(filters: object, now: datetime) -> dict:
    try:
        return checked(filters, now)
    except FiltersRefused as error:
        raise invalid(str(error), "filters") from error


def _check_dependencies(objects: Objects, document: Mapping) -> None:
    asked_for = flag_from(document).depends_on
    if not asked_for:
        return
    others = {each["id"]: flag_from(each).depends_on for each in objects.all(KIND) if not each["deleted"]}
    for id in asked_for:
        if id not in others and id != document["id"]:
            raise invalid(f"Flag dependency references non-existent flag with ID {id}", "filters")
    if has_circle(document["id"], {**others, document["id"]: asked_for}):
        raise invalid("Circular dependency detected: the flag would depend on itself.", "filters")


def _check_unused(objects: Objects, document: Mapping) -> None:
    if any(_is_live(objects, id) for id in document["experiment_set"]):
        raise invalid(
            "Cannot delete a feature flag that is in use with active experiments. "
            "Please delete the experiment(s) before deleting the flag."
        )
    asking = [
        each["key"]
        for each in objects.all(KIND)
        if not each["deleted"] and document["id"] in flag_from(each).depends_on
    ]
    if asking:
        raise invalid(f"Cannot delete this feature flag because other flags depend on it: {', '.join(asking[:10])}")


def _is_live(objects: Objects, experiment_id: int) -> bool:
    found = objects.get("experiment", experiment_id)
    return found is not None and not found["deleted"] and not found["archived"] and found["end_date"] is None


def _taken() -> Exception:
    return invalid("There is already a feature flag with this key.", "key", "unique")
