"""What must hold of `inbox.db` whatever was killed when: read with plain sqlite3, without any code of the engine."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

# Written down once more, from DESIGN and the public reference, so that a slip in the engine's table is seen here.
REPORT = {
    "potential": {"candidate", "ready", "pending_input", "resolved", "failed", "suppressed", "deleted"},
    "candidate": {
        "in_progress", "potential", "ready", "pending_input", "failed", "resolved", "suppressed", "deleted",
    },
    "in_progress": {"candidate", "potential", "ready", "pending_input", "failed", "resolved", "suppressed", "deleted"},
    "pending_input": {"candidate", "potential", "resolved", "failed", "suppressed", "deleted"},
    "ready": {"candidate", "potential", "resolved", "failed", "suppressed", "deleted"},
    "resolved": {"potential", "ready", "pending_input", "failed", "suppressed", "deleted"},
    "failed": {"candidate", "potential", "resolved", "suppressed", "deleted"},
    "suppressed": {"potential", "ready", "pending_input", "resolved", "failed", "deleted"},
    "deleted": {"potential", "ready", "pending_input", "resolved", "failed", "suppressed"},
}  # fmt: skip
JOB = {
    "intended": {"queued", "cancelled"},
    "queued": {"running", "cancelled"},
    "running": {"returned", "failed", "cancelled"},
    "returned": {"applied", "failed", "cancelled"},
}
PROPOSAL = {
    "queued": {"building", "failed", "closed", "superseded"},
    "building": {"open", "waiting_for_you", "merged", "failed", "closed", "superseded"},
    "open": {"red", "green", "waiting_for_you", "building", "merged", "closed", "superseded", "failed"},
    "red": {"building", "open", "green", "waiting_for_you", "merged", "closed", "superseded", "failed"},
    "green": {"merged", "red", "open", "building", "waiting_for_you", "closed", "superseded", "failed"},
    "waiting_for_you": {"building", "open", "red", "green", "merged", "closed", "superseded", "failed"},
    "failed": {"queued", "merged", "closed", "superseded"},
}
NOUNS = {"report": (REPORT, "potential"), "job": (JOB, "intended"), "proposal": (PROPOSAL, "queued")}
LIVE = ("intended", "queued", "running", "returned")


def check(path: Path, *, signals: set[str] = frozenset(), commands: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """`signals` (source ids) and `commands` (ids) were told as taken: none of them may be lost."""
    # Not read-only: what a killed process left in the log has to be brought in first.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as db:
        if db.execute("PRAGMA user_version").fetchone() == (0,):
            assert not signals and not commands  # killed before it had a schema
            return
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        _signals(db, signals)
        _commands(db, commands)
        _transitions(db)
        _jobs(db)
        _outcomes(db)


def _signals(db: sqlite3.Connection, told: set[str]) -> None:
    stored = {id for (id,) in db.execute("SELECT source_id FROM signals")}
    waiting = {json.loads(text)["source_id"] for (text,) in db.execute("SELECT signal FROM signals_in")}
    assert told <= stored | waiting, f"lost: {told - stored - waiting}"
    twice = "SELECT signal_id FROM report_signals WHERE left_at IS NULL GROUP BY signal_id HAVING count(*) > 1"
    assert db.execute(twice).fetchall() == []
    placed = (
        "SELECT id FROM signals WHERE is_placed != EXISTS (SELECT 1 FROM report_signals WHERE signal_id = id "
        "AND left_at IS NULL) AND NOT (source_product = 'loopdesk' AND source_type = 'command')"
    )
    assert db.execute(placed).fetchall() == []
    sums = (
        "SELECT id, signals, (SELECT count(*) FROM report_signals JOIN signals AS s ON s.id = signal_id WHERE "
        "report_id = reports.id AND left_at IS NULL AND s.weight > 0) AS counted FROM reports WHERE signals != counted"
    )
    assert db.execute(sums).fetchall() == []


def _commands(db: sqlite3.Connection, told: set[str]) -> None:
    stored = {id for (id,) in db.execute("SELECT id FROM commands")}
    assert told <= stored, f"lost: {told - stored}"
    half = "SELECT id FROM commands WHERE claimed_at IS NOT NULL AND (applied_at IS NULL) = (refused_at IS NULL)"
    assert db.execute(half).fetchall() == []
    both = "SELECT id FROM commands WHERE claimed_at IS NOT NULL AND undone_at IS NOT NULL"
    assert db.execute(both).fetchall() == []
    effects = "SELECT source_id, count(*) FROM signals WHERE source_type = 'command' GROUP BY source_id"
    done = dict(db.execute(effects).fetchall())
    applied = {id for (id,) in db.execute("SELECT id FROM commands WHERE applied_at IS NOT NULL")}
    assert done == dict.fromkeys(applied, 1)
    approvals = ("start_approved", "round_approved", "push_approved", "merge_approved")
    for kinds, verb in ((approvals, "approve"), (("context",), "context"), (("dismissal",), "decline")):
        artefacts = [
            json.loads(text)["command"]
            for kind in kinds
            for (text,) in db.execute("SELECT content FROM artefacts WHERE kind = ? AND actor != 'engine'", (kind,))
        ]
        wanted = db.execute("SELECT id FROM commands WHERE verb = ? AND applied_at IS NOT NULL", (verb,)).fetchall()
        assert sorted(artefacts) == sorted(id for (id,) in wanted)


def _transitions(db: sqlite3.Connection) -> None:
    logs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for noun, subject, before, after, actor, reason in db.execute(
        "SELECT noun, subject, before, after, actor, reason FROM transitions ORDER BY seq"
    ):
        assert after in NOUNS[noun][0].get(before, ()), (noun, subject, before, after)
        assert actor and reason
        logs.setdefault((noun, subject), []).append((before, after))
    for (noun, subject), steps in logs.items():
        assert all(one[1] == other[0] for one, other in pairwise(steps)), (noun, subject, steps)
        assert steps[0][0] == NOUNS[noun][1]
    ends = {key: steps[-1][1] for key, steps in logs.items()}
    for id, status in db.execute("SELECT id, status FROM reports"):
        assert ends.get(("report", id), "potential") == status
    for id, state in db.execute("SELECT id, state FROM proposals"):
        assert ends.get(("proposal", id), "queued") == state
    for id, attempt, state in db.execute("SELECT id, attempt, state FROM jobs"):
        assert ends.get(("job", f"{id}/{attempt}"), "intended") == state


def _jobs(db: sqlite3.Connection) -> None:
    attempts: dict[str, list[str]] = {}
    for id, attempt, state in db.execute("SELECT id, attempt, state FROM jobs ORDER BY id, attempt"):
        attempts.setdefault(id, []).append(state)
        assert len(attempts[id]) == attempt
    for states in attempts.values():
        assert not any(state in LIVE for state in states[:-1])
        assert states.count("applied") <= 1
    judged = (
        "SELECT report_id, json_extract(content, '$.run') FROM artefacts WHERE kind IN ('judgement', 'safety_blocked')"
    )
    runs = db.execute(judged).fetchall()
    assert len(runs) == len(set(runs))
    applied = "SELECT count(*) FROM jobs WHERE kind = 'research' AND state = 'applied'"
    assert (len(runs),) == db.execute(applied).fetchone()
    twice = "SELECT report_id FROM proposals WHERE state NOT IN ('merged', 'closed', 'superseded', 'failed')"
    open_ = [id for (id,) in db.execute(twice)]
    assert len(open_) == len(set(open_))
    nobody = (
        "SELECT id FROM reports WHERE status = 'in_progress' AND NOT EXISTS (SELECT 1 FROM jobs WHERE "
        "report_id = reports.id AND state IN ('running', 'returned'))"
    )
    assert db.execute(nobody).fetchall() == []


def _outcomes(db: sqlite3.Connection) -> None:
    """A verdict is there with all that it writes, once, or not at all."""
    judged = sorted(id for (id,) in db.execute("SELECT id FROM proposals WHERE verdict != ''"))
    for written in (
        "SELECT json_extract(content, '$.proposal') FROM artefacts WHERE kind = 'outcome'",
        "SELECT substr(key, 9) FROM memory WHERE key LIKE 'outcome:%'",
        "SELECT source_id FROM signals WHERE source_product = 'loopdesk' AND source_type = 'outcome'",
    ):
        assert sorted(id for (id,) in db.execute(written)) == judged
