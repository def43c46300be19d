"""What a human decides, from the door through the engine to what is shown: every verb, its inverse, every refusal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine import verbs
from engine.inbox import Inbox
from engine.model import Command, Report
from engine.store import Store
from tests.conftest import NOW
from tests.engines import READY, Desk, answers, signal
from workspace.errors import LoopdeskError
from workspace.paths import Workspace


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "w")
    yield desk
    desk.close()


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Desk]:
    """With one report that research found ready."""
    desk = Desk(tmp_path / "w", answers(READY))
    desk.comes(signal("plateau"))
    desk.turn()
    assert desk.report().status == "ready"
    yield desk
    desk.close()


def undone(desk: Desk, command: Command) -> Report:
    """The command taken back after it was applied."""
    assert not desk.inbox.undo(command.id, desk.now).is_undone
    desk.turn()
    assert desk.inbox.commands()[0].refused_at is None, desk.inbox.commands()[0].said
    return next(report for report in desk.reports() if report.id == command.report_id)


class TestGraceAndUndo:
    def test_nothing_happens_before_the_grace_is_over(self, ready: Desk):
        command = ready.decides("decline", ready.report(), reason="other")
        ready.later(seconds=9)
        ready.turn()
        assert ready.report().status == "ready"
        assert ready.inbox.reports()[0].waiting == (command,)
        ready.later(seconds=1)
        ready.turn()
        assert ready.report().status == "suppressed" and ready.inbox.reports()[0].waiting == ()

    def test_what_is_undone_in_time_never_happens(self, ready: Desk):
        command = ready.decides("resolve", ready.report())
        assert ready.inbox.undo(command.id, ready.now).is_undone
        ready.later(hours=1)
        ready.turn()
        assert ready.report().status == "ready"
        with pytest.raises(LoopdeskError, match="undone already"):
            ready.inbox.undo(command.id, ready.now)

    def test_of_undo_and_claim_exactly_one_wins(self, ready: Desk):
        command = ready.decides("resolve", ready.report())
        store = Store.open(ready.workspace.inbox_db)
        assert ready.inbox.undo(command.id, ready.now).is_undone
        assert store.apply(command.id, lambda *_: pytest.fail("claimed"), ready.now) is None
        store.close()

    def test_applied_twice_it_is_applied_once(self, ready: Desk):
        ready.applied("approve", ready.report(), expect="start")
        ready.turn()
        kinds = [artefact.kind for artefact in ready.inbox.report(ready.report().id).artefacts]  # type: ignore[union-attr]
        assert kinds.count("start_approved") == 1


class TestVerbs:
    def test_an_approved_start_is_a_proposal(self, ready: Desk):
        command = ready.applied("approve", ready.report(), expect="start")
        assert command.applied_at and ready.report().status == "ready"
        (listed,) = ready.inbox.reports()
        assert listed.proposal is not None and (listed.proposal.id, listed.proposal.state) == (command.id, "queued")
        assert listed.group == "In progress"
        assert not undone(ready, command).start_approved_by

    @pytest.mark.parametrize("expect", ["push", "merge"])
    def test_there_is_nothing_to_push_or_merge(self, ready: Desk, expect: str):
        assert ready.applied("approve", ready.report(), expect=expect).refused_at

    @pytest.mark.parametrize("reason", [reason for reason in verbs.REASONS if reason != "already_fixed"])
    def test_declined_it_teaches_and_comes_back_as_it_was(self, ready: Desk, reason: str):
        command = ready.applied("decline", ready.report(), reason=reason, note="it is\x1b[31m meant")
        assert ready.report().status == "suppressed"
        (note,) = ready.inbox.notes()
        assert verbs.REASONS[reason] in note.text and note.command_id == command.id
        assert undone(ready, command).status == "ready"
        assert ready.inbox.notes()[0].withdrawn_at is not None

    def test_declined_as_fixed_it_comes_back_with_the_next_signal(self, ready: Desk):
        command = ready.applied("decline", ready.report(), reason="already_fixed")
        assert ready.report().is_snoozed and ready.report().status == "potential"
        ready.comes(signal("other", weight=0.25, at=ready.now))
        ready.turn()
        assert ready.report().status == "ready" and not ready.report().is_snoozed
        assert "wakes" not in command.said and "next signal" in command.said

    def test_declined_it_absorbs_what_belongs_to_it(self, ready: Desk):
        ready.applied("decline", ready.report(), reason="other")
        ready.comes(*(signal(f"more {number}", at=ready.now) for number in range(12)))
        ready.turn()
        assert (ready.report().status, ready.report().signals) == ("suppressed", 13)

    def test_snoozed_until_a_time(self, ready: Desk):
        until = ready.now + timedelta(hours=8)
        ready.applied("snooze", ready.report(), until=until.isoformat())
        assert ready.report().snoozed_until == until
        ready.later(hours=7)
        ready.turn()
        assert ready.report().is_snoozed
        ready.later(hours=1)
        ready.turn()
        assert ready.report().status == "ready" and not ready.report().is_snoozed

    def test_snoozed_until_more_signals_and_woken(self, ready: Desk):
        command = ready.applied("snooze", ready.report(), signals=2)
        ready.comes(signal("second", weight=0.1, at=ready.now))
        ready.turn()
        assert ready.report().wakes_at_signals == 3
        assert undone(ready, command).status == "ready"
        assert "not snoozed" in ready.applied("wake", ready.report()).said

    def test_resolved_and_reopened(self, ready: Desk):
        command = ready.applied("resolve", ready.report(), note="by hand")
        assert ready.report().status == "resolved"
        assert undone(ready, command).status == "ready"

    def test_what_comes_again_after_it_was_resolved_is_a_fresh_report(self, ready: Desk):
        ready.applied("resolve", ready.report())
        old = ready.report()
        ready.later(days=1)
        ready.comes(signal("plateau", at=ready.now))
        ready.turn()
        (fresh,) = [report for report in ready.reports() if report.id != old.id]
        assert (fresh.recurrence_of, fresh.title, fresh.signals) == (old.id, old.title, 1)

    def test_context_answers_a_question_and_can_be_withdrawn(self, desk: Desk):
        desk.handlers = answers({**READY, "actionability": "requires_human_input", "question": "Which repository?"})
        desk.comes(signal("plateau"))
        desk.turn()
        assert desk.report().status == "pending_input" and desk.inbox.reports()[0].why == "Which repository?"
        desk.handlers = {}
        command = desk.applied("context", desk.report(), note="The one of the loops")
        assert (desk.report().status, desk.report().is_by_hand) == ("candidate", True)
        assert [job.state for job in desk.inbox.jobs()] == ["intended", "applied"]
        # A job was intended since, but nothing else has happened to the report.
        assert undone(desk, command).status == "pending_input"
        assert [job.state for job in desk.inbox.jobs()] == ["cancelled", "applied"]

    def test_research_by_hand_is_outside_of_the_count(self, ready: Desk):
        assert (ready.report().passes, ready.report().runs) == (1, 1)
        ready.applied("research", ready.report())
        assert (ready.report().passes, ready.report().runs, ready.report().status) == (1, 2, "ready")

    def test_release(self, desk: Desk):
        desk.comes(signal("quoted"))
        store = Store.open(desk.workspace.inbox_db)
        store.ingest(desk.now)
        store.judged(signal("quoted").id, "blocked", threat="instruction_override", quote="ignore all")
        store.close()
        desk.turn()
        assert desk.inbox.reports() == () and desk.inbox.blocked()[0].quote == "ignore all"
        command = desk.applied("release", "", signal=signal("quoted").id)
        assert command.applied_at and desk.report().signals == 1
        assert "not held back" in desk.applied("release", "", signal=signal("quoted").id).said
        with pytest.raises(LoopdeskError, match="cannot be taken back"):
            desk.inbox.undo(command.id, desk.now)

    def test_every_applied_command_is_a_signal_that_weighs_nothing(self, ready: Desk):
        ready.applied("approve", ready.report(), expect="start")
        report = ready.inbox.report(ready.report().id)
        assert report is not None
        (told,) = [stored.signal for stored in report.signals if stored.signal.source_type == "command"]
        assert told.weight == 0 and told.extra["verb"] == "approve" and report.listed.report.signals == 1


class TestJoinAndSplit:
    @pytest.fixture
    def two(self, tmp_path: Path) -> Iterator[Desk]:
        desk = Desk(tmp_path / "w")
        desk.comes(signal("a", project="one", weight=0.4), signal("b", project="two", weight=0.4))
        desk.comes(signal("c", project="two", weight=0.1))
        desk.turn()
        yield desk
        desk.close()

    def test_joined_and_split_off_again(self, two: Desk):
        one, other = sorted(two.reports(), key=lambda report: report.signals)
        command = two.applied("join", other, into=one.id)
        (left,) = two.reports()
        assert (left.id, left.signals, round(left.weight, 2)) == (one.id, 3, 0.9)
        assert "joined by hand" in two.inbox.notes()[0].text
        assert two.inbox.undo(command.id, two.now).inverse.verb == "split"  # type: ignore[union-attr]
        two.turn()
        assert sorted((report.id, report.signals) for report in two.reports()) == sorted([(one.id, 1), (other.id, 2)])
        assert two.inbox.notes()[0].withdrawn_at

    def test_joining_keeps_the_larger_number_of_passes(self, tmp_path: Path):
        desk = Desk(tmp_path / "w", answers(READY))
        desk.comes(signal("a", project="one"))
        desk.turn()
        desk.comes(signal("b", project="two", weight=0.5))
        desk.turn()
        passed, fresh = sorted(desk.reports(), key=lambda report: -report.passes)
        desk.handlers = {}
        desk.applied("join", passed, into=fresh.id)
        assert (desk.report().id, desk.report().passes) == (fresh.id, 1)
        desk.close()

    def test_split_makes_a_report_and_join_takes_it_back(self, two: Desk):
        _, other = sorted(two.reports(), key=lambda report: report.signals)
        gone = signal("c", project="two").id
        command = two.applied("split", other, signals=[gone])
        assert [report.signals for report in two.reports()] == [1, 1, 1]
        assert two.inbox.report(command.id).listed.title == "c in two"  # type: ignore[union-attr]
        two.inbox.undo(command.id, two.now)
        two.turn()
        assert sorted(report.signals for report in two.reports()) == [1, 2]

    def test_a_report_keeps_one_of_its_signals(self, two: Desk):
        one = min(two.reports(), key=lambda report: report.signals)
        assert "keeps at least one" in two.applied("split", one, signals=[signal("a", project="one").id]).said

    def test_into_itself_or_nowhere(self, two: Desk):
        one = two.reports()[0]
        for into in (one.id, "nowhere"):
            assert "not another one" in two.applied("join", one, into=into).said


class TestRefused:
    def test_what_has_moved_since_it_was_seen(self, desk: Desk):
        desk.comes(signal("plateau", weight=0.5))
        desk.turn()
        seen = desk.report()
        desk.handlers = answers(READY)
        desk.comes(signal("another", at=desk.now))
        desk.turn()
        command = desk.applied("decline", seen, reason="report_unclear")
        assert command.refused_at and "moved since you saw it; it is ready now" in command.said
        assert desk.report().status == "ready"
        with pytest.raises(LoopdeskError, match="was refused"):
            desk.inbox.undo(command.id, desk.now)

    def test_a_further_signal_alone_moves_nothing(self, ready: Desk):
        seen = ready.report()
        ready.comes(signal("another", weight=0.1, at=ready.now))
        ready.turn()
        assert ready.applied("resolve", seen).applied_at

    def test_two_decisions_in_a_row_are_both_meant(self, ready: Desk):
        seen = ready.report()
        ready.decides("context", seen, note="both")
        assert ready.applied("resolve", seen).applied_at

    def test_it_grows_old_only_while_an_engine_runs(self, ready: Desk):
        command = ready.decides("resolve", ready.report())
        store = Store.open(ready.workspace.inbox_db)
        store.add_run_time(13 * 3600 * 10**6)
        store.close()
        ready.later(seconds=11)
        ready.turn()
        (told,) = ready.inbox.commands()
        assert told.id == command.id and "more than 12 hours while the engine ran" in told.said

    def test_a_week_without_an_engine_makes_nothing_old(self, ready: Desk):
        ready.decides("resolve", ready.report())
        ready.later(days=7)
        ready.turn()
        assert ready.report().status == "resolved"

    def test_another_head_than_the_one_that_was_seen(self, ready: Desk):
        report = ready.report()
        command = ready.inbox.command("resolve", report.id, {}, now=ready.now, seen_sha="1a2b3c")
        ready.inbox.submit(command)
        ready.later(seconds=11)
        ready.turn()
        assert "another head" in ready.inbox.commands()[0].said

    @pytest.mark.parametrize(
        ("verb", "arguments", "said"),
        [
            ("merge", {}, "no command 'merge'"),
            ("approve", {}, "What is approved"),
            ("decline", {"reason": "bored"}, "needs a reason"),
            ("context", {"note": " "}, "no text to add"),
            ("snooze", {}, "needs an end"),
            ("snooze", {"until": "tomorrow"}, "'tomorrow' is not a time"),
            ("snooze", {"until": "2026-11-26T08:00:00"}, "is not a time"),
            ("snooze", {"signals": True}, "from 1 to"),
            ("join", {}, "report to join it into"),
            ("split", {"signals": []}, "signals that go"),
            ("context", {"note": "x" * 5000}, "at most 4,000"),
        ],
    )
    def test_at_the_door(self, desk: Desk, verb: str, arguments: dict, said: str):
        with pytest.raises(verbs.BadCommand, match=said):
            desk.inbox.command(verb, "R1", arguments, now=NOW)

    def test_a_row_that_no_door_wrote_is_refused_and_nothing_else_stops(self, ready: Desk):
        connection = sqlite3.connect(ready.workspace.inbox_db)
        connection.execute(
            "INSERT INTO commands(id, verb, report_id, made_at, apply_after, arguments, seen_sha, actor, ran_us) "
            "VALUES ('X', 'split', ?, 0, 0, '{\"signals\": 7}', '', 'desk', 0)",
            (ready.report().id,),
        )
        connection.commit()
        connection.close()
        assert ready.applied("resolve", ready.report()).applied_at
        assert {command.said for command in ready.inbox.commands()} == {
            "Resolved.",
            "Splitting needs the signals that go. Name at least one.",
        }


class TestTheDoor:
    def test_it_writes_nothing_but_what_it_may(self, ready: Desk):
        ready.decides("resolve", ready.report())
        connection = ready.inbox._connection
        assert connection is not None
        for statement in (
            "UPDATE reports SET status = 'resolved'",
            "UPDATE commands SET applied_at = 1",
            "DELETE FROM commands",
            "INSERT INTO meta VALUES ('x', 1)",
            "DROP TABLE reports",
            "ATTACH ':memory:' AS other",
            "PRAGMA user_version = 9",
        ):
            with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|prohibited"):
                connection.execute(statement)

    def test_read_only_it_decides_nothing_and_makes_no_file(self, tmp_path: Path):
        workspace = Workspace(tmp_path / "w").create()
        inbox = Inbox(workspace, read_only=True)
        assert (inbox.reports(), inbox.commands(), inbox.report("R1")) == ((), (), None)
        with pytest.raises(LoopdeskError, match="read-only"):
            inbox.add_signal(signal("a"), NOW)
        assert not workspace.inbox_db.exists()

    def test_a_command_makes_the_file_private(self, tmp_path: Path):
        workspace = Workspace(tmp_path / "w")
        inbox = Inbox(workspace)
        inbox.submit(inbox.command("research", "R1", {}, now=NOW))
        assert workspace.inbox_db.stat().st_mode & 0o777 == 0o600
        inbox.close()

    def test_a_report_is_found_by_the_beginning_of_its_id(self, ready: Desk):
        report = ready.report()
        assert ready.inbox.report(report.id[:5].lower()).listed.report == report  # type: ignore[union-attr]
        assert ready.inbox.report("Z") is None and ready.inbox.report("%") is None

    @pytest.mark.parametrize(
        "bad",
        [
            signal("x", weight=1.5),
            signal("x", weight=float("nan")),
            signal("\n"),
            signal("x" * 40_000),
            signal("x", at=NOW.replace(tzinfo=None)),
            replace(signal("x"), extra={"log": "x" * 500_000}),
            replace(signal("x"), source_product="loopdesk", source_type="command"),
        ],
    )
    def test_what_is_no_signal_is_refused_in_a_sentence(self, desk: Desk, bad):
        with pytest.raises(LoopdeskError, match="The signal was not taken"):
            desk.inbox.add_signal(bad, NOW)

    def test_what_is_shown_has_no_control_characters(self, ready: Desk):
        ready.comes(signal("evil\x1b[2J\u202e", project="p\x07"))
        ready.handlers = {}
        ready.turn()
        assert {listed.title for listed in ready.inbox.reports()} == {"Stop the crash", "evil in p"}
