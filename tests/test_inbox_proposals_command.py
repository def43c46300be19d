"""`loopdesk inbox` about proposals: what it prints, and what each verb submits with the change that was read."""
# ruff: noqa: F811

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.inbox import Inbox
from tests.proposed import SHA, TITLES, all_states, proposed  # noqa: F401
from tui.commands.cli import run
from workspace.errors import LoopdeskError
from workspace.paths import Workspace

Command = Callable[..., str]


@pytest.fixture
def inbox(proposed: Workspace, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command on an inbox of proposals; returns what it printed."""

    def command(*arguments: str) -> str:
        capsys.readouterr()
        assert run(["--workspace", str(proposed.root), "inbox", *arguments]) == 0
        return capsys.readouterr().out

    return command


@pytest.fixture
def ids(proposed: Workspace) -> dict[str, str]:
    """Of the reports, by the names of their proposals' states."""
    door = Inbox(proposed, read_only=True)
    found = {one.projects[0]: one.report.id for one in door.reports()}
    door.close()
    return found


def decided(inbox: Command, proposed: Workspace, *arguments: str) -> tuple[dict[str, Any], str]:
    """What it printed, and the head that was sent along."""
    document = json.loads(inbox(*arguments, "--no-engine", "--json"))
    door = Inbox(proposed, read_only=True)
    made = next(one for one in door.commands() if one.id == document["command"])
    door.close()
    return document, made.seen_sha


def test_the_steps_are_approved_with_the_change_that_was_read(inbox: Command, ids: dict[str, str], proposed: Workspace):
    merge, sha = decided(inbox, proposed, "approve", ids["green"], "--expect", "merge")
    assert (merge["verb"], merge["arguments"], sha) == ("approve", {"expect": "merge"}, SHA)
    push, sha = decided(inbox, proposed, "approve", ids["push"], "--expect", "push")
    assert (push["arguments"], sha) == ({"expect": "push"}, SHA)
    second, sha = decided(inbox, proposed, "approve", ids["second"], "--expect", "merge", "--second")
    assert (second["arguments"], sha) == ({"expect": "merge", "second": True}, SHA)
    start, sha = decided(inbox, proposed, "approve", ids["consent"], "--expect", "start")
    assert (start["arguments"], sha) == ({"expect": "start"}, "")


def test_words_to_a_proposal_name_their_line(inbox: Command, ids: dict[str, str], proposed: Workspace):
    said = ("request-changes", ids["green"], "--at", "loops/planner.py:44", "--note", "name it")
    changes, sha = decided(inbox, proposed, *said)
    assert changes["arguments"] == {"note": "name it", "path": "loops/planner.py", "line": 44} and sha == SHA
    comment, sha = decided(inbox, proposed, "comment", ids["green"], "--note", "fine")
    assert (comment["verb"], comment["arguments"], sha) == ("comment", {"note": "fine"}, "")
    with pytest.raises(LoopdeskError, match="no place of a change"):
        inbox("comment", ids["green"], "--at", "planner.py", "--note", "x")
    assert "You, to be changed, can still be undone: name it" in inbox("diff", ids["green"])


def test_stopping_is_at_once_and_the_rest_can_be_undone(inbox: Command, ids: dict[str, str], proposed: Workspace):
    stop, _ = decided(inbox, proposed, "stop", ids["red"])
    assert stop["verb"] == "stop" and stop["apply_after"] == stop["made_at"]
    for verb, name in (("revert", "verified"), ("acknowledge", "regressed")):
        made, _ = decided(inbox, proposed, verb, ids[name])
        assert made["verb"] == verb and made["apply_after"] > made["made_at"]


def test_the_change_is_printed_and_is_a_document(inbox: Command, ids: dict[str, str]):
    text = inbox("diff", ids["red"])
    lines = text.splitlines()
    assert lines[0] == "loops/planner.py  +4  −3"
    place = lines.index("+            return fetch(page, timeout=TIMEOUT_S)")
    assert lines[place + 1] == "  | Review, must be mended: TIMEOUT_S is not defined in this module."
    document = json.loads(inbox("diff", ids["red"], "--json"))
    assert document["diff"]["head"] == SHA and len(document["diff"]["files"]) == 6
    assert {one["who"] for one in document["remarks"]} >= {"Review", "Review, must be mended"}
    with pytest.raises(LoopdeskError, match="Nothing was built yet"):
        inbox("diff", ids["queued"])


def test_list_and_show_say_how_proposals_stand(inbox: Command, ids: dict[str, str]):
    listed = inbox("list")
    assert "Green, checks 3 of 3" in listed and "Red: unit failed; another round at 2026-11-20 07:14:40" in listed
    shown = inbox("show", ids["green"])
    assert "`inbox approve` merges #35 into main at 1a2b3c4d5e" in " ".join(shown.split())
    assert "✓ passed   unit" in shown and TITLES["green"] in shown and "\x1b" not in shown and "\u202e" not in shown
    found = {one["id"]: one["proposal"] for one in json.loads(inbox("list", "--json"))["reports"]}
    assert found[ids["second"]]["next"] == {"expect": "merge", "second": True, "sha": SHA}
    assert found[ids["red"]]["countdown_until"] == "2026-11-20T07:14:40+00:00" and found[ids["red"]]["next"] is None
    assert found[ids["verified"]]["shown_as"] == "merged, verified −35 %"
