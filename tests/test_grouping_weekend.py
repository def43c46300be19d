"""The demo's weekend as an inbox: the few reports that a tired person wants, written down before the rules."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from engine.embedding import Lexical
from engine.grouping import Grouping
from engine.inbox import Inbox
from engine.listening import Listening
from engine.main import Parts, run_once
from engine.model import Signal
from engine.rules.judge import RulesJudge
from queries.local.store import Store as Events
from queries.simulator import simulate
from tests.test_grouping_stage import passes
from workspace import config

MORNING = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)

# A word of the report's title -> the sources of its signals.
# - The run that crashed and the error that crashed it are one thing to fix.
# - The router complains of the same dear prompts that the cost shows.
# - A plateau and a row of escalations of the same loop are two: one is about ideas, the other about money.
# - A client's weak dimension was weak before the deploy that made all clients worse.
EXPECTED = {
    "OutOfMemoryError": {"exceptions", "bad_stops"},
    "costs": {"cost_spike", "router_anomalies"},
    "nothing better": {"plateau"},
    "got worse with": {"deploys"},
    "in a row": {"escalation_streak"},
    "stays weak": {"weak_dimension"},
}
# What people say of it, and the report that they mean; a text that means none stays alone.
SAID = {
    "CUDA runs out of memory in autoresearch since depth 12\nOnly 1 GiB is free then.": "OutOfMemoryError",
    "autoagent: the crash of last night is not ours\nThe host was rebooted.": "",
    "Rounds cost too much and scores are low": "",
}


def test_the_demo_weekend_is_six_reports_and_what_people_say_joins_them(tmp_path: Path):
    settings = config.load({"workspace_dir": str(tmp_path / "workspace"), "timezone": "UTC"})
    events = Events.open(settings.workspace.create().events_db)
    with events.transaction():
        for batch in simulate(1, until=MORNING):
            events.ingest(batch, now=MORNING)
    events.close()
    stages = (Listening(settings), passes, Grouping(RulesJudge(), Lexical()))
    run_once(settings.workspace, lambda _: Parts(stages), clock=lambda: MORNING)
    found = reports(settings)
    for word, sources in EXPECTED.items():
        assert [kinds for title, kinds in found.items() if word in title] == [sources], (word, found)
    assert len(found) == len(EXPECTED), found
    with closing(Inbox(settings.workspace)) as inbox:
        inbox.add_signals([Signal("user", "note", text, text, 0.5, MORNING, {}) for text in SAID], MORNING)
    run_once(settings.workspace, lambda _: Parts(stages[1:]), clock=lambda: MORNING)
    found = reports(settings)
    joined = {title for title, kinds in found.items() if "note" in kinds and len(kinds) > 1}
    meant = [word for word in SAID.values() if word]
    assert len(joined) == len(meant) and all(any(word in title for title in joined) for word in meant), found
    assert len(found) == len(EXPECTED) + list(SAID.values()).count("")


def reports(settings: config.Config) -> dict[str, set[str]]:
    """Title -> the sources of its signals."""
    with closing(Inbox(settings.workspace, read_only=True)) as inbox:
        found = {}
        for listed in inbox.reports():
            detail = inbox.report(listed.report.id)
            assert detail is not None
            found[listed.report.title] = {one.signal.source_type for one in detail.signals}
        return found
