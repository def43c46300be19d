"""Rows -> views, against numbers counted by hand. No store: a view is a function of rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.backend import QueryResult
from queries.catalog import catalog
from queries.views import window as windows
from queries.views import words
from queries.views.answers import buckets
from queries.views.cost import cost
from queries.views.deploys import deploys
from queries.views.escalations import escalations
from queries.views.funnel import funnel
from queries.views.headline import headline
from queries.views.heatmap import heatmap
from queries.views.rounds import rounds
from queries.views.stops import stops
from queries.views.trend import trend
from queries.views.window import Span, Window
from tests.conftest import NOW

WINDOW = Window(
    "night",
    Span(datetime(2026, 11, 19, 18, tzinfo=UTC), NOW),
    Span(datetime(2026, 11, 18, 18, tzinfo=UTC), NOW - timedelta(days=1)),
)


def result(question: str, *rows: dict, asked_at: datetime = NOW) -> QueryResult:
    """The question's columns in its order; a column that a row leaves out is 0 for a count and None else."""
    columns = catalog.load(question).columns
    filled = tuple(tuple(row.get(c.name, 0 if c.type.startswith("UInt") else None) for c in columns) for row in rows)
    return QueryResult(
        tuple(c.name for c in columns), tuple(c.type for c in columns), filled, "UTC", "embedded", asked_at, limit=5000
    )


class TestWindow:
    def test_a_night_begins_at_the_latest_18_that_is_six_hours_old(self):
        found = windows.night(NOW, "UTC")
        assert found.span == Span(datetime(2026, 11, 19, 18, tzinfo=UTC), NOW)
        assert found.before == Span(datetime(2026, 11, 18, 18, tzinfo=UTC), NOW - timedelta(days=1))

    @pytest.mark.parametrize(
        ("hour", "begins"),
        [(17, 18), (19, 18), (23, 18)],
    )
    def test_an_evening_still_shows_the_night_that_ended(self, hour: int, begins: int):
        now = datetime(2026, 11, 20, hour, tzinfo=UTC)
        found = windows.night(now, "UTC").span
        assert found.since == datetime(2026, 11, 19, begins, tzinfo=UTC)
        assert found.until == min(now, datetime(2026, 11, 20, 18, tzinfo=UTC))

    def test_past_midnight_the_running_night_is_shown(self):
        now = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
        assert windows.night(now, "UTC").span == Span(datetime(2026, 11, 19, 18, tzinfo=UTC), now)

    def test_a_night_over_a_clock_change_begins_at_the_same_local_hour(self):
        # Berlin, 25 October 2026: the clock goes back an hour at 3:00.
        now = datetime(2026, 10, 25, 7, tzinfo=UTC)
        found = windows.night(now, "Europe/Berlin")
        assert found.span.since.astimezone(UTC) == datetime(2026, 10, 24, 16, tzinfo=UTC)
        assert found.before.since.astimezone(UTC) == datetime(2026, 10, 23, 16, tzinfo=UTC)

    @given(
        st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
        st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
        st.integers(0, 23),
    )
    def test_a_night_is_six_hours_to_a_day_long_and_starts_on_the_hour(self, moment: datetime, zone: str, hour: int):
        now = moment.replace(tzinfo=UTC)
        span = windows.night(now, zone, hour).span
        age = now.timestamp() - span.since.timestamp()
        assert 6 * 3600 <= age <= 31 * 3600 + 3600
        assert span.until.timestamp() <= now.timestamp()
        assert span.since.astimezone(ZoneInfo(zone)).hour in (hour, hour + 1)  # an hour that a clock change left out

    def test_buckets_cover_a_day_of_25_hours(self):
        start = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin"))
        span = Span(start, start + timedelta(days=1))
        names = buckets(Window("24h", span, span, "hour"), "Europe/Berlin")
        assert (names[0], names[-1], len(names)) == ("2026-10-25 00:00:00", "2026-10-25 23:00:00", 24)
        assert buckets(Window("7d", span, span, "day"), "Europe/Berlin") == ("2026-10-25",)


