"""Killed at every named moment, the next engine goes on: nothing lost, nothing twice, no state that is none."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from engine import process
from engine.announcing import announcement
from engine.crash_points import ON_A_FORGE, POINTS
from engine.inbox import Inbox
from tests import inbox_invariants
from tests.crashing import BOOKED_USD, EVENTS, FIXED, NOTICES, RESERVED_USD, run_forked
from tests.forks import FORKS
from tests.test_commands import ROOT
from tests.test_engine_process import until
from workspace.paths import Workspace

# Every step with the second at which it happens; the last ones bring everything to its end.
STEPS = ("door:0", "engine:1", "decide:2", "engine:20", "engine:300", "engine:600")
MAY_MISS = ("after_notify", "before_send_notice")
# What only fixes come by is tried in `test_fix_crashes`.
OF_FIXES = (*ON_A_FORGE, "snapshot")
OTHERS = {
    "start_engine": "start:0",
    "say_engine": "serve:0",
    "reserve": "spend:0",
    "book": "spend:0",
    "outcome": "merged:0",
}


def run(folder: Path, steps: Sequence[str], crash_at: str = "") -> tuple[int, list[str]]:
    """The exit code, and what it printed before it died."""
    output = folder.parent / f"{crash_at or 'end'}.txt"
    process = FORKS.Process(target=run_forked, args=(folder, steps, crash_at, output))
    process.start()
    process.join(60)
    text = output.read_text()
    assert process.exitcode in (0, -signal.SIGKILL), text
    return process.exitcode, text.splitlines()


def told(lines: Sequence[str], kind: str) -> set[str]:
    return {line.partition(" ")[2] for line in lines if line.startswith(f"{kind} ")}


@pytest.mark.parametrize("point", [point for point in POINTS if point.partition("_")[2] not in OF_FIXES])
def test_killed_there_nothing_is_lost_and_nothing_is_done_twice(point: str, tmp_path: Path):
    workspace = Workspace(tmp_path / "w").create()
    database = workspace.inbox_db
    other = OTHERS.get(point.partition("_")[2])
    code, lines = run(workspace.root, [*([other] if other else []), *STEPS], point)
    assert code == -signal.SIGKILL, "the point was never reached"
    if point == "after_start_engine":
        # It has been started, and is on its way: before it has said who it is there is nothing to stop.
        until(lambda: (running := process.find(workspace)) is not None and running.pid)
        assert process.stop(workspace) is not None
    if database.exists():
        inbox_invariants.check(database, signals=told(lines, "signal"), commands=told(lines, "command"))
        check_spend(database, lines)
    # A human who was at the door does not do again what was cut short; an engine is started again.
    died_at = len(told_in_order(lines)) - 1 - bool(other)
    left = STEPS[max(died_at, 0) :]
    _, more = run(workspace.root, left)
    lines += more
    inbox_invariants.check(database, signals=told(lines, "signal"), commands=told(lines, "command"))
    inbox = Inbox(workspace)
    counts = inbox.counts()
    assert counts["signals_in"] == counts["commands"] == counts["jobs"] == 0
    undone = {command.id for command in inbox.commands() if command.undone_at}
    assert told(lines, "undone") <= undone
    # What was decided and never taken back was done; everything else has come to its end.
    for listed in inbox.reports():
        detail = inbox.report(listed.report.id)
        assert detail is not None
        is_resolved = any(one.verb == "resolve" and one.applied_at for one in detail.commands)
        is_fixed = listed.report.id == FIXED
        assert listed.report.status == ("resolved" if is_resolved or is_fixed else "ready")
        assert listed.proposal is None or listed.proposal.verdict == "regressed"
    subjects = {f"report:{listed.report.id}:ready" for listed in inbox.reports() if listed.report.id != FIXED}
    if other == OTHERS["outcome"]:
        (again,) = (listed.report for listed in inbox.reports() if listed.report.recurrence_of)
        assert again.recurrence_of == FIXED
        (failed,) = (subject for subject in lines_of(workspace.root / NOTICES) if subject.startswith("outcome:"))
        subjects.add(failed)
    commands = {announcement(one).uuid for one in inbox.commands() if one.applied_at}
    inbox.close()
    told_of = lines_of(workspace.root / NOTICES)
    assert len(told_of) == len(set(told_of)) and set(told_of) <= subjects
    # Cut short between its claim and its answer, a notice is not sent again: it may have arrived.
    assert point in MAY_MISS or set(told_of) == subjects
    assert set(lines_of(workspace.root / EVENTS)) == commands


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def check_spend(database: Path, lines: Sequence[str]) -> None:
    """What was said is kept; what was reserved costs all of it until it is booked."""
    with closing(sqlite3.connect(database)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'spend'").fetchone():
            return
        rows = db.execute("SELECT cost_usd, booked_at IS NOT NULL FROM spend").fetchall()
    assert len(rows) >= lines.count("reserved")
    assert all(row in ((RESERVED_USD, 0), (BOOKED_USD, 1)) for row in rows)
    assert sum(is_booked for _, is_booked in rows) >= lines.count("booked")


def told_in_order(lines: Sequence[str]) -> list[str]:
    return [line.partition(" ")[2] for line in lines if line.startswith("step ")]


def test_every_point_is_named_in_the_code():
    text = "\n".join(path.read_text() for path in (ROOT / "engine").glob("*.py"))
    for point in POINTS:
        name = point.partition("_")[2]
        assert f'transaction("{name}")' in text or f'_writing("{name}")' in text or f'crash_point("{point}")' in text
