"""The demo's flags, experiment and annotations are those of the rounds beside them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from engine.sources.experiment import Thresholds
from observability.posthog_client import Client, Settings
from queries.annotations import on_time_lines
from queries.catalog import catalog
from queries.local.backend import LocalBackend
from queries.rest import LocalRest, listed
from queries.rest_flags import flags
from queries.simulator import simulate
from queries.simulator.knobs import ESCALATION, KNOBS, SCORER, knobs_of
from queries.views.answers import records
from queries.views.experiment import Comparison, Plan, of_samples, samples
from tests.conftest import NOW
from tui.commands.demo import fill
from tui.commands.demo_knobs import PLANNED_ROUNDS
from workspace import config
from workspace.config import Config
from workspace.paths import Workspace


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    root = tmp_path_factory.mktemp("demo") / "workspace"
    settings = config.load({"workspace_dir": str(root), "timezone": "UTC", "backend": "embedded"}, environment={})
    fill(Workspace(root), settings, 1)
    yield settings


def seen(settings: Config) -> list[dict]:
    """The rounds of the demo that saw a variant."""
    question = catalog.load("round_variants")
    now = datetime.now(UTC)
    backend = LocalBackend(settings.workspace.events_db)
    result = backend.query(
        question.text, question.values({"since": now - timedelta(days=30), "until": now}), question.types
    )
    backend.close()
    return records(result)


def test_every_flag_that_rounds_saw_is_there_and_reaches_them(demo: Config):
    known = {flag.key: flag for flag in flags(LocalRest(demo))}
    assert {row["flag"] for row in seen(demo)} == {knob.flag for knob in KNOBS} <= known.keys()
    assert all(known[knob.flag].is_on for knob in KNOBS)
    assert not known["stop_loops"].is_on


def test_what_rounds_saw_is_what_their_flags_give_them(demo: Config, serve, tmp_path: Path):
    served = serve(demo.workspace.root)
    found: dict[str, set] = {knob.flag: set() for knob in KNOBS}
    for knob in KNOBS:
        usual = {"api_key": served.project_key, "host": served.url, "spool": tmp_path}
        client = Client(Settings(project=knob.project, client=knob.client, **usual))
        for number in range(16):
            with client.round_(round_id=f"R{number}"):
                found[knob.flag].add(json.dumps(client.variant(knob.flag)))
                assert client.nightly_budget_usd() == 20 and not client.should_stop()
        client.shutdown(1)
    assert found == {flag: {row["variant"] for row in seen(demo) if row["flag"] == flag} for flag in found}


def test_the_experiment_runs_since_its_first_round(demo: Config):
    (running,) = listed(LocalRest(demo), "experiments/").rows
    assert (running["feature_flag_key"], running["status"], running["end_date"]) == (SCORER.flag, "running", None)
    assert f"{PLANNED_ROUNDS} scored rounds" in running["description"]
    first = min(row["started"] for row in seen(demo) if row["flag"] == SCORER.flag)
    began, started = (datetime.fromisoformat(text) for text in (running["start_date"], first))
    assert began <= started.replace(tzinfo=started.tzinfo or UTC) < began + timedelta(hours=1)


def test_the_marks_are_what_happened(demo: Config):
    marks = on_time_lines(LocalRest(demo))
    commits = {mark.content for mark in marks if mark.is_commit}
    assert any("gtm-autoresearch" in content for content in commits)  # the story of the bad deploy
    assert {mark.content.partition(":")[0] for mark in marks if not mark.is_commit} == {SCORER.flag, ESCALATION.flag}
    backend = LocalBackend(demo.workspace.events_db)
    shas = {sha for (sha,) in backend.query("SELECT DISTINCT properties.git_sha FROM events").rows}
    backend.close()
    assert {content.split()[0] for content in commits} <= shas


@cache
def weekend(seed: int, *, quiet: bool = False) -> tuple[list[dict], dict[tuple[str, str], set[str]]]:
    """Of a simulated weekend the scored rounds that saw a variant, as `round_variants` would answer them; and what the
    events of each round saw, by client and round."""
    rows: list[dict] = []
    saw: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in chain.from_iterable(simulate(seed, until=NOW, quiet=quiet)):
        told = event["properties"]
        features = {name: told[name] for name in told if name.startswith("$feature/")}
        saw[told["client"], told["round_id"]].add(json.dumps(features, sort_keys=True))
        if event["event"] == "round_scored":
            scored = {name: told[name] for name in ("round_id", "project", "client", "agent", "score")}
            scored |= {"n_variants": 1, "n_scored": 1, "started": event["timestamp"], "goal": told["score_goal"]}
            rows += [
                {**scored, "flag": name.removeprefix("$feature/"), "variant": json.dumps(variant)}
                for name, variant in features.items()
            ]
    return rows, saw


def compared(seed: int, flag: str, rounds: int, *, quiet: bool = False) -> Comparison:
    found, _ = samples(weekend(seed, quiet=quiet)[0], flag)
    (one,) = of_samples(found, Plan(flag, rounds=rounds), "UTC", resamples=500).compared
    return one


@pytest.mark.parametrize("seed", [1, 2])
def test_one_flag_does_something_and_the_other_does_not(seed: int):
    decided = compared(seed, SCORER.flag, PLANNED_ROUNDS)
    assert decided.is_planned and decided.is_better
    unsure = compared(seed, ESCALATION.flag, 80)
    assert unsure.missing and unsure.is_better is None


@pytest.mark.parametrize("quiet", [False, True])
def test_too_few_rounds_saw_a_variant_for_the_engine_to_speak_of_it(quiet: bool):
    for knob in KNOBS:
        assert min(compared(1, knob.flag, 1000, quiet=quiet).rounds) < Thresholds().rounds


def test_all_events_of_a_round_saw_the_same_and_other_rounds_nothing():
    _, saw = weekend(1)
    assert all(len(found) == 1 for found in saw.values())
    clients = {client for (client, _), found in saw.items() if found != {"{}"}}
    assert clients == {SCORER.client, ESCALATION.client}
    assert knobs_of(SCORER.project, SCORER.client, -2) == ()
    assert knobs_of(SCORER.project, SCORER.client, -1) == (SCORER,)