class TestFunnel:
    def test_stages_and_the_worst_drop(self):
        row = {
            "project": "a",
            "seen": 100,
            "started": 100,
            "proposed": 90,
            "applied": 45,
            "scored": 44,
            "kept": 11,
            "reverted": 33,
        }
        found = funnel(result("round_funnel", row), result("round_funnel"))
        assert [(s.name, s.rounds, s.share) for s in found.stages] == [
            ("started", 100, None),
            ("proposed", 90, 0.9),
            ("applied", 45, 0.5),
            ("scored", 44, 44 / 45),
            ("kept", 11, 0.25),
        ]
        assert found.worst == "applied"
        assert found.verdict == "100 rounds, 11 kept (11 %); 50 % of those proposed were never applied."

    def test_a_stage_nobody_sends_is_not_sent_and_not_zero(self):
        row = {"project": "log", "seen": 126, "started": 126, "scored": 125, "kept": 23, "reverted": 103}
        found = funnel(result("round_funnel", row), result("round_funnel"))
        assert [(s.name, s.rounds) for s in found.stages] == [
            ("started", 126),
            ("proposed", None),
            ("applied", None),
            ("scored", 125),
            ("kept", 23),
        ]
        assert found.stages[3].share == 125 / 126

    def test_a_project_without_proposals_does_not_look_like_a_loss(self):
        rows = (
            {
                "project": "a",
                "seen": 10,
                "started": 10,
                "proposed": 8,
                "applied": 8,
                "scored": 8,
                "kept": 2,
                "reverted": 6,
            },
            {"project": "b", "seen": 10, "started": 10, "scored": 10, "kept": 1, "reverted": 9},
        )
        found = funnel(result("round_funnel", *rows), result("round_funnel"))
        assert found.stages[1].share == 0.8  # 8 of a's 10, not 8 of 20

    def test_a_share_is_only_of_those_who_send_both_stages(self):
        whole = {"project": "a", "seen": 50, "started": 50, "applied": 40, "scored": 32, "kept": 8, "reverted": 24}
        log = {"project": "b", "seen": 30, "started": 30, "scored": 30, "kept": 3, "reverted": 27}
        found = funnel(result("round_funnel", whole, log), result("round_funnel"))
        assert [(s.name, s.rounds, s.share) for s in found.stages[2:4]] == [("applied", 40, 0.8), ("scored", 62, 0.8)]

    def test_a_night_in_which_nothing_was_kept_has_zero_kept(self):
        row = {"project": "a", "seen": 5, "started": 5, "scored": 5, "reverted": 5}
        found = funnel(result("round_funnel", row), result("round_funnel"))
        assert found.stages[-1].rounds == 0
        assert "none kept" in found.verdict

    def test_rounds_that_only_started_got_nowhere(self):
        row = {"project": "a", "seen": 5, "started": 5}
        found = funnel(result("round_funnel", row), result("round_funnel"))
        assert (found.stages[1].rounds, found.worst) == (0, "proposed")

    def test_no_rows_is_an_empty_funnel(self):
        assert funnel(result("round_funnel"), result("round_funnel")).verdict == "No rounds in this window."


def scored(bucket: str, project: str, highest: float, lowest: float, goal: str | None = None) -> dict:
    return {"bucket": bucket, "project": project, "goal": goal, "highest": highest, "lowest": lowest, "rounds": 3}


