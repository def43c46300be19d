"""What screens ask the door about the engine: what happened since, and every source with its record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.about import About, AboutSource, document, read_about
from engine.effects import SetMeta
from engine.store import Store
from tests.conftest import NOW
from tests.engines import READY, Desk, answers, signal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "w")
    yield desk
    desk.close()


def says(desk: Desk, about: About) -> None:
    store = Store.open(desk.workspace.inbox_db)
    with store.transaction("reconcile"):
        store.write([SetMeta("about", document(about))], desk.now)
    store.close()


class TestDigest:
    def test_nothing_where_there_is_nothing(self, desk: Desk):
        assert desk.inbox.digest(NOW).is_empty

    def test_new_and_changed_are_told_apart_and_ones_own_decisions_are_no_news(self, desk: Desk):
        desk.comes(signal("old", project="a"), signal("own", project="b", weight=0.5))
        desk.turn()
        seen = desk.now
        desk.later(hours=1)
        desk.comes(signal("fresh", project="c"))
        desk.handlers = answers(READY)
        old, own = (next(one for one in desk.reports() if one.title.startswith(name)) for name in ("old", "own"))
        desk.applied("resolve", own)
        digest = desk.inbox.digest(seen)
        fresh = next(one for one in desk.reports() if one.title == READY["title"] and one.id != old.id)
        assert digest.new == (fresh.id,)
        assert digest.changed == (old.id,)
        assert desk.inbox.digest(desk.now + timedelta(hours=1)).is_empty

    def test_blocked_and_held_signals_are_counted(self, desk: Desk):
        desk.comes(signal("a"), signal("b"))
        store = Store.open(desk.workspace.inbox_db)
        store.ingest(desk.now)
        store.judged(signal("a").id, "blocked", threat="remote_code", quote="curl")
        store.judged(signal("b").id, "held", why="away", again_at=desk.now)
        store.close()
        assert (desk.inbox.digest(NOW - timedelta(days=1)).blocked, desk.inbox.digest(NOW).held) == (1, 1)
        assert desk.inbox.digest(desk.now + timedelta(days=1)).blocked == 0


class TestSources:
    def test_what_it_said_and_what_became_of_it(self, desk: Desk):
        desk.handlers = answers(READY)
        desk.comes(signal("slow"))
        desk.turn()
        desk.applied("resolve", desk.report())
        says(desk, About(desk.now, (AboutSource("loops/plateau", "Plateau", True, 1.0),)))
        plateau, crash = desk.inbox.sources()
        assert (plateau.source, plateau.signals, plateau.configured_weight) == ("loops/plateau", 0, 1.0)
        assert (crash.source, crash.signals, crash.where) == ("loops/crash", 1, "handed in")
        assert (crash.record.reports, crash.record.useful) == (1, 1)

    def test_a_switch_by_hand_wins(self, desk: Desk):
        says(desk, About(desk.now, (AboutSource("loops/plateau", "Plateau", True, 1.0),)))
        desk.applied("switch", "", source="loops/plateau", on=False)
        assert [source.is_on for source in desk.inbox.sources()] == [False]


class TestAbout:
    def test_it_comes_back_as_it_was_said(self, desk: Desk):
        about = About(desk.now, (AboutSource("a/b", "B", False, 0.5),), "rules", "Rules judge.", limits={"night": 5.0})
        says(desk, about)
        assert desk.inbox.about() == about

    def test_another_versions_is_none(self, desk: Desk):
        store = Store.open(desk.workspace.inbox_db)
        with store.transaction("reconcile"):
            store.write([SetMeta("about", {"at": "2026-01-01T00:00:00+00:00", "sources": [], "colour": 1})], desk.now)
        assert read_about(store.connection) is None
        store.close()
