"""What went into each fine-tuning batch, on rounds made and counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from queries.gallery.finetuning import BOARDS
from queries.views.filters import Filters
from tests import hostile, router_events
from tests.gallery_store import MORNING, assert_whole, at, by_heading, column, filled, told

BOARD = BOARDS["finetuning"]


def kept(name: str, when: datetime, score: float | None = 0.5, **owner: object) -> Iterator[dict]:
    yield told("round_scored", when - timedelta(minutes=1), name, score=score, **owner)
    yield told("round_kept", when, name, **owner)


def batch(name: str | None, when: datetime, examples: object = 10, **more: object) -> dict:
    told_of = {"batch_id": name, "n_examples": examples, "r2_key": f"ft/{name}", "target_model": "tiny", **more}
    return told("finetune_batch_published", when, **told_of)


def test_a_batch_has_the_rounds_kept_since_the_one_before_it(tmp_path: Path):
    events = [
        *kept("old", at("19:00", 18)),
        batch("b0", at("20:00", 18), 3),
        *kept("r0", at("20:30", 18), 0.1),  # the night before, after its batch
        *kept("r1", at("19:00"), 0.5),
        *kept("r2", at("20:00"), 0.6, client="globex"),
        told("round_scored", at("20:10"), "lost", score=0.9),
        told("round_reverted", at("20:11"), "lost"),
        batch("b1", at("21:00"), 30),
        *kept("r3", at("22:00"), 0.8),
        *kept("other", at("22:00"), 0.9, project="gtm"),
        batch("b2", at("23:00"), 10),
        batch("b3", at("23:30"), 5),
        *kept("late", at("23:40")),
        *kept("later", at("23:50"), project="gtm"),  # gtm publishes no batches: nobody waits for one
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARD)
        assert_whole(sheet)
        assert column(sheet, "batch") == ["b3", "b2", "b1"]
        assert column(sheet, "rounds") == [0, 1, 3]
        assert column(sheet, "mean score") == [None, 0.8, pytest.approx(0.4)]
        assert column(sheet, "by client") == [None, "internal 1", "internal 2, globex 1"]
        assert column(sheet, "examples") == [5, 10, 30]
        assert column(sheet, "published")[0] == "Thu 19 Nov 23:30"
        assert [row.word for row in sheet.rows] == ["no new round", "", ""]
        assert sheet.verdict == "3 batches, 45 examples of 4 kept rounds; 1 round kept since the last."
        # Also those of the night before.
        assert store.behind(sheet.rows[2]) == {"r0", "r1", "r2"} and sheet.rows[0].drill is None
        assert not any("none before" in note for note in sheet.notes)


def test_a_project_counts_its_own_batches_and_the_first_one_all(tmp_path: Path):
    events = [
        *kept("a1", at("19:00")),
        batch("a", at("20:00")),
        *kept("g1", at("19:30"), project="gtm"),
        *kept("g2", at("20:30"), project="gtm"),
        batch("g", at("21:00"), project="gtm", client="moss"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARD)
        assert [store.behind(row) for row in sheet.rows] == [{"g1", "g2"}, {"a1"}]
        assert any("2 batches have none before" in note for note in sheet.notes)
        assert column(store.sheet(BOARD, filters=Filters("gtm")), "batch") == ["g"]


def test_what_is_not_sent_is_a_dash_and_a_note(tmp_path: Path):
    events = [
        *kept("r1", at("19:00"), None, client=None),
        batch(None, at("20:00"), "many", r2_key=None, target_model=None),
        batch("b", at("21:00")),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARD)
    first = by_heading(sheet, sheet.rows[1])
    assert (first["batch"], first["examples"], first["mean score"], first["by client"]) == (
        "(no batch id)", None, None, "(no client) 1",
    )  # fmt: skip
    assert (first["for"], first["kept at"]) == (None, None)
    assert {"50 % of batches name no batch_id.", "50 % of batches say no r2_key."} <= set(sheet.notes)
    assert sheet.verdict == "2 batches, 10 examples of 1 kept round."


def test_no_batch_is_a_sentence_with_the_rounds_that_wait(tmp_path: Path):
    with filled(tmp_path, kept("r1", at("19:00"))) as store:
        sheet = store.sheet(BOARD)
    assert sheet.rows == () and sheet.verdict == "No batch was published in this window; 1 round kept."
    with filled(tmp_path / "empty", []) as store:
        assert "No batch" in store.sheet(BOARD).verdict


def test_odd_values_spoil_nothing(tmp_path: Path):
    events = [*router_events.events(at("21:00")), *hostile.rounds(MORNING)]
    events += [batch(text, at("23:00"), 1e300, project=text) for text in hostile.CORPUS.values()]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARD)
        assert_whole(sheet)
        assert len(sheet.rows) == len(hostile.CORPUS) + 2
        assert not any("loopdesk" in str(row.cells) for row in sheet.rows)