class TestTrend:
    def view(self, now: list[dict], before: list[dict], deploys: list[dict] = (), shas: list[dict] = ()):  # type: ignore[assignment]
        return trend(
            WINDOW,
            result("score_trend", *now),
            result("score_trend", *before),
            result("git_shas", *deploys),
            result("git_shas", *shas),
        )

    def test_higher_is_better_unless_said_otherwise(self):
        found = self.view(
            [scored("2026-11-19 22:00:00", "a", 0.962, 0.9), scored("2026-11-20 01:00:00", "a", 0.974, 0.95)],
            [scored("2026-11-18 22:00:00", "a", 0.962, 0.8)],
        )
        (line,) = found.lines
        assert (line.best, line.best_before, line.is_better) == (0.974, 0.962, True)
        assert [point.running for point in line.points] == [0.962, 0.974]
        assert found.verdict == "a 0.974, 0.012 better than the night before."

    def test_a_loss_is_better_when_lower(self):
        found = self.view(
            [
                scored("2026-11-19 22:00:00", "a", 1.2, 0.9787, "min"),
                scored("2026-11-19 23:00:00", "a", 1.1, 0.9797, "min"),
            ],
            [scored("2026-11-18 22:00:00", "a", 1.3, 0.9697, "min")],
        )
        (line,) = found.lines
        assert (line.best, line.is_better) == (0.9787, False)
        assert [point.running for point in line.points] == [0.9787, 0.9787]
        assert "0.009 worse than the night before" in found.verdict

    def test_a_changed_sha_is_marked_where_it_first_appeared(self):
        at = "2026-11-20T01:20:00+00:00"
        shas = [
            {"project": "a", "git_sha": "aaa", "first_seen": "2026-11-19T20:00:00+00:00"},
            {"project": "a", "git_sha": "bbb", "first_seen": at},
        ]
        found = self.view([], [], shas, [{"project": "a", "git_sha": "aaa", "first_seen": "2026-11-18T20:00:00+00:00"}])
        assert [(mark.git_sha, mark.bucket) for mark in found.marks] == [("bbb", "2026-11-20 01:00:00")]

    def test_a_sha_that_is_new_since_the_night_before_is_marked_too(self):
        shas = [{"project": "a", "git_sha": "bbb", "first_seen": "2026-11-19T20:00:00+00:00"}]
        before = [{"project": "a", "git_sha": "aaa", "first_seen": "2026-11-18T20:00:00+00:00"}]
        assert [mark.git_sha for mark in self.view([], [], shas, before).marks] == ["bbb"]
        assert self.view([], [], shas, []).marks == ()  # nothing earlier is known: no change to mark

    def test_several_projects_are_said_by_how_they_moved(self):
        at = "2026-11-19 22:00:00"
        now = [
            scored(at, "a", 0.9, 0.1),
            scored(at, "b", 0.9, 0.5, "min"),
            scored(at, "c", 0.7, 0.1),
            scored(at, "d", 1, 1),
        ]
        before = [
            scored(at, "a", 0.8, 0.1),
            scored(at, "b", 0.9, 0.8, "min"),
            scored(at, "c", 0.9, 0.1),
            scored(at, "d", 1, 1),
        ]
        assert self.view(now, before).verdict == "Better: b by 0.300, a by 0.100. Worse: c by 0.200. Unchanged: d."
        assert self.view(now, []).verdict.endswith("; nothing earlier to compare with.")

    def test_nothing_scored(self):
        assert self.view([], []).verdict == "No round was scored in this window."


def dim(bucket: str, dim: str, average: float, count: int = 1, client: str = "c", project: str = "p") -> dict:
    return {
        "bucket": bucket,
        "project": project,
        "client": client,
        "dim": f"dim_{dim}",
        "average": average,
        "rounds": count,
    }


class TestHeatmap:
    def test_averages_weigh_rounds_and_the_weakest_comes_first(self):
        now = [
            dim("2026-11-19 22:00:00", "naming", 0.5, 1),
            dim("2026-11-19 23:00:00", "naming", 0.8, 2),
            dim("2026-11-19 22:00:00", "tests", 0.9),
        ]
        before = [dim("2026-11-18 22:00:00", "naming", 0.6), dim("2026-11-18 22:00:00", "tests", 0.95)]
        found = heatmap(WINDOW, result("dimension_heatmap", *now), result("dimension_heatmap", *before))
        assert [row.dimension for row in found.rows] == ["naming", "tests"]
        assert found.rows[0].average == pytest.approx(0.7)
        assert found.rows[0].change == pytest.approx(0.1)
        assert [cell for cell in found.rows[0].cells if cell is not None] == [0.5, 0.8]
        assert len(found.rows[0].cells) == len(found.buckets) == 14
        assert found.verdict == "naming is weakest at 0.700 (+0.100); tests fell most (−0.050)."

    def test_owners_say_only_what_tells_rows_apart(self):
        now = [dim("2026-11-19 22:00:00", "d", 0.5, client="x"), dim("2026-11-19 22:00:00", "d", 0.6, client="y")]
        found = heatmap(WINDOW, result("dimension_heatmap", *now), result("dimension_heatmap"))
        assert [row.owner for row in found.rows] == ["x", "y"]


