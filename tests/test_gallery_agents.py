"""The boards about agents, on rounds made and counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from queries.gallery.agents import BOARDS
from queries.views import window
from queries.views.filters import Filters
from tests import hostile, router_events
from tests.gallery_store import MORNING, assert_whole, at, by_heading, column, filled, told

WEEK = window.rolling("7d", MORNING)


def ran(
    name: str, when: datetime, *agents: str | None, kept: bool | None = True, score: float | None = 0.5,
    cost: object = 1.0, goal: str = "max", **owner: object,
) -> Iterator[dict]:  # fmt: skip
    """A round: the first agent begins and ends it, the second proposes, the third scores."""
    first, second, third = (*agents, *[agents[-1]] * 3)[:3]
    yield told("round_started", when, name, agent=first, **owner)
    yield told("proposal_generated", when + timedelta(minutes=1), name, agent=second, **owner)
    if score is not None:
        scored = {"score": score, "score_goal": goal, **owner}
        yield told("round_scored", when + timedelta(minutes=2), name, agent=third, **scored)
    if kept is not None:
        ended = "round_kept" if kept else "round_reverted"
        yield told(ended, when + timedelta(minutes=3), name, agent=first, cost_usd=cost, **owner)


def test_a_round_counts_for_each_agent_that_took_part(tmp_path: Path):
    events = [
        *ran("r1", at("20:00"), "planner", "coder", "judge", score=0.5, cost=1.0),
        *ran("r2", at("21:00"), "planner", "coder", "judge", kept=False, score=0.9, cost=2.0),
        *ran("r3", at("22:00"), "planner", "coder", kept=False, score=None, cost=None),
        *ran("r4", at("23:00"), "planner", kept=None, score=None),
        *ran("r5", at("23:00"), "planner", client="globex", cost=8.0),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["agents"])
        assert_whole(sheet)
        found = {(row.cells[1], row.cells[2]): by_heading(sheet, row) for row in sheet.rows}
        assert list(found) == [
            ("globex", "planner"),
            ("internal", "planner"),
            ("internal", "coder"),
            ("internal", "judge"),
        ]
        counts = {
            key: (one["rounds"], one["kept"], one["mean"], one["best"], one["cost"]) for key, one in found.items()
        }
        assert counts["internal", "planner"] == (4, pytest.approx(1 / 3), pytest.approx(0.7), 0.9, 3.0)
        assert counts["internal", "coder"] == (3, pytest.approx(1 / 3), pytest.approx(0.7), 0.9, 3.0)
        assert counts["internal", "judge"] == (2, 0.5, pytest.approx(0.7), 0.9, 3.0)
        assert counts["globex", "planner"] == (1, 1.0, 0.5, 0.5, 8.0)
        assert [store.behind(row) for row in sheet.rows] == [
            {"r5"},
            {"r1", "r2", "r3", "r4"},
            {"r1", "r2", "r3"},
            {"r1", "r2"},
        ]
        assert "none has 10 decided rounds yet" in sheet.verdict


def test_the_best_score_follows_its_goal_and_the_kept_rates_are_named(tmp_path: Path):
    events = []
    for place in range(12):
        when = at("19:00") + timedelta(minutes=30 * place)
        events += ran(f"a{place}", when, "planner", score=1 + place / 10, goal="min", kept=place < 3)
        events += ran(f"b{place}", when, "planner", client="globex", score=place / 10, kept=place < 6)
    events += ran("running", at("07:00", 20), "planner", kept=None, score=None)
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["agents"])
    assert column(sheet, "best") == [1.1, 1.0]
    assert column(sheet, "kept") == [0.5, 0.25]
    assert sheet.verdict == "Kept most: autoagent/globex (50 %); least: autoagent/internal (25 %)."


def test_nights_are_counted_from_noon_to_noon(tmp_path: Path):
    events = [
        *ran("r1", at("17:30", 17), "planner"),
        *ran("r2", at("18:30", 17), "planner"),
        *ran("r3", at("03:00", 18), "planner"),
        *ran("r4", at("11:50", 18), "coder"),
        *ran("r5", at("12:10", 18), "coder"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["agents"], WEEK)
    assert dict(zip(column(sheet, "agent"), column(sheet, "nights"), strict=True)) == {"planner": 1, "coder": 2}


def test_what_is_not_sent_is_a_row_and_a_note(tmp_path: Path):
    events = [
        *ran("r1", at("20:00"), None, cost=None),
        *ran("r2", at("21:00"), "planner", client=None, kept=False),
        *ran("r3", at("22:00"), None, "coder", kept=False),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["agents"])
        assert_whole(sheet)
        assert [row.cells[:4] for row in sheet.rows] == [
            ("autoagent", None, "planner", 1),
            ("autoagent", "internal", "(no agent)", 1),
            ("autoagent", "internal", "coder", 1),
        ]
        assert column(sheet, "cost") == [1.0, None, 1.0]
        assert "33 % of rounds name no agent." in sheet.notes
        assert "33 % of decided rounds have no cost." in sheet.notes
        assert [store.behind(row) for row in sheet.rows] == [{"r2"}, {"r1"}, {"r3"}]


def test_retention_is_a_triangle_of_cohorts(tmp_path: Path):
    """a and b begin on the 16th, c on the 18th; z was there the week before."""
    nights = {"a": (16, 17, 19), "b": (16, 18), "c": (18, 19), "z": (16, 17, 18, 19)}
    events = [*ran("z0", at("20:00", 10), "z")]
    for agent, days in nights.items():
        for day in days:
            events += ran(f"{agent}{day}", at("20:00", day), agent)
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["retention"], WEEK)
    assert_whole(sheet)
    assert [column.heading for column in sheet.columns] == ["first night", "agents", "+1", "+2", "+3"]
    assert [row.cells for row in sheet.rows] == [
        ("Mon 16 Nov", 2, 0.5, 0.5, 0.5),
        ("Wed 18 Nov", 1, 1.0, None, None),
    ]
    assert sheet.verdict == "3 new agents; 2 of 3 (67 %) ran again the night after their first."
    assert any("1 agent " in note for note in sheet.notes)


def test_an_agent_is_one_of_a_project_and_client(tmp_path: Path):
    events = [
        *ran("r1", at("20:00", 17), "planner"),
        *ran("r2", at("20:00", 18), "planner", client="globex"),
        *ran("r3", at("20:00", 19), "planner", project="gtm"),
    ]
    with filled(tmp_path, events) as store:
        sheet = store.sheet(BOARDS["retention"], WEEK)
    assert column(sheet, "agents") == [1, 1, 1] and column(sheet, "+1") == [0.0, 0.0, None]


def test_one_night_shows_no_retention(tmp_path: Path):
    with filled(tmp_path, ran("r1", at("20:00"), "planner")) as store:
        assert "nothing to see yet" in store.sheet(BOARDS["retention"]).verdict
    with filled(
        tmp_path / "two", [*ran("r0", at("20:00", 18), "planner"), *ran("r1", at("20:00"), "planner")]
    ) as store:
        assert "No agent is new" in store.sheet(BOARDS["retention"]).verdict


@pytest.mark.parametrize("name", BOARDS)
def test_nothing_stored_is_a_sentence(name: str, tmp_path: Path):
    with filled(tmp_path, []) as store:
        sheet = store.sheet(BOARDS[name])
    assert sheet.rows == () and sheet.verdict.endswith("in this window.")


def test_odd_values_spoil_no_board(tmp_path: Path):
    events = [*router_events.events(at("21:00")), *hostile.rounds(MORNING)]
    with filled(tmp_path, events) as store:
        for board in BOARDS.values():
            for filters in (Filters(), Filters("autoagent", "acme")):
                sheet = store.sheet(board, filters=filters)
                assert_whole(sheet)
                assert sheet.rows and not any("loopdesk" in str(row.cells) for row in sheet.rows)
                for row in sheet.rows:
                    assert row.drill is None or store.behind(row)
