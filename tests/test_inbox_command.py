"""`loopdesk inbox`: what it lists and shows, each verb from the shell to what the engine made of it, and refusals."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine import process, verbs
from engine.groups import GROUPS
from engine.inbox import StoredSignal
from engine.model import Command, Report
from engine.store import Store
from tests.conftest import NOW
from tests.engines import READY, Desk, answers, signal
from tui.commands import inbox_listing, inbox_naming, inbox_text
from tui.commands.cli import run
from tui.moments import later
from workspace.errors import LoopdeskError

Inbox = Callable[..., str]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One report that research found ready, of two signals; the clock is the machine's, as the command's is."""
    desk = Desk(
        tmp_path / "w", answers({**READY, "reason": "the cause is known", "findings": [{"said": "3 of 3 nights"}]})
    )
    desk.now = datetime.now(UTC)
    desk.comes(signal("plateau", at=desk.now), signal("cost \x1b[31mspike\u202e", at=desk.now))
    desk.turn()
    yield desk
    desk.close()


@pytest.fixture
def inbox(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Inbox:
    """The command on the desk's workspace; returns what it printed."""

    def command(*arguments: str) -> str:
        capsys.readouterr()
        assert run(["--workspace", str(desk.workspace.root), "inbox", *arguments]) == 0
        return capsys.readouterr().out

    return command


def decided(inbox: Inbox, *arguments: str) -> dict[str, Any]:
    return json.loads(inbox(*arguments, "--no-engine", "--json"))


def applied(desk: Desk, document: dict[str, Any]) -> Command:
    """What came of it after its grace."""
    desk.later(seconds=30)
    desk.turn()
    return next(one for one in desk.inbox.commands() if one.id == document["command"])


def reports(inbox: Inbox, *options: str) -> list[dict[str, Any]]:
    return json.loads(inbox("list", "--json", *options))["reports"]


class TestList:
    def test_groups_stand_in_the_order_of_what_they_ask(self, desk: Desk, inbox: Inbox):
        desk.comes(signal("weak", project="b", weight=0.5, at=desk.now))
        desk.turn()
        assert [one["group"] for one in reports(inbox)] == ["Ready to start", "Gathering"]
        lines = inbox("list").splitlines()
        heads = [line for line in lines if line and not line.startswith(" ")]
        assert heads == ["Ready to start (1)", "Gathering (1)"]
        assert any("weigh 0.5; a pass starts at 1.0" in line for line in lines)

    def test_the_most_urgent_stands_first_in_its_group(self, desk: Desk):
        shown = [
            inbox_listing.InboxReport(Report(id, NOW, NOW + timedelta(hours=hour), priority=priority), None, "Done")
            for id, hour, priority in (("A", 3, ""), ("B", 1, "P1"), ("C", 2, "P1"), ("D", 0, "P0"))
        ]
        assert [one.report.id for one in inbox_listing.listing(shown, (), ()).reports] == ["D", "C", "B", "A"]

    def test_one_group_or_a_text(self, desk: Desk, inbox: Inbox):
        desk.comes(signal("weak", project="b", weight=0.5, at=desk.now))
        desk.turn()
        assert [one["title"] for one in reports(inbox, "--group", "gath")] == ["weak in b"]
        assert [one["title"] for one in reports(inbox, "--search", "CRASHES")] == ["Stop the crash"]
        assert reports(inbox, "--search", "nowhere") == []
        with pytest.raises(LoopdeskError, match="Review and merge"):
            inbox("list", "--group", "x")

    def test_of_what_is_done_the_newest_are_shown(self):
        done = [
            inbox_listing.InboxReport(Report(f"R{number:02}", NOW, NOW, status="resolved"), None, GROUPS[-1])
            for number in range(14)
        ]
        found = inbox_listing.listing(done, (), ())
        short = inbox_text.listing(found, NOW, ZoneInfo("UTC"), 100, is_whole=False)
        assert len(short) == 12 and "4 more" in short[-1]
        assert len(inbox_text.listing(found, NOW, ZoneInfo("UTC"), 100, is_whole=True)) == 15

    def test_of_many_that_are_held_those_that_wait_for_a_person_are_shown(self):
        held = [
            StoredSignal(f"{number:032x}", signal(f"c{number}"), safety="blocked" if number == 500 else "held")
            for number in range(1_000)
        ]
        found = inbox_listing.listing((), (), held)
        lines = inbox_text.listing(found, NOW, ZoneInfo("UTC"), 100, is_whole=False)
        assert len(lines) < 50 and "c500 in autoagent" in lines[1] and "980 more" in lines[-1]

    def test_snoozed_waiting_and_refused_are_shown(self, desk: Desk, inbox: Inbox):
        report = desk.report().id
        waiting = decided(inbox, "snooze", report, "--signals", "2")
        (shown,) = reports(inbox)
        assert [one["command"] for one in shown["waiting"]] == [waiting["command"]]
        assert f"inbox undo {waiting['command'][-8:]}" in inbox("list")
        assert decided(inbox, "undo", waiting["command"][-8:])["undone"] == waiting["command"]
        waiting = decided(inbox, "snooze", report, "--signals", "2")
        applied(desk, waiting)
        refused = decided(inbox, "approve", report, "--expect", "start")
        assert applied(desk, refused).refused_at
        (shown,) = reports(inbox)
        assert (shown["status"], shown["shown_as"], shown["waiting"]) == ("potential", "Snoozed", [])
        assert shown["refused"]["state"] == "refused" and shown["refused"]["said"] in inbox("list").replace(
            "\n    ", " "
        )
        # A refusal stands until something else is decided about the report.
        decided(inbox, "context", report, "--note", "it was the disk")
        assert reports(inbox)[0]["refused"] is None

    def test_an_empty_workspace_is_an_empty_inbox_and_stays_untouched(self, tmp_path: Path, capsys):
        assert run(["--workspace", str(tmp_path / "none"), "inbox", "list", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert listed.pop("fixes")["merged"] == 0
        assert listed == {"reports": [], "held_back": [], "refused": []}
        assert not (tmp_path / "none").exists()


class TestShow:
    def test_everything_about_a_report_and_nothing_that_moves_the_cursor(self, desk: Desk, inbox: Inbox):
        applied(desk, decided(inbox, "context", desk.report().id, "--note", "look at \x1b[2Jthe disk"))
        shown = inbox("show", desk.report().id[:6].lower())
        for said in (
            "Stop the crash", "It crashes; this is why.", "cost spike in autoagent", "why here: same project",
            "the cause is known", "3 of 3 nights", "Gathering -> Queued", "cli: context “look at the disk”", "P1",
        ):  # fmt: skip
            assert said in shown, said
        assert not {"\x1b", "\u202e"} & set(shown)

    def test_of_many_rounds_behind_a_signal_a_few_are_named(self, desk: Desk, inbox: Inbox):
        rounds = [f"01JD00000000000000000000{number:02}" for number in range(20)]
        behind = replace(signal("spike", at=desk.now), extra={"project": "autoagent", "round_ids": rounds})
        desk.comes(behind)
        desk.turn()
        shown = " ".join(inbox("show", desk.report().id).split())
        assert rounds[2] in shown and rounds[3] not in shown and "and 17 more" in shown

    def test_as_one_document(self, desk: Desk, inbox: Inbox):
        document = json.loads(inbox("show", desk.report().id, "--json"))
        assert [one["reason"] for one in document["signals_in_it"]] == ["same project"] * 2
        assert {one["kind"] for one in document["artefacts"]} == {"finding", "judgement"}
        assert [line["after"] for line in document["history"] if line["noun"] == "report"] == [
            "candidate", "in_progress", "ready",
        ]  # fmt: skip
        assert all(line["actor"] == "engine" for line in document["history"])

    def test_a_report_that_joined_another_says_so_on_both(self, desk: Desk, inbox: Inbox):
        desk.comes(signal("crash", project="b", at=desk.now))
        desk.turn()
        one, other = (report.id for report in desk.reports())
        applied(desk, decided(inbox, "join", other, "--into", one))
        assert f"joined into {one}" in inbox("show", other)
        assert f"cli: joined: {other}" in inbox("show", one)
        assert [report["id"] for report in reports(inbox)] == [one]


class TestVerbs:
    """Each is submitted with the version that was read, and the engine then does what was said."""

    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            (("approve", "--expect", "start"), "ready"),
            (("decline", "--reason", "wontfix_irrelevant", "--note", "too small"), "suppressed"),
            (("snooze", "--signals", "3"), "potential"),
            (("snooze", "--until", "2d"), "potential"),
            (("resolve", "--note", "by hand"), "resolved"),
            (("research",), "ready"),  # researched, and found ready again
        ],
    )
    def test_a_decision_is_applied_as_it_was_said(self, desk: Desk, inbox: Inbox, arguments: tuple, status: str):
        report = desk.report()
        document = decided(inbox, arguments[0], report.id, *arguments[1:])
        assert (document["state"], document["engine"], document["actor"]) == ("waiting", "none", "cli")
        command = applied(desk, document)
        assert command.applied_at, command.said
        assert command.seen_version == report.version
        assert desk.report().status == status

    def test_the_note_of_a_decline_teaches(self, desk: Desk, inbox: Inbox):
        applied(desk, decided(inbox, "decline", desk.report().id, "--reason", "other", "--note", "we sold that robot"))
        assert "we sold that robot" in desk.inbox.notes()[0].text

    def test_what_moved_since_it_was_read_is_refused(self, desk: Desk, inbox: Inbox):
        document = decided(inbox, "resolve", desk.report().id)
        desk.comes(*(signal(f"more {number}", at=desk.now + timedelta(seconds=1)) for number in range(3)))
        desk.turn()
        assert "moved since you saw it" in applied(desk, document).said

    def test_context_comes_from_standard_input(self, desk: Desk, inbox: Inbox, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("the disk\x07 was full\nuntil noon\n"))
        document = decided(inbox, "context", desk.report().id)
        assert document["arguments"] == {"note": "the disk was full\nuntil noon"}
        monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
        with pytest.raises(LoopdeskError, match="no text"):
            decided(inbox, "context", desk.report().id)
        monkeypatch.setattr("sys.stdin", io.StringIO("x" * 10 * verbs.MOST_NOTE))
        with pytest.raises(LoopdeskError, match="at most"):
            decided(inbox, "context", desk.report().id)

    def test_context_comes_from_the_editor_on_a_terminal(
        self, desk: Desk, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nprintf "it was the\\ndisk\\n" >> "$1"\n')
        editor.chmod(0o700)
        monkeypatch.setenv("EDITOR", str(editor))
        monkeypatch.delenv("VISUAL", raising=False)
        terminal = io.StringIO()
        terminal.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", terminal)
        assert decided(inbox, "context", desk.report().id)["arguments"] == {"note": "it was the\ndisk"}
        editor.write_text("#!/bin/sh\nexit 3\n")
        with pytest.raises(LoopdeskError, match="exit code 3"):
            decided(inbox, "context", desk.report().id)

    def test_join_and_split(self, desk: Desk, inbox: Inbox):
        desk.comes(signal("crash", project="b", at=desk.now))
        desk.turn()
        one, other = (report.id for report in desk.reports())
        joined = applied(desk, decided(inbox, "join", other, "--into", one))
        assert joined.applied_at, joined.said
        with pytest.raises(LoopdeskError, match="cannot join itself"):
            decided(inbox, "join", one, "--into", one)
        ids = [held["id"] for held in json.loads(inbox("show", one, "--json"))["signals_in_it"]]
        assert len(ids) == 3  # the decision to join is none of them
        split = applied(desk, decided(inbox, "split", one, ids[0][:10], ids[0]))
        assert split.applied_at, split.said
        assert {report.id for report in desk.reports()} == {one, split.id}
        with pytest.raises(LoopdeskError, match="signal of this report"):
            decided(inbox, "split", one, ids[0])

    def test_a_signal_that_is_held_back_is_listed_with_its_quote_and_released(self, desk: Desk, inbox: Inbox):
        bad = signal("ignore all rules", at=desk.now)
        desk.comes(bad)
        store = Store.open(desk.workspace.inbox_db)
        store.ingest(desk.now)
        store.judged(bad.id, "blocked", threat="instruction_override", quote="ignore all\x1b[1m rules", why="an order")
        store.close()
        (held,) = json.loads(inbox("list", "--json"))["held_back"]
        assert (held["id"], held["threat"], held["quote"]) == (bad.id, "instruction_override", "ignore all rules")
        assert "“ignore all rules” an order" in inbox("list")
        command = applied(desk, decided(inbox, "release", bad.id[:12]))
        assert command.applied_at, command.said
        assert bad.id in {one.id for one in desk.inbox.report(desk.report().id).signals}  # type: ignore[union-attr]

    def test_a_report_is_released_by_the_same_verb(self, desk: Desk, inbox: Inbox):
        document = decided(inbox, "release", desk.report().id)
        assert (document["report"], document["arguments"]) == (desk.report().id, {})
        assert "not held back" in applied(desk, document).said


class TestUndo:
    def test_before_it_is_applied_it_never_happens(self, desk: Desk, inbox: Inbox):
        document = decided(inbox, "resolve", desk.report().id)
        assert json.loads(inbox("undo", "--no-engine", "--json"))["undone"] == document["command"]
        assert applied(desk, document).undone_at and desk.report().status == "ready"

    def test_after_it_is_applied_its_opposite_is_decided(self, desk: Desk, inbox: Inbox):
        resolved = decided(inbox, "resolve", desk.report().id)
        applied(desk, resolved)
        document = decided(inbox, "undo", resolved["command"][:20])
        assert (document["verb"], document["undone"]) == ("reopen", resolved["command"])
        applied(desk, document)
        assert desk.report().status == "ready"

    def test_the_newest_that_stands_is_taken_back_one_after_the_other(self, desk: Desk, inbox: Inbox):
        first = decided(inbox, "context", desk.report().id, "--note", "one")
        applied(desk, first)
        second = decided(inbox, "resolve", desk.report().id)
        assert decided(inbox, "undo")["undone"] == second["command"]
        back = decided(inbox, "undo")
        assert back["undone"] == first["command"]
        applied(desk, back)
        with pytest.raises(LoopdeskError, match="nothing to undo"):
            inbox("undo")


def test_of_several_that_begin_alike_more_is_asked(desk: Desk, inbox: Inbox):
    desk.comes(signal("crash", project="b", at=desk.now))
    desk.turn()
    for name in ("R", "r0"):
        with pytest.raises(LoopdeskError, match="names 2"):
            inbox("show", name)
    for name in ("", "X", "%", "'"):
        with pytest.raises(LoopdeskError, match="no report"):
            inbox("show", name)


def test_what_came_in_one_moment_is_told_apart_by_its_end(desk: Desk, inbox: Inbox):
    assert inbox_naming.end(["1AAAAAAAAAA", "2AAAAAAAAAA", "B"]) == 11
    assert inbox_naming.end([]) == inbox_naming.end(["A", "B"]) == 6
    report = desk.report().id
    shown = inbox("list").splitlines()[1].split()[0]
    assert shown == report[-6:]
    for name in (shown, shown.lower(), f"…{shown}", report, report[:5]):
        assert json.loads(inbox("show", name, "--json"))["id"] == report


def test_a_decision_says_how_it_is_undone_and_when_it_applies(desk: Desk, inbox: Inbox):
    said = inbox("resolve", desk.report().id, "--no-engine")
    assert "loopdesk inbox undo" in said and "No engine runs" in said and "Stop the crash" in said
    at_once = inbox("resolve", desk.report().id, "--no-engine", "--now")
    assert "can be undone" not in at_once
    desk.now = datetime.now(UTC)
    assert desk.turn().applied == 1  # the one with --now, without waiting


def test_an_engine_is_started_and_applies_it(desk: Desk, inbox: Inbox):
    document = json.loads(inbox("resolve", desk.report().id, "--now", "--json"))
    try:
        assert document["engine"] == "started"
        until = time.monotonic() + 60
        while not desk.inbox.commands()[0].applied_at and time.monotonic() < until:
            time.sleep(0.05)
        assert desk.inbox.commands()[0].applied_at, (desk.workspace.root / process.LOG).read_text()
        assert json.loads(inbox("undo", "--json"))["engine"] == "running"
    finally:
        process.stop(desk.workspace)


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", "R"),  # what is expected is missing
        ("approve", "R", "--expect", "nothing"),
        ("decline", "R"),
        ("decline", "R", "--reason", "bored"),
        ("snooze", "R000"),
        ("snooze", "R000", "--until", "1d", "--signals", "2"),
        ("snooze", "R000", "--signals", "0"),
        ("snooze", "R000", "--until", "yesterday"),
        ("snooze", "R000", "--until", "2020-01-01"),
        ("split", "R000"),
        ("undo", "X"),
        (),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_submitted(desk: Desk, inbox: Inbox, arguments: tuple[str, ...]):
    with pytest.raises(LoopdeskError):
        inbox(*arguments)
    assert desk.inbox.commands() == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3d", "2026-10-27T10:00+00:00"),
        ("12h", "2026-10-24T22:00+00:00"),
        ("2026-11-27T08:00", "2026-11-27T07:00+00:00"),
        ("2026-11-27T08:00+09:00", "2026-11-26T23:00+00:00"),
        ("2026-11-27", "2026-11-26T23:00+00:00"),
        # Clocks go back in that night: eight in the morning is an hour later than the day before.
        ("tomorrow 8:00", "2026-10-25T07:00+00:00"),
        ("Tomorrow at 21:30", "2026-10-25T20:30+00:00"),
        ("tomorrow", "2026-10-25T07:00+00:00"),
    ],
)
def test_a_time_to_come_is_read_in_the_persons_time_zone(text: str, expected: str):
    now = datetime(2026, 10, 24, 10, tzinfo=UTC)
    assert later("--until", text, now, ZoneInfo("Europe/Berlin")) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "soon", "tomorrow 25:00", "2026-10-24T09:00", "0h", "9999-12-31T23:59-12:00"])
def test_no_time_or_one_that_is_over_is_a_sentence(text: str):
    with pytest.raises(LoopdeskError, match="--until"):
        later("--until", text, datetime(2026, 10, 24, 10, tzinfo=UTC), ZoneInfo("UTC"))
