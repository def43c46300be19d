"""What `/flags/` and `/flags/definitions` answer, in each version that PostHog's SDKs ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from queries.local.flags.definition import flag_from
from queries.local.flags.dependencies import chain
from queries.local.flags.evaluation import Evaluation


def flags_answer(version: int, found: Iterable[Evaluation], request_id: str, now: datetime) -> dict:
    """Version 1 is the shape of the first `/decide`, 2 and 3 have a record for each flag, 4 types its value."""
    found = list(found)
    answer: dict[str, object] = {
        "errorsWhileComputingFlags": any(each.failed for each in found),
        "requestId": request_id,
        "evaluatedAt": int(now.timestamp() * 1000),
    }
    if version < 2:
        known = [each for each in found if not each.failed]
        answer["featureFlags"] = {each.flag.key: each.value for each in known}
        answer["featureFlagPayloads"] = {each.flag.key: each.payload for each in known if each.payload is not None}
    else:
        answer["flags"] = {each.flag.key: (_typed if version >= 4 else _record)(each) for each in found}
    return answer


def _record(each: Evaluation) -> dict:
    value = {"enabled": bool(each.value), "variant": each.variant}
    return {"key": each.flag.key, **value, **_told(each), "metadata": _metadata(each)}


def _typed(each: Evaluation) -> dict:
    metadata = {**_metadata(each), "config_version": 1}
    if each.variant is not None:
        metadata["variant_key"] = each.variant
    return {
        "key": each.flag.key,
        "value": None if each.failed else each.value,
        **_told(each),
        "metadata": metadata,
    }


def _told(each: Evaluation) -> dict:
    reason = {
        "code": each.reason.code,
        "condition_index": each.reason.condition_index,
        "description": each.reason.description,
    }
    return {"reason": reason, **({"failed": True} if each.failed else {})}


def _metadata(each: Evaluation) -> dict:
    return {
        "id": each.flag.id,
        "version": each.flag.version,
        "description": each.flag.name or None,
        "payload": each.payload,
        "has_experiment": each.flag.has_experiment,
    }


_DEFINED = (
    "id", "name", "key", "filters", "active", "deleted", "version", "ensure_experience_continuity",
    "evaluation_runtime", "bucketing_identifier", "tags",
)  # fmt: skip


def definitions_answer(documents: Sequence[Mapping], group_types: Mapping[int, str]) -> dict:
    """For local evaluation. Stored filters name other flags by id, as PostHog's REST does; the SDKs read their keys and
    the order to evaluate them in."""
    keys = {document["id"]: document["key"] for document in documents}
    depends_on = {document["id"]: flag_from(document).depends_on for document in documents}
    return {
        "flags": [_definition(document, keys, depends_on) for document in documents],
        "group_type_mapping": {str(index): name for index, name in group_types.items()},
        "cohorts": {},
    }


def _definition(document: Mapping, keys: Mapping[int, str], depends_on: Mapping[int, Sequence[int]]) -> dict:
    defined = {name: document.get(name) for name in _DEFINED}
    defined["has_experiment"] = bool(document.get("experiment_set"))
    if depends_on[document["id"]]:
        groups = [
            {**group, "properties": [_by_key(each, keys, depends_on) for each in group.get("properties") or ()]}
            for group in document["filters"]["groups"]
        ]
        defined["filters"] = {**document["filters"], "groups": groups}
    return defined


def _by_key(asked: Mapping, keys: Mapping[int, str], depends_on: Mapping[int, Sequence[int]]) -> dict:
    if asked["type"] != "flag":
        return dict(asked)
    target = int(asked["key"])
    order = [keys.get(id, str(id)) for id in chain(target, depends_on)]
    return {**asked, "key": keys.get(target, asked["key"]), "dependency_chain": order}
