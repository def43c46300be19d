"""Dimensions, regressions and scorers by hand-made events, each figure counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.gallery.owners import owners
from queries.gallery.scoring import BOARDS, SIBLINGS
from queries.gallery.sheet import Row, Sheet, Tone
from queries.views.window import rolling
from tests.gallery_store import MORNING, NIGHT, Filled, assert_whole, filled
from tests.hand_made import (
    LAST_NIGHT,
    TONIGHT,
    any_results,
    cells,
    event,
    rounds_behind,
    row_of,
    sheet,
)

HOUR = timedelta(hours=1)
WEEK = rolling("7d", MORNING)


def _dimensions() -> Iterator[dict]:
    for place in range(10):
        acme = {"client": "acme", "round_id": f"A{place}", "score": 1}
        beta = {"client": "beta", "round_id": f"B{place}", "score": 1}
        at = TONIGHT + place % 2 * HOUR
        # One client scores up to 1, the other up to 100.
        yield event("round_scored", at, "gtm", **acme, dim_clarity=0.9, dim_tone=0.4 + 0.2 * (place % 2))
        yield event(
            "round_scored", at, "gtm", **beta, dim_clarity=90, dim_tone=60, **{"dim_new": 1} if place < 3 else {}
        )
        yield event("round_scored", LAST_NIGHT, "gtm", **acme | {"round_id": f"A-{place}"}, dim_tone=0.6)
        yield event("round_scored", at, "solo", score=1, round_id=f"S{place}", dim_depth=0.3)
        yield event("eval.case", at, "gtm", client="acme", dim="tone", score="0.5", round_id=f"A{place}")
        yield event("eval.case", at, "gtm", client="acme", dim="dim_tone", score=0.3, round_id=f"A{place}")
        yield event("eval.case", at, "gtm", client="acme", dim="clarity", score=0.8, round_id=f"A{place}")
        yield event("eval.case", at, "loopdesk", client="acme", dim="clarity", score=-9)
    yield event("eval.case", TONIGHT, "gtm", client="acme", dim="tone", score="fine")
    yield event("eval.case", TONIGHT, "gtm", client="acme", score=0.9)
    for place in range(3):
        yield event("round_scored", TONIGHT, "little", client="acme", score=1, dim_depth=place)


def _regressions() -> Iterator[dict]:
    for run, client, cases in (("RA", "acme", 40), ("RB", "beta", 200), ("RC", "gamma", 30)):
        for place in range(cases):
            yield event("eval.case", TONIGHT, "evals", client=client, run_id=run, dim="tone", score=1)
            if place < 100 and run == "RB":
                yield event("eval.case", LAST_NIGHT, "evals", client=client, run_id="RZ", dim="tone", score=1)
    for place in range(8):
        told = {"client": "acme", "run_id": "RA", "dim": "tone", "case_id": f"c{place}", "round_id": f"E{place % 3}"}
        yield event("eval.regression", TONIGHT + HOUR, "evals", **told, delta=-0.1 * (place + 1))
    for place in range(3):
        yield event("round_started", TONIGHT, "evals", client="acme", run_id="RA", round_id=f"E{place}")
    told = {"client": "acme", "run_id": "RA", "dim": "dim_clarity"}
    yield event("eval.regression", TONIGHT, "evals", **told, delta="-0.2")
    yield event("eval.regression", TONIGHT, "evals", **told, delta=None)
    yield event("eval.regression", TONIGHT, "evals", client="beta", run_id="RB", dim="tone", delta=0.9)
    yield event("eval.regression", LAST_NIGHT, "evals", client="beta", run_id="RZ", dim="tone", delta=-0.9)
    # A dimension that is better when lower.
    for delta in (2.0, 3.0, -9.0):
        yield event("eval.regression", TONIGHT, "loss", run_id="RL", dim="bpb", case_id=f"by {delta}", delta=delta)
    for place in range(3):
        yield event("eval.case", TONIGHT, "tiny", run_id="RT", dim="tone", score=1)
        yield event("eval.case", TONIGHT, "clean", run_id="RN", dim="tone", score=1)
        if place < 1:
            yield event("eval.regression", TONIGHT, "tiny", run_id="RT", dim="tone", delta=-0.2)
            yield event("eval.regression", TONIGHT, "nameless", delta=-0.2)


def _scorers() -> Iterator[dict]:
    def scored(project: str, version: str | None, place: int, score: object, hours: float, **more: object) -> dict:
        told = {"client": "acme", "scorer_version": version, "round_id": f"{project}-{version}-{place}"} | more
        return event("round_scored", TONIGHT + hours * HOUR, project, score=score, **told)

    for place in range(20):
        low, high = 0.50 + place / 100, 0.80 + place / 100
        yield scored("shift", "v1", place, low, 0, scorer_variant="full")
        yield scored("shift", "v2", place, f"{high:.2f}", 2, scorer_variant="full")
        yield scored("loss", "v1", place, high, 0, score_goal="min" if place < 1 else None)
        yield scored("loss", "v2", place, low, 2)
        yield scored("moved", "v1", place, low, 0, client="beta")
        yield scored("moved", "v2", place, high, 2)
        yield scored("nights", "v1", place, low, -48)
        yield scored("nights", "v2", place, high, 2)
        yield scored("same", "v1", place, low, 0)
        yield scored("same", "v2", place, low + 0.01, 2)
        yield scored("few", "v1", place, low, 0)
        yield scored("alone", "v1", place, low, 0)
        yield scored("untold", None, place, low, 0)
        if place < 10:
            ended = {"client": "acme", "round_id": f"shift-v2-{place}"}
            yield event("round_kept" if place < 4 else "round_reverted", TONIGHT + 3 * HOUR, "shift", **ended)
        if place < 3:
            yield scored("few", "v2", place, 10**6, 2)
    for place in range(5):
        yield scored("shift", None, place, "crashed", 0)
    yield event("round_kept", TONIGHT + 3 * HOUR, "shift")  # names no round: nobody's


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with filled(tmp_path_factory.mktemp("scoring"), [*_dimensions(), *_regressions(), *_scorers()]) as made:
        yield made


class TestDimensions:
    def test_first_each_clients_lowest_the_farthest_below_its_others_first(self, store: Filled):
        found = sheet(BOARDS["dimensions"], store, "gtm")
        assert [row.cells[:3] for row in found.rows] == [
            ("acme", "tone", pytest.approx(0.5)),
            ("beta", "tone", 60),
            ("beta", "clarity", 90),
            ("acme", "clarity", pytest.approx(0.9)),
            ("beta", "new", 1),
        ]
        assert [row.word for row in found.rows] == ["lowest", "lowest", "", "", "few rounds"]
        assert found.verdict == "acme is lowest on tone: 0.500, 0.400 below its others."

    def test_a_dimension_is_held_against_its_clients_others_and_against_before(self, store: Filled):
        found = sheet(BOARDS["dimensions"], store, "gtm", "acme")
        told = cells(found, "tone", 1)
        assert told["against its others"] == pytest.approx(-0.4)
        assert told["change"] == pytest.approx(-0.1)
        assert told["rounds"] == 10
        assert cells(found, "clarity", 1)["change"] is None

    def test_a_client_of_two_projects_is_named_with_its_project(self):
        named = owners([("gtm", "acme"), ("gtm", "beta"), ("ads", "acme"), ("ads", "")])
        assert named == {
            ("gtm", "acme"): "gtm/acme", ("gtm", "beta"): "beta", ("ads", "acme"): "ads/acme", ("ads", ""): "ads",
        }  # fmt: skip

    def test_few_scores_do_not_move_the_others(self, store: Filled):
        assert cells(sheet(BOARDS["dimensions"], store, "gtm", "beta"), "tone", 1)["against its others"] == -30

    def test_the_course_has_the_average_of_each_hour(self, store: Filled):
        found = sheet(BOARDS["dimensions"], store, "gtm", "acme")
        course = dict(zip(found.buckets, cells(found, "tone", 1)["over time"], strict=True))
        assert course["2026-11-19 20:00:00"] == pytest.approx(0.4)
        assert course["2026-11-19 21:00:00"] == pytest.approx(0.6)
        assert course["2026-11-19 22:00:00"] is None

    def test_rounds_without_a_client_still_count(self, store: Filled):
        found = sheet(BOARDS["dimensions"], store, "solo")
        assert found.verdict == "solo is lowest on depth: 0.300."
        assert found.notes == ("100 % of scores name no client.",)

    def test_three_scores_have_no_lowest(self, store: Filled):
        found = sheet(BOARDS["dimensions"], store, "little")
        assert found.verdict == "3 scores over 1 dimension: too few to call one the lowest."

    def test_eval_cases_are_a_board_of_their_own(self, store: Filled):
        found = sheet(BOARDS["dimensions_cases"], store, "gtm")
        told = cells(found, "tone", 1)
        assert (told["average"], told["cases"]) == (pytest.approx(0.4), 20)  # with the prefix and without it
        assert found.verdict == "acme is lowest on tone: 0.400, 0.400 below its others."
        assert found.notes == (
            "3 % of cases have no score that is a number.",
            "3 % of cases name no dimension.",
        )

    def test_rows_lead_to_their_rounds(self, store: Filled):
        rounds = rounds_behind(sheet(BOARDS["dimensions"], store, "gtm").rows[0], store, "gtm")
        assert len(rounds) == 10
        assert rounds[0][1] == pytest.approx(0.4)
        cases = rounds_behind(sheet(BOARDS["dimensions_cases"], store, "gtm").rows[0], store, "gtm")
        assert len(cases) == 10
        assert cases[0][1] == pytest.approx(0.4)  # of 0.5 and 0.3


class TestRegressions:
    def test_a_run_has_its_regressions_beside_its_cases(self, store: Filled):
        found = sheet(BOARDS["regressions"], store, "evals")
        assert [row.cells[:4] for row in found.rows] == [
            ("acme", 10, 0.25, 40),
            ("beta", 1, 0.005, 200),
            ("gamma", 0, 0, 30),
        ]
        assert cells(found, "acme")["dimensions"] == "tone 8 and clarity 2"

    def test_the_verdict_gives_a_rate_and_the_worst(self, store: Filled):
        found = sheet(BOARDS["regressions"], store, "evals")
        assert found.verdict == "11 regressions in 2 runs: 4 % of cases (1 % before); worst tone −0.800."

    def test_a_run_far_above_the_others_is_marked(self, store: Filled):
        found = sheet(BOARDS["regressions"], store, "evals")
        assert [(row.word, row.tone) for row in found.rows] == [
            ("more than others", Tone.BAD), ("", Tone.PLAIN), ("", Tone.PLAIN),
        ]  # fmt: skip

    def test_the_worst_follows_the_direction_of_its_dimension(self, store: Filled):
        told = cells(sheet(BOARDS["regressions"], store, "loss"), "loss")
        assert (told["worst"], told["on"]) == (3.0, "bpb (by 3.0)")
        falls = cells(sheet(BOARDS["regressions"], store, "evals"), "acme")
        assert (falls["worst"], falls["on"]) == (pytest.approx(-0.8), "tone (c7)")
        assert cells(sheet(BOARDS["regressions"], store, "evals"), "beta")["worst"] is None

    def test_notes_say_what_is_missing_and_what_contradicts(self, store: Filled):
        assert sheet(BOARDS["regressions"], store, "evals").notes == (
            "9 % of regressions carry no delta.",
            "10 % of regressions went the other way than the rest of their dimension.",
        )
        assert sheet(BOARDS["regressions"], store, "nameless").notes == (
            "100 % of regressions name no run.",
            "100 % of regressions name no dimension.",
            "100 % of regressions are of runs without eval.case, so have no rate.",
        )

    def test_three_cases_make_no_rate(self, store: Filled):
        found = sheet(BOARDS["regressions"], store, "tiny")
        assert found.verdict == "1 regression in 1 run, of 3 cases; worst tone −0.200."
        assert found.rows[0].word == ""

    def test_no_regression_is_said(self, store: Filled):
        found = sheet(BOARDS["regressions"], store, "clean")
        assert found.verdict == "No regression in 3 eval cases; nothing sent the night before."
        assert found.rows[0].drill is None

    def test_a_run_leads_to_its_regressed_rounds(self, store: Filled):
        found = row_of(sheet(BOARDS["regressions"], store, "evals"), "acme")
        rounds = rounds_behind(found, store, "evals")
        assert sorted(rounds) == [("E0", 3), ("E1", 3), ("E2", 2)]


def _told(rows: tuple[Row, ...]) -> list[tuple[object, str]]:
    return [(row.cells[1], row.word) for row in rows]


class TestScorers:
    def test_a_scorer_has_the_figures_of_its_scores(self, store: Filled):
        told = cells(sheet(BOARDS["scorers"], store, "shift"), "v2 full", 1)
        # 0.80 to 0.99 sent as text: the quartiles are the 6th, 11th and 16th.
        assert told["median"] == pytest.approx(0.90)
        assert told["spread"] == pytest.approx(0.10)
        assert told["mean"] == pytest.approx(0.895)
        assert told["best"] == pytest.approx(0.99)
        assert told["kept"] == 0.4
        assert told["change"] == pytest.approx(0.3)
        assert told["rounds"] == 20

    def test_on_one_mix_the_newer_is_said_to_be_kinder(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "shift")
        assert found.verdict == "shift: v2 full is 0.300 kinder than v1 full, on the same clients and nights."
        assert _told(found.rows) == [("v2 full", "kinder"), ("v1 full", ""), ("(no version)", "few rounds")]
        assert found.notes == (
            "11 % of scored rounds name no scorer_version.",
            "11 % of scored rounds have no score that is a number.",
        )

    def test_where_a_low_score_is_good_lower_is_kinder(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "loss")
        assert _told(found.rows) == [("v2", "kinder"), ("v1", "")]
        assert (cells(found, "v2", 1)["best"], cells(found, "v1", 1)["best"]) == (0.5, 0.8)

    def test_other_clients_make_the_comparison_unfair(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "moved")
        assert found.verdict == "moved: v2 is 0.300 kinder than v1, but on other clients."
        assert found.notes[0].startswith("moved: v2 and v1 ran on other mixes of clients")

    def test_other_nights_make_the_comparison_unfair(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "nights", asked=WEEK)
        assert found.verdict == "nights: v2 is 0.300 kinder than v1, but on other nights."

    def test_scores_alike_are_not_told_apart(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "same")
        assert found.verdict == "same's v2 and v1 are not told apart."
        assert found.rows[0].word == "about the same"

    def test_three_rounds_are_not_compared(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "few")
        assert found.verdict == "Several versions scored few, but too few rounds each to compare them."
        assert _told(found.rows) == [("v2", "few rounds"), ("v1", "")]

    def test_one_version_or_none_is_said(self, store: Filled):
        one = sheet(BOARDS["scorers"], store, "alone")
        assert one.verdict == "Every loop was scored by one version throughout this window."
        assert sheet(BOARDS["scorers"], store, "untold").verdict == "Nobody sends scorer_version."

    def test_a_scorer_leads_to_its_rounds_the_best_first(self, store: Filled):
        found = sheet(BOARDS["scorers"], store, "shift")
        rounds = rounds_behind(row_of(found, "v2 full", 1), store, "shift")
        assert len(rounds) == 20
        assert rounds[0] == ("shift-v2-19", 0.99)
        lowest = rounds_behind(row_of(sheet(BOARDS["scorers"], store, "loss"), "v2", 1), store, "loss")
        assert lowest[0] == ("loss-v2-0", 0.5)


@pytest.mark.parametrize("name", BOARDS)
def test_an_empty_store_is_a_sentence(name: str, store: Filled):
    found = sheet(BOARDS[name], store, "nobody")
    assert found.rows == ()
    assert "in this window" in found.verdict


@pytest.mark.parametrize("name", BOARDS)
def test_a_verdict_fits_a_line(name: str, store: Filled):
    for project in ("gtm", "evals", "shift", "few", "nobody"):
        assert len(sheet(BOARDS[name], store, project).verdict) <= 90


@settings(max_examples=40)
@given(st.data())
@pytest.mark.parametrize("name", BOARDS)
def test_any_rows_make_a_whole_sheet(name: str, data: st.DataObject):
    assert_whole(cast(Sheet, BOARDS[name].view(NIGHT, data.draw(any_results(BOARDS[name])))))


def test_siblings_are_named_both_ways():
    assert all(SIBLINGS[other] == name and name in BOARDS for name, other in SIBLINGS.items())
