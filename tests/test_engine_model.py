"""States as tables, the group of a report, and when it has earned a pass: all pure."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import states
from engine.groups import DONE, GATHERING, IN_PROGRESS, NEEDS_INPUT, OUTCOMES, READY, REVIEW, group
from engine.model import ENGINE, Job, Proposal, Report
from engine.promotion import TOO_LITTLE, promotion, weight_of
from engine.states import IllegalTransition
from tests.conftest import NOW


def report(status: str = "potential", **fields: object) -> Report:
    return Report("R1", NOW, NOW, status=status, **fields)  # type: ignore[arg-type]


def proposal(state: str, **fields: object) -> Proposal:
    return Proposal("P1", "R1", NOW, NOW, state=state, **fields)  # type: ignore[arg-type]


class TestStates:
    @given(st.sampled_from(list(states.TABLES["report"])), st.sampled_from(list(states.TABLES["report"])))
    def test_a_report_moves_as_its_table_says_and_no_other_way(self, before: str, after: str):
        subject = report(before)
        if after in states.TABLES["report"][before]:
            moved, line = subject.moved(after, by=ENGINE, reason="why", now=NOW)
            assert (moved.status, line.before, line.after, line.reason) == (after, before, after, "why")
            assert moved.version == subject.version + 1 == moved.engine_version
        else:
            with pytest.raises(IllegalTransition):
                subject.moved(after, by=ENGINE, reason="why", now=NOW)

    def test_every_state_that_is_led_to_is_one(self):
        for table in states.TABLES.values():
            assert {state for after in table.values() for state in after} <= table.keys()

    @pytest.mark.parametrize("state", ["merged", "closed", "superseded"])
    def test_a_proposal_that_ended_stays_so(self, state: str):
        with pytest.raises(IllegalTransition):
            proposal(state).moved("open", by=ENGINE, reason="", now=NOW)

    def test_a_failed_attempt_is_never_taken_up_again(self):
        job = Job("k", "research", "R1", NOW, NOW, NOW, state="failed")
        for state in states.TABLES["job"]:
            with pytest.raises(IllegalTransition):
                job.moved(state, by=ENGINE, reason="", now=NOW)

    def test_what_a_human_did_does_not_make_the_screen_stale(self):
        assert report("ready").edited(by="desk", now=NOW, note="x").engine_version == 1
        assert report("ready").edited(by=ENGINE, now=NOW, note="x").engine_version == 2

    def test_the_sentence_names_both_states(self):
        with pytest.raises(IllegalTransition, match=r"R1 is resolved and cannot become researching"):
            report("resolved").moved("in_progress", by=ENGINE, reason="", now=NOW)


class TestGroup:
    @pytest.mark.parametrize(
        ("status", "state", "expected"),
        [
            ("ready", "green", REVIEW),
            ("in_progress", "waiting_for_you", REVIEW),
            ("in_progress", None, IN_PROGRESS),
            ("ready", "red", IN_PROGRESS),
            ("pending_input", None, NEEDS_INPUT),
            ("failed", None, NEEDS_INPUT),
            ("ready", "failed", NEEDS_INPUT),
            ("ready", None, READY),
            ("ready", "closed", READY),
            ("potential", None, GATHERING),
            ("candidate", None, GATHERING),
            ("resolved", "merged", OUTCOMES),
            ("resolved", None, DONE),
            ("suppressed", None, DONE),
        ],
    )
    def test_the_first_that_fits(self, status: str, state: str | None, expected: str):
        assert group(report(status), proposal(state) if state else None) == expected

    def test_an_outcome_that_was_seen_is_done(self):
        assert group(report("resolved"), proposal("merged", verdict_seen_at=NOW)) == DONE


class TestPromotion:
    def test_one_crash_is_enough_and_half_a_crash_is_not(self):
        assert promotion(report(signals=1, weight=1.0)).is_due
        told = promotion(report(signals=1, weight=0.5))
        assert not told.is_due and told.why == "Its signals weigh 0.5; a pass starts at 1.0."

    @pytest.mark.parametrize(("passes", "signals", "due"), [(1, 1, False), (1, 2, True), (2, 3, False), (3, 10, True)])
    def test_each_pass_needs_more_signals(self, passes: int, signals: int, due: bool):
        assert promotion(report(passes=passes, signals=signals, weight=2.0)).is_due is due

    def test_what_it_lacks_is_said(self):
        assert promotion(report(passes=2, signals=3, weight=2.0)).why == "It has 3 signals; its next pass starts at 4."
        assert "by hand only" in promotion(report(passes=4, signals=99, weight=9.0)).why
        assert "until 2026-11-20 08:12" in promotion(report(snoozed_until=NOW + timedelta(hours=1))).why
        assert "2 signals more" in promotion(report(signals=1, wakes_at_signals=3)).why

    @pytest.mark.parametrize(
        "status", ["candidate", "in_progress", "pending_input", "resolved", "suppressed", "failed"]
    )
    def test_in_other_states_nothing_is_earned(self, status: str):
        assert not promotion(report(status, signals=10, weight=9.0)).is_due

    def test_a_weight_halves_every_seven_days_before_the_newest_signal(self):
        weight, newest = weight_of([(1.0, NOW - timedelta(days=7)), (0.5, NOW)])
        assert (weight, newest) == (pytest.approx(1.0), NOW)

    @given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10**7)), max_size=8))
    def test_time_alone_takes_nothing_away_and_adds_nothing(self, found: list[tuple[float, int]]):
        signals = [(weight, NOW + timedelta(seconds=seconds)) for weight, seconds in found]
        later = [(weight, at + timedelta(days=400)) for weight, at in signals]
        assert weight_of(signals)[0] == pytest.approx(weight_of(later)[0])
        assert weight_of(signals)[0] <= sum(weight for weight, _ in signals) + 1e-9

    def test_two_halves_of_neighbouring_nights_are_enough(self):
        weight, _ = weight_of([(0.5, NOW - timedelta(days=1)), (0.5, NOW)])
        assert promotion(report(signals=2, weight=weight)).is_due
        weight, _ = weight_of([(0.5, NOW - timedelta(days=3)), (0.5, NOW)])
        assert not promotion(report(signals=2, weight=weight)).is_due

    @given(st.floats(0, TOO_LITTLE, exclude_max=True))
    def test_what_weighs_too_little_to_be_read_is_never_due(self, weight: float):
        assert not promotion(report(signals=99, weight=weight)).is_due