class TestCost:
    def row(self, project: str, kept: int, spent: float | None, count: int = 10) -> dict:
        priced = 0 if spent is None else count
        return {
            "bucket": "2026-11-19 22:00:00",
            "project": project,
            "kept": kept,
            "rounds": count,
            "priced": priced,
            "spent_usd": spent,
        }

    def test_reverted_rounds_cost_too(self):
        found = cost(
            WINDOW, result("cost_per_kept", self.row("a", 2, 3.0)), result("cost_per_kept", self.row("a", 2, 1.0))
        )
        (line,) = found.lines
        assert (line.per_kept_usd, line.per_kept_before_usd, found.spent_usd) == (1.5, 0.5, 3.0)
        assert found.verdict == "$1.50 per kept round, $3.00 spent; a dearer, 3.0× the time before."

    def test_no_cost_sent_is_not_free(self):
        found = cost(WINDOW, result("cost_per_kept", self.row("a", 2, None)), result("cost_per_kept"))
        assert (found.lines[0].spent_usd, found.verdict) == (None, "Nobody sends what a round cost.")

    def test_a_project_that_sends_no_cost_does_not_make_others_cheaper(self):
        rows = (self.row("a", 2, 4.0), self.row("log", 98, None))
        found = cost(WINDOW, result("cost_per_kept", *rows), result("cost_per_kept"))
        assert found.per_kept_usd == 2.0

    def test_money_spent_and_nothing_kept(self):
        found = cost(WINDOW, result("cost_per_kept", self.row("a", 0, 4.0)), result("cost_per_kept"))
        assert (found.per_kept_usd, found.verdict) == (None, "$4.00 spent, nothing kept.")


class TestEscalations:
    def test_targets_by_use(self):
        rows = [
            {"bucket": "2026-11-19 22:00:00", "project": "a", "to_model": "big", "reason": "stall", "escalations": 3},
            {"bucket": "2026-11-19 23:00:00", "project": "b", "to_model": "big", "reason": None, "escalations": 1},
            {"bucket": "2026-11-19 23:00:00", "project": "b", "to_model": "mid", "reason": "stall", "escalations": 1},
        ]
        found = escalations(WINDOW, result("escalations", *rows), result("escalations"))
        assert [(t.to_model, t.count, sum(t.by_bucket)) for t in found.targets] == [("big", 4, 4), ("mid", 1, 1)]
        assert found.targets[0].projects == (("a", 3), ("b", 1))
        assert found.verdict == "5 escalations, none the night before; most to big from a."

    def test_none(self):
        assert escalations(WINDOW, result("escalations"), result("escalations")).verdict == "No escalations."


class TestStops:
    def test_bad_reasons_are_said_first(self):
        rows = [
            {"project": "a", "reason": "budget", "stops": 2, "rounds_completed": 120.0, "total_cost_usd": 9.5},
            {"project": "b", "reason": "crash", "stops": 1, "rounds_completed": 12.0},
        ]
        open_run = {"run_id": "r", "project": "c", "client": "x", "last_at": "2026-11-19T20:00:00+00:00"}
        found = stops(result("stop_reasons", *rows), result("stop_reasons"), result("unfinished_runs", open_run))
        assert [(s.reason, s.count, s.is_bad, s.rounds, s.cost_usd) for s in found.reasons] == [
            ("budget", 2, False, 120, 9.5),
            ("crash", 1, True, 12, None),
        ]
        assert found.verdict == (
            "b stopped on crash; 2 runs ended as planned, most on budget; c/x never said why it stopped."
        )

    def test_a_run_that_began_a_round_just_now_is_running(self):
        run = {"run_id": "r", "project": "c", "client": "x", "last_at": (NOW - timedelta(minutes=50)).isoformat()}
        found = stops(result("stop_reasons"), result("stop_reasons"), result("unfinished_runs", run))
        assert (found.unfinished, found.running, found.verdict) == ((), ("c/x",), "c/x still running.")


class TestHeadline:
    def row(self, project: str, **given: object) -> dict:
        base = {
            "project": project,
            "rounds": 60,
            "highest": 0.9,
            "lowest": 0.1,
            "kept": 12,
            "outcomes": 58,
            "priced": 58,
        }
        return {**base, "spent_usd": 6.0, "events": 200, "stopped": "plateau", "git_shas": ["abc"], **given}

    def test_one_line_a_project_against_the_night_before(self):
        now = result("headline", self.row("a", highest=0.974), self.row("loss", goal="min", lowest=0.97))
        before = result("headline", self.row("a", highest=0.962), self.row("loss", goal="min", lowest=0.98))
        found = headline(WINDOW, now, before)
        first, second = found.projects
        assert (first.best, round(first.change or 0, 3), first.is_better, first.per_kept_usd) == (
            0.974,
            0.012,
            True,
            0.5,
        )
        assert (second.best, second.is_better) == (0.97, True)
        assert found.verdict == "a and loss improved on the night before. 120 rounds, 24 kept."

    def test_what_nobody_sent_is_none(self):
        row = self.row(
            "log", outcomes=0, kept=0, priced=0, highest=None, lowest=None, no_git_sha=200, stopped="", git_shas=[]
        )
        (project,) = headline(WINDOW, result("headline", row), result("headline")).projects
        assert (project.kept, project.best, project.spent_usd, project.per_kept_usd) == (None, None, None, None)
        assert project.missing == (("git_sha", 1.0),)

    def test_events_without_a_project_are_counted_and_named(self):
        (project,) = headline(WINDOW, result("headline", self.row(None)), result("headline")).projects  # type: ignore[arg-type]
        assert (project.project, project.missing[0]) == ("(unnamed)", ("project", 1.0))


