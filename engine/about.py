"""What the engine that ran last said of itself: its sources, who judges, and what is configured.

The engine writes it when it starts, so that a screen can show it without loading anything of the engine's own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

KEY = "about"


@dataclass(frozen=True, slots=True)
class AboutSource:
    """`source` is `product/type`. `weight` is what one of its signals weighs by the configuration; `where` says what it
    listens to."""

    source: str
    title: str
    is_on: bool
    weight: float
    where: str = "events"


@dataclass(frozen=True, slots=True)
class About:
    """`judge` is `rules` or the model's name. `mode` says who judges and why; `with_key` what a model would change.
    `estimate_usd` is of a night. `limits` are the budgets by name, in USD or a count."""

    at: datetime
    sources: tuple[AboutSource, ...] = ()
    judge: str = "rules"
    mode: str = ""
    with_key: str = ""
    has_key: bool = False
    has_consent: bool = False
    models: Mapping[str, str] | None = None
    estimate_usd: float = 0.0
    limits: Mapping[str, float] | None = None


def document(about: About) -> Mapping[str, object]:
    return {**asdict(about), "at": about.at.isoformat()}


def read_about(connection: sqlite3.Connection) -> About | None:
    """None where no engine has run, or where another version's wrote it."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    if row is None:
        return None
    try:
        found = json.loads(row[0])
        sources = tuple(AboutSource(**source) for source in found.pop("sources"))
        return About(at=datetime.fromisoformat(found.pop("at")), sources=sources, **found)
    except (ValueError, KeyError, TypeError):
        return None
