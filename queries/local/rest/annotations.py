"""`/api/projects/:id/annotations/`: what happened and when, as marks on PostHog's time lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from queries.local.objects import Objects, ObjectStore
from queries.local.rest.asked import Answer, Asked, page
from queries.local.rest.fields import Check, boolean, choice, cleaned, instant, or_null, stamp, tags, text, whole
from queries.local.rest.problems import invalid, not_found
from queries.local.rest.project import USER

KIND = "annotation"
_SCOPES = ("dashboard_item", "dashboard", "project", "organization", "tag", "recording")
_FIELDS: Mapping[str, Check] = {
    "content": or_null(text(8_192)),
    "date_marker": or_null(instant),
    "scope": choice(_SCOPES),
    "creation_type": choice(("USR", "GIT")),
    "dashboard_item": or_null(whole),
    "dashboard_id": or_null(whole),
    "tags": or_null(tags),
    "emoji": or_null(text(16)),
    "hidden_in_user_interface": boolean,
    "deleted": boolean,
}
_DEFAULTS: Mapping[str, object] = {
    "content": None,
    "date_marker": None,
    "scope": "dashboard_item",
    "creation_type": "USR",
    "dashboard_item": None,
    "dashboard_id": None,
    "dashboard_name": None,
    "insight_short_id": None,
    "insight_name": None,
    "insight_derived_name": None,
    "tags": None,
    "emoji": None,
    "hidden_in_user_interface": False,
    "deleted": False,
}


@dataclass(frozen=True, slots=True)
class Annotations:
    """The handlers. Raise `Problem`."""

    store: ObjectStore

    def listing(self, asked: Asked) -> Answer:
        """Newest moment first; those without one last."""
        with self.store.reading() as objects:
            rows = [each for each in objects.all(KIND) if not each["deleted"]]
        wanted = asked.query.get("search", "").lower()
        if wanted:
            rows = [each for each in rows if wanted in (each["content"] or "").lower()]
        if "scope" in asked.query:
            rows = [each for each in rows if each["scope"] == asked.query["scope"]]
        rows.sort(key=lambda each: (each["date_marker"] or "", each["id"]), reverse=True)
        return page(asked, rows)

    def create(self, asked: Asked) -> Answer:
        made: dict[str, Any] = {**_DEFAULTS, **cleaned(asked.body, _FIELDS), "deleted": False}
        _check_scope(made)
        made |= {"created_by": dict(USER), "created_at": stamp(asked.now), "updated_at": stamp(asked.now)}
        with self.store.writing() as objects:
            return 201, objects.insert(KIND, made)

    def retrieve(self, asked: Asked) -> Answer:
        with self.store.reading() as objects:
            return 200, _existing(objects, asked.id)

    def change(self, asked: Asked) -> Answer:
        given = cleaned(asked.body, _FIELDS)
        with self.store.writing() as objects:
            changed = {**_existing(objects, asked.id), **given, "updated_at": stamp(asked.now)}
            _check_scope(changed)
            objects.update(KIND, changed)
        return 200, changed

    def delete(self, asked: Asked) -> Answer:
        with self.store.writing() as objects:
            objects.update(KIND, {**_existing(objects, asked.id), "deleted": True, "updated_at": stamp(asked.now)})
        return 204, None


def _existing(objects: Objects, id: int) -> dict:
    found = objects.get(KIND, id)
    if found is None:
        raise not_found()
    return found


def _check_scope(document: Mapping) -> None:
    if document["scope"] == "recording":
        raise invalid("Recording scope is deprecated. Create annotations without recording scope instead.", "scope")
    if document["scope"] == "tag" and not document["tags"]:
        raise invalid("Annotations with the scope tag need at least one tag.", "tags")
    if document["scope"] != "tag" and document["tags"]:
        raise invalid("Only annotations with the scope tag have tags.", "tags")