class TestRounds:
    ZERO = "1970-01-01T00:00:00+00:00"

    def row(self, minutes_ago: float, **given: object) -> dict:
        at = (NOW - timedelta(minutes=minutes_ago)).isoformat()
        return {
            "round_id": "r",
            "project": "a",
            "started": at,
            "ended": at,
            "kept_at": self.ZERO,
            "reverted_at": self.ZERO,
            **given,
        }

    @pytest.mark.parametrize(
        ("given", "outcome", "stage"),
        [
            ({"kept_at": "2026-11-20T01:00:00+00:00", "n_scored": 1}, "kept", "decided"),
            ({"reverted_at": "2026-11-20T01:00:00+00:00", "failure_mode": "regression"}, "reverted", "decided"),
            ({"reverted_at": "2026-11-20T01:00:00+00:00", "failure_mode": "crash"}, "crashed", "decided"),
            (
                {"kept_at": "2026-11-20T01:00:00+00:00", "reverted_at": "2026-11-20T02:00:00+00:00"},
                "reverted",
                "decided",
            ),
            ({"n_applied": 1, "n_proposed": 1}, "lost", "applied"),
        ],
    )
    def test_how_a_round_ended(self, given: dict, outcome: str, stage: str):
        (found,) = rounds(result("rounds", self.row(300, **given))).rows
        assert (found.outcome, found.last_stage) == (outcome, stage)

    def test_a_young_round_without_an_ending_is_running(self):
        view = rounds(result("rounds", self.row(29), self.row(31)))
        assert [row.outcome for row in view.rows] == ["running", "lost"]
        assert view.verdict == "2 rounds: 1 running, 1 lost."

    def test_a_crashed_round_has_no_score(self):
        (found,) = rounds(result("rounds", self.row(300, score=0.0, n_scored=0))).rows
        assert found.score is None

    def test_a_reverted_round_missed_its_baseline_by_this_much(self):
        (found,) = rounds(result("rounds", self.row(300, score=0.8, baseline=0.9, n_scored=1))).rows
        assert (round(found.delta or 0, 3), found.is_better) == (-0.1, False)

    def test_a_cut_list_says_so(self):
        cut = result("rounds", *[self.row(300)] * 5000)
        assert rounds(cut).verdict.startswith("The newest 5,000 rounds: ")


class TestDeploys:
    def test_a_bad_deploy(self):
        rows = [
            {
                "project": "a",
                "git_sha": "aaaaaaaa",
                "first_seen": "2026-11-19T20:00:00+00:00",
                "rounds": 30,
                "highest": 0.9,
                "kept": 6,
                "outcomes": 30,
                "spent_usd": 3.0,
            },
            {
                "project": "a",
                "git_sha": "bbbbbbbb",
                "first_seen": "2026-11-20T01:00:00+00:00",
                "rounds": 30,
                "highest": 0.8,
                "kept": 0,
                "outcomes": 30,
                "spent_usd": 3.0,
            },
        ]
        found = deploys(result("deploys", *rows))
        assert [(d.is_better, d.kept_share, d.per_kept_usd) for d in found.deploys] == [
            (None, 0.2, 0.5),
            (False, 0.0, None),
        ]
        assert found.verdict == "a moved to bbbbbbb with a worse best score; 1 deploy in all."


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.974, "0.974"), (0.0012, "0.0012"), (12.345, "12.35"), (1234.5, "1,234"), (None, "–"), (0, "0.000")],
)
def test_scores_read_as_people_write_them(value: float | None, shown: str):
    assert words.score(value) == shown


def test_money_that_is_next_to_nothing_is_not_shown_as_nothing():
    assert (words.money(0.0), words.money(0.0001), words.money(0.0421), words.money(1.5), words.money(1234)) == (
        "$0.00",
        "<$0.001",
        "$0.042",
        "$1.50",
        "$1,234",
    )


def test_a_tiny_change_is_not_shown_as_nothing():
    assert (words.signed(0.00001), words.signed(-0.012), words.signed(0.5)) == ("+1e-05", "−0.012", "+0.500")
