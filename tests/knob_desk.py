"""A workspace with a bit of everything that the Knobs screen shows, and a desk on it whose doors answer at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from queries.annotations import draft, make
from queries.local.store import Store
from queries.rest import LocalRest
from queries.rest_experiments import apply, started
from queries.rest_flags import flag_named
from queries.rest_knobs import Creation, create
from queries.views.experiment import Plan
from tests.conftest import NOW
from tests.desks import at_once, desk
from tests.rest_calls import EVERYONE, HALVES
from tui.asker import LocalAsker
from tui.desk import Desk
from tui.keymap import Keymap
from tui.knobdoor import KnobDoor
from tui.left import Left
from workspace.config import Config
from workspace.knobs import KNOWN
from workspace.paths import Workspace

BEGAN = NOW - timedelta(days=3)
_SPELLED = {"scorer_v2": ("control", "test"), "aggressive_escalation": (False, True)}
_TONE = "Tone of [bold]prompts[/] \x1b[31mand \u202eanswers"


def filled(folder: Path) -> Config:
    """Three nights of two loops whose rounds saw two flags; an experiment on one of them; a mark in the middle."""
    workspace = Workspace(folder).create()
    store = Store.open(workspace.events_db)
    assert store.ingest(list(_rounds()), now=NOW).rejected == ()
    store.close()
    config = Config(workspace_dir=str(folder), timezone="UTC", backend="embedded")
    then = LocalRest(config, now=lambda: BEGAN)
    for name in ("scorer_v2", "stop_loops", "nightly_budget_20usd"):
        create(then, Creation(KNOWN[name]))
    halves = {**EVERYONE, "multivariate": HALVES}
    then.ask("POST", "feature_flags/", {"key": "prompt_tone", "filters": halves, "active": False, "name": _TONE})
    some = {"groups": [{"properties": [], "rollout_percentage": 50}]}
    then.ask("POST", "feature_flags/", {"key": "aggressive_escalation", "filters": some, "active": True})
    apply(then, started(flag_named(then, "scorer_v2"), Plan("scorer_v2", rounds=60)))
    make(then, draft("Second scorer for half of the rounds", BEGAN + timedelta(days=1)))
    make(then, draft("Weigh \x1b[31mcases by age", NOW - timedelta(hours=9), "4f2c1d9e8a7b"))
    return config


def _rounds() -> Iterator[dict]:
    """The test arm scores better in one loop, and the same in the other."""
    chance = Random(7)
    for number in range(120):
        loop = number % 2
        began = BEGAN + timedelta(hours=12 + 24 * (number // 40), minutes=12 * (number % 40))
        place = number // 2 % 2
        shown = {f"$feature/{key}": names[place] for key, names in _SPELLED.items()}
        common = {
            "project": ("autoagent", "autoresearch")[loop],
            "client": ("acme", "internal")[loop],
            "agent": "planner",
            "run_id": f"01JNIGHT{number // 40}{loop}",
            "round_id": f"01JROUND{number:04}",
            **shown,
        }
        score = 0.7 + 0.03 * chance.gauss(0, 1) + (0.05 if place and not loop else 0.01 * loop)
        for step, (name, more) in enumerate(
            (
                ("round_started", {"model": "a-model"}),
                ("round_scored", {"score": round(score, 4)}),
                ("round_kept" if number % 3 else "round_reverted", {"cost_usd": 0.04}),
            )
        ):
            yield {
                "event": name,
                "distinct_id": f"{common['project']}:{common['client']}:planner",
                "timestamp": (began + timedelta(minutes=2 * step)).isoformat(),
                "uuid": str(UUID(int=number * 10 + step + 1)),
                "properties": {**common, **more},
            }


def rest_of(config: Config, now: datetime = NOW) -> LocalRest:
    """The same store, as another desk or the command line changes it."""
    return LocalRest(config, now=lambda: now)


def knob_desk(config: Config, **options: Any) -> Desk:
    """Its flags are the configured place's, its events those of the workspace; everything is answered at once, or the
    door through `door_spawn`."""
    door = KnobDoor(config, spawn=options.pop("door_spawn", at_once))
    asker = LocalAsker(config, now=lambda: NOW)
    options.setdefault("left", Left(screen="knobs"))  # no other screen asks anything first
    if options.get("read_only"):
        options["keys"] = Keymap(read_only=True)
    return desk(asker, options.pop("cache", None), knobs=door, config=config, **options)  # type: ignore[arg-type]


def flag_now(config: Config, key: str) -> Mapping[str, object]:
    """As it stands in the store."""
    return next(row for row in rest_of(config).ask("GET", "feature_flags/")["results"] if row["key"] == key)  # type: ignore[index, call-overload]
