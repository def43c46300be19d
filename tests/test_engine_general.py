"""Commands about the engine itself, and what a source's own record does to the weight of its signals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import learning, verbs
from engine.learning import Record
from engine.model import Command
from engine.source_state import source_state
from engine.store import Store
from engine.verbs import BadCommand
from tests.engines import READY, Desk, answers, signal

SOURCE = "loops/crash"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "w")
    yield desk
    desk.close()


def state(desk: Desk, source: str = SOURCE):
    store = Store.open(desk.workspace.inbox_db)
    try:
        return source_state(store.connection, source)
    finally:
        store.close()


def takes_back(desk: Desk, command: Command) -> Command:
    undone = desk.inbox.undo(command.id, desk.now)
    assert undone.inverse is not None
    desk.turn()
    return next(one for one in desk.inbox.commands() if one.id == undone.inverse.id)


class TestMemory:
    def test_a_note_is_written_renewed_and_withdrawn(self, desk: Desk):
        first = desk.applied("remember", "", key="note:cache", text="The cache is rebuilt at 03:00.")
        second = desk.applied("remember", "", key="note:cache", text="At 04:00.", was="The cache is rebuilt at 03:00.")
        assert [(note.key, note.text) for note in desk.inbox.notes()] == [("note:cache", "At 04:00.")]
        takes_back(desk, second)
        assert desk.inbox.notes()[0].text == "The cache is rebuilt at 03:00."
        takes_back(desk, first)
        assert desk.inbox.notes()[0].withdrawn_at is not None

    def test_forgetting_is_taken_back(self, desk: Desk):
        desk.applied("remember", "", key="note:cache", text="It is rebuilt at 03:00.")
        forgotten = desk.applied("forget", "", key="note:cache", was="It is rebuilt at 03:00.")
        assert desk.inbox.notes()[0].withdrawn_at is not None
        takes_back(desk, forgotten)
        assert desk.inbox.notes()[0].withdrawn_at is None


class TestSources:
    def test_a_weight_by_hand_moves_what_still_gathers(self, desk: Desk):
        desk.comes(signal("slow", weight=0.8))
        desk.turn()
        command = desk.applied("weigh", "", source=SOURCE, weight=0.5)
        assert desk.report().weight == pytest.approx(0.4)
        takes_back(desk, command)
        assert desk.report().weight == pytest.approx(0.8)
        assert state(desk).weight == 1.0

    def test_a_switch_is_kept_and_taken_back(self, desk: Desk):
        command = desk.applied("switch", "", source=SOURCE, on=False)
        assert state(desk).is_on is False
        takes_back(desk, command)
        assert state(desk).is_on is None

    def test_what_is_declined_three_times_weighs_less_until_it_is_reopened(self, desk: Desk):
        desk.handlers = answers(READY)
        for number in range(3):
            desk.comes(signal(f"noise {number}", project=f"p{number}"))
        desk.turn()
        declined = [desk.applied("decline", one, reason="analysis_wrong") for one in desk.reports()]
        assert [report.declined_for for report in desk.reports()] == ["analysis_wrong"] * 3
        assert state(desk).weight == pytest.approx(2 / 5)
        desk.comes(signal("again", project="p9"))
        desk.turn()
        assert desk.reports()[-1].weight == pytest.approx(0.4)
        assert desk.reports()[-1].status == "potential"
        takes_back(desk, declined[0])
        assert state(desk).weight == 1.0
        # It weighs enough now, and its research has found something: so its weight is used up.
        assert desk.reports()[-1].status == "ready"

    def test_other_reasons_say_nothing_against_the_source(self, desk: Desk):
        desk.handlers = answers(READY)
        for number in range(3):
            desk.comes(signal(f"noise {number}", project=f"p{number}"))
        desk.turn()
        for report in desk.reports():
            desk.applied("decline", report, reason="other")
        assert state(desk) is None

    def test_the_record_in_numbers(self):
        assert Record().weight == Record(5, 0, 2).weight == Record(9, 4, 4).weight == 1.0
        assert Record(9, 1, 3).weight == pytest.approx(0.5)
        assert Record(99, 0, 90).weight == learning.LEAST


class TestConsent:
    def test_it_is_kept_with_what_was_shown(self, desk: Desk):
        command = desk.applied("consent", "", answer="yes", estimate_usd=0.42)
        store = Store.open(desk.workspace.inbox_db)
        (kept,) = store.connection.execute("SELECT value FROM meta WHERE key = 'model_consent'").fetchone()
        store.close()
        assert json.loads(kept) == {"answer": "yes", "estimate_usd": 0.42, "at": command.applied_at.isoformat()}
        takes_back(desk, command)
        store = Store.open(desk.workspace.inbox_db)
        (kept,) = store.connection.execute("SELECT value FROM meta WHERE key = 'model_consent'").fetchone()
        store.close()
        assert json.loads(kept)["answer"] == "no"


def test_each_is_a_signal_of_no_report(desk: Desk):
    command = desk.applied("remember", "", key="note:x", text="y")
    (kept,) = desk.inbox.signals()
    assert (kept.signal.source_id, kept.signal.weight, kept.reason) == (command.id, 0.0, "")


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("remember", {"key": "", "text": "x"}),
        ("remember", {"key": "x", "text": " "}),
        ("forget", {}),
        ("weigh", {"source": "x", "weight": 1.5}),
        ("weigh", {"source": "x", "weight": True}),
        ("weigh", {"weight": 0.5}),
        ("switch", {"source": "x", "on": "maybe"}),
        ("consent", {"answer": "perhaps"}),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_door(verb: str, arguments: dict[str, object]):
    with pytest.raises(BadCommand):
        verbs.check(verb, "", arguments)
