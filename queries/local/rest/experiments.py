"""`/api/projects/:id/experiments/`: an experiment is a flag with variants, and when it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queries.local.objects import Objects, ObjectStore
from queries.local.rest import experiment_states as states
from queries.local.rest import fields
from queries.local.rest.asked import Answer, Asked, page
from queries.local.rest.experiment_states import CONCLUSIONS, State
from queries.local.rest.feature_flags import KIND as FLAG
from queries.local.rest.feature_flags import change_flag, create_flag, existing
from queries.local.rest.fields import (
    Check,
    boolean,
    choice,
    cleaned,
    instant,
    items,
    or_null,
    require,
    stamp,
    tags,
    text,
)
from queries.local.rest.problems import invalid, not_found
from queries.local.rest.project import USER

KIND = "experiment"
_FIELDS: Mapping[str, Check] = {
    "name": text(400, blank=False),
    "description": or_null(text(3_000)),
    "feature_flag_key": text(400, blank=False),
    "type": or_null(choice(("product", "web"))),
    "parameters": or_null(fields.mapping),
    "feature_flag": or_null(fields.mapping),
    "stats_config": or_null(fields.mapping),
    "exposure_criteria": or_null(fields.mapping),
    "metrics": or_null(items),
    "metrics_secondary": or_null(items),
    "tags": tags,
    "start_date": or_null(instant),
    "end_date": or_null(instant),
    "archived": boolean,
    "deleted": boolean,
    "conclusion": or_null(choice(CONCLUSIONS)),
    "conclusion_comment": or_null(text(4_000)),
}
_DEFAULTS: Mapping[str, object] = {
    "description": "",
    "type": "product",
    "parameters": {},
    "stats_config": None,
    "exposure_criteria": None,
    "metrics": [],
    "metrics_secondary": [],
    "tags": [],
    "start_date": None,
    "end_date": None,
    "archived": False,
    "deleted": False,
    "conclusion": None,
    "conclusion_comment": None,
}
_HALVES = [
    {"key": "control", "name": "Control Group", "rollout_percentage": 50},
    {"key": "test", "name": "Test Variant", "rollout_percentage": 50},
]


@dataclass(frozen=True, slots=True)
class Experiments:
    """The handlers. Raise `Problem`."""

    store: ObjectStore

    def listing(self, asked: Asked) -> Answer:
        """Newest first; archived ones only with `?archived=true`."""
        with self.store.reading() as objects:
            rows = [_shown(objects, each) for each in reversed(objects.all(KIND)) if not each["deleted"]]
        rows = [each for each in rows if each["archived"] == (asked.query.get("archived") == "true")]
        wanted = asked.query.get("search", "").lower()
        if wanted:
            rows = [each for each in rows if wanted in each["name"].lower()]
        if "status" in asked.query:
            rows = [each for each in rows if each["status"] == asked.query["status"]]
        return page(asked, rows)

    def create(self, asked: Asked) -> Answer:
        """A draft with its flag, which is off until the launch; with a `start_date` it runs at once."""
        given = cleaned(asked.body, _FIELDS)
        require(given, "name", "feature_flag_key")
        flag_fields = given.pop("feature_flag", None) or {}
        made = {**_DEFAULTS, **given, "archived": False, "deleted": False}
        states.check_dates(made)
        with self.store.writing() as objects:
            flag = _flag_for(objects, made, flag_fields, asked)
            made["feature_flag_id"] = flag["id"]
            made |= {"created_by": dict(USER), "created_at": stamp(asked.now), "updated_at": stamp(asked.now)}
            stored = objects.insert(KIND, made)
            flag = {**flag, "experiment_set": [*flag["experiment_set"], stored["id"]]}
            objects.update(FLAG, flag, key=flag["key"])
            if made["start_date"] and not flag["active"]:
                change_flag(objects, flag, {"active": True}, asked.now)
            return 201, _shown(objects, stored)

    def retrieve(self, asked: Asked) -> Answer:
        with self.store.reading() as objects:
            return 200, _shown(objects, _existing(objects, asked.id))

    def change(self, asked: Asked) -> Answer:
        given = cleaned(asked.body, _FIELDS)
        given.pop("feature_flag", None)
        with self.store.writing() as objects:
            document = _existing(objects, asked.id)
            if given.pop("feature_flag_key", document["feature_flag_key"]) != document["feature_flag_key"]:
                raise invalid("Can't update keys: feature_flag_key on Experiment")
            changed = {**document, **given}
            states.check_dates(changed)
            flag = existing(objects, document["feature_flag_id"])
            if changed["start_date"] and not document["start_date"] and not flag["active"]:
                flag = change_flag(objects, flag, {"active": True}, asked.now)
            variants = (given.get("parameters") or {}).get("feature_flag_variants")
            if variants is not None:
                _change_variants(objects, document, flag, variants, asked)
            if changed["deleted"] != document["deleted"]:
                _link(objects, document, not changed["deleted"])
            return 200, self._store(objects, changed, asked)

    def delete(self, asked: Asked) -> Answer:
        with self.store.writing() as objects:
            document = _existing(objects, asked.id)
            _link(objects, document, False)
            self._store(objects, {**document, "deleted": True}, asked)
        return 204, None

    def launch(self, asked: Asked) -> Answer:
        return self._move(asked, states.launch)

    def pause(self, asked: Asked) -> Answer:
        return self._move(asked, states.pause)

    def resume(self, asked: Asked) -> Answer:
        return self._move(asked, states.resume)

    def end(self, asked: Asked) -> Answer:
        return self._move(asked, states.end)

    def archive(self, asked: Asked) -> Answer:
        return self._move(asked, states.archive)

    def reset(self, asked: Asked) -> Answer:
        return self._move(asked, states.reset)

    def ship_variant(self, asked: Asked) -> Answer:
        return self._move(asked, states.ship_variant)

    def _move(self, asked: Asked, move: states.Move) -> Answer:
        given = cleaned(asked.body, {**_FIELDS, "variant_key": text(400, blank=False)})
        with self.store.writing() as objects:
            document = _existing(objects, asked.id)
            if document["deleted"]:
                raise not_found()
            flag = existing(objects, document["feature_flag_id"])
            changed, flag_changes = move(State(document, flag), given, stamp(asked.now))
            if flag_changes:
                change_flag(objects, flag, flag_changes, asked.now)
            return 200, self._store(objects, {**document, **changed}, asked)

    def _store(self, objects: Objects, document: dict, asked: Asked) -> dict:
        document = {**document, "updated_at": stamp(asked.now)}
        objects.update(KIND, document)
        return _shown(objects, document)


def _existing(objects: Objects, id: int) -> dict:
    found = objects.get(KIND, id)
    if found is None:
        raise not_found()
    return found


def _shown(objects: Objects, document: dict) -> dict:
    flag = existing(objects, document["feature_flag_id"])
    shown = {name: value for name, value in document.items() if name != "feature_flag_id"}
    return {**shown, "feature_flag": flag, "status": State(document, flag).name}


def _flag_for(objects: Objects, made: Mapping, flag_fields: Mapping[str, object], asked: Asked) -> dict:
    """The flag of that key if it fits, else a new one."""
    found = objects.find(FLAG, made["feature_flag_key"])
    if found is not None:
        states.check_variants(found)
        return found
    filters = flag_fields.get("filters") or {
        "groups": [{"properties": [], "rollout_percentage": 100}],
        "multivariate": {"variants": (made["parameters"] or {}).get("feature_flag_variants") or _HALVES},
    }
    fresh = {
        "key": made["feature_flag_key"],
        "name": f"Feature Flag for Experiment {made['name']}",
        "filters": filters,
        "active": made["start_date"] is not None,
    }
    flag = create_flag(objects, fresh, asked.now)
    states.check_variants(flag)
    return flag


def _change_variants(objects: Objects, document: Mapping, flag: dict, variants: object, asked: Asked) -> None:
    filters = {**flag["filters"], "multivariate": {"variants": variants}, "payloads": {}}
    if State(document, flag).name != "draft":
        if variants != (flag["filters"].get("multivariate") or {}).get("variants"):
            raise invalid("Can't update feature_flag_variants on Experiment")
        return
    states.check_variants(change_flag(objects, flag, {"filters": filters}, asked.now))


def _link(objects: Objects, document: Mapping, is_linked: bool) -> None:
    flag = existing(objects, document["feature_flag_id"])
    others = [id for id in flag["experiment_set"] if id != document["id"]]
    linked = {**flag, "experiment_set": [*others, document["id"]] if is_linked else others}
    objects.update(FLAG, linked, key=None if flag["deleted"] else flag["key"])
