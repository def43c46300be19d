"""From draft to archive: which move an experiment may make from where it stands, and what each does to its flag.

PostHog answers 400 to a move that the state does not allow, with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from queries.local.rest.problems import invalid

CONCLUSIONS = ("won", "lost", "inconclusive", "stopped_early", "invalid")
# What PostHog writes on the condition set that it puts first when a variant is shipped.
_SHIPPED = "Added automatically when the experiment was ended to keep only one variant."


@dataclass(frozen=True, slots=True)
class State:
    """An experiment's document with that of its flag."""

    experiment: Mapping
    flag: Mapping

    @property
    def name(self) -> str:
        """`draft`, `running`, `paused` (its flag is off) or `stopped`."""
        if self.experiment["start_date"] is None:
            return "draft"
        if self.experiment["end_date"] is not None:
            return "stopped"
        return "running" if self.flag["active"] else "paused"


# What changes in the experiment and in its flag.
Changes = tuple[dict, dict]
Move = Callable[[State, Mapping, str], Changes]


def launch(state: State, _given: Mapping, now: str) -> Changes:
    _refuse(state.name != "draft", "Experiment has already been launched.")
    check_variants(state.flag)
    return {"start_date": now}, {} if state.flag["active"] else {"active": True}


def pause(state: State, _given: Mapping, _now: str) -> Changes:
    _refuse(state.name == "paused", "Experiment is already paused.")
    _refuse(state.name != "running", "Experiment is not running.")
    return {}, {"active": False}


def resume(state: State, _given: Mapping, _now: str) -> Changes:
    _refuse(state.name != "paused", "Experiment is not paused.")
    return {}, {"active": True}


def end(state: State, given: Mapping, now: str) -> Changes:
    _refuse(state.name == "draft", "Experiment has not been launched yet.")
    _refuse(state.name == "stopped", "Experiment has already ended.")
    return {"end_date": now, **_conclusion(given)}, {}


def archive(state: State, _given: Mapping, _now: str) -> Changes:
    _refuse(state.experiment["archived"], "Experiment is already archived.")
    _refuse(state.name != "stopped", "Experiment must be ended before it can be archived.")
    return {"archived": True}, {}


def reset(state: State, _given: Mapping, _now: str) -> Changes:
    """Back to a draft; who has a variant keeps it, because the flag stays as it is."""
    _refuse(state.name == "draft", "Experiment is already in draft state.")
    cleared = {"start_date": None, "end_date": None, "conclusion": None, "conclusion_comment": None}
    return {**cleared, "archived": False}, {}


def ship_variant(state: State, given: Mapping, now: str) -> Changes:
    """Everyone gets the variant; a running experiment ends with it."""
    _refuse(state.name == "draft", "Experiment has not been launched yet.")
    if "variant_key" not in given:
        raise invalid("This field is required.", "variant_key", "required")
    filters = state.flag["filters"]
    variants = (filters.get("multivariate") or {}).get("variants") or []
    if given["variant_key"] not in [variant["key"] for variant in variants]:
        raise invalid(f"Variant '{given['variant_key'][:100]}' not found on the feature flag.", "variant_key")
    kept = [
        {**variant, "rollout_percentage": 100 if variant["key"] == given["variant_key"] else 0} for variant in variants
    ]
    groups = [group for group in filters["groups"] if group.get("description") != _SHIPPED]
    everyone = {"properties": [], "rollout_percentage": 100, "description": _SHIPPED}
    shipped = {**filters, "multivariate": {"variants": kept}, "groups": [everyone, *groups]}
    ended = {} if state.name == "stopped" else {"end_date": now}
    return {**ended, **_conclusion(given)}, {"filters": shipped, "active": True}


def check_variants(flag: Mapping) -> None:
    """Raises `Problem` where the flag cannot carry an experiment."""
    keys = [variant["key"] for variant in (flag["filters"].get("multivariate") or {}).get("variants") or []]
    if len(keys) < 2:
        raise invalid(
            "Feature flag must have at least 2 variants (control and at least one test variant).", "feature_flag_key"
        )
    if "control" not in keys:
        raise invalid("Feature flag must have a variant with key 'control'.", "feature_flag_key")


def check_dates(document: Mapping) -> None:
    start, end_date = document["start_date"], document["end_date"]
    if end_date is not None and (start is None or end_date < start):
        raise invalid("End date must be after start date", "end_date")
    if document["archived"] and end_date is None:
        raise invalid("Experiment must be ended before it can be archived.", "archived")


def _conclusion(given: Mapping) -> dict:
    return {name: given[name] for name in ("conclusion", "conclusion_comment") if name in given}


def _refuse(is_wrong: bool, why: str) -> None:
    if is_wrong:
        raise invalid(why)
