"""Knobs: what the owner turns and the loops read, each a feature flag. Known ones are described, so that they can be
made and shown with their meaning.

[knobs.scorer_v3]
description = "The third scorer."
variants = ["control", "test"]

[knobs.weekend_budget]
description = "What a night of the weekend may cost."
kind = "budget"
usd = 50
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from workspace.errors import LoopdeskError

FLAG, BUDGET, KILL_SWITCH = "flag", "budget", "kill_switch"
KINDS = (FLAG, BUDGET, KILL_SWITCH)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")  # PostHog takes no other letters in a flag's key
_SETTINGS = ("description", "kind", "usd", "payload", "variants")
_MOST_DESCRIPTION = 400
MOST_USD = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Knob:
    """`payload` is the JSON that the flag carries, empty for none; of a budget `{"usd": 20}`. `variants` are the arms
    of an experiment, of equal shares, the first one `control`; none: the flag is on or off."""

    name: str
    description: str
    kind: str = FLAG
    payload: str = ""
    variants: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.kind, *self.variants, self.payload]).strip()


_HALVES = ("control", "test")
KNOWN: Mapping[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob("stop_loops", "While it is on no loop begins another round.", KILL_SWITCH),
        Knob("nightly_budget_20usd", "A run stops when its night has cost $20.", BUDGET, '{"usd": 20}'),
        Knob("scorer_v2", "The second scorer judges rounds (test), or the first one (control).", variants=_HALVES),
        Knob(
            "gtm_dim_weights_v3", "The third weights of dimensions (test), or the second (control).", variants=_HALVES
        ),
        Knob("aggressive_escalation", "A loop that stalls takes the larger model sooner."),
        Knob("diff_size_cap_32", "A proposal may change 32 lines at most.", payload='{"diff_lines": 32}'),
    )
}


def knobs(table: object) -> dict[str, Knob]:
    """`[knobs]` over those that are known. Raises `LoopdeskError` for an unknown name or an odd value."""
    if not isinstance(table, Mapping):
        raise LoopdeskError("knobs must be a table of knobs", do='Write [knobs.scorer_v3] and "description = ..."')
    found = dict(KNOWN)
    for name, settings in table.items():
        found[name] = settings if isinstance(settings, Knob) else _knob(name, settings)
    return found


def _knob(name: str, settings: object) -> Knob:
    if not isinstance(settings, Mapping):
        raise LoopdeskError(f"knobs.{name} is {settings!r}, but must be a table", do=f"Write [knobs.{name}]")
    if not _KEY.fullmatch(name):
        raise LoopdeskError(
            f"A knob is named {name[:100]!r}, which no flag can be", do="Use letters, digits, hyphens and underscores"
        )
    for setting in settings:
        if setting not in _SETTINGS:
            raise LoopdeskError(
                f"[knobs.{name}] has a setting that loopdesk does not know: {setting}",
                do=f"Known settings are {', '.join(_SETTINGS)}",
            )
    known = KNOWN.get(name)
    description = settings.get("description", known.description if known else None)
    if not isinstance(description, str) or not 1 <= len(description.strip()) <= _MOST_DESCRIPTION:
        raise LoopdeskError(f"knobs.{name} needs a description: a sentence of at most {_MOST_DESCRIPTION} characters")
    kind = settings.get("kind", known.kind if known else FLAG)
    if kind not in KINDS:
        raise LoopdeskError(f"knobs.{name}.kind is {kind!r}, but must be {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    for setting, fits in (("usd", BUDGET), ("payload", FLAG), ("variants", FLAG)):
        if setting in settings and kind != fits:
            raise LoopdeskError(f"knobs.{name}.{setting} belongs to a {fits}, but its kind is {kind}")
    inherited = known if known is not None and known.kind == kind else None
    variants = _variants(name, settings, inherited)
    payload = _payload(name, settings, kind, inherited)
    if payload and variants:
        raise LoopdeskError(f"knobs.{name} has both variants and a payload", "Each variant would need its own")
    return Knob(name, description.strip(), kind, payload, variants)


def _variants(name: str, settings: Mapping, known: Knob | None) -> tuple[str, ...]:
    found = settings.get("variants", () if "payload" in settings or known is None else known.variants)
    is_list = isinstance(found, list | tuple) and all(isinstance(one, str) and _KEY.fullmatch(one) for one in found)
    if not is_list or (found and (found[0] != "control" or len(set(found)) < 2 or len(set(found)) != len(found))):
        raise LoopdeskError(
            f"knobs.{name}.variants is {found!r}, but must be a list of names, the first one control",
            do='Write variants = ["control", "test"]',
        )
    return tuple(found)


def _payload(name: str, settings: Mapping, kind: str, known: Knob | None) -> str:
    if kind == BUDGET and ("usd" in settings or known is None):
        usd = settings.get("usd")
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd <= MOST_USD:
            raise LoopdeskError(
                f"knobs.{name}.usd is {usd!r}, but must be a number of USD from 0 to {MOST_USD:,}"
                if "usd" in settings
                else f"knobs.{name} is a budget, but does not say of how much",
                do="Write usd = 20",
            )
        return dollars(usd)
    if "payload" in settings:
        try:
            return json.dumps(settings["payload"], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise LoopdeskError(f"knobs.{name}.payload is no JSON: {error}") from error
    return known.payload if known is not None and "variants" not in settings else ""


def dollars(usd: float) -> str:
    """A budget's payload, as the loops read it."""
    return json.dumps({"usd": int(usd) if usd == int(usd) else usd})
