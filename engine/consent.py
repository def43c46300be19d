"""No model is called until the owner said yes once, to an estimate. The command `consent` keeps the answer in
`inbox.db`, with what was shown.

Reading is stdlib `sqlite3` alone: the desk looks before it asks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine import budget, roles
from engine.general import CONSENT
from engine.instants import read, stored
from workspace.config import Config

_NIGHTS = 14
_FIRST_GUESS = 20
"""Signals of a night, where none has been seen yet."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A typical request: tokens in and out, and how many of it a signal causes."""

    role: str
    input_tokens: int
    output_tokens: int
    times: float


# Our prompts as they are, a signal of about 300 tokens, reports of three signals with a pass for every second signal.
_CALLS = (
    _Call("safety", 1_500, 120, 1.0),
    _Call("grouping", 900, 120, 1.0),
    _Call("grouping", 4_000, 120, 1.0),
    _Call("safety", 2_500, 120, 0.5),
    _Call("assess", 4_500, 700, 0.5),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a night, before any budget. `most_usd` is what the budget allows."""

    usd: float
    signals: int
    is_measured: bool
    most_usd: float

    @property
    def said(self) -> str:
        since = f"as in the last {_NIGHTS} nights" if self.is_measured else "a guess, as none has been seen yet"
        return (
            f"About ${self.usd:.2f} a night for {self.signals} signals ({since}); this is an estimate, and the budget "
            f"holds it at ${self.most_usd:.2f} a night."
        )


@dataclass(frozen=True, slots=True)
class Consent:
    """What the owner answered, and to what; `estimate_usd` is of a night."""

    is_given: bool
    at: datetime
    estimate_usd: float = 0.0
    models: Mapping[str, str] = field(default_factory=dict)


def consent(connection: sqlite3.Connection) -> Consent | None:
    """None while nobody has answered. What cannot be read is no answer."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (CONSENT,)).fetchone()
    try:
        said = json.loads(row[0]) if row else None
        if said is None or said["answer"] not in ("yes", "no"):
            return None
        models = {str(role): str(model) for role, model in said.get("models", {}).items()}
        at = datetime.fromisoformat(said["at"])
        return Consent(said["answer"] == "yes", at, float(said.get("estimate_usd", 0.0)), models)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def answer(is_yes: bool, shown: Estimate, models: Mapping[str, str]) -> Mapping[str, object]:
    """The arguments of the command `consent`: the answer, and what it was an answer to."""
    return {"answer": "yes" if is_yes else "no", "estimate_usd": round(shown.usd, 4), "models": dict(models)}


def estimate(config: Config, connection: sqlite3.Connection | None, now: datetime) -> Estimate:
    """From the signals of the last nights, typical requests and the models' prices; `connection` None is a workspace
    without an inbox. Raises `LoopdeskError` for models that have no price."""
    seen = _signals_a_night(connection, now) if connection is not None else None
    signals = _FIRST_GUESS if seen is None else seen
    models = roles.models(config)
    prices = {role: roles.price_of(config, model) for role, model in models.items()}
    a_signal = sum(
        call.times
        * (call.input_tokens * prices[call.role].prompt_token + call.output_tokens * prices[call.role].completion_token)
        for call in _CALLS
    )
    return Estimate(a_signal * signals, signals, seen is not None, budget.limits(config).night_usd)


def _signals_a_night(connection: sqlite3.Connection, now: datetime) -> int | None:
    """Signals and their revisions: every one of them is judged. None where there was none."""
    found, first = connection.execute(
        "SELECT coalesce(sum(1 + revisions), 0), min(arrived_at) FROM signals WHERE arrived_at >= ? AND weight > 0",
        (stored(now - timedelta(days=_NIGHTS)),),
    ).fetchone()
    if not found:
        return None
    nights = max(1.0, (now - read(first)) / timedelta(days=1))
    return max(1, round(found / nights))
