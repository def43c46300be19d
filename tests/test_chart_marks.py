"""What happened, on every time chart: asked behind the boards, kept for the first paint, and a place for the cursor."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.annotations import draft, make
from queries.backend import QueryResult
from queries.cache import AnswerCache
from queries.local.annotated import StoredAnnotations
from queries.local.store import Store
from queries.rest import LocalRest, open_rest
from queries.views import marks as effects
from queries.views.answers import buckets
from queries.views.marks import FEW, around, is_unclear, notes, spans, word
from queries.views.timeline import Annotation, Mark, joined, marks_on, same_commit
from queries.views.window import Span, night, rolling
from tests.board_views import COST, ESCALATIONS, HEATMAP, HOURS, TREND
from tests.conftest import NOW
from tests.desks import FakeAsker, Memory, answer, desk, screen_text, settled
from tests.events import event
from tests.posthog_double import Double, refusal
from themes.loader import load
from tui.asker import ANNOTATED, LocalAsker
from tui.messages import Arrived
from tui.palette import palette
from tui.remote_asker import RemoteAsker
from tui.screens.full import FullScreen
from tui.screens.marked import MarkScreen
from tui.screens.morning import MorningScreen
from tui.widgets import chart
from tui.widgets.effects import effect_lines
from tui.widgets.pane import BoardPane
from tui.widgets.pictures import PAINTERS
from tui.widgets.statusbar import StatusBar
from tui.widgets.strips import spots_of
from workspace.config import Config
from workspace.config import load as load_config
from workspace.errors import LoopdeskError

DARK, ASCII = palette(load("loopdesk-dark")), palette(load("loopdesk-dark"), ascii=True)
VIEWS = {"trend": TREND, "heatmap": HEATMAP, "cost": COST, "escalations": ESCALATIONS}
WINDOW = night(NOW, "UTC")
JUDGE = Annotation(1, "A new judge", NOW - timedelta(hours=9), False)
BUDGET = Annotation(2, "The budget was raised", NOW - timedelta(hours=4, minutes=20), False)
COMMIT = Annotation(3, "abcdef012345 Keep the cosine schedule", NOW - timedelta(hours=4), True)
DEPLOYED = Annotation(4, f"{TREND.marks[0].git_sha[:12]} Another prompt", NOW - timedelta(hours=6), True)
HAPPENED = (COMMIT, BUDGET, DEPLOYED, JUDGE)


def on(view: object) -> tuple[Mark, ...]:
    return marks_on(HAPPENED, WINDOW, "UTC", [mark.git_sha for mark in getattr(view, "marks", ())])


def drawn(painter, view: object, width: int, height: int, happened=None, ink=DARK) -> tuple[str, list[Mark]]:
    """The text, and the marks that it leads to."""
    strips = painter(view, width, height, ink, on(view) if happened is None else happened)
    assert len(strips) <= height and {one.cell_length for one in strips} <= {width}
    found = [spot.target for one in strips for spot in spots_of(one) if isinstance(spot.target, Mark)]
    return "\n".join(one.text for one in strips), found


class TestMarks:
    def test_one_a_bucket_with_a_count_and_the_words_of_a_person_first(self):
        found = {mark.bucket: mark for mark in marks_on(HAPPENED, WINDOW, "UTC")}
        assert found["2026-11-19 22:00:00"].label == "A new judge"
        assert found["2026-11-20 02:00:00"].annotations == (BUDGET,)
        crowded = marks_on((replace(BUDGET, at=COMMIT.at + timedelta(minutes=1)), COMMIT), WINDOW, "UTC")
        assert [mark.label for mark in crowded] == ["(2) The budget was raised"]
        assert [one.id for one in crowded[0].annotations] == [COMMIT.id, BUDGET.id]

    def test_a_commit_that_is_a_deploy_on_the_chart_is_not_drawn_twice(self):
        assert DEPLOYED in [one for mark in on(COST) for one in mark.annotations]
        assert DEPLOYED not in [one for mark in on(TREND) for one in mark.annotations]
        assert same_commit("4F2C1D9", "4f2c1d9e8a7b") and not same_commit("4f2c", "4f2c1d9e8a7b")
        assert not same_commit("", "4f2c1d9e8a7b")

    def test_what_lies_outside_the_window_is_left_out_but_its_last_hour_counts_whole(self):
        since, until, hour = WINDOW.span.since, WINDOW.span.until, timedelta(hours=1)
        moments = [since - timedelta(seconds=1), since, until, until + timedelta(minutes=5), until + hour]
        found = marks_on([Annotation(1, "x", at, False) for at in moments], WINDOW, "UTC")
        assert [one.at for mark in found for one in mark.annotations] == moments[1:4]

    def test_hostile_words_are_one_printable_line_of_bounded_length(self):
        (mark,) = marks_on([replace(JUDGE, content="\x1b]0;x\x07a\u202eb\nc" + "x" * 500)], WINDOW, "UTC")
        assert mark.label.isprintable() and len(mark.label) <= 60 and "\u202e" not in mark.label

    @given(st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]), st.data())
    def test_every_mark_stands_in_a_bucket_of_its_window(self, zone: str, data: st.DataObject):
        now = data.draw(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1))).replace(tzinfo=UTC)
        window = data.draw(st.sampled_from([night(now, zone), rolling("30d", now), rolling("24h", now)]))
        length = (window.span.until - window.span.since).total_seconds()
        at = window.span.since + timedelta(seconds=data.draw(st.floats(0, length - 1)))
        found = marks_on([Annotation(1, "x", at.astimezone(ZoneInfo("UTC")), False)], window, zone)
        assert [mark.bucket in buckets(window, zone) for mark in found] == [True]

    def test_marks_that_know_no_annotations_are_joined_by_their_words(self):
        assert joined([Mark("a", "one"), Mark("b", "two")]).label == "(2) one"


class TestCharts:
    @pytest.mark.parametrize("board", VIEWS)
    def test_each_marks_what_happened_with_its_words_and_leads_to_it(self, board: str):
        text, found = drawn(PAINTERS[board], VIEWS[board], 130, 24)
        assert DARK.glyphs.flag in text
        assert {one for mark in found for one in mark.annotations} >= {JUDGE, BUDGET, COMMIT}
        if board != "escalations":  # whose course is as wide as its hours
            assert "◆ A n" in text

    @pytest.mark.parametrize("board", VIEWS)
    def test_without_marks_a_chart_is_as_ever(self, board: str):
        for width, height in ((52, 19), (78, 5), (130, 24)):
            with_none = drawn(PAINTERS[board], VIEWS[board], width, height, ())
            assert with_none[0] == "\n".join(s.text for s in PAINTERS[board](VIEWS[board], width, height, DARK))

    @pytest.mark.parametrize("board", VIEWS)
    def test_of_few_lines_none_is_spent_on_marks(self, board: str):
        bare = PAINTERS[board](VIEWS[board], 52, 5, DARK)
        assert drawn(PAINTERS[board], VIEWS[board], 52, 5)[0] == "\n".join(strip.text for strip in bare)

    def test_on_an_axis_a_mark_is_one_glyph(self):
        text, found = drawn(PAINTERS["trend"], TREND, 76, 9)
        assert text.count(DARK.glyphs.flag) == len(found) == 3 and "judge" not in text

    @pytest.mark.parametrize("board", VIEWS)
    @given(width=st.integers(1, 170), height=st.integers(0, 50), hours=st.lists(st.sampled_from(HOURS), max_size=9))
    def test_any_size_holds(self, board: str, width: int, height: int, hours: list[str]):
        happened = [Mark(hour, "words " * (place + 1)) for place, hour in enumerate(dict.fromkeys(hours))]
        text, _ = drawn(PAINTERS[board], VIEWS[board], width, height, happened, ASCII)
        assert text.replace("\n", "").isascii()

    @pytest.mark.parametrize("board", chart.PAINTERS)
    def test_a_line_chart_has_a_line_a_mark_and_their_words_below(self, board: str):
        bare = drawn(chart.PAINTERS[board], VIEWS[board], 120, 44, ())[0]
        text, found = drawn(chart.PAINTERS[board], VIEWS[board], 120, 44)
        assert [mark.label for mark in found] == [mark.label for mark in on(VIEWS[board])]
        assert text.splitlines()[-1].startswith(f"{DARK.glyphs.flag} ") and "22:00 A new judge" in text
        assert text.count("│") > bare.count("│")


def mounted(app) -> BoardPane:
    return app.screen.query_one("#trend", BoardPane)


class TestTheDesk:
    async def test_kept_marks_are_painted_at_once_and_what_is_the_same_repaints_nothing(self):
        asker, memory = FakeAsker(), Memory(*(answer(board) for board in VIEWS))
        asker.happened = memory.happened = (JUDGE,)
        waiting: list = []
        app = desk(asker, memory, spawn=waiting.append)
        async with app.run_test(size=(160, 48)) as pilot:
            await pilot.pause()
            assert "◆ A new judge" in screen_text(app)
            painted: list[int] = []
            for pane in app.screen.query(BoardPane):
                pane.repaint = lambda: painted.append(1)  # type: ignore[method-assign]
            app.screen._show_marks()
            assert not painted

    async def test_they_are_asked_for_behind_the_boards_and_kept(self):
        asker, memory = FakeAsker(), Memory()
        asker.happened = (JUDGE,)
        app = desk(asker, memory)
        async with app.run_test(size=(160, 48)) as pilot:
            await settled(pilot)
            assert memory.happened == (JUDGE,) and "◆ A new judge" in screen_text(app)

    async def test_a_new_one_arrives_without_any_board_being_asked(self):
        asker = FakeAsker()
        app = desk(asker)
        async with app.run_test(size=(160, 48)) as pilot:
            await settled(pilot)
            asked, asker.happened = len(asker.asked), (JUDGE,)
            app.post_message(Arrived(frozenset({ANNOTATED})))
            await settled(pilot)
            assert "◆ A new judge" in screen_text(app) and len(asker.asked) == asked

    async def test_a_key_that_may_not_read_them_is_said_once_and_charts_live_on(self):
        asker, memory = FakeAsker(), Memory()
        asker.errors["annotations"] = LoopdeskError("The personal key lacks the scope annotation:read")
        for is_first in (True, False):  # another morning only the journal says it
            app = desk(asker, memory)
            async with app.run_test(size=(160, 48)) as pilot:
                await settled(pilot)
                assert ("annotation:read" in app.screen.query_one(StatusBar).text) is is_first
                await pilot.press("r", "R")
                await settled(pilot)
                told = [note.said for note in app.journal.own if "annotation:read" in note.said]
                assert len(told) == 1 and "improved" in screen_text(app)

    async def test_enter_on_a_mark_compares_and_esc_comes_back_to_it(self):
        asker = FakeAsker()
        asker.happened, asker.backend = HAPPENED, Sides()  # type: ignore[assignment]
        app = desk(asker)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            await pilot.press("tab", "plus")
            await settled(pilot)
            assert isinstance(app.screen, FullScreen)
            pane = app.screen.query_one(BoardPane)
            for _ in range(20):
                if pane.spot and isinstance(pane.spot.target, Mark):
                    break
                await pilot.press("j")
            assert pane.spot is not None and isinstance(pane.spot.target, Mark)
            spot, full = pane.spot, app.screen
            assert pane.spot.target.label in app.screen.query_one(StatusBar).text
            await pilot.press("enter")
            await settled(pilot)
            assert isinstance(app.screen, MarkScreen)
            assert "A new judge" in screen_text(app) and "autoagent better" in screen_text(app)
            await pilot.press("right")
            await settled(pilot)
            assert "Another prompt" in screen_text(app)
            await pilot.press("escape")
            await pilot.pause()
            assert app.screen is full and pane.spot == spot

    async def test_the_screen_beneath_takes_over_what_was_learnt_above(self):
        asker = FakeAsker()
        app = desk(asker)
        async with app.run_test(size=(160, 48)) as pilot:
            await settled(pilot)
            await pilot.press("tab", "plus")
            asker.happened = (JUDGE,)
            await pilot.press("r")
            await settled(pilot)
            await pilot.press("escape")
            await settled(pilot)
            assert isinstance(app.screen, MorningScreen) and mounted(app).marks


def row(project: str, rounds: int, best: float, kept: int, spent: float, goal: str = "max") -> dict:
    values = {"rounds": rounds, "highest": best, "lowest": best, "kept": kept, "outcomes": rounds, "priced": rounds}
    return {"project": project, "goal": goal, "spent_usd": spent} | values


def result(*rows: dict) -> QueryResult:
    columns = tuple(row("", 0, 0, 0, 0))
    return QueryResult(columns, columns, tuple(tuple(one[name] for name in columns) for one in rows), "UTC", "e", NOW)


class Sides:
    """A store that got better at every mark."""

    def query(self, text: str, values: dict, types: dict) -> QueryResult:
        best = 0.8 if values["until"] < NOW else 0.9
        return result(row("autoagent", 50, best, 5, 1.0))


class TestBothSides:
    def compared(self, before: dict, after: dict, others: list[datetime] | None = None):
        span = spans(JUDGE.at, timedelta(days=3), NOW)
        return around(JUDGE.at, *span, others or [], (result(before), result(after)))

    def test_a_side_ends_at_a_mark_a_night_away_and_closer_ones_are_counted(self):
        at, day = JUDGE.at, timedelta(days=1)
        now, three = at + 9 * day, 3 * day
        assert spans(at, three, now) == (Span(at - three, at), Span(at, at + three))
        others = [at - day, at - 2 * day, at + timedelta(hours=2), at + 2 * day, at + 8 * day]
        before, after = spans(at, three, now, others)
        assert (before.since, after.until) == (at - day, at + 2 * day)
        found = around(at, before, after, others, (result(), result()))
        assert found.others == 1 and any("1 other mark" in said for said in notes(found))
        assert spans(at, three, at - day)[1] == Span(at, at)

    def test_words_follow_the_goal(self):
        for goal, expected in (("max", "better"), ("min", "worse")):
            found = self.compared(row("a", 30, 0.7, 5, 1, goal), row("a", 30, 0.9, 5, 1, goal))
            assert word(found.effects[0]) == expected and f"a {expected}" in found.verdict

    def test_few_rounds_say_nothing(self):
        found = self.compared(row("a", 60, 0.7, 5, 1), row("a", FEW - 1, 0.9, 5, 1))
        assert word(found.effects[0]) == "too few rounds" and "better" not in found.verdict

    def test_a_best_that_only_more_rounds_made_says_nothing(self):
        found = self.compared(row("a", 60, 0.9, 5, 1), row("a", 25, 0.8, 3, 1))
        assert is_unclear(found.effects[0]) and word(found.effects[0]) == "unclear" and notes(found)
        assert word(self.compared(row("a", 60, 0.9, 5, 1), row("a", 25, 0.95, 3, 1)).effects[0]) == "better"

    @pytest.mark.parametrize(("kept", "expected"), [(10, None), (12, None), (28, True), (1, False)])
    def test_a_larger_share_is_more_than_chance(self, kept: int, expected: bool | None):
        assert self.compared(row("a", 80, 1, 10, 1), row("a", 80, 1, kept, 1)).effects[0].keeps_more is expected

    def test_a_loop_that_one_side_does_not_have(self):
        found = around(JUDGE.at, *spans(JUDGE.at, timedelta(days=3), NOW), [], (result(), result(row("a", 9, 1, 1, 1))))
        assert word(found.effects[0]) == "no round before"
        assert around(JUDGE.at, found.before, found.after, [], (result(), result())).verdict

    @pytest.mark.parametrize("width", [20, 46, 76])
    def test_it_is_painted_within_any_width(self, width: int):
        found = self.compared(
            row("a" * 40, 60, 0.7, 5, 1), row("a" * 40, 60, 0.9, 25, 1), [JUDGE.at + timedelta(hours=1)]
        )
        lines = effect_lines(found, width, ASCII, lambda at: f"{at:%H:%M}")
        texts = ["".join(text for text, _ in line) for line in lines]
        assert max(map(len, texts)) <= width and any("better" in text for text in texts)
        assert width < 76 or any("more" in text for text in texts)

    def test_few_is_what_an_outcome_waits_for(self):
        assert effects.FEW == 20


class TestTheStore:
    @pytest.fixture
    def config(self, tmp_path: Path) -> Config:
        root = tmp_path / "workspace"
        root.mkdir(mode=0o700)
        Store.open(root / "events.db").close()
        return Config(workspace_dir=root)

    def test_a_new_annotation_is_news_and_events_are_none(self, config: Config):
        stored, rest = StoredAnnotations(config.workspace.events_db), LocalRest(config)
        asker = LocalAsker(config)
        assert not stored.has_news() and asker.arrived() == frozenset()
        make(rest, draft("A new judge", NOW))
        assert stored.has_news() and not stored.has_news()
        assert asker.arrived() == {ANNOTATED} and asker.arrived() == frozenset()
        store = Store.open(config.workspace.events_db)
        store.ingest([event("round_started", at=NOW)])
        store.close()
        assert not stored.has_news() and asker.arrived() == {"round_started"}
        make(rest, draft("Another", NOW - timedelta(hours=1)))
        assert [one.content for one in asker.annotations()] == ["A new judge", "Another"]
        assert [one.content for one in stored.newest(1)] == ["Another"]
        stored.close()
        asker.close()

    def test_without_a_store_there_are_none(self, tmp_path: Path):
        stored = StoredAnnotations(tmp_path / "events.db")
        assert stored.newest(5) == () and not stored.has_news()

    def test_a_posthog_is_asked_through_its_rest(self, serve, tmp_path: Path):
        served = serve()
        settings = {"posthog_host": served.url, "posthog_personal_key": served.personal_key, "backend": "posthog"}
        config = load_config({**settings, "workspace_dir": str(tmp_path / "other")})
        rest = open_rest(config)
        make(rest, draft("A new judge", NOW))
        rest.close()
        assert [one.content for one in RemoteAsker(config).annotations()] == ["A new judge"]

    def test_a_key_without_the_scope_is_refused_by_its_name(self, tmp_path: Path):
        said = "API key missing required scope 'annotation:read'"
        no = refusal(403, said, "authentication_error", "permission_denied")
        with Double([no]).running() as double:
            settings = {"posthog_host": double.url, "posthog_personal_key": "phx_" + "s3cret" * 6}
            config = load_config({**settings, "backend": "posthog", "workspace_dir": str(tmp_path / "other")})
            with pytest.raises(LoopdeskError, match="annotation:read"):
                RemoteAsker(config).annotations()

    def test_they_are_kept_for_the_one_who_answered(self, tmp_path: Path):
        cache = AnswerCache(tmp_path / "desk.db", source="a")
        assert cache.annotations() == ()
        cache.save_annotations(HAPPENED)
        assert cache.annotations() == HAPPENED
        other = AnswerCache(tmp_path / "desk.db", source="b")
        assert other.annotations() == ()
        cache._write("UPDATE answers SET document = '[[1]]'")
        assert cache.annotations() == ()
        cache.close()
        other.close()
