"""What a tired person wants to read after the demo's weekend and after two real nights, and what would only tire them.

The lists were written before the sources: from what the simulator tells (`queries.simulator.stories`), and from reading
the logs. A list is complete: anything beside it is noise.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.sources.registry import gather
from queries.importers.intake import Request, take_in
from queries.importers.wanted import Wanted
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.simulator import simulate, stories

MORNING = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
DEMO_SEED = 1
LOGS = Path(__file__).parent / "logs"

# The condition and whom it is about -> weight.
# - autoagent found nothing better for 46 rounds and gave up.
# - Every call of autoresearch reads and writes three times as much: a round costs three times as much. The router
#   noticed too, and its word stands beside ours at a quarter.
# - autoresearch ran out of GPU memory two nights ago, and the stop and the exception belong together by fingerprint.
# - New code of gtm-autoresearch made all three clients worse: one deploy, not three plateaus and three regressions.
# - autoagent handed a long row of rounds to the bigger model.
# - One client's dimension is far below its others, every night.
# Good news (autoresearch gains four times as much), a late batch and a slow clock are nobody's problem.
EXPECTED = {
    "plateau autoagent/internal": 1.0,
    "cost_spike autoresearch/internal": 1.0,
    "router_anomalies autoresearch/internal": 0.25,
    "bad_stops autoresearch/internal": 1.0,
    "exceptions autoresearch/internal": 1.0,
    "deploys gtm-autoresearch": 1.0,
    "escalation_streak autoagent/internal": 0.25,
    "weak_dimension gtm-autoresearch/{client}": 0.25,
}


def named(signals) -> dict[str, float]:
    """By source and entity; two signals of one name would hide each other, so that is refused."""
    found: dict[str, float] = {}
    for signal in signals:
        name = f"{signal.source_type} {'/'.join(filter(None, (signal.extra['project'], signal.extra.get('client'))))}"
        assert name not in found, f"two signals for {name}"
        found[name] = signal.weight
    return found


def stored(folder: Path, batches, now: datetime) -> LocalBackend:
    store = Store.open(folder / "events.db")
    with store.transaction():
        for batch in batches:
            store.ingest(batch, now=now)
    store.close()
    return LocalBackend(folder / "events.db", "UTC", now=lambda: now)


def test_the_demo_weekend_gives_the_few_problems_it_has(tmp_path: Path):
    backend = stored(tmp_path, simulate(DEMO_SEED, until=MORNING), MORNING)
    gathered = gather(backend, MORNING, "UTC", {})
    backend.close()
    weak = next(story for story in stories(DEMO_SEED) if story.name == "weak_dimension")
    assert gathered.failures == ()
    assert named(gathered.signals) == {name.format(client=weak.client): w for name, w in EXPECTED.items()}


@pytest.mark.parametrize(
    ("log", "goal"),
    [
        # Eight rounds with half of them kept: one crashed round is a trial that failed, not a night that did.
        ("compressor.tsv", "min"),
        # Five rounds of a first night: a low dimension without a history is a start, not a chronic weakness.
        ("landing-page.json", "max"),
        ("agent-rewards.csv", "max"),
    ],
)
def test_a_short_real_night_gives_nothing(tmp_path: Path, log: str, goal: str):
    now = datetime(2026, 5, 4, 8, tzinfo=UTC)
    store = Store.open(tmp_path / "events.db")
    request = Request(Wanted(goal=goal), now=now, project="trial", spacing=timedelta(minutes=5))
    take_in(LOGS / log, request, lambda: store, set())
    store.close()
    backend = LocalBackend(tmp_path / "events.db", "UTC", now=lambda: now)
    gathered = gather(backend, now, "UTC", {})
    backend.close()
    assert (gathered.signals, gathered.failures) == ((), ())


def test_dry_spells_as_a_real_night_has_them_are_no_plateau(tmp_path: Path):
    """Kept rounds of a night of 126 rounds on one GPU: twice it waited 26 rounds for the next best, and went on."""
    kept = {1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 14, 22, 38, 41, 67, 69, 95, 103, 105, 106, 107, 112, 119}
    start = MORNING - timedelta(hours=12)
    for rounds in (67, 95, 126):  # looked at in the driest moments, and at the end
        folder = tmp_path / str(rounds)
        folder.mkdir()
        backend = stored(folder, [list(_night(start, rounds - 1, kept))], MORNING)
        gathered = gather(backend, MORNING, "UTC", {})
        backend.close()
        assert (gathered.signals, gathered.failures) == ((), ())


def _night(start: datetime, rounds: int, kept: set[int]):
    best = 1.0
    for number in range(1, rounds + 1):
        at = start + timedelta(minutes=5 * number)
        is_kept = number in kept
        score = round(best - 0.0005, 6) if is_kept else round(best + 0.0008, 6)
        best = min(best, score)
        common = {"project": "autoresearch", "client": "internal", "run_id": "one", "round_id": f"round-{number:03d}"}
        ending = {"delta": -0.0005, "new_best": True} if is_kept else {"failure_mode": "no_improvement"}
        names = {
            "round_started": {},
            "round_scored": {"score": score, "score_goal": "min"},
            "round_kept" if is_kept else "round_reverted": ending,
        }
        for place, (name, told) in enumerate(names.items()):
            yield {
                "event": name,
                "distinct_id": "autoresearch:internal:coder",
                "timestamp": (at + timedelta(seconds=place)).isoformat(),
                "properties": {**common, **told},
            }
