"""Flags and experiments as they were last seen, kept as the documents that PostHog would give: shown with their age
until it answers, and while it does not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from queries.rest_experiments import Running, experiment_of
from queries.rest_flags import Flag, flag_of
from tui.knobview import EXPERIMENTS, FLAGS, KnobState, Part

NAME = "knobs"
MOST = 200  # of each; more are asked for, not remembered


def document(state: KnobState) -> dict[str, object] | None:
    """None while there is nothing to remember."""
    flags, running = state.part(FLAGS), state.part(EXPERIMENTS)
    if flags.as_of is None:
        return None
    found: dict[str, object] = {FLAGS: _part([_flag(one) for one in flags.rows[:MOST]], flags.as_of)}
    if running.as_of is not None:
        by_key = {one.key: one for one in flags.rows}
        rows = [_experiment(one, by_key.get(one.flag)) for one in running.rows[:MOST]]
        found[EXPERIMENTS] = _part(rows, running.as_of)
    return found


def read(found: object) -> dict[str, Part]:
    """What is missing or of another version counts as never seen."""
    parts: dict[str, Part] = {}
    for name, make in ((FLAGS, flag_of), (EXPERIMENTS, experiment_of)):
        kept = found.get(name) if isinstance(found, Mapping) else None
        try:
            at = datetime.fromisoformat(kept["as_of"])  # type: ignore[index]
            rows = tuple(one for row in kept["rows"] if (one := make(row)))  # type: ignore[index]
        except (KeyError, TypeError, ValueError):
            continue
        if at.tzinfo is not None:
            parts[name] = Part(rows, at)
    return parts


def _part(rows: Sequence[object], as_of: datetime) -> dict[str, object]:
    return {"as_of": as_of.isoformat(), "rows": list(rows)}


def _flag(one: Flag) -> dict[str, object]:
    return {
        "id": one.id,
        "key": one.key,
        "name": one.name,
        "active": one.is_on,
        "filters": dict(one.filters),
        "version": one.version,
        "bucketing_identifier": "device_id" if one.goes_by_round else None,
        "updated_at": one.updated_at,
    }


def _experiment(one: Running, flag: Flag | None) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "feature_flag_key": one.flag,
        "feature_flag": _flag(flag) if flag is not None else None,
        "start_date": one.started_at.isoformat() if one.started_at else None,
        "end_date": one.ended_at.isoformat() if one.ended_at else None,
        "updated_at": one.updated_at,
        "description": one.description,
    }
