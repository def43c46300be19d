"""Twelve weekends: what the simulator's stories tell is found, and a quiet weekend leaves its owner alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from engine.embedding import Lexical
from engine.grouping import Grouping
from engine.inbox import Inbox
from engine.main import Parts, run_once
from engine.model import Signal
from engine.rules.judge import RulesJudge
from engine.safety import SafetyFilter
from engine.sources.registry import gather
from queries.simulator import Story, stories
from tests.sources_store import MORNING, weekend
from workspace.paths import Workspace

SEEDS = range(1, 13)
NEEDED = 11
# Story -> the source that tells it. The others are good news, or nothing that a person could do anything about.
SOURCES = {
    "plateau": "plateau",
    "cost_spike": "cost_spike",
    "escalation_streak": "escalation_streak",
    "weak_dimension": "weak_dimension",
    "crashed_run": "bad_stops",
    "bad_deploy": "deploys",
}
NOT_TOLD = {"improvement", "late_batch", "skewed_clock"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Signal, ...]]:
    return {seed: _signals(tmp_path_factory.mktemp("told"), seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Signal, ...]]:
    return {seed: _signals(tmp_path_factory.mktemp("quiet"), seed, quiet=True) for seed in SEEDS}


def _signals(folder: Path, seed: int, *, quiet: bool = False) -> tuple[Signal, ...]:
    backend = weekend(folder, seed, quiet=quiet)
    gathered = gather(backend, MORNING, "UTC", {})
    backend.close()
    (folder / "events.db").unlink()
    assert gathered.failures == ()
    return gathered.signals


def _is_about(signal: Signal, story: Story) -> bool:
    extra: Mapping = signal.extra
    is_dimension = story.name != "weak_dimension" or extra["dimension"] == story.subject
    return extra["project"] == story.project and extra.get("client", "") == story.client and is_dimension


def test_every_story_is_either_told_or_left_out_on_purpose():
    assert {story.name for story in stories(1)} == SOURCES.keys() | NOT_TOLD


@pytest.mark.parametrize("name", SOURCES)
def test_a_story_is_found_once(name: str, told: dict[int, tuple[Signal, ...]]):
    missed = []
    for seed in SEEDS:
        story = next(story for story in stories(seed) if story.name == name)
        found = [signal for signal in told[seed] if signal.source_type == SOURCES[name]]
        if [_is_about(signal, story) for signal in found] != [True]:
            missed.append((seed, [signal.title for signal in found]))
    assert len(SEEDS) - len(missed) >= NEEDED, missed


def test_a_weekend_full_of_stories_tells_little_else(told: dict[int, tuple[Signal, ...]]):
    """Beside the stories: the exception of the crash, and what the router says by itself."""
    echoes = {"exceptions", "router_anomalies"}
    others = {
        seed: [signal.title for signal in signals if signal.source_type not in echoes | set(SOURCES.values())]
        for seed, signals in told.items()
    }
    assert {seed: titles for seed, titles in others.items() if titles} == {}


def test_a_quiet_weekend_promotes_no_report(quiet: dict[int, tuple[Signal, ...]]):
    """Even if all that is said about one project were one report."""
    loud = {}
    for seed, signals in quiet.items():
        weights: Counter[str] = Counter()
        titles = defaultdict(list)
        for signal in signals:
            weights[str(signal.extra["project"])] += signal.weight  # type: ignore[assignment]
            titles[signal.extra["project"]].append(signal.title)
        loud |= {(seed, project): titles[project] for project, weight in weights.items() if weight >= 1.0}
    assert loud == {}


def test_a_quiet_weekend_says_next_to_nothing(quiet: dict[int, tuple[Signal, ...]]):
    """The router's own word of last night is all there may be."""
    others = {
        seed: [signal.title for signal in signals if signal.source_type != "router_anomalies"]
        for seed, signals in quiet.items()
    }
    assert {seed: titles for seed, titles in others.items() if titles} == {}


def test_each_story_is_a_report_of_its_own_and_its_echo_joins_it(told: dict[int, tuple[Signal, ...]], tmp_path: Path):
    """Through safety and grouping as the engine has them, with rules."""
    apart, mixed = [], []
    for seed, signals in told.items():
        reports = _reports(Workspace(tmp_path / str(seed)).create(), signals)
        for kinds in reports:
            if len(kinds & set(SOURCES.values())) > 1:
                mixed.append((seed, kinds))
        if {"bad_stops", "exceptions"} not in reports:
            apart.append((seed, reports))
    assert mixed == []
    assert len(SEEDS) - len(apart) >= NEEDED, apart


def _reports(workspace: Workspace, signals: tuple[Signal, ...]) -> list[set[str]]:
    """Which sources' signals each report holds."""
    judge = RulesJudge()
    with closing(Inbox(workspace)) as inbox:
        inbox.add_signals(list(signals), MORNING)
        run_once(workspace, lambda _: Parts((SafetyFilter(judge), Grouping(judge, Lexical()))), clock=lambda: MORNING)
        details = [inbox.report(listed.report.id) for listed in inbox.reports()]
        assert inbox.blocked() == ()
    return [{one.signal.source_type for one in detail.signals} for detail in details if detail]
