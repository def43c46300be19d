"""The demo carries one report to a merge on a repository of its own, and says that its model is a script."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.demo.model import NAME, answer
from engine.demo.repository import folder, make
from engine.demo.story import story
from engine.git import Git
from engine.inbox import Inbox
from engine.main import run_once
from engine.model import Signal
from engine.runtime import parts
from tests.jails import jails
from workspace.config import Config
from workspace.paths import Workspace

NOW = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    jails()
    made = Workspace(tmp_path / "w").create()
    made.demo_marker.write_text("{}")
    make(folder(made.root), story(), NOW)
    return made


def test_one_report_is_carried_to_its_merge(workspace: Workspace):
    told, now = story(), NOW
    inbox = Inbox(workspace)
    stopped = "autoresearch stopped on crash\nThe last exception of that run: OutOfMemoryError."
    extra = {"project": told.project}
    inbox.add_signal(Signal("loops", "bad_stops", "stopped on crash", stopped, 1.0, now, extra), now)
    inbox.add_signal(
        Signal(
            "loops", "plateau", "plateau", "gtm-autoresearch stays at 0.5\nNo new best.", 1.0, now, {"project": "gtm"}
        ),
        now,
    )
    config = Config(
        workspace_dir=str(workspace.root), timezone="UTC", anthropic_key="never asked", anthropic_url="none"
    )
    run_once(workspace, parts(config, lambda: now), clock=lambda: now)
    by_title = {one.title: one for one in inbox.reports()}
    fixed = by_title.pop(told.research["title"])
    assert fixed.group == "Review and merge" and fixed.proposal is not None and fixed.proposal.state == "green"
    detail = inbox.report(fixed.report.id)
    assert detail is not None and detail.cost_usd == 0
    judged = next(one.content for one in detail.artefacts if one.kind == "judgement")
    assert judged["by"] == NAME and "script" in str(judged["code"])
    # Every other report is judged by rules, as without a script.
    ((_, other),) = by_title.items()
    assert other.proposal is None and other.report.status == "pending_input"
    seen = {"now": now, "seen_sha": fixed.proposal.head_sha}
    inbox.submit(inbox.command("approve", fixed.report.id, {"expect": "merge"}, **seen))  # type: ignore[arg-type]
    now += timedelta(seconds=11)
    run_once(workspace, parts(config, lambda: now), clock=lambda: now)
    assert {one.group for one in inbox.reports()} == {"Outcomes", "Needs input"}
    inbox.close()
    git = Git.found()
    assert git.run("show", "main:train.py", repository=folder(workspace.root)).text == told.fix["train.py"].strip()


def test_the_bug_is_one_and_the_fix_mends_it(tmp_path: Path):
    told = story()
    for name, files in (("before", told.files), ("after", {**told.files, **told.fix}), ("new test", told.files)):
        root = tmp_path / name
        root.mkdir()
        for path, text in files.items():
            (root / path).write_text(text)
        if name == "new test":
            (root / "test_train.py").write_text(told.fix["test_train.py"])
        done = subprocess.run(list(told.ci), cwd=root, capture_output=True)
        assert (done.returncode == 0) == (name != "new test"), name


def test_what_it_was_not_written_for_it_refuses():
    asked = {"system": "You are somebody else.", "messages": [{"role": "user", "content": "Hello"}], "model": "m"}
    assert answer(story(), asked) is None
